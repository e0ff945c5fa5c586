/* bench_spec_keys.c: which keys there are, and what their values may be. See bench_spec_keys.h. */
#define _POSIX_C_SOURCE 200809L
#include "bench_spec_keys.h"

#include "command_options.h"
#include "split.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int spec_fail(const spec_reader *r, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail_usage("%s:%d: %s", r->name, r->line, text);
}

const char *spec_keep(spec_reader *r, const char *text)
{
    bench_spec *s = r->spec;
    if (s->nowned % 64 == 0) {
        char **more = realloc(s->owned, (size_t)(s->nowned + 64) * sizeof *more);
        if (!more)
            return NULL;
        s->owned = more;
    }
    char *copy = strdup(text);
    if (copy)
        s->owned[s->nowned++] = copy;
    return copy;
}

/* ---- Kinds of values ----------------------------------------------------------------------- */

typedef enum {
    KEY_TEXT,
    KEY_INT,
    KEY_NUMBER,
    KEY_LIST,    /* whole numbers */
    KEY_WORDS,   /* texts without blanks */
    KEY_RESCORE, /* the same, checked */
    KEY_METRIC,
    KEY_IMAGE,   /* HEIGHTxWIDTH, to two ints */
    KEY_OPTIONS, /* words joined with commas */
    KEY_SPLIT
} key_kind;

typedef struct key {
    const char *name;
    key_kind kind;
    size_t offset;
    int64_t min, max;
} key;

#define SWEEP(type)                                                                                \
    {"nbits", KEY_LIST, offsetof(type, sweep.nbits), 1, 4096},                                     \
    {"seeds", KEY_LIST, offsetof(type, sweep.seeds), 0, (int64_t)1 << 53},                         \
    {"index", KEY_WORDS, offsetof(type, sweep.index), 0, 0},                                       \
    {"search", KEY_WORDS, offsetof(type, sweep.search), 0, 0},                                     \
    {"rescore", KEY_RESCORE, offsetof(type, sweep.rescore), 0, 0}

static const key bench_keys[] = {
    {"k", KEY_LIST, offsetof(bench_spec, what.k), 1, 1 << 16},
    {"at", KEY_LIST, offsetof(bench_spec, what.at), 1, 1 << 20},
    {"map_k", KEY_INT, offsetof(bench_spec, what.map_k), 0, 1 << 20},
    {"map_at", KEY_INT, offsetof(bench_spec, what.map_at), 0, 1 << 30},
    {"map_queries", KEY_INT, offsetof(bench_spec, what.map_queries), 0, 1 << 30},
    {"answers", KEY_INT, offsetof(bench_spec, what.answers), 1, 1 << 20},
    {"repeats", KEY_INT, offsetof(bench_spec, what.repeats), 1, 1000},
    {"threads", KEY_INT, offsetof(bench_spec, threads), 1, 4096},
    {"time_limit", KEY_NUMBER, offsetof(bench_spec, time_limit), 0, 100000000},
    {"memory_limit", KEY_NUMBER, offsetof(bench_spec, memory_limit), 0, 1 << 30},
    SWEEP(bench_spec),
    {NULL, KEY_TEXT, 0, 0, 0},
};

static const key data_keys[] = {
    {"base", KEY_TEXT, offsetof(spec_data, base), 0, 0},
    {"queries", KEY_TEXT, offsetof(spec_data, queries), 0, 0},
    {"query_ids", KEY_TEXT, offsetof(spec_data, query_ids), 0, 0},
    {"labels", KEY_TEXT, offsetof(spec_data, labels), 0, 0},
    {"query_labels", KEY_TEXT, offsetof(spec_data, query_labels), 0, 0},
    {"train", KEY_TEXT, offsetof(spec_data, train), 0, 0},
    {"train_labels", KEY_TEXT, offsetof(spec_data, train_labels), 0, 0},
    {"split", KEY_SPLIT, offsetof(spec_data, split), 0, 0},
    {"split_seed", KEY_INT, offsetof(spec_data, split_seed), 0, (int64_t)1 << 53},
    {"limit", KEY_INT, offsetof(spec_data, limit), 1, (int64_t)1 << 40},
    {"sample", KEY_INT, offsetof(spec_data, sample), 1, (int64_t)1 << 40},
    {"metric", KEY_METRIC, offsetof(spec_data, metric), 0, 0},
    {"image", KEY_IMAGE, offsetof(spec_data, height), 0, 0},
    {"codes", KEY_INT, offsetof(spec_data, codes), 10, 5000},
    {NULL, KEY_TEXT, 0, 0, 0},
};

static const key method_keys[] = {
    {"label", KEY_TEXT, offsetof(spec_method, label), 0, 0},
    {"options", KEY_OPTIONS, offsetof(spec_method, options), 0, 0},
    {"refine", KEY_INT, offsetof(spec_method, refine), 0, 1000000},
    {"data", KEY_WORDS, offsetof(spec_method, data), 0, 0},
    SWEEP(spec_method),
    {NULL, KEY_TEXT, 0, 0, 0},
};

static const key published_keys[] = {
    {"source", KEY_TEXT, offsetof(spec_published, source), 0, 0},
    {"what", KEY_TEXT, offsetof(spec_published, what), 0, 0},
    {"nbits", KEY_LIST, offsetof(spec_published, nbits), 1, 4096},
    {NULL, KEY_TEXT, 0, 0, 0},
};

static const key *const keys_of[] = {NULL, bench_keys, data_keys, method_keys, published_keys};

/* Calls take(ctx, word) for each word between blanks. */
typedef int (*word_fn)(spec_reader *r, void *target, const char *what, const key *k,
                       const char *word);

static int each_word(spec_reader *r, void *target, const char *what, const key *k,
                     const char *value, word_fn take)
{
    static const char blanks[] = " \t\r\v\f";
    int rc = LBH_OK;
    for (const char *p = value + strspn(value, blanks); *p && rc == LBH_OK;) {
        char word[512];
        size_t len = strcspn(p, blanks);
        snprintf(word, sizeof word, "%.*s", (int)len, p);
        rc = take(r, target, what, k, word);
        p += len;
        p += strspn(p, blanks);
    }
    return rc;
}

static int take_int(spec_reader *r, void *target, const char *what, const key *k, const char *word)
{
    spec_numbers *list = target;
    if (list->count == SPEC_LIST)
        return spec_fail(r, "%s has more than %d numbers", r->key, SPEC_LIST);
    int64_t *v = &list->value[list->count];
    int rc = parse_int(word, k->min, k->max, what, v);
    for (int i = 0; i < list->count && rc == LBH_OK; i++)
        if (list->value[i] == *v)
            rc = spec_fail(r, "%s: %s is there twice", r->key, word);
    list->count += rc == LBH_OK;
    return rc;
}

bool spec_rescore_parse(const char *text, spec_rescore *out)
{
    static const char *const names[] = {"hamming", "margin", "decoder", "float", "sq8", "none"};
    size_t len = strcspn(text, ":");
    const char *depth = text[len] ? text + len + 1 : NULL;
    for (int mode = RANK_HAMMING; mode <= RANK_NONE; mode++) {
        if (strlen(names[mode]) != len || strncmp(text, names[mode], len) != 0)
            continue;
        *out = (spec_rescore){mode, 0};
        if (!depth)
            return mode != RANK_FLOAT && mode != RANK_SQ8;
        if (mode == RANK_HAMMING || mode == RANK_NONE)
            return false;
        if (strcmp(depth, "all") == 0 && mode == RANK_DECODER)
            out->depth = -1;
        else if (strspn(depth, "0123456789") != strlen(depth) || strlen(depth) > 9 ||
                 (out->depth = atol(depth)) < 1)
            return false;
        return true;
    }
    return false;
}

static int take_word(spec_reader *r, void *target, const char *what, const key *k, const char *word)
{
    spec_texts *list = target;
    spec_rescore ignored;
    if (list->count == SPEC_LIST)
        return spec_fail(r, "%s has more than %d words", r->key, SPEC_LIST);
    if (k->kind == KEY_RESCORE && !spec_rescore_parse(word, &ignored))
        return fail_usage("%s: '%.60s' is none of hamming, margin, margin:R, decoder, decoder:R, "
                          "decoder:all, float:R, sq8:R, none", what, word);
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->text[i], word) == 0)
            return spec_fail(r, "%s: '%.60s' is there twice", r->key, word);
    list->text[list->count] = spec_keep(r, word);
    return list->text[list->count++] ? LBH_OK : fail_memory();
}

static int take_metric(spec_reader *r, void *target, const char *what, const key *k,
                       const char *word)
{
    (void)r;
    (void)k;
    for (int i = 0; bench_metrics[i]; i++)
        if (strcmp(word, bench_metrics[i]) == 0) {
            *(int *)target = i;
            return LBH_OK;
        }
    return fail_usage("%s: '%.60s' is none of l2, ip, cosine, label", what, word);
}

static int take_option(spec_reader *r, void *target, const char *what, const key *k,
                       const char *word)
{
    const char **text = target;
    char joined[1024];
    (void)k;
    if (!strchr(word, '='))
        return fail_usage("%s: '%.60s' is no name=value", what, word);
    int len = snprintf(joined, sizeof joined, "%s%s%s", *text, **text ? "," : "", word);
    if (len >= (int)sizeof joined)
        return spec_fail(r, "%s is too long", r->key);
    *text = spec_keep(r, joined);
    return *text ? LBH_OK : fail_memory();
}

static int take_image(void *target, const char *what, const char *value)
{
    int *size = target, end = 0;
    if (sscanf(value, "%4dx%4d%n", &size[0], &size[1], &end) != 2 || value[end] || size[0] < 1 ||
        size[1] < 1)
        return fail_usage("%s: '%.60s' is no HEIGHTxWIDTH, as 28x28", what, value);
    return LBH_OK;
}

static int take_split(spec_reader *r, const char **target, const char *what, const char *value)
{
    split_plan plan;
    if (split_parse(&plan, value)) {
        char text[512];
        snprintf(text, sizeof text, "%.500s", lbh_last_error());
        return fail_usage("%s: %s", what, text);
    }
    *target = spec_keep(r, value);
    return *target ? LBH_OK : fail_memory();
}

static int take_text(spec_reader *r, const char **target, const char *value)
{
    for (const char *p = value; *p; p++)
        if (iscntrl((unsigned char)*p))
            return spec_fail(r, "%s: a control character in the text", r->key);
    *target = spec_keep(r, value);
    return *target ? LBH_OK : fail_memory();
}

static int take_value(spec_reader *r, const key *k, const char *value)
{
    char what[256];
    void *target = (char *)r->target + k->offset;
    int rc = LBH_OK;
    snprintf(what, sizeof what, "%.150s:%d: %s", r->name, r->line, k->name);
    switch (k->kind) {
    case KEY_TEXT:
        return take_text(r, target, value);
    case KEY_INT:
        return parse_int(value, k->min, k->max, what, target);
    case KEY_NUMBER:
        rc = parse_double(value, (double)k->min, (double)k->max, what, target);
        return rc || *(double *)target > 0 ? rc : fail_usage("%s: it must be above 0", what);
    case KEY_LIST:
        return each_word(r, target, what, k, value, take_int);
    case KEY_WORDS:
    case KEY_RESCORE:
        return each_word(r, target, what, k, value, take_word);
    case KEY_METRIC:
        return take_metric(r, target, what, k, value);
    case KEY_IMAGE:
        return take_image(target, what, value);
    case KEY_OPTIONS:
        return each_word(r, target, what, k, value, take_option);
    case KEY_SPLIT:
        return take_split(r, target, what, value);
    }
    return LBH_OK;
}

/* ---- Published numbers --------------------------------------------------------------------- */

static int take_published_number(spec_reader *r, void *target, const char *what, const key *k,
                                 const char *word)
{
    spec_row *row = target;
    (void)k;
    if (row->count == SPEC_LIST)
        return spec_fail(r, "more than %d numbers", SPEC_LIST);
    double *v = &row->value[row->count++];
    if (strcmp(word, "-") == 0) {
        *v = NAN;
        return LBH_OK;
    }
    return parse_double(word, -1e300, 1e300, what, v);
}

static int new_row(spec_reader *r, const char *name)
{
    spec_published *p = r->target;
    size_t len = strcspn(name, " \t");
    const char *label = name + len + strspn(name + len, " \t");
    char data[64];
    snprintf(data, sizeof data, "%.*s", (int)(len < 60 ? len : 60), name);
    if (!*label)
        return spec_fail(r, "'%.60s' is neither source, what or nbits, nor \"DATA LABEL\" with the "
                            "published numbers", name);
    if (p->rows == SPEC_ROWS)
        return spec_fail(r, "more than %d lines of published numbers", SPEC_ROWS);
    if (!p->row && !(p->row = calloc(SPEC_ROWS, sizeof *p->row)))
        return fail_memory();
    spec_row *row = &p->row[p->rows];
    *row = (spec_row){.data = spec_keep(r, data), .label = spec_keep(r, label)};
    p->rows += row->data && row->label;
    return row->data && row->label ? LBH_OK : fail_memory();
}

/* Labels may have a colon in them, and libinih cuts there: what stands in front of '=' is still
 * the name. */
static int take_published(spec_reader *r, const char *name, const char *value, bool goes_on)
{
    char whole[256], what[256];
    const char *equals = strchr(value, '=');
    spec_published *p = r->target;
    snprintf(whole, sizeof whole, "%.120s%s%.*s", name, equals ? ":" : "",
             equals ? (int)(equals - value < 120 ? equals - value : 120) : 0, value);
    for (size_t n = strlen(whole); n && isspace((unsigned char)whole[n - 1]); n--)
        whole[n - 1] = '\0';
    snprintf(what, sizeof what, "%.100s:%d: %.100s", r->name, r->line, whole);
    int rc = goes_on ? LBH_OK : new_row(r, whole);
    if (rc == LBH_OK && !p->rows)
        rc = spec_fail(r, "numbers without a name");
    return rc ? rc : each_word(r, &p->row[p->rows - 1], what, NULL, equals ? equals + 1 : value,
                               take_published_number);
}

/* ---- Pairs --------------------------------------------------------------------------------- */

static int unknown(const spec_reader *r, const key *keys, const char *name)
{
    char allowed[512] = "";
    for (const key *k = keys; k->name; k++) {
        strcat(allowed, " ");
        strcat(allowed, k->name);
    }
    return spec_fail(r, "'%.40s' is no key of this section; allowed:%s", name, allowed);
}

/* The values that a section has before it says anything are not to be added to. */
static void forget(const spec_reader *r, const key *k)
{
    void *target = (char *)r->target + k->offset;
    if (k->kind == KEY_LIST)
        ((spec_numbers *)target)->count = 0;
    if (k->kind == KEY_WORDS || k->kind == KEY_RESCORE)
        ((spec_texts *)target)->count = 0;
}


int spec_pair(spec_reader *r, const char *name, const char *value)
{
    const key *keys = keys_of[r->section], *k = keys;
    /* libinih repeats the name for an indented line (cut to 49 bytes) */
    bool more = r->key[0] && r->indented && strncmp(r->key, name, 49) == 0;
    snprintf(r->key, sizeof r->key, "%.60s", name);
    while (k->name && strcmp(k->name, name) != 0)
        k++;
    if (!k->name && r->section == SECTION_PUBLISHED)
        return take_published(r, name, value, more);
    if (!k->name)
        return unknown(r, keys, name);
    if (!more && r->seen[k - keys])
        return spec_fail(r, "%s is there twice", name);
    r->seen[k - keys] = true;
    if (!*value)
        return spec_fail(r, "%s has no value", name);
    if (!more)
        forget(r, k);
    else if (k->kind != KEY_LIST && k->kind != KEY_WORDS && k->kind != KEY_RESCORE &&
             k->kind != KEY_OPTIONS)
        return spec_fail(r, "%s is no list and takes one line", name);
    return take_value(r, k, value);
}
