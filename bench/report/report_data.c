/* report_data.c: sorts the lines of a directory of results. See report_data.h. */
#define _POSIX_C_SOURCE 200809L
#include "report_data.h"

#include "svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Identity ------------------------------------------------------------------------------ */

static int64_t whole(const cJSON *line, const char *name)
{
    double v = result_number(line, name);
    return v >= 0 && v <= 9e15 ? (int64_t)v : 0;
}

static int bits_of(const cJSON *line)
{
    double v = result_number(line, "nbits");
    return v >= 0 && v <= 1 << 24 ? (int)v : 0;
}

static const char *label_of(const cJSON *line)
{
    const char *label = result_text(line, "label");
    return *label ? label : result_text(line, "method");
}

static int compare_texts(const cJSON *a, const cJSON *b, int count, const char *const *names)
{
    for (int i = 0; i < count; i++) {
        int order = strcmp(result_text(a, names[i]), result_text(b, names[i]));
        if (order)
            return order;
    }
    return 0;
}

static int compare_numbers(const cJSON *a, const cJSON *b, int count, const char *const *names)
{
    for (int i = 0; i < count; i++) {
        int64_t x = whole(a, names[i]), y = whole(b, names[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

/* Lines of one set are together, then those of one number of bits; what differs in the seed only is
 * one result. */
static int by_set(const cJSON *a, const cJSON *b)
{
    static const char *const texts[] = {"data", "metric"}, *const numbers[] = {"n", "d", "nq"};
    int order = compare_texts(a, b, 2, texts);
    return order ? order : compare_numbers(a, b, 3, numbers);
}

static int by_result(const void *pa, const void *pb)
{
    static const char *const texts[] = {"method", "index", "search", "rescore", "options"};
    static const char *const numbers[] = {"code_bytes", "map_k", "threads"};
    const cJSON *a = *(const cJSON *const *)pa, *b = *(const cJSON *const *)pb;
    int order = by_set(a, b);
    if (!order)
        order = (bits_of(a) > bits_of(b)) - (bits_of(a) < bits_of(b));
    if (!order)
        order = strcmp(label_of(a), label_of(b));
    if (!order)
        order = compare_texts(a, b, 5, texts);
    return order ? order : compare_numbers(a, b, 3, numbers);
}

static int by_result_and_seed(const void *pa, const void *pb)
{
    static const char *const seed[] = {"seed"};
    int order = by_result(pa, pb);
    return order ? order
                 : compare_numbers(*(const cJSON *const *)pa, *(const cJSON *const *)pb, 1, seed);
}

/* ---- Methods ------------------------------------------------------------------------------- */

static int family_rank(const char *family)
{
    static const char *const order[] = {"learned", "rival", "classic", "", "ceiling"};
    for (int i = 0; i < 5; i++)
        if (strcmp(family, order[i]) == 0)
            return i;
    return 3;
}

static int by_family(const void *pa, const void *pb)
{
    const data_method *a = pa, *b = pb;
    int x = family_rank(a->family), y = family_rank(b->family);
    if (x != y)
        return x - y;
    int order = strcmp(a->label, b->label);
    return order ? order : strcmp(a->name, b->name);
}

static int method_of(const report_data *r, const cJSON *line)
{
    for (int i = 0; i < r->nmethods; i++)
        if (strcmp(r->method[i].label, label_of(line)) == 0)
            return i;
    return -1;
}

static int find_methods(report_data *r)
{
    r->method = cli_alloc(r->lines.n, sizeof *r->method);
    if (!r->method)
        return EXIT_RUNTIME;
    for (int i = 0; i < r->lines.n; i++) {
        const cJSON *line = r->lines.line[i];
        if (result_is(line, "type", "cell") && method_of(r, line) < 0)
            r->method[r->nmethods++] = (data_method){label_of(line), result_text(line, "method"),
                                                     result_text(line, "family"), 0};
    }
    qsort(r->method, (size_t)r->nmethods, sizeof *r->method, by_family);
    for (int i = 0, style = 0; i < r->nmethods; i++)
        r->method[i].style = strcmp(r->method[i].family, "ceiling") == 0 ? SVG_GREY
                                                                          : style++ % SVG_STYLES;
    return EXIT_OK;
}

/* ---- Results ------------------------------------------------------------------------------- */

static int split_lines(report_data *r, int *count)
{
    int n = r->lines.n, cells = 0;
    r->cell = cli_alloc(n, sizeof *r->cell);
    r->failed = cli_alloc(n, sizeof *r->failed);
    r->image = cli_alloc(n, sizeof *r->image);
    r->result = cli_alloc(n, sizeof *r->result);
    r->set = cli_alloc(n, sizeof *r->set);
    if (!r->cell || !r->failed || !r->image || !r->result || !r->set)
        return EXIT_RUNTIME;
    for (int i = 0; i < n; i++) {
        const cJSON *line = r->lines.line[i];
        if (result_is(line, "type", "images"))
            r->image[r->nimages++] = line;
        else if (result_is(line, "type", "cell") && result_is(line, "status", "ok"))
            r->cell[cells++] = line;
        else if (result_is(line, "type", "cell"))
            r->failed[r->nfailed++] = line;
    }
    qsort(r->cell, (size_t)cells, sizeof *r->cell, by_result_and_seed);
    qsort(r->failed, (size_t)r->nfailed, sizeof *r->failed, by_result_and_seed);
    *count = cells;
    return EXIT_OK;
}

/* Notes the bits of a set's results, which are sorted by them: of ceilings, or of all others. */
static int note_bits(report_data *r, int set, bool ceilings)
{
    data_set *s = &r->set[set];
    for (int i = 0; i < r->nresults; i++) {
        int nbits = r->result[i].nbits;
        if (r->result[i].set != set || r->result[i].ceiling != ceilings ||
            (s->nbit_kinds && s->nbits[s->nbit_kinds - 1] == nbits))
            continue;
        int *more = realloc(s->nbits, ((size_t)s->nbit_kinds + 1) * sizeof *more);
        if (!more)
            return fail_memory();
        s->nbits = more;
        s->nbits[s->nbit_kinds++] = nbits;
    }
    return s->nbit_kinds || ceilings ? EXIT_OK : note_bits(r, set, true);
}

static int group(report_data *r, int cells)
{
    int rc = EXIT_OK;
    for (int i = 0; i < cells; i++) {
        const cJSON *line = r->cell[i];
        if (i == 0 || by_set(r->cell[i - 1], line) != 0)
            r->set[r->nsets++] = (data_set){
                .name = result_text(line, "data"), .metric = result_text(line, "metric"),
                .n = whole(line, "n"), .d = whole(line, "d"), .nq = whole(line, "nq")};
        if (i == 0 || by_result(&r->cell[i - 1], &r->cell[i]) != 0)
            r->result[r->nresults++] = (data_result){
                .set = r->nsets - 1, .method = method_of(r, line), .nbits = bits_of(line),
                .ceiling = result_is(line, "family", "ceiling"),
                .bytes = result_number(line, "code_bytes"), .index = result_text(line, "index"),
                .search = result_text(line, "search"), .rescore = result_text(line, "rescore"),
                .options = result_text(line, "options"), .preset = result_text(line, "preset"),
                .cell = &r->cell[i]};
        r->result[r->nresults - 1].n++;
    }
    for (int s = 0; rc == EXIT_OK && s < r->nsets; s++)
        rc = note_bits(r, s, false);
    return rc;
}

/* ---- The recall of the report -------------------------------------------------------------- */

/* Of the first cell with recalls: K = 10, or else the least, and the N of 100 or else the one
 * nearest to it (as a ratio), but not below K. */
static void choose_recall(report_data *r, int cells)
{
    for (int i = 0; i < cells && r->at == 0; i++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(r->cell[i], "recall"), *curve, *at;
        const cJSON *chosen = NULL;
        cJSON_ArrayForEach(curve, list)
        {
            int64_t k = whole(curve, "k");
            if (k > 0 && k <= 1 << 30 && (!chosen || k == 10 || (r->k != 10 && k < r->k))) {
                chosen = curve;
                r->k = (int)k;
            }
        }
        double least = INFINITY;
        cJSON_ArrayForEach(at, cJSON_GetObjectItemCaseSensitive(chosen, "at"))
        {
            double n = cJSON_IsNumber(at) ? at->valuedouble : 0;
            if (n >= r->k && n <= 1 << 30 && fabs(log(n / 100)) < least) {
                least = fabs(log(n / 100));
                r->at = (int)n;
            }
        }
    }
}

static int parse_recall(report_data *r, const char *text)
{
    char more;
    if (sscanf(text, "%9d@%9d%c", &r->k, &r->at, &more) != 2 || r->k < 1 || r->at < 1)
        return fail_usage("report: --recall '%s' is not of the form K@N, as 10@100", text);
    for (int i = 0; i < r->nresults; i++)
        if (result_value(&r->result[i], report_recall_path(r)).n > 0)
            return EXIT_OK;
    return fail("report: no result has the recall %d@%d; the N are those of `at` in the "
                "specification, the K those of `k`", r->k, r->at);
}

/* ---- Filters ------------------------------------------------------------------------------- */

static bool listed(const char *list, const char *text, size_t len)
{
    for (const char *p = list; p; p = *p ? p + 1 : NULL) {
        size_t n = strcspn(p, ",");
        if (n == len && strncmp(p, text, n) == 0)
            return true;
        p += n;
    }
    return !list;
}

static bool passes(const report_filter *f, const cJSON *line)
{
    char bits[16];
    const char *method = result_text(line, "method"), *rescore = result_text(line, "rescore");
    const char *data = result_text(line, "data"), *label = label_of(line);
    bool images = result_is(line, "type", "images");
    snprintf(bits, sizeof bits, "%d", bits_of(line));
    return listed(f->data, data, strlen(data)) &&
           (strcmp(method, "original") == 0 ||
            ((listed(f->methods, method, strlen(method)) ||
              listed(f->methods, label, strlen(label))) &&
             (result_is(line, "family", "ceiling") || listed(f->bits, bits, strlen(bits))))) &&
           (images || listed(f->rescore, rescore, strcspn(rescore, ":")));
}

static int apply_filter(result_lines *l, const report_filter *f)
{
    int left = 0, had = 0, cells = 0;
    for (int i = 0; i < l->n; i++) {
        bool cell = result_is(l->line[i], "type", "cell"), passed = passes(f, l->line[i]);
        had += cell;
        cells += cell && passed;
        if (passed)
            l->line[left++] = l->line[i];
        else
            cJSON_Delete(l->line[i]);
    }
    l->n = left;
    if (had > 0 && cells == 0)
        return fail("report: none of the %d results passes --data, --methods, --bits and "
                    "--rescore: names are those of the page without these options", had);
    return EXIT_OK;
}

/* ---- The whole ----------------------------------------------------------------------------- */

int report_data_read(report_data *r, const char *dir, const char *recall,
                     const report_filter *filter)
{
    *r = (report_data){0};
    int rc = result_lines_read(&r->lines, dir);
    if (rc == EXIT_OK)
        rc = apply_filter(&r->lines, filter);
    if (rc)
        return rc;
    if (r->lines.files == 0)
        return fail("there are no results in '%s': no file *.jsonl (`lbh bench --out DIR` writes "
                    "them)", dir);
    int cells = 0;
    if (r->lines.n > 0)
        rc = split_lines(r, &cells);
    if (rc == EXIT_OK && r->lines.n > 0)
        rc = find_methods(r);
    if (rc == EXIT_OK && cells + r->nfailed == 0)
        return fail("there is no result in the files of '%s'%s%s", dir,
                    r->lines.note ? ": " : "; `lbh bench` has not finished its first cell",
                    r->lines.note ? r->lines.note : "");
    if (rc == EXIT_OK)
        rc = group(r, cells);
    if (rc == EXIT_OK && recall)
        rc = parse_recall(r, recall);
    else if (rc == EXIT_OK)
        choose_recall(r, cells);
    return rc;
}

void report_data_free(report_data *r)
{
    for (int i = 0; i < r->nsets; i++)
        free(r->set[i].nbits);
    free(r->set);
    free(r->method);
    free(r->result);
    free(r->failed);
    free(r->image);
    free(r->cell);
    result_lines_free(&r->lines);
}
