/* synthetic.c: the built-in data set. See synthetic.h. */
#define _GNU_SOURCE
#include "synthetic.h"

#include "command_options.h"
#include "cpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART_BASE, PART_QUERY, PART_LEARN };
enum { GUIDES = 1 << 12 };
enum { MAX_CENTRES = 1 << 26 }; /* floats kept for all centres and spectra */

struct synthetic {
    int64_t n, queries, learn, d, clusters, seed;
    double decay;
    int part;
    int stages;      /* butterfly stages of the rotation */
    float *centre;   /* clusters x d */
    float *spread;   /* clusters x d: standard deviations */
    float *turn;     /* stages x d/2 x (cos, sin) */
    float *offset;   /* d */
    double *weight;  /* clusters, cumulative */
    int64_t *guide;  /* GUIDES + 1: the cluster of u = i / GUIDES: where to look for those behind it */
};

/* splitmix64's finaliser of a counter: numbers that depend on (seed, stream, index) alone. */
static uint64_t hash(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint64_t z = seed * 0x9E3779B97F4A7C15u ^ (stream + 1) * 0xC2B2AE3D27D4EB4Fu;
    z += (index + 1) * 0xD1B54A32D192ED03u;
    for (int i = 0; i < 2; i++) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
    }
    return z;
}

static double uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return ((double)(hash(seed, stream, index) >> 11) + 0.5) * 0x1p-53;
}

/* Pairs of uniform numbers, uniform(seed, stream, 2 i) and (2 i + 1) for i = first, first + 2, ...: many at a
 * time. A number of 53 bits is exact as the sum of two that loops over 32-bit integers convert. */
LBH_CLONES
static void uniforms(uint64_t seed, uint64_t stream, uint64_t first, int count, double *u)
{
    for (int i = 0; i < count; i++) {
        uint64_t z = hash(seed, stream, 2 * (first + (uint64_t)(i & ~1)) + (uint64_t)(i & 1));
        int high = (int)(z >> 38), low = (int)(z >> 11 & 0x7FFFFFF);
        u[i] = ((double)high * 0x1p27 + (double)low + 0.5) * 0x1p-53;
    }
}

/* Pairs of independent normal numbers (Box and Muller). */
static void normals(uint64_t seed, uint64_t stream, int64_t count, float *x)
{
    enum { ROOM = 128 };
    double u[ROOM] = {0}; /* for analysers: all that is read is written */
    for (int64_t at = 0; at < count; at += ROOM) {
        int some = count - at < ROOM ? (int)(count - at) : ROOM;
        uniforms(seed, stream, (uint64_t)at, some + some % 2, u);
        for (int i = 0; i < some; i += 2) {
            double r = sqrt(-2 * log(u[i]));
            double phi = 6.283185307179586 * u[i + 1];
            x[at + i] = (float)(r * cos(phi));
            if (i + 1 < some)
                x[at + i + 1] = (float)(r * sin(phi));
        }
    }
}

enum { STREAM_CENTRE, STREAM_SPREAD, STREAM_TURN, STREAM_OFFSET, STREAM_WEIGHT, STREAM_CLUSTER,
       STREAM_ROWS };

static int64_t cluster_of(const synthetic *s, int64_t row)
{
    double u = uniform((uint64_t)s->seed, STREAM_CLUSTER, (uint64_t)row);
    int64_t part = (int64_t)(u * GUIDES), low = s->guide[part], high = s->guide[part + 1];
    while (low < high) {
        int64_t mid = (low + high) / 2;
        if (s->weight[mid] < u)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* A rotation of d dimensions as butterflies of plane rotations, O(d log d): stage t turns the
 * planes (j, j + h) with h = 2^(t mod log2 d). Two rounds mix every direction with every other. */
static void rotate(const synthetic *s, float *x)
{
    int d = (int)s->d, rounds = s->stages / 2;
    const float *turn = s->turn;
    for (int t = 0; t < s->stages; t++) {
        int h = 1 << (t % rounds);
        for (int start = 0; start < d; start += 2 * h)
            for (int j = start; j < start + h && j + h < d; j++, turn += 2) {
                float a = x[j], b = x[j + h];
                x[j] = turn[0] * a - turn[1] * b;
                x[j + h] = turn[1] * a + turn[0] * b;
            }
    }
}

void synthetic_row(const synthetic *s, int64_t row, float *x)
{
    int64_t at[] = {0, s->n, s->n + s->queries};
    row += at[s->part];
    int64_t c = cluster_of(s, row);
    const float *centre = s->centre + (size_t)(c * s->d), *spread = s->spread + (size_t)(c * s->d);
    normals((uint64_t)s->seed, STREAM_ROWS + (uint64_t)row, s->d, x);
    for (int64_t j = 0; j < s->d; j++)
        x[j] = centre[j] + spread[j] * x[j];
    rotate(s, x);
    for (int64_t j = 0; j < s->d; j++)
        x[j] += s->offset[j];
}

int64_t synthetic_label(const synthetic *s, int64_t row)
{
    int64_t at[] = {0, s->n, s->n + s->queries};
    return cluster_of(s, row + at[s->part]);
}

static int prepare(synthetic *s)
{
    uint64_t seed = (uint64_t)s->seed;
    int64_t total = s->clusters * s->d;
    int log2d = 1;
    while ((1 << log2d) < s->d)
        log2d++;
    s->stages = 2 * log2d;
    s->centre = cli_alloc(total, sizeof(float));
    s->spread = cli_alloc(total, sizeof(float));
    s->turn = cli_alloc(s->stages * s->d + 2, sizeof(float));
    s->offset = cli_alloc(s->d + 1, sizeof(float));
    s->weight = cli_alloc(s->clusters, sizeof(double));
    s->guide = cli_alloc(GUIDES + 1, sizeof(int64_t));
    if (!s->centre || !s->spread || !s->turn || !s->offset || !s->weight || !s->guide)
        return LBH_ENOMEM;
    normals(seed, STREAM_CENTRE, total, s->centre);
    normals(seed, STREAM_SPREAD, total, s->spread);
    normals(seed, STREAM_OFFSET, s->d, s->offset);
    for (int64_t i = 0; i < total; i++) {
        double fall = pow(1 + (double)(i % s->d), -s->decay);
        s->centre[i] = (float)(fall * s->centre[i]);
        s->spread[i] = (float)(fall * 0.8 * exp(0.5 * s->spread[i]));
    }
    for (int64_t i = 0; i < s->stages * s->d / 2 + 1; i++) {
        double angle = 6.283185307179586 * uniform(seed, STREAM_TURN, (uint64_t)i);
        s->turn[2 * i] = (float)cos(angle);
        s->turn[2 * i + 1] = (float)sin(angle);
    }
    double sum = 0;
    for (int64_t c = 0; c < s->clusters; c++)
        s->weight[c] = sum += 0.5 + uniform(seed, STREAM_WEIGHT, (uint64_t)c);
    for (int64_t c = 0; c < s->clusters; c++)
        s->weight[c] /= sum;
    for (int64_t i = 0, c = 0; i <= GUIDES; i++) {
        while (c < s->clusters - 1 && s->weight[c] < (double)i / GUIDES)
            c++;
        s->guide[i] = c;
    }
    return LBH_OK;
}

static int set_one(synthetic *s, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *target, min, max;
    } known[] = {{"n", &s->n, 1, (int64_t)1 << 40},
                 {"d", &s->d, 1, 65536},
                 {"queries", &s->queries, 1, (int64_t)1 << 40},
                 {"learn", &s->learn, 0, (int64_t)1 << 40},
                 {"clusters", &s->clusters, 1, 1 << 20},
                 {"seed", &s->seed, 0, INT64_MAX}};
    char what[64];
    snprintf(what, sizeof what, "synthetic: %.40s", name);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0)
            return parse_int(value, known[i].min, known[i].max, what, known[i].target);
    if (strcmp(name, "decay") == 0)
        return parse_double(value, 0, 4, what, &s->decay);
    static const char *const parts[] = {"base", "query", "learn"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, "part") == 0 && strcmp(value, parts[i]) == 0) {
            s->part = i;
            return LBH_OK;
        }
    return fail_usage("synthetic: '%s=%s' is not understood; n, d, queries, learn, clusters, "
                      "decay, seed and part=base|query|learn are", name, value);
}

static int set_all(synthetic *s, char *text)
{
    char *save = NULL;
    for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        char *value = strchr(p, '=');
        if (!value)
            return fail_usage("synthetic: '%s' is not of the form name=value", p);
        *value++ = '\0';
        LBH_TRY(set_one(s, p, value));
    }
    if (s->clusters * s->d > MAX_CENTRES)
        return fail_usage("synthetic: clusters x d = %lld is more than %d",
                          (long long)(s->clusters * s->d), MAX_CENTRES);
    if (synthetic_rows(s) == 0)
        return fail_usage("synthetic: part=learn has no rows; say learn=N");
    return LBH_OK;
}

int synthetic_open(synthetic **out, const char *text)
{
    synthetic *s = calloc(1, sizeof *s);
    char *copy = strdup(text);
    int rc = LBH_OK;
    if (s && copy) {
        s->n = 100000;
        s->d = 128;
        s->queries = 1000;
        s->clusters = 100;
        s->seed = 1;
        s->decay = 0.5;
        rc = set_all(s, copy);
        if (rc == LBH_OK)
            rc = prepare(s);
    } else
        rc = fail_memory();
    free(copy);
    if (rc) {
        synthetic_close(s);
        s = NULL;
    }
    *out = s;
    return rc;
}

void synthetic_close(synthetic *s)
{
    if (!s)
        return;
    free(s->centre);
    free(s->spread);
    free(s->turn);
    free(s->offset);
    free(s->weight);
    free(s->guide);
    free(s);
}

int64_t synthetic_rows(const synthetic *s)
{
    int64_t rows[] = {s->n, s->queries, s->learn};
    return rows[s->part];
}

int synthetic_d(const synthetic *s)
{
    return (int)s->d;
}

char *synthetic_part(const char *spec, const char *part)
{
    if (strncmp(spec, "synthetic", 9) != 0 || (spec[9] && spec[9] != ':'))
        return NULL;
    /* A later assignment wins, and a selection of base rows is not one of the queries. */
    const char *at = strrchr(spec, '@');
    int len = (int)(at ? (size_t)(at - spec) : strlen(spec));
    char *out = NULL;
    const char *glue = len == 9 ? ":" : len == 10 ? "" : ",";
    return asprintf(&out, "%.*s%spart=%s", len, spec, glue, part) < 0 ? NULL : out;
}
