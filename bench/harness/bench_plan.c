/* bench_plan.c: see bench_plan.h.
 *
 * The key of a cell is the XXH64 of a text with everything that its numbers depend on: the content
 * of the data, the method with its options, the search, what is measured, threads and the version
 * of the library. */
#define _GNU_SOURCE
#include "bench_plan.h"

#include "bench_git.h"
#include "bench_rival.h"
#include "lbh_faiss.h"
#include "lbh_scan.h"
#include "progress.h"
#include "result_lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

enum { MAX_CELLS = 1000000 };

/* ---- Keys ---------------------------------------------------------------------------------- */

static void put_numbers(FILE *f, const char *name, const spec_numbers *n)
{
    fprintf(f, "%s", name);
    for (int i = 0; i < n->count; i++)
        fprintf(f, " %lld", (long long)n->value[i]);
    fputc('\n', f);
}

static void put_model(FILE *f, const bench_plan *p, const bench_group *g)
{
    const spec_data *d = &p->spec->data[g->data];
    const spec_method *m = &p->spec->method[g->method];
    fprintf(f, "data %s %016llx %lld %s\nmethod %s %s\nnbits %lld seed %lld\nlibrary %s %s\n",
            d->name, (unsigned long long)p->data[g->data].digest, (long long)d->limit,
            bench_metrics[d->metric], m->method, m->options, (long long)g->nbits,
            (long long)g->seed, lbh_version(),
            bench_is_rival(m->method) ? lbh_faiss_version() : "");
}

static int hash_text(char key[17], char *text, size_t size)
{
    snprintf(key, 17, "%016llx", (unsigned long long)XXH64(text, size, 0));
    free(text);
    return LBH_OK;
}

static int model_key(const bench_plan *p, bench_group *g)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return fail_memory();
    put_model(f, p, g);
    return fclose(f) ? fail_memory() : hash_text(g->model, text, size);
}

static int cell_key(const bench_plan *p, const bench_group *g, bench_cell *c)
{
    const bench_spec *s = p->spec;
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return fail_memory();
    put_model(f, p, g);
    fprintf(f, "refine %lld index %s search %s rescore %s\n",
            (long long)s->method[g->method].refine, c->index, c->search, c->rescore);
    put_numbers(f, "k", &s->what.k);
    put_numbers(f, "at", &s->what.at);
    fprintf(f, "map %lld %lld %lld answers %lld repeats %lld threads %d\n", (long long)s->what.map_k,
            (long long)s->what.map_at, (long long)s->what.map_queries, (long long)s->what.answers,
            (long long)s->what.repeats, p->threads);
    return fclose(f) ? fail_memory() : hash_text(c->key, text, size);
}

/* ---- Cells --------------------------------------------------------------------------------- */

/* Whether a search parameter is one of this kind of index: lists of both may stand in one file. */
static bool fits(const char *kind_of_index, const char *search)
{
    static const struct {
        const char *key, *kind;
    } known[] = {{"nprobe=", "BIVF"}, {"max_codes=", "BIVF"}, {"efSearch=", "BHNSW"},
                 {"efConstruction=", "BHNSW"}, {"nflip=", "BHash"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(search, known[i].key, strlen(known[i].key)) == 0)
            return strstr(kind_of_index, known[i].kind) != NULL;
    return true;
}

static int add_cell(bench_plan *p, const bench_group *g, const char *index, const char *search,
                    const char *rescore, const spec_rescore *how)
{
    if (p->ncells == MAX_CELLS)
        return fail("the specification makes more than %d cells", MAX_CELLS);
    if (p->ncells % 256 == 0) {
        bench_cell *more = realloc(p->cell, (size_t)(p->ncells + 256) * sizeof *more);
        if (!more)
            return fail_memory();
        p->cell = more;
    }
    bench_cell *c = &p->cell[p->ncells];
    *c = (bench_cell){.index = index, .search = search, .how = *how};
    snprintf(c->rescore, sizeof c->rescore, "%s", rescore);
    int rc = cell_key(p, g, c);
    for (int i = g->first; i < p->ncells && rc == LBH_OK; i++)
        if (strcmp(p->cell[i].key, c->key) == 0) /* the same under another name */
            return LBH_OK;
    p->ncells += rc == LBH_OK;
    return rc;
}

/* kind: the index, or for one of FAISS's float indexes what its parameters are called by. */
static int add_searches(bench_plan *p, const bench_group *g, const spec_sweep *w, const char *index,
                        const char *kind, const char *rescore, const spec_rescore *how)
{
    int rc = LBH_OK, added = 0;
    for (int i = 0; i < w->search.count && rc == LBH_OK; i++)
        if (fits(kind, w->search.text[i])) {
            rc = add_cell(p, g, index, w->search.text[i], rescore, how);
            added++;
        }
    return rc || added ? rc : add_cell(p, g, index, "", rescore, how);
}

/* A rival has no margins and no decoder of ours; float scores and Hamming distances are its own
 * matter. */
static bool rescore_fits(const char *method, const char **text, spec_rescore *how)
{
    rival_recipe r;
    bool rival = bench_is_rival(method);
    if (!spec_rescore_parse(*text, how))
        return false;
    if (rival && (how->mode == RANK_MARGIN || how->mode == RANK_DECODER || how->mode == RANK_SQ8))
        return false;
    if (bench_rival_is_whole(method) && how->mode == RANK_FLOAT)
        return false;
    if (how->mode == RANK_HAMMING || how->mode == RANK_NONE) {
        bool codes =
            !rival || (bench_rival_recipe(&r, method, 1 << 15, 64, NULL) == LBH_OK && r.hamming);
        how->mode = codes ? RANK_HAMMING : RANK_NONE;
        *text = codes ? "hamming" : "none";
    }
    return true;
}

static int add_cells(bench_plan *p, const bench_group *g, const spec_sweep *w)
{
    const char *method = p->spec->method[g->method].method;
    rival_recipe r = {0};
    bool floats = bench_is_rival(method) &&
                  (bench_rival_recipe(&r, method, 1 << 15, 64, NULL) != LBH_OK || !r.hamming);
    int rc = LBH_OK;
    for (int i = 0; i < w->rescore.count && rc == LBH_OK; i++) {
        const char *text = w->rescore.text[i];
        spec_rescore how;
        if (!rescore_fits(method, &text, &how))
            continue;
        if (floats && *bench_rival_kind(method))
            rc = add_searches(p, g, w, "", bench_rival_kind(method), text, &how);
        else if (floats)
            rc = add_cell(p, g, "", "", text, &how);
        for (int j = 0; j < w->index.count && !floats && rc == LBH_OK; j++)
            rc = add_searches(p, g, w, w->index.text[j], w->index.text[j], text, &how);
    }
    return rc;
}

/* Searches of one index stand side by side, so that it is built once. */
static int compare_cells(const void *a, const void *b)
{
    return strcmp(((const bench_cell *)a)->index, ((const bench_cell *)b)->index);
}

static int add_group(bench_plan *p, const bench_group *g, const spec_sweep *w)
{
    if (p->ngroups % 64 == 0) {
        bench_group *more = realloc(p->group, (size_t)(p->ngroups + 64) * sizeof *more);
        if (!more)
            return fail_memory();
        p->group = more;
    }
    bench_group *mine = &p->group[p->ngroups];
    *mine = *g;
    mine->first = p->ncells;
    int rc = model_key(p, mine);
    if (rc == LBH_OK)
        rc = add_cells(p, mine, w);
    mine->count = p->ncells - mine->first;
    if (mine->count)
        qsort(p->cell + mine->first, (size_t)mine->count, sizeof *p->cell, compare_cells);
    p->ngroups += rc == LBH_OK && mine->count > 0;
    return rc;
}

static bool wanted(const spec_method *m, const char *data)
{
    for (int i = 0; i < m->data.count; i++)
        if (strcmp(m->data.text[i], data) == 0)
            return true;
    return m->data.count == 0;
}

/* Whether FAISS has such an index at so many bits; where not it is left out, as `lbh compare` does.
 * Bad options are for the cell to fail by. */
static bool can_be_made(const bench_plan *p, int data, const spec_method *m, int64_t nbits)
{
    rival_recipe r;
    rival_options own;
    if (!bench_is_rival(m->method) || bench_rival_options(&own, m->method, m->options) ||
        !bench_rival_recipe(&r, m->method, p->data[data].d, nbits, &own))
        return true;
    progress_say("note: left out: [data %s]: %s", p->spec->data[data].name, lbh_last_error());
    return false;
}

/* All models of one method on one set. FAISS's seeds are fixed, and exact search has no bits. */
static int add_groups(bench_plan *p, int data, int method)
{
    const spec_method *m = &p->spec->method[method];
    spec_sweep w = bench_sweep(p->spec, m);
    if (bench_is_rival(m->method))
        w.seeds.count = 1;
    if (bench_rival_is_whole(m->method))
        w.nbits = (spec_numbers){1, {32 * (int64_t)p->data[data].d}};
    int rc = LBH_OK;
    for (int b = 0; b < w.nbits.count && rc == LBH_OK; b++)
        for (int s = 0; s < w.seeds.count && rc == LBH_OK &&
                        can_be_made(p, data, m, w.nbits.value[b]); s++) {
            bench_group g = {.data = data, .method = method, .nbits = w.nbits.value[b],
                             .seed = w.seeds.value[s]};
            rc = add_group(p, &g, &w);
        }
    return rc;
}

int bench_plan_make(bench_plan *p, const bench_spec *spec, const plan_data *data, int threads)
{
    *p = (bench_plan){.spec = spec, .data = data, .threads = threads};
    int rc = LBH_OK;
    for (int d = 0; d < spec->ndata; d++)
        for (int m = 0; m < spec->nmethods && rc == LBH_OK; m++)
            if (data[d].there && wanted(&spec->method[m], spec->data[d].name))
                rc = add_groups(p, d, m);
    if (rc)
        bench_plan_free(p);
    return rc;
}

void bench_plan_free(bench_plan *p)
{
    free(p->group);
    free(p->cell);
    p->group = NULL;
    p->cell = NULL;
}

/* ---- Lines --------------------------------------------------------------------------------- */

/* What the processor calls itself. */
static void cpu_name(char text[128])
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");
    snprintf(text, 128, "unknown");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(text, 128, "%s", colon + 1 + strspn(colon + 1, " "));
            break;
        }
    }
    if (f)
        fclose(f);
}

void bench_set_date(cJSON *line)
{
    char date[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON_DeleteItemFromObject(line, "date");
    cJSON_AddStringToObject(line, "date", date);
}

static void add_environment(cJSON *o, const bench_env *env)
{
    char cpu[128];
    cpu_name(cpu);
    cJSON_AddStringToObject(o, "cpu", cpu);
    cJSON_AddStringToObject(o, "isa", lbh_isa());
    cJSON_AddNumberToObject(o, "threads", env->threads);
    cJSON_AddStringToObject(o, "library", lbh_version());
    cJSON_AddStringToObject(o, "faiss", lbh_faiss_version());
    cJSON_AddStringToObject(o, "git", LBH_GIT);
    bench_set_date(o);
    cJSON_AddStringToObject(o, "command", env->command);
}

static const char *family(const char *method)
{
    static const char classic[] = " lsh qolsh pcah itq sh sph kmh agh dgh ";
    char word[64];
    snprintf(word, sizeof word, " %.60s ", method);
    if (strcmp(method, "flat") == 0)
        return "ceiling";
    if (bench_is_rival(method))
        return "rival";
    return strstr(classic, word) ? "classic" : "learned";
}

cJSON *bench_cell_line(const bench_plan *p, int group, int cell, const bench_env *env)
{
    const bench_group *g = &p->group[group];
    const bench_cell *c = &p->cell[cell];
    const spec_data *d = &p->spec->data[g->data];
    const spec_method *m = &p->spec->method[g->method];
    const plan_data *rows = &p->data[g->data];
    cJSON *o = cJSON_CreateObject();
    if (!o) {
        fail_memory();
        return NULL;
    }
    cJSON_AddStringToObject(o, "format", RESULT_FORMAT);
    cJSON_AddStringToObject(o, "type", "cell");
    cJSON_AddStringToObject(o, "key", c->key);
    cJSON_AddStringToObject(o, "status", "ok");
    cJSON_AddStringToObject(o, "preset", env->preset);
    cJSON_AddStringToObject(o, "data", d->name);
    cJSON_AddNumberToObject(o, "n", (double)rows->n);
    cJSON_AddNumberToObject(o, "d", rows->d);
    cJSON_AddNumberToObject(o, "nq", (double)rows->nq);
    cJSON_AddStringToObject(o, "metric", bench_metrics[d->metric]);
    cJSON_AddStringToObject(o, "method", m->method);
    cJSON_AddStringToObject(o, "label", m->label);
    cJSON_AddStringToObject(o, "family", family(m->method));
    cJSON_AddNumberToObject(o, "nbits", (double)g->nbits);
    cJSON_AddStringToObject(o, "options", m->options);
    if (m->refine)
        cJSON_AddNumberToObject(o, "refine", (double)m->refine);
    cJSON_AddNumberToObject(o, "seed", (double)g->seed);
    cJSON_AddStringToObject(o, "index", c->index);
    cJSON_AddStringToObject(o, "search", c->search);
    cJSON_AddStringToObject(o, "rescore", c->rescore);
    add_environment(o, env);
    return o;
}
