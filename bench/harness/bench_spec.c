/* bench_spec.c: lines and sections of a specification; libinih splits lines into keys and values.
 * See bench_spec.h.
 *
 * libinih gives its handler no line number, cuts long lines and says nothing about sections
 * without keys. All three are known to who hands it the lines, so this file does that. */
#define _POSIX_C_SOURCE 200809L
#include "bench_spec_keys.h"

#include "bench_rival.h"
#include "encoder_make.h"

#include <ctype.h>
#include <ini.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 1 << 20, MAX_SECTION_TEXT = 120 };

/* ---- Sections ------------------------------------------------------------------------------ */

static bool plain_name(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-");
    return len > 0 && !s[len] && len <= 48;
}

static int new_data(spec_reader *r, const char *name)
{
    bench_spec *s = r->spec;
    if (!plain_name(name))
        return spec_fail(r, "[data NAME]: NAME has 1 to 48 letters, digits, '.', '+' and '-', and "
                            "'%.60s' is none", name);
    for (int i = 0; i < s->ndata; i++)
        if (strcmp(s->data[i].name, name) == 0)
            return spec_fail(r, "[data %s] is there twice", name);
    if (s->ndata == SPEC_DATA)
        return spec_fail(r, "more than %d data sets", SPEC_DATA);
    spec_data *d = &s->data[s->ndata];
    *d = (spec_data){.name = spec_keep(r, name), .split_seed = 1};
    r->section = SECTION_DATA;
    r->target = d;
    s->ndata += d->name != NULL;
    return d->name ? LBH_OK : fail_memory();
}

static int new_method(spec_reader *r, const char *id)
{
    bench_spec *s = r->spec;
    size_t len = strcspn(id, ":");
    char method[64];
    snprintf(method, sizeof method, "%.*s", (int)len, id);
    for (const char *p = id; *p; p++)
        if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p) || *p == '"')
            return spec_fail(r, "[method ID]: '%.60s' has a blank in it", id);
    if (strlen(id) > 64 || !bench_method_known(method))
        return spec_fail(r, "there is no method '%.60s'; see 'lbh methods', or one of %s", method,
                         BENCH_RIVALS);
    for (int i = 0; i < s->nmethods; i++)
        if (strcmp(s->method[i].id, id) == 0)
            return spec_fail(r, "[method %s] is there twice; give one of them a name of its own: "
                                "[method %s:NAME]", id, method);
    if (s->nmethods == SPEC_METHODS)
        return spec_fail(r, "more than %d methods", SPEC_METHODS);
    spec_method *m = &s->method[s->nmethods];
    *m = (spec_method){.id = spec_keep(r, id), .method = spec_keep(r, method), .options = ""};
    m->label = m->id;
    r->section = SECTION_METHOD;
    r->target = m;
    s->nmethods += m->id && m->method;
    return m->id && m->method ? LBH_OK : fail_memory();
}

static int new_published(spec_reader *r, const char *title)
{
    bench_spec *s = r->spec;
    if (s->npublished == SPEC_PUBLISHED)
        return spec_fail(r, "more than %d sections of published numbers", SPEC_PUBLISHED);
    spec_published *p = &s->published[s->npublished];
    *p = (spec_published){.title = spec_keep(r, title), .source = "", .what = ""};
    r->section = SECTION_PUBLISHED;
    r->target = p;
    s->npublished += p->title != NULL;
    return p->title ? LBH_OK : fail_memory();
}

/* "[KIND NAME]"; the brackets are there. */
static int new_section(spec_reader *r, char *text)
{
    char *end = strchr(text, ']');
    memset(r->seen, 0, sizeof r->seen);
    r->key[0] = '\0';
    if (!end)
        return spec_fail(r, "a section's name ends with ']'");
    if (end - text > MAX_SECTION_TEXT)
        return spec_fail(r, "a section's name has at most %d characters", MAX_SECTION_TEXT);
    *end = '\0';
    char *kind = text + 1 + strspn(text + 1, " \t"), *name = kind + strcspn(kind, " \t");
    if (*name)
        *name++ = '\0';
    name += strspn(name, " \t");
    for (size_t n = strlen(name); n && isspace((unsigned char)name[n - 1]); n--)
        name[n - 1] = '\0';
    if (strcmp(kind, "bench") == 0 && !*name) {
        if (r->had_bench)
            return spec_fail(r, "[bench] is there twice");
        r->had_bench = true;
        r->section = SECTION_BENCH;
        r->target = r->spec;
        return LBH_OK;
    }
    if (strcmp(kind, "data") == 0 && *name)
        return new_data(r, name);
    if (strcmp(kind, "method") == 0 && *name)
        return new_method(r, name);
    if (strcmp(kind, "published") == 0)
        return new_published(r, name);
    return spec_fail(r, "'[%.40s%s%.40s]' is no section; allowed: [bench] [data NAME] "
                        "[method NAME] [published]", kind, *name ? " " : "", name);
}

/* ---- Lines --------------------------------------------------------------------------------- */

/* A comment ends the line where '#' stands behind a blank; libinih does the same for ';'. */
static void cut_comment(char *line)
{
    for (char *p = line; *p; p++)
        if (*p == '#' && p > line && isspace((unsigned char)p[-1])) {
            *p = '\0';
            return;
        }
}

/* fgets() for libinih: the next line, as many bytes as fit. Returns NULL at the end and after an
 * error, of which r->rc tells. */
static char *next_line(char *line, int room, void *ctx)
{
    spec_reader *r = ctx;
    if (r->rc || r->at == r->end)
        return NULL;
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    size_t len = (size_t)((stop ? stop : r->end) - r->at);
    r->line++;
    if (memchr(r->at, '\0', len)) {
        r->rc = spec_fail(r, "a zero byte; a specification is text");
        return NULL;
    }
    if (len + 3 > (size_t)room) {
        r->rc = spec_fail(r, "more than %d characters; a list may go on in the next line, indented",
                          room - 3);
        return NULL;
    }
    memcpy(line, r->at, len);
    line[len] = '\0';
    r->at += len + (stop != NULL);
    cut_comment(line);
    size_t blank = strspn(line, " \t\r\v\f");
    r->indented = blank > 0;
    if (line[blank] == '[') {
        if (blank)
            r->rc = spec_fail(r, "a section begins at the start of its line");
        else {
            char copy[512];
            snprintf(copy, sizeof copy, "%s", line);
            r->rc = new_section(r, copy);
        }
    }
    strcat(line, "\n");
    return r->rc ? NULL : line;
}

static int on_pair(void *ctx, const char *section, const char *name, const char *value)
{
    spec_reader *r = ctx;
    (void)section;
    if (!r->rc)
        r->rc = r->section == SECTION_NONE
                    ? spec_fail(r, "'%.40s' stands in front of the first [section]", name)
                    : spec_pair(r, name, value);
    return r->rc == LBH_OK;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int check_methods(spec_reader *r)
{
    const bench_spec *s = r->spec;
    for (int i = 0; i < s->nmethods; i++)
        for (int j = 0; j < s->method[i].data.count; j++) {
            const char *name = s->method[i].data.text[j];
            bool found = false;
            for (int d = 0; d < s->ndata; d++)
                found = found || strcmp(s->data[d].name, name) == 0;
            if (!found)
                return fail_usage("%s: [method %s] data: there is no [data %s]", r->name,
                                  s->method[i].id, name);
        }
    return LBH_OK;
}

static int check_data(spec_reader *r)
{
    const bench_spec *s = r->spec;
    for (int i = 0; i < s->ndata; i++) {
        const spec_data *d = &s->data[i];
        if (!d->base)
            return fail_usage("%s: [data %s] has no key 'base'", r->name, d->name);
        if (d->split && (d->train || d->train_labels || d->query_ids))
            return fail_usage("%s: [data %s]: split chooses queries and training rows; train, "
                              "train_labels and query_ids do not go with it", r->name, d->name);
    }
    return LBH_OK;
}

static int check_published(spec_reader *r)
{
    const bench_spec *s = r->spec;
    for (int i = 0; i < s->npublished; i++) {
        const spec_published *p = &s->published[i];
        if (p->rows && (!p->nbits.count || !*p->what))
            return fail_usage("%s: [published] has numbers, but not both of 'nbits' and 'what'",
                              r->name);
        for (int j = 0; j < p->rows; j++)
            if (p->row[j].count > p->nbits.count)
                return fail_usage("%s: [published] '%s %s' has %d numbers, 'nbits' has %d", r->name,
                                  p->row[j].data, p->row[j].label, p->row[j].count, p->nbits.count);
    }
    return LBH_OK;
}

static int check(spec_reader *r)
{
    if (!r->spec->ndata || !r->spec->nmethods)
        return fail_usage("%s: a specification has at least one [data NAME] and one [method NAME]",
                          r->name);
    int rc = check_data(r);
    if (rc == LBH_OK)
        rc = check_methods(r);
    return rc ? rc : check_published(r);
}

static int defaults(spec_reader *r)
{
    static const int64_t at[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
    bench_spec *s = r->spec;
    s->what.map_k = 1000;
    s->what.map_queries = 1000;
    s->what.repeats = 3;
    s->time_limit = 600;
    s->memory_limit = 8192;
    s->what.answers = 10;
    s->what.k = (spec_numbers){1, {10}};
    s->what.at.count = sizeof at / sizeof *at;
    memcpy(s->what.at.value, at, sizeof at);
    s->sweep.nbits = (spec_numbers){4, {16, 32, 64, 128}};
    s->sweep.seeds = (spec_numbers){1, {1}};
    s->sweep.index = (spec_texts){1, {spec_keep(r, "BFlat")}};
    s->sweep.search = (spec_texts){1, {spec_keep(r, "")}};
    s->sweep.rescore = (spec_texts){1, {spec_keep(r, "hamming")}};
    return s->sweep.index.text[0] && s->sweep.search.text[0] && s->sweep.rescore.text[0]
               ? LBH_OK
               : fail_memory();
}

static int parse(spec_reader *r)
{
    static const char bom[] = "\xEF\xBB\xBF";
    if (r->end - r->at >= 3 && memcmp(r->at, bom, 3) == 0)
        r->at += 3;
    int rc = defaults(r);
    if (rc)
        return rc;
    int bad = ini_parse_stream(next_line, r, on_pair, r);
    if (r->rc)
        return r->rc;
    if (bad) {
        r->line = bad;
        return bad < 0 ? fail_memory()
                       : spec_fail(r, "neither '[section]' nor 'key = value' nor a comment");
    }
    return check(r);
}

int bench_spec_parse(bench_spec **spec, const char *name, const char *text, size_t size)
{
    *spec = NULL;
    if (size > MAX_TEXT)
        return fail_usage("%s: more than %d bytes: that is no specification", name, MAX_TEXT);
    spec_reader r = {.name = name, .at = text, .end = text + size};
    r.spec = calloc(1, sizeof *r.spec);
    if (!r.spec)
        return fail_memory();
    int rc = parse(&r);
    if (rc)
        bench_spec_free(r.spec);
    else
        *spec = r.spec;
    return rc;
}

void bench_spec_free(bench_spec *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->npublished; i++)
        free(s->published[i].row);
    for (int i = 0; i < s->nowned; i++)
        free(s->owned[i]);
    free(s->owned);
    free(s);
}

spec_sweep bench_sweep(const bench_spec *s, const spec_method *m)
{
    spec_sweep w = m->sweep;
    w.nbits = w.nbits.count ? w.nbits : s->sweep.nbits;
    w.seeds = w.seeds.count ? w.seeds : s->sweep.seeds;
    w.index = w.index.count ? w.index : s->sweep.index;
    w.search = w.search.count ? w.search : s->sweep.search;
    w.rescore = w.rescore.count ? w.rescore : s->sweep.rescore;
    return w;
}

/* ---- A quick look -------------------------------------------------------------------------- */

static void cap_bits(spec_numbers *n)
{
    int kept = 0;
    int64_t least = n->count ? n->value[0] : 0;
    for (int i = 0; i < n->count; i++) {
        least = n->value[i] < least ? n->value[i] : least;
        if (n->value[i] <= 64)
            n->value[kept++] = n->value[i];
    }
    if (n->count && !kept)
        n->value[kept++] = least;
    n->count = kept;
}

/* Appends "name=most" unless the options ask for fewer; later options win. */
static int cap_option(spec_reader *r, spec_method *m, const char *name, long most)
{
    char text[1200];
    const char *options = m->options ? m->options : "";
    size_t len = strlen(name);
    for (const char *p = options; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, name, len) == 0 && p[len] == '=' && atol(p + len + 1) > 0 &&
            atol(p + len + 1) <= most)
            return LBH_OK;
    snprintf(text, sizeof text, "%s%s%s=%ld", options, *options ? "," : "", name, most);
    m->options = spec_keep(r, text);
    return m->options ? LBH_OK : fail_memory();
}

int bench_spec_quick(bench_spec *s)
{
    static const struct {
        const char *name;
        long most;
    } caps[] = {{"steps", 1000}, {"alternations", 5}};
    spec_reader r = {.spec = s};
    int rc = LBH_OK;
    s->what.repeats = 1;
    cap_bits(&s->sweep.nbits);
    s->sweep.seeds.count = 1;
    for (int i = 0; i < s->ndata; i++) {
        spec_data *d = &s->data[i];
        d->limit = d->limit && d->limit < 10000 ? d->limit : 10000;
        d->max_queries = 1000;
    }
    for (int i = 0; i < s->nmethods && rc == LBH_OK; i++) {
        spec_method *m = &s->method[i];
        cap_bits(&m->sweep.nbits);
        m->sweep.seeds.count = m->sweep.seeds.count > 0;
        for (size_t c = 0; c < sizeof caps / sizeof *caps && rc == LBH_OK; c++)
            if (!bench_is_rival(m->method) && method_has(m->method, caps[c].name))
                rc = cap_option(&r, m, caps[c].name, caps[c].most);
    }
    return rc;
}
