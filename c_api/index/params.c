/* params.c: search parameters by name, "nprobe=16,max_codes=10000". FAISS has this for binary
 * indexes only since 1.14, and never for nflip. */
#include "index_parts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct param {
    const char *name;
    lbh_search_param id;
    int64_t min, max; /* max 0: what the index allows, see upper_bound() */
} param;

static const param ivf_params[] = {{"nprobe", LBH_PARAM_NPROBE, 1, 0},
                                   {"max_codes", LBH_PARAM_MAX_CODES, 0, INT64_MAX},
                                   {"use_heap", LBH_PARAM_USE_HEAP, 0, 1},
                                   {NULL, 0, 0, 0}};
static const param hnsw_params[] = {{"efSearch", LBH_PARAM_EF_SEARCH, 1, 1 << 20},
                                    {"efConstruction", LBH_PARAM_EF_CONSTRUCTION, 1, 1 << 20},
                                    {NULL, 0, 0, 0}};
static const param hash_params[] = {{"nflip", LBH_PARAM_NFLIP, 0, 0}, {NULL, 0, 0, 0}};
static const param flat_params[] = {{"use_heap", LBH_PARAM_USE_HEAP, 0, 1}, {NULL, 0, 0, 0}};
static const param no_params[] = {{NULL, 0, 0, 0}};

static const param *params_of(lbh_kind kind)
{
    switch (kind) {
    case LBH_KIND_FLAT:
        return flat_params;
    case LBH_KIND_IVF:
        return ivf_params;
    case LBH_KIND_HNSW:
        return hnsw_params;
    case LBH_KIND_HASH:
    case LBH_KIND_MULTIHASH:
        return hash_params;
    default:
        return no_params;
    }
}

static int64_t upper_bound(const param *p, const lbh_index_info *info)
{
    return p->max            ? p->max
           : p->id == LBH_PARAM_NPROBE ? info->nlist
                                       : info->b; /* FAISS loops for ever above it */
}

/* One assignment, looked up. */
typedef struct setting {
    FaissIndexBinary *inner;
    lbh_search_param id;
    int64_t value;
} setting;

/* "nprobe, max_codes, quantizer_efSearch, quantizer_efConstruction" */
static void list_params(char *text, size_t size, const lbh_index_info *info, const char *prefix)
{
    for (const param *p = params_of(info->kind); p->name; p++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s%s", used ? ", " : "", prefix, p->name);
    }
    if (info->quantizer && !*prefix) {
        lbh_index_info quantizer = lbh_gap_info(info->quantizer);
        list_params(text, size, &quantizer, "quantizer_");
    }
}

static int unknown(const FaissIndexBinary *index, const char *name)
{
    char text[256] = "";
    lbh_index_info info = lbh_gap_info(index);
    list_params(text, sizeof text, &info, "");
    if (!*text)
        return lbh_error(LBH_EINVAL, "%s has no search parameters, so no \"%s\"",
                         lbh_index_kind(index), name);
    return lbh_error(LBH_EINVAL, "%s has no search parameter \"%s\"; it has %s",
                     lbh_index_kind(index), name, text);
}

static int parse_value(int64_t *value, const char *name, const char *text)
{
    size_t length = strlen(text);
    if (length < 1 || length > 18 || strspn(text, "0123456789") != length)
        return lbh_error(LBH_EINVAL, "%s=%s: the value must be a whole number", name, text);
    *value = strtoll(text, NULL, 10);
    return LBH_OK;
}

static int look_up(setting *s, FaissIndexBinary *index, const char *name, const char *text)
{
    lbh_index_info info = lbh_gap_info(index);
    const char *own = name;
    if (info.quantizer && strncmp(name, "quantizer_", 10) == 0) {
        info = lbh_gap_info(info.quantizer);
        own = name + 10;
    }
    for (const param *p = params_of(info.kind); p->name; p++) {
        if (strcmp(p->name, own) != 0)
            continue;
        int64_t max = upper_bound(p, &info);
        LBH_TRY(parse_value(&s->value, name, text));
        if (s->value < p->min || s->value > max)
            return lbh_error(LBH_EINVAL, "%s: %s (%lld) must be within %lld..%lld",
                             lbh_index_kind(index), name, (long long)s->value, (long long)p->min,
                             (long long)max);
        s->inner = info.inner;
        s->id = p->id;
        return LBH_OK;
    }
    return unknown(index, name);
}

enum { MAX_SETTINGS = 16 };

/* Splits the text at commas and looks up each part. Changes `text`. */
static int parse_all(setting *settings, int *count, FaissIndexBinary *index, char *text)
{
    *count = 0;
    for (char *part = text; part;) {
        char *next = strchr(part, ',');
        if (next)
            *next++ = '\0';
        char *value = strchr(part, '=');
        if (!value)
            return lbh_error(LBH_EINVAL, "\"%s\": expected name=value", part);
        *value++ = '\0';
        if (*count == MAX_SETTINGS)
            return lbh_error(LBH_EINVAL, "more than %d search parameters at once", MAX_SETTINGS);
        LBH_TRY(look_up(&settings[(*count)++], index, part, value));
        part = next;
    }
    return LBH_OK;
}

int lbh_index_set(FaissIndexBinary *index, const char *assignments)
{
    if (!index)
        return lbh_error(LBH_EINVAL, "index: no index given");
    if (!assignments)
        return lbh_error(LBH_EINVAL, "index: no search parameters given");
    char text[512];
    size_t length = strlen(assignments);
    if (length >= sizeof text)
        return lbh_error(LBH_EINVAL, "index: the search parameters are longer than %zu characters",
                         sizeof text - 1);
    if (length == 0)
        return LBH_OK;
    memcpy(text, assignments, length + 1);
    setting settings[MAX_SETTINGS];
    int count;
    LBH_TRY(parse_all(settings, &count, index, text));
    for (int i = 0; i < count; i++)
        lbh_gap_set(settings[i].inner, settings[i].id, settings[i].value);
    return LBH_OK;
}

/* Appends "name=value" of all parameters of one index. */
static int append(char *text, size_t size, const lbh_index_info *info, const char *prefix)
{
    for (const param *p = params_of(info->kind); p->name; p++) {
        size_t used = strlen(text);
        int more = snprintf(text + used, size - used, "%s%s%s=%lld", used ? "," : "", prefix,
                            p->name, (long long)lbh_gap_get(info->inner, p->id));
        if (more < 0 || (size_t)more >= size - used)
            return lbh_error(LBH_EINVAL, "index: %zu bytes are too few for its parameters", size);
    }
    return LBH_OK;
}

int lbh_index_parameters(const FaissIndexBinary *index, char *text, size_t size)
{
    if (!index || !text || size < 1)
        return lbh_error(LBH_EINVAL, "index: no index, or no place for its parameters, given");
    *text = '\0';
    lbh_index_info info = lbh_gap_info(index);
    LBH_TRY(append(text, size, &info, ""));
    if (!info.quantizer)
        return LBH_OK;
    info = lbh_gap_info(info.quantizer);
    return append(text, size, &info, "quantizer_");
}
