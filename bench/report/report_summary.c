/* report_summary.c: what won and what lost: learned codes against the best of the rest. See
 * report_summary.h.
 *
 * Compared are results without float vectors whose codes have at most ceil(bits / 8) bytes: equal
 * memory. A comparison is won if the median is better and the ranges over the seeds do not overlap;
 * where they do, it is too close to call. */
#define _POSIX_C_SOURCE 200809L
#include "report_summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has_value(const report_data *r, int set, const char *path)
{
    for (int i = 0; i < r->nresults; i++)
        if (r->result[i].set == set && result_value(&r->result[i], path).n > 0)
            return true;
    return false;
}

static void add_measure(const report_data *r, int set, measures *m, const char *path)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->path[i], path) == 0)
            return;
    if (m->n < MEASURES && has_value(r, set, path))
        snprintf(m->path[m->n++], sizeof m->path[0], "%s", path);
}

void published_path(const data_set *set, const char *what, char path[64])
{
    bool labels = strcmp(set->metric, "label") == 0;
    if (strncmp(what, "recall", 6) == 0)
        snprintf(path, 64, "recall.%.50s", what + 6);
    else if (strncmp(what, "map", 3) == 0)
        snprintf(path, 64, "%s", labels ? "label_map" : "map");
    else if (strcmp(what, "mse") == 0)
        snprintf(path, 64, "reconstruction.mse");
    else
        snprintf(path, 64, "%.60s", what);
}

measures measures_of(const report_data *r, int set, const bench_spec *spec)
{
    measures m = {0};
    add_measure(r, set, &m, report_main_path(r, set));
    add_measure(r, set, &m, "map");
    add_measure(r, set, &m, "label_map");
    add_measure(r, set, &m, "reconstruction.relative");
    for (int i = 0; spec && i < spec->npublished; i++)
        for (int k = 0; k < spec->published[i].rows; k++)
            if (strcmp(spec->published[i].row[k].data, r->set[set].name) == 0) {
                char path[64];
                published_path(&r->set[set], spec->published[i].what, path);
                add_measure(r, set, &m, path);
            }
    return m;
}

/* ---- Learned codes against the rest -------------------------------------------------------- */

bool larger(const data_result *one)
{
    return !one->ceiling && one->bytes > ceil(one->nbits / 8.0);
}

bool fits(const data_result *one)
{
    return !one->ceiling && !larger(one) && scoring_of(one->rescore) != 3;
}

best champion(const report_data *r, int set, int nbits, const char *path, bool learned)
{
    best b = {0};
    double sign = value_less_is_better(path) ? -1 : 1;
    for (int i = 0; i < r->nresults; i++) {
        const data_result *one = &r->result[i];
        const char *family = r->method[one->method].family;
        if (one->set != set || one->nbits != nbits ||
            (strcmp(family, "learned") == 0) != learned || !fits(one))
            continue;
        spread s = result_value(one, path);
        if (s.n > 0 && (!b.of || sign * s.median > sign * b.value.median))
            b = (best){one, s};
    }
    return b;
}

typedef enum { WON, LOST, CLOSE, ALONE } outcome;

static outcome compare(const best *ours, const best *other, const char *path)
{
    if (!ours->of || !other->of)
        return ALONE;
    double gain = ours->value.median - other->value.median;
    if (gain == 0 || (ours->value.low <= other->value.high && other->value.low <= ours->value.high))
        return CLOSE;
    return (gain > 0) != value_less_is_better(path) ? WON : LOST;
}

static void put_side(FILE *out, const report_data *r, const best *b, const char *none)
{
    char value[32] = "";
    if (b->of)
        value_text(value, b->value.median);
    fputs("<br><small>", out);
    svg_put_text(out, b->of ? r->method[b->of->method].label : none);
    fprintf(out, " %s</small>", value);
}

static void put_comparison(FILE *out, const report_data *r, int set, int nbits, const char *path,
                           int tally[4])
{
    static const char *const words[] = {"<span class=\"won\">\xE2\x96\xB2 won",
                                        "<span class=\"lost\">\xE2\x96\xBC lost",
                                        "<span class=\"soft\">\xE2\x89\x88 close"};
    best ours = champion(r, set, nbits, path, true), other = champion(r, set, nbits, path, false);
    outcome o = compare(&ours, &other, path);
    fputs("<td>", out);
    if (ours.of || other.of) {
        char gain[32];
        double difference = ours.value.median - other.value.median;
        tally[o]++;
        value_text(gain, difference);
        if (o == ALONE)
            fputs("\xE2\x80\x93", out);
        else
            fprintf(out, "%s %s%s</span>", words[o], difference > 0 ? "+" : "", gain);
        put_side(out, r, &ours, "no learned one");
        put_side(out, r, &other, "no other");
    }
    fputs("</td>", out);
}

static void put_tally(FILE *out, const int tally[4])
{
    static const char *const what[] = {"won by learned codes", "lost to the rest",
                                       "too close to call"};
    static const char *const class_name[] = {"won", "lost", "soft"};
    fputs("<ul class=\"tally\">", out);
    for (int i = 0; i < 3; i++)
        fprintf(out, "<li><b class=\"%s\">%d</b>%s</li>", class_name[i], tally[i], what[i]);
    fputs("</ul>\n", out);
}

/* Methods that the comparison leaves out, with the bytes that they take. */
static void put_larger(FILE *out, const report_data *r)
{
    bool any = false;
    for (int m = 0; m < r->nmethods; m++)
        for (int i = 0; i < r->nresults; i++) {
            const data_result *one = &r->result[i];
            if (one->method != m || !larger(one))
                continue;
            fputs(any ? "; " : "<p>Not compared, for their codes take more bytes: ", out);
            svg_put_text(out, r->method[m].label);
            fprintf(out, " (%.0f bytes at %d bits)", one->bytes, one->nbits);
            any = true;
            break;
        }
    if (any)
        fputs(".</p>\n", out);
}

/* The numbers of bits of all data sets, rising; at most `most`. */
static int all_bits(const report_data *r, int most, int *bits)
{
    int n = 0;
    for (int s = 0; s < r->nsets; s++)
        for (int b = 0; b < r->set[s].nbit_kinds; b++) {
            int v = r->set[s].nbits[b], at = n;
            while (at > 0 && bits[at - 1] > v)
                at--;
            if ((at > 0 && bits[at - 1] == v) || n == most)
                continue;
            memmove(bits + at + 1, bits + at, (size_t)(n - at) * sizeof *bits);
            bits[at] = v;
            n++;
        }
    return n;
}

static void put_matrix(FILE *out, const report_data *r, const bench_spec *spec, int tally[4])
{
    int bits[MOST_BITS], n = all_bits(r, MOST_BITS, bits);
    for (int s = 0; s < r->nsets; s++) {
        measures m = measures_of(r, s, spec);
        for (int i = 0; i < m.n; i++) {
            char name[64];
            path_name(r, m.path[i], name);
            fprintf(out, "<tr%s><th scope=\"row\">", i == 0 ? " class=\"first\"" : "");
            svg_put_text(out, r->set[s].name);
            fputs("<br><small>", out);
            svg_put_text(out, name);
            fprintf(out, "%s</small></th>",
                    value_less_is_better(m.path[i]) ? ", less is better" : "");
            for (int b = 0; b < n; b++)
                put_comparison(out, r, s, bits[b], m.path[i], tally);
            fputs("</tr>\n", out);
        }
    }
}

static bool one_seed(const report_data *r)
{
    for (int i = 0; i < r->nresults; i++)
        if (r->result[i].n > 1)
            return false;
    return true;
}

static int put_comparisons(FILE *out, const report_data *r, const bench_spec *spec)
{
    int tally[4] = {0}, bits[MOST_BITS], n = all_bits(r, MOST_BITS, bits);
    char *rows = NULL;
    size_t size = 0;
    FILE *table = open_memstream(&rows, &size); /* the counts stand before the rows */
    if (!table)
        return fail_memory();
    put_matrix(table, r, spec, tally);
    if (fclose(table) != 0) {
        free(rows);
        return fail_memory();
    }
    if (tally[WON] + tally[LOST] + tally[CLOSE] > 0)
        put_tally(out, tally);
    put_larger(out, r);
    if (one_seed(r))
        fputs("<p>Everything was measured with one seed: how far the numbers spread is not known, "
              "and small differences may be chance.</p>\n", out);
    fputs("<div class=\"scroll\"><table class=\"pinned\"><caption>Best learned codes against "
          "the best of the rest</caption><thead><tr><th scope=\"col\">data, measure</th>", out);
    for (int b = 0; b < n; b++)
        fprintf(out, "<th scope=\"col\">%d bits</th>", bits[b]);
    fputs("</tr></thead><tbody>\n", out);
    fputs(rows, out);
    fputs("</tbody></table></div>\n", out);
    free(rows);
    return EXIT_OK;
}

int html_summary(FILE *out, const report_data *r, const bench_spec *spec)
{
    if (r->nresults == 0)
        return EXIT_OK;
    fputs("<section id=\"summary\"><h2>What won and what lost</h2>\n<p>Without float vectors, at "
          "equal bytes a code: the best setting of each method, by its median over the seeds. A "
          "comparison is decided only where the ranges over the seeds do not overlap.</p>\n", out);
    int rc = put_comparisons(out, r, spec);
    put_leagues(out, r, spec);
    fputs("</section>\n", out);
    return rc;
}
