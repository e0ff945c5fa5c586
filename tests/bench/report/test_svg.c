/* test_svg.c: charts of awkward numbers: every coordinate is a number, labels do not collide. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "cli.h"
#include "svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES(style_, n_, x_, y_)                                                                 \
    {.style = style_, .label = "label", .n = n_, .x = x_, .y = y_}

static svg_chart chart_of(int n, const svg_series *series, bool log_x)
{
    static const char *const legend[] = {"one", "two"};
    return (svg_chart){.title = "t", .subtitle = "s", .x_title = "x", .y_title = "y", .nlegend = 2,
                       .legend = legend, .nseries = n, .series = series, .log_x = log_x};
}

static char *drawn(int n, const svg_series *series, bool log_x)
{
    svg_chart c = chart_of(n, series, log_x);
    char *text = svg_chart_text(&c);
    cr_assert_not_null(text, "%s", cli_error());
    cr_assert(!strstr(text, "nan") && !strstr(text, "inf"), "%s", text);
    cr_assert_str_eq(text + strlen(text) - 7, "</svg>\n");
    return text;
}

/* The points of polyline i. */
static int points(const char *text, int i, double x[], double y[])
{
    const char *p = text;
    int n = 0, used;
    for (int k = 0; k <= i; k++)
        p = strstr(p + 1, "points=\"");
    for (p += 8; sscanf(p, "%lf,%lf%n", &x[n], &y[n], &used) == 2; n++)
        p += used;
    return n;
}

Test(svg, nothing_to_draw)
{
    svg_series none = {.label = "none"};
    svg_chart c = chart_of(1, &none, true);
    cli_clear_error();
    cr_assert_null(svg_chart_text(&c));
    cr_assert(*cli_error());
    c.nseries = 0;
    cr_assert_null(svg_chart_text(&c));
}

Test(svg, awkward_numbers)
{
    static const double zero[] = {0, 0, 0}, one[] = {7}, large[] = {1, 1e9, 1e15},
                        small[] = {1e-12, 2e-12, 3e-12};
    const svg_series cases[] = {SERIES(0, 1, one, one),     SERIES(0, 1, one, zero),
                                SERIES(0, 1, zero, one),    SERIES(0, 3, large, small),
                                SERIES(9, 3, small, large), SERIES(0, 2, zero, zero),
                                SERIES(1000, 3, large, large)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int log_x = 0; log_x <= 1; log_x++) {
            char *text = drawn(1, &cases[i], log_x);
            double x[4], y[4];
            cr_assert_eq(points(text, 0, x, y), cases[i].n);
            for (int k = 0; k < cases[i].n; k++)
                cr_assert(x[k] >= 0 && x[k] <= 860 && y[k] >= 0 && y[k] <= 560, "%g %g", x[k],
                          y[k]);
            free(text);
        }
}

/* Even steps are even on a linear axis, even ratios on a logarithmic one. */
Test(svg, axes)
{
    static const double even[] = {2, 4, 6, 8}, ratio[] = {2, 20, 200, 2000}, up[] = {1, 2, 3, 4};
    const svg_series s[] = {SERIES(0, 4, even, up), SERIES(1, 4, ratio, up)};
    for (int i = 0; i < 2; i++) {
        char *text = drawn(1, &s[i], i == 1);
        double x[4], y[4];
        cr_assert_eq(points(text, 0, x, y), 4);
        for (int k = 1; k < 4; k++) {
            cr_assert(fabs(x[k] - x[k - 1] - (x[1] - x[0])) < 0.3 && x[k] > x[k - 1] + 50);
            cr_assert(fabs(y[k] - y[k - 1] - (y[1] - y[0])) < 0.3 && y[k] < y[k - 1] - 50);
        }
        free(text);
    }
}

Test(svg, labels_keep_apart)
{
    static const double x[] = {1, 2};
    static const double y[][2] = {{9, 0}, {9, 0.01}, {9, 5}, {9, 5}, {9, 4.99}, {9, 8}};
    svg_series s[6];
    for (int i = 0; i < 6; i++)
        s[i] = (svg_series)SERIES(i % 2, 2, x, y[i]);
    char *text = drawn(6, s, false);
    double last = -100, at;
    int seen = 0;
    for (const char *p = text; (p = strstr(p, ">label</text>")) != NULL; p++, seen++) {
        const char *from = p;
        while (strncmp(from, " y=\"", 4) != 0)
            from--;
        cr_assert_eq(sscanf(from, " y=\"%lf", &at), 1);
        cr_assert(at - last > 13, "%g after %g", at, last);
        last = at;
    }
    cr_assert_eq(seen, 6);
    free(text);
}

/* Every axis has two numbers or more within it, rising, and round. */
Test(svg, ticks)
{
    for (int kind = 0; kind < 8; kind++)
        for (int i = 0; i < 2000; i++) {
            bool log = kind & 1, fit = kind & 2, zero = kind & 4;
            double low = pow(10, 12 * test_uniform(1, (uint64_t)i) - 6);
            double high = low * (1 + pow(10, 6 * test_uniform(2, (uint64_t)i) - 3));
            svg_axis a = svg_axis_of(low, high, log, fit, zero, 6);
            cr_assert(a.low <= low * (1 + 1e-9) && a.high >= high * (1 - 1e-9));
            cr_assert(!fit || log || !zero || a.low == 0);
            double v, last = -INFINITY;
            bool labelled;
            int seen = 0;
            for (int t = 0; svg_axis_tick(&a, t, &v, &labelled); t++) {
                cr_assert(v > last, "%g after %g", v, last);
                last = v;
                seen += labelled && v >= a.low * (1 - 1e-9);
                cr_assert(t < 400);
            }
            cr_assert(seen >= 2 && seen <= 16, "%g to %g: %d (kind %d)", low, high, seen, kind);
            cr_assert(fabs(svg_axis_share(&a, a.low)) < 1e-9 &&
                      fabs(svg_axis_share(&a, a.high) - 1) < 1e-9);
        }
}

/* Whatever bytes a text has, what is written is UTF-8 without a character that means something. */
Test(svg, escape)
{
    struct {
        const char *in, *out;
    } cases[] = {{"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"},
                 {"\x01\n\x7f", "?" "??"},
                 {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
                 {"\xff\xc3z\xc0\xaf", "??z??"},
                 {"\xed\xa0\x80", "?" "??"},
                 {"\xe2\x82", "??"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        svg_put_text(out, cases[i].in);
        fclose(out);
        cr_assert_str_eq(text, cases[i].out);
        free(text);
    }
}

/* A logarithmic y and the spread around points. */
Test(svg, log_y)
{
    static const double x[] = {0.1, 0.5, 0.9}, y[] = {1e5, 1e3, 10}, low[] = {5e4, 1e3, 0},
                        high[] = {2e5, 1e3, 20};
    svg_series s = SERIES(3, 3, x, y);
    s.low = low;
    s.high = high;
    svg_chart c = chart_of(1, &s, false);
    c.log_y = c.fit_x = c.fit_y = true;
    char *text = svg_chart_text(&c);
    cr_assert_not_null(text, "%s", cli_error());
    double px[4], py[4];
    cr_assert_eq(points(text, 0, px, py), 3);
    cr_assert(fabs(py[1] - py[0] - (py[2] - py[1])) < 0.3 && py[1] > py[0] + 50);
    int spreads = 0;
    for (const char *p = text; (p = strstr(p, "class=\"spread\"")) != NULL; p++)
        spreads++;
    cr_assert_eq(spreads, 1);
    cr_assert(!strstr(text, "nan") && !strstr(text, "inf"));
    free(text);
}

/* Ticks that are given, also where a logarithmic axis has no place for them. */
Test(svg, given_ticks)
{
    static const double tick[] = {0, 16, 64}, x[] = {16, 64}, y[] = {1, 2};
    for (int log_x = 0; log_x <= 1; log_x++) {
        svg_series s = SERIES(0, 2, x, y);
        svg_chart c = chart_of(1, &s, log_x);
        c.nticks = 3;
        c.tick = tick;
        char *text = svg_chart_text(&c);
        cr_assert_not_null(text, "%s", cli_error());
        cr_assert(!strstr(text, "nan") && !strstr(text, "inf"));
        cr_assert(strstr(text, ">16</text>") && strstr(text, ">64</text>"));
        free(text);
    }
}
