/* compare_rivals.c: the rows of `lbh compare`: names of methods and FAISS factory strings. See
 * compare.h. */
#define _GNU_SOURCE
#include "compare.h"
#include "faiss_rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rivals_free(rival *list, int count)
{
    for (int i = 0; list && i < count; i++) {
        free(list[i].name);
        free(list[i].method);
        free(list[i].settings);
        free(list[i].skip);
    }
    free(list);
}

/* "ITQ64", "OPQ8_32", "IVF100" begin a FAISS string that goes on behind the comma. "ITQ" alone is a
 * row of its own (see expand). */
static bool goes_on(const char *token)
{
    static const char *const heads[] = {"ITQ", "PCAR", "PCAWR", "PCAW", "PCA", "OPQ", "RR", "Pad",
                                        "IVF", "IMI", "IDMap"};
    if (strcmp(token, "L2norm") == 0)
        return true;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t len = strlen(heads[i]);
        if (strncmp(token, heads[i], len) == 0 && isdigit((unsigned char)token[len]))
            return true;
    }
    return false;
}

/* FAISS's ITQ, LSH and PQ at nbits bits, made as `lbh bench` makes them; else a factory string. */
static int expand(rival *r, int d, int nbits)
{
    static const char *const names[][2] = {{"ITQ", "faiss-itq"}, {"LSH", "faiss-lsh"}, {"PQ", "pq"}};
    const char *known = NULL;
    for (int i = 0; i < 3; i++)
        if (strcmp(r->name, names[i][0]) == 0)
            known = names[i][1];
    if (known && bench_rival_recipe(&r->recipe, known, d, nbits, NULL)) {
        r->skip = strdup(lbh_last_error());
        return r->skip ? LBH_OK : fail_memory();
    }
    if (!known && strlen(r->name) >= sizeof r->recipe.factory)
        return fail_usage("compare: '%.60s...' is longer than a factory string may be", r->name);
    if (!known) {
        const char *last = strrchr(r->name, ',');
        r->recipe = (rival_recipe){.nbits = nbits};
        strcpy(r->recipe.factory, r->name);
        r->recipe.hamming = strncmp(last ? last + 1 : r->name, "LSH", 3) == 0;
    }
    free(r->name);
    r->name = strdup(r->recipe.factory);
    return r->name ? LBH_OK : fail_memory();
}

/* Takes "refine=N" out of the settings. A method that has an option of that name keeps it too. */
static int take_refine(rival *r)
{
    static const char key[] = "refine=";
    char *kept = r->settings, *rest = NULL;
    bool own = method_has(r->method, "refine");
    if (!r->settings || (own && r->score != SCORE_DECODER))
        return LBH_OK;
    char *copy = strdup(r->settings);
    int rc = copy ? LBH_OK : fail_memory();
    *kept = '\0';
    for (char *p = copy ? strtok_r(copy, ",", &rest) : NULL; p; p = strtok_r(NULL, ",", &rest)) {
        bool refine = strncmp(p, key, sizeof key - 1) == 0;
        if (refine && rc == LBH_OK)
            rc = parse_int(p + sizeof key - 1, 0, MAX_REFINE, "compare: refine", &r->refine);
        if (!refine || own)
            kept += sprintf(kept, "%s%s", kept > r->settings ? "," : "", p);
    }
    free(copy);
    return rc;
}

/* "sgh@decoder:steps=500:noise=0" is a method with what ranks its codes, and options. */
static int split_settings(rival *r)
{
    static const char *const scores[] = {NULL, "@hamming", "@decoder"}; /* as SCORE_* */
    size_t len = strcspn(r->name, ":"), end = strcspn(r->name, "@:");
    r->method = strndup(r->name, end);
    r->settings = r->name[len] ? strdup(r->name + len + 1) : NULL;
    if (!r->method || (r->name[len] && !r->settings))
        return fail_memory();
    for (int i = SCORE_HAMMING; end < len && i <= SCORE_DECODER; i++)
        if (strlen(scores[i]) == len - end && strncmp(r->name + end, scores[i], len - end) == 0)
            r->score = i;
    if (end < len && r->score == SCORE_AUTO)
        return fail_usage("compare: '%.*s' in '%s' is neither @hamming nor @decoder",
                          (int)(len - end), r->name + end, r->name);
    for (char *p = r->settings; p && *p; p++)
        if (*p == ':')
            *p = ',';
    return take_refine(r);
}

static bool is_method(const char *name)
{
    size_t len = strcspn(name, "@:");
    for (int i = 0; i < lbh_method_count(); i++) {
        const char *m = lbh_method_name(i);
        if (strlen(m) == len && strncmp(m, name, len) == 0)
            return true;
    }
    return false;
}

/* Makes the encoder or the index once, so that a wrong name is found before hours of work. */
static int probe(const rival *r, int d, int nbits, int metric)
{
    if (r->method) {
        lbh_encoder *enc;
        int rc = encoder_make(&enc, r->method, d, nbits, metric, r->settings, -1);
        lbh_encoder_free(enc);
        return rc;
    }
    if (r->skip)
        return LBH_OK;
    FaissIndex *index = NULL;
    int rc = faiss_index_new(&index, d, r->recipe.factory, r->recipe.hamming, metric);
    lbh_float_index_free(index);
    return rc ? fail_usage("compare: '%s' is neither a method of lbh nor a FAISS factory string "
                           "that fits: %s", r->name, lbh_last_error()) : LBH_OK;
}

static int add(rival **list, int *count, const char *name, size_t len)
{
    rival *grown = realloc(*list, (size_t)(*count + 1) * sizeof *grown);
    if (!grown)
        return fail_memory();
    *list = grown;
    grown[*count] = (rival){.name = strndup(name, len)};
    return grown[(*count)++].name ? LBH_OK : fail_memory();
}

static int add_tokens(rival **list, int *count, const char *text)
{
    int rc = LBH_OK;
    for (const char *p = text; rc == LBH_OK;) {
        const char *start = p;
        for (;;) {
            char token[64];
            size_t len = strcspn(p, ",");
            snprintf(token, sizeof token, "%.*s", (int)len, p);
            p += len;
            if (!*p || !goes_on(token))
                break;
            p++;
        }
        if (p == start)
            return fail_usage("compare: --methods has an empty name in '%s'", text);
        rc = add(list, count, start, (size_t)(p - start));
        if (!*p++)
            break;
    }
    return rc;
}

/* Every method that can train on what there is. */
static int add_all(rival **list, int *count, bool labelled)
{
    int rc = LBH_OK;
    for (int i = 0; i < lbh_method_count() && rc == LBH_OK; i++) {
        const char *name = lbh_method_name(i);
        if (labelled || !lbh_method_needs_labels(name))
            rc = add(list, count, name, strlen(name));
    }
    return rc ? rc : add_tokens(list, count, "LSH,ITQ,PQ");
}

/* Without --methods: the project's own encoders and those that everybody knows. */
static const char *const usual = "lsh,itq,sgh,sigah,LSH,ITQ,PQ";
static const char *const usual_labelled = "itq,sgh,itq-cca,ksh,sdh,jmlh,ITQ,PQ";

int rivals_new(rival **list, int *count, const char *text, int d, int nbits, int metric,
               bool labelled)
{
    *list = NULL;
    *count = 0;
    if (!text)
        text = labelled ? usual_labelled : usual;
    int rc = strcmp(text, "all") == 0 ? add_all(list, count, labelled)
                                      : add_tokens(list, count, text);
    for (int i = 0; i < *count && rc == LBH_OK; i++) {
        rival *r = &(*list)[i];
        rc = is_method(r->name) ? split_settings(r) : expand(r, d, nbits);
        if (rc == LBH_OK && r->method && lbh_method_needs_labels(r->method) && !labelled)
            rc = fail_usage("compare: method %s needs --labels", r->method);
        if (rc == LBH_OK)
            rc = probe(r, d, nbits, metric == BENCH_LABEL ? BENCH_L2 : metric);
    }
    if (rc) {
        rivals_free(*list, *count);
        *list = NULL;
        *count = 0;
    }
    return rc;
}
