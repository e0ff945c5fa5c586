/* pipeline_factory.c: [IDMap,|IDMap2,] METHOD BITS [(options)] , INDEX [,RFlat|,RSQ8]. What an
 * INDEX may be is for lbh_factory_parse to say. */
#include "pipeline.h"

#include <ctype.h>
#include <string.h>

/* Whether text starts with the word, upper or lower case. */
static bool starts_with(const char *text, const char *word)
{
    for (; *word; text++, word++)
        if (tolower((unsigned char)*text) != tolower((unsigned char)*word))
            return false;
    return true;
}

/* All methods, as "lsh, itq, ...". */
static void list_methods(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < lbh_method_count() && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                                 lbh_method_name(i));
}

/* The length of the part that starts at `text`: up to a comma outside of parentheses. -1 if one of
 * these is not closed. */
static int part_length(const char *text)
{
    int depth = 0, i = 0;
    for (; text[i] && (depth > 0 || text[i] != ','); i++) {
        depth += (text[i] == '(') - (text[i] == ')');
        if (depth < 0)
            return -1;
    }
    return depth == 0 ? i : -1;
}

/* "SGH64(steps=5000)" of that length. The longest name wins, so that "itq-cca64" is no "itq". */
static int parse_method(lbh_pipeline_spec *spec, const char *part, int length)
{
    char methods[512];
    size_t best = 0;
    for (int i = 0; i <= lbh_method_count(); i++) {
        const char *name = i < lbh_method_count() ? lbh_method_name(i) : LBH_METHOD_LAYERS;
        size_t n = strlen(name);
        if (n > best && starts_with(part, name) &&
            (isdigit((unsigned char)part[n]) || strchr("(,", part[n]))) {
            best = n;
            spec->method = name;
        }
    }
    list_methods(methods, sizeof methods);
    if (!best)
        return lbh_error(LBH_EINVAL, "\"%s\": \"%.*s\" is no method with its bits, as \"SGH64\"; "
                         "methods are %s", spec->text, length, part, methods);
    const char *p = part + best;
    int64_t bits = 0;
    for (; isdigit((unsigned char)*p); p++)
        bits = bits < 1000000 ? 10 * bits + (*p - '0') : bits;
    if (p == part + best || bits < 1 || bits > 4096)
        return lbh_error(LBH_EINVAL, "\"%s\": \"%.*s\" lacks a number of bits within 1..4096, as "
                         "\"%s64\"", spec->text, length, part, spec->method);
    spec->nbits = (int)bits;
    if (p == part + length)
        return LBH_OK;
    size_t left = (size_t)(part + length - p);
    if (*p != '(' || p[left - 1] != ')')
        return lbh_error(LBH_EINVAL, "\"%s\": after \"%.*s\" only options in parentheses may "
                         "stand, as \"(seed=7)\"", spec->text, (int)(p - part), part);
    memcpy(spec->options, p + 1, left - 2);
    return LBH_OK;
}

/* The rescorer at the end of the string, cut off there: "BFlat,RFlat" leaves "BFlat". */
static int parse_store(lbh_pipeline_spec *spec, char *rest)
{
    static const struct {
        const char *name;
        int width;
    } stores[] = {{",RFlat", LBH_STORE_FLOAT}, {",RSQ8", LBH_STORE_BYTE}};
    char *last = strrchr(rest, ',');
    if (!last)
        return LBH_OK;
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
        if (starts_with(last, stores[i].name) && strlen(last) == strlen(stores[i].name)) {
            spec->store = stores[i].width;
            *last = '\0';
            return LBH_OK;
        }
    if (starts_with(last, ",R"))
        return lbh_error(LBH_EINVAL, "\"%s\": \"%s\" is no rescorer: RFlat (floats) or RSQ8 (8 "
                         "bits a number)", spec->text, last + 1);
    return LBH_OK;
}

/* "IDMap," or "IDMap2," at the front, as FAISS writes it. */
const char *lbh_pipeline_parse_idmap(const char **p)
{
    static const char *const names[] = {"IDMap2,", "IDMap,"};
    for (int i = 0; i < 2; i++)
        if (starts_with(*p, names[i])) {
            *p += strlen(names[i]);
            return names[i];
        }
    return "";
}

static int parse_index(lbh_pipeline_spec *spec, const char *idmap, const char *rest)
{
    lbh_factory f;
    snprintf(spec->index, sizeof spec->index, "%s%s", idmap, rest);
    int rc = lbh_factory_parse(&f, spec->index, ((size_t)spec->nbits + 7) / 8);
    if (rc == LBH_OK)
        return LBH_OK;
    char text[512];
    snprintf(text, sizeof text, "%s", lbh_last_error());
    return lbh_error(rc, "\"%.200s\": the index: %s", spec->text, text);
}

int lbh_pipeline_parse(lbh_pipeline_spec *spec, const char *factory)
{
    *spec = (lbh_pipeline_spec){0};
    if (!factory)
        return lbh_error(LBH_EINVAL, "pipeline: no factory string given");
    size_t size = strlen(factory);
    if (size + 8 >= sizeof spec->text)
        return lbh_error(LBH_EINVAL, "pipeline: the factory string has %zu characters, %d at most",
                         size, LBH_MAX_FACTORY - 9);
    for (size_t i = 0; i < size; i++)
        if (!isgraph((unsigned char)factory[i]))
            return lbh_error(LBH_EINVAL, "pipeline: the factory string has a blank or a character "
                             "that is not ASCII at place %zu", i + 1);
    memcpy(spec->text, factory, size + 1);
    const char *p = spec->text, *idmap = lbh_pipeline_parse_idmap(&p);
    int length = part_length(p);
    if (length < 0)
        return lbh_error(LBH_EINVAL, "\"%s\": a parenthesis is not closed, or not opened",
                         spec->text);
    LBH_TRY(parse_method(spec, p, length));
    if (p[length] != ',' || !p[length + 1])
        return lbh_error(LBH_EINVAL, "\"%s\": the index is missing after the method, as in "
                         "\"SGH64,BFlat\"", spec->text);
    char rest[LBH_MAX_FACTORY];
    snprintf(rest, sizeof rest, "%s", p + length + 1);
    LBH_TRY(parse_store(spec, rest));
    return parse_index(spec, idmap, rest);
}
