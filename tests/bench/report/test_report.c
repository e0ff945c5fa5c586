/* test_report.c: the parts of a report against naive ones: fronts, spreads, values by name, base64,
 * PNG, the choice of a recall, filters. */
#define _DEFAULT_SOURCE
#include "support.h"

#include "report_data.h"
#include "report_front.h"
#include "report_html.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* ---- Fronts -------------------------------------------------------------------------------- */

static bool beats(double x1, double y1, double x2, double y2)
{
    return x1 >= x2 && y1 >= y2 && (x1 > x2 || y1 > y2);
}

/* Against all pairs, with many equal numbers among them. */
Test(report, front_is_what_nothing_beats)
{
    for (uint64_t trial = 0; trial < 3000; trial++) {
        int n = (int)(trial % 13), grid = 1 + (int)(trial % 5), front[13];
        double x[13], y[13];
        for (int i = 0; i < n; i++) {
            x[i] = floor(test_uniform(trial, (uint64_t)i) * grid);
            y[i] = floor(test_uniform(trial + 9000, (uint64_t)i) * grid);
            if (test_uniform(trial + 18000, (uint64_t)i) < 0.1)
                x[i] = i % 2 ? NAN : INFINITY;
        }
        int found = report_front(n, x, y, front), want = 0;
        for (int i = 0; i < n; i++) {
            bool in = isfinite(x[i]), listed = false;
            for (int k = 0; k < n; k++)
                if (isfinite(x[k]) && (beats(x[k], y[k], x[i], y[i]) ||
                                       (k < i && x[k] == x[i] && y[k] == y[i])))
                    in = false;
            for (int f = 0; f < found; f++)
                listed = listed || front[f] == i;
            cr_assert_eq(in, listed, "trial %d, point %d", (int)trial, i);
            want += in;
        }
        cr_assert_eq(found, want);
        for (int f = 1; f < found; f++)
            cr_assert(x[front[f]] > x[front[f - 1]] && y[front[f]] < y[front[f - 1]]);
    }
}

/* ---- Values -------------------------------------------------------------------------------- */

Test(report, spreads)
{
    cr_assert(spread_of(0, NULL).n == 0 && isnan(spread_of(0, NULL).median));
    for (int n = 1; n < 20; n++) {
        double v[20];
        for (int i = 0; i < n; i++)
            v[i] = test_normal(5, (uint64_t)(n * 20 + i));
        spread s = spread_of(n, v);
        int below = 0, above = 0;
        for (int i = 0; i < n; i++) {
            below += v[i] < s.median;
            above += v[i] > s.median;
            cr_assert(v[i] >= s.low && v[i] <= s.high);
        }
        cr_assert(s.n == n && below == n / 2 && above == n / 2);
    }
    char text[112];
    spread_text(text, &(spread){3, 0.5, 0.25, 0.75});
    cr_assert_str_eq(text, "0.500 [0.250..0.750]");
    spread_text(text, &(spread){3, 0.5, 0.5, 0.5});
    cr_assert_str_eq(text, "0.500");
    spread_text(text, &(spread){0, NAN, NAN, NAN});
    cr_assert_str_eq(text, "-");
}

Test(report, values_by_name)
{
    cJSON *j = cJSON_Parse(
        "{\"map\":0.5,\"codes\":{\"balance\":0.25},\"train_s\":null,\"precision\":{\"at\":[1,10],"
        "\"value\":[0.75,1e999]},\"recall\":[{\"k\":1,\"at\":[1,10],\"value\":[0.1,0.2]},"
        "{\"k\":10,\"at\":[10,100],\"value\":[0.3]},{\"k\":5,\"at\":3}]}");
    static const struct {
        const char *path;
        double value;
    } cases[] = {{"map", 0.5}, {"codes.balance", 0.25}, {"codes.entropy", NAN}, {"train_s", NAN},
                 {"map.x.y", NAN}, {"absent.x", NAN}, {"precision@1", 0.75}, {"precision@10", NAN},
                 {"precision@2", NAN}, {"recall.1@10", 0.2}, {"recall.10@10", 0.3},
                 {"recall.10@100", NAN}, {"recall.5@3", NAN}, {"recall.2@3", NAN}, {"", NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double v = cell_value(j, cases[i].path);
        cr_assert(isnan(cases[i].value) ? isnan(v) : v == cases[i].value, "%s: %g", cases[i].path,
                  v);
    }
    cJSON_Delete(j);
    const char *scorings[] = {"hamming", "none",        "",          "margin", "margin:50",
                              "decoder", "decoder:all", "float:100", "floats", "other"};
    const int want[] = {0, 0, 0, 1, 1, 2, 2, 3, 4, 4};
    for (int i = 0; i < 10; i++)
        cr_assert_eq(scoring_of(scorings[i]), want[i], "%s", scorings[i]);
}

/* ---- Images -------------------------------------------------------------------------------- */

Test(report, base64)
{
    static const char *const bad[] = {"A", "AB", "ABC", "A===", "====", "AB=C", "AA==AA==", "AB!=",
                                      "AAAA\n"};
    size_t size;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(!base64_decode(bad[i], &size) && size == 0, "%s", bad[i]);
    static const char *const pairs[][2] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
                                           {"Zm9vYmFy", "foobar"}, {"+/+/", "\xfb\xff\xbf"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) { /* RFC 4648, section 10 */
        unsigned char *data = base64_decode(pairs[i][0], &size);
        cr_assert(data && size == strlen(pairs[i][1]) && memcmp(data, pairs[i][1], size) == 0);
        free(data);
    }
}

static unsigned long big(const unsigned char *p)
{
    return (unsigned long)p[0] << 24 | (unsigned long)p[1] << 16 | (unsigned long)p[2] << 8 | p[3];
}

/* The PNG, taken apart: its chunks and checksums, and each pixel. */
Test(report, png)
{
    enum { COUNT = 3, H = 5, W = 4, ACROSS = COUNT * (W + 2) - 2 };
    unsigned char pixels[COUNT * H * W], raw[H * (1 + 2 * ACROSS)];
    for (int i = 0; i < COUNT * H * W; i++)
        pixels[i] = (unsigned char)(i * 37);
    char *text = NULL;
    size_t length, size;
    FILE *out = open_memstream(&text, &length);
    cr_assert_eq(png_put_strip(out, COUNT, H, W, pixels), EXIT_OK);
    fclose(out);
    static const char head[] = "data:image/png;base64,";
    cr_assert_eq(strncmp(text, head, strlen(head)), 0);
    unsigned char *png = base64_decode(text + strlen(head), &size);
    cr_assert(png && memcmp(png, "\x89PNG\r\n\x1a\n", 8) == 0);
    uLong used = sizeof raw;
    int chunks = 0;
    for (const unsigned char *p = png + 8; p < png + size; p += big(p) + 12, chunks++) {
        unsigned long n = big(p);
        cr_assert_eq(big(p + 8 + n), crc32(0, p + 4, (uInt)n + 4));
        if (memcmp(p + 4, "IHDR", 4) == 0)
            cr_assert(big(p + 8) == ACROSS && big(p + 12) == H && p[16] == 8 && p[17] == 4);
        if (memcmp(p + 4, "IDAT", 4) == 0)
            cr_assert_eq(uncompress(raw, &used, p + 8, n), Z_OK);
    }
    cr_assert(chunks == 3 && used == sizeof raw);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < ACROSS; x++) {
            const unsigned char *at = raw + y * (1 + 2 * ACROSS) + 1 + 2 * x;
            int i = x / (W + 2), in = x % (W + 2);
            cr_assert_eq(at[1], in < W ? 255 : 0);
            cr_assert(in >= W || at[0] == pixels[(i * H + y) * W + in]);
        }
    free(png);
    free(text);
}

/* ---- Reading ------------------------------------------------------------------------------- */

#define CELL "{\"format\":\"lbh-bench 1\",\"type\":\"cell\",\"status\":\"ok\","

static char dir[64];

static void lines(const char *text)
{
    char path[128];
    strcpy(dir, "/tmp/lbh_report_XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.jsonl", dir);
    test_spit(path, text, strlen(text));
}

static void clean(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/a.jsonl", dir);
    remove(path);
    rmdir(dir);
}

static const char some[] =
    CELL "\"data\":\"a\",\"metric\":\"l2\",\"n\":9,\"method\":\"pq\",\"label\":\"PQ\",\"family\":"
         "\"rival\",\"nbits\":64,\"seed\":1,\"map\":0.5,\"recall\":[{\"k\":1,\"at\":[1,50],"
         "\"value\":[0,1]},{\"k\":10,\"at\":[10,90,1000],\"value\":[0,1,1]}]}\n"
    CELL "\"data\":\"a\",\"metric\":\"l2\",\"n\":9,\"method\":\"sgh\",\"family\":\"learned\","
         "\"nbits\":64,\"seed\":2,\"map\":0.7,\"rescore\":\"margin:10\"}\n"
    CELL "\"data\":\"a\",\"metric\":\"l2\",\"n\":9,\"method\":\"sgh\",\"family\":\"learned\","
         "\"nbits\":64,\"seed\":1,\"map\":0.6,\"rescore\":\"margin:10\"}\n"
    CELL "\"data\":\"a\",\"metric\":\"ip\",\"n\":9,\"method\":\"sgh\",\"family\":\"learned\","
         "\"nbits\":16,\"seed\":1,\"map\":0.1}\n"
    CELL "\"data\":\"a\",\"metric\":\"l2\",\"n\":9,\"method\":\"flat\",\"family\":\"ceiling\","
         "\"nbits\":32,\"seed\":1,\"map\":1}\n";

Test(report, sorts_results, .fini = clean)
{
    report_data r;
    lines(some);
    cr_assert_eq(report_data_read(&r, dir, NULL, &(report_filter){0}), EXIT_OK, "%s", cli_error());
    cr_assert(r.nsets == 2 && r.nmethods == 3 && r.nresults == 4 && r.k == 10 && r.at == 90);
    cr_assert_str_eq(r.method[0].label, "sgh"); /* learned first, ceilings last */
    cr_assert_str_eq(r.method[1].label, "PQ");
    cr_assert_str_eq(r.method[2].label, "flat");
    cr_assert_eq(r.method[2].style, SVG_GREY);
    int set = strcmp(r.set[0].metric, "l2") == 0 ? 0 : 1;
    cr_assert(r.set[set].nbit_kinds == 1 && r.set[set].nbits[0] == 64); /* 32 is the ceiling's */
    cr_assert(report_best(&r, set, 64, 2, 0, "map") && !report_best(&r, set, 32, 1, 0, "map"));
    const data_result *one = report_best(&r, set, 64, 0, -1, "map");
    cr_assert(one && one->n == 2);
    spread s = result_value(one, "map");
    cr_assert(s.n == 2 && fabs(s.median - 0.65) < 1e-12 && s.low == 0.6 && s.high == 0.7);
    cr_assert_null(report_best(&r, set, 64, 0, 0, "map"));
    cr_assert_null(report_best(&r, set, 64, 0, -1, "absent"));
    report_data_free(&r);
}

Test(report, chosen_recall_and_filters, .fini = clean)
{
    report_data r;
    lines(some);
    cr_assert_eq(report_data_read(&r, dir, "1@50", &(report_filter){0}), EXIT_OK);
    cr_assert(r.k == 1 && r.at == 50);
    report_data_free(&r);
    static const char *const bad[] = {"", "1", "1@", "@5", "0@5", "1@50x", "-1@50"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(report_data_read(&r, dir, bad[i], &(report_filter){0}), EXIT_USAGE, "%s",
                     bad[i]);
        report_data_free(&r);
    }
    cr_assert_eq(report_data_read(&r, dir, "10@91", &(report_filter){0}), EXIT_RUNTIME);
    report_data_free(&r);
    static const struct {
        report_filter filter;
        int results;
    } cases[] = {{{.methods = "sgh"}, 2},        {{.methods = "PQ,flat"}, 2},
                 {{.methods = "pq"}, 1},         {{.bits = "16,32"}, 2},
                 {{.rescore = "margin"}, 1},     {{.data = "b,a"}, 4},
                 {{.data = "b"}, 0},             {{.methods = "p"}, 0},
                 {{.methods = "sgh", .bits = "32"}, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = report_data_read(&r, dir, NULL, &cases[i].filter);
        cr_assert_eq(rc, cases[i].results ? EXIT_OK : EXIT_RUNTIME, "%zu", i);
        cr_assert(rc || r.nresults == cases[i].results, "%zu: %d", i, r.nresults);
        report_data_free(&r);
    }
}
