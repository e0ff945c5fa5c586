/* svg.h: charts as SVG text that stands alone, or as parts of a page: no script, no font, no other
 * file; readable in light and dark, and without colour. */
#ifndef LBH_SVG_H
#define LBH_SVG_H

#include <stdbool.h>
#include <stdio.h>

enum {
    SVG_STYLES = 24,      /* pairs of colour and marker; further ones begin again */
    SVG_GREY = 24,        /* a style of its own, for what is no contestant */
    SVG_DASHES = 5,       /* 0: solid */
};

typedef enum { SVG_LINE, SVG_DOTS, SVG_FAINT } svg_form; /* markers without line; faint ones */

/* One line, its points from left to right, or a cloud of points. */
typedef struct svg_series {
    int style;         /* colour and marker; which entry of the legend it belongs to */
    const char *label; /* at its right end; NULL: none */
    int n;
    const double *x, *y;       /* finite; >= 0 where the axis is logarithmic or begins at 0 */
    const double *low, *high;  /* spread around y, or NULL */
    const char *const *tip;    /* what each point is, shown under the pointer; NULL: label, x, y */
    const char *name;          /* of the whole, shown likewise; NULL: none */
    int dash;
    svg_form form;
} svg_series;

typedef struct svg_chart {
    const char *title, *subtitle, *x_title, *y_title;
    int nlegend;
    const char *const *legend; /* name of style 0, 1, ... */
    int nseries;
    const svg_series *series;
    bool log_x; /* x = 0 then has a place of its own, left of a gap */
    bool log_y;
    bool fit_x, fit_y; /* the axis ends at round numbers around the points; else x ends at them,
                          and y begins at 0 */
    double y_most;     /* the axis ends there at the latest; 0: no such bound */
    int nticks;        /* places of the ticks of x; 0: they are found */
    const double *tick;
} svg_chart;

/* The chart as a file of its own. Any text is escaped. The caller frees. NULL with the error
 * raised: no memory, or no point to draw. */
char *svg_chart_text(const svg_chart *chart);

/* The chart as a group, width x height from (0, 0), with its title, without legend or colours. */
int svg_chart_put(FILE *out, const svg_chart *chart, double width, double height);

/* What a page of charts needs besides. */
extern const char svg_style_sheet[];
void svg_put_sample(FILE *out, int style, int dash, double x, double y); /* 30 wide, y its middle */
void svg_put_text(FILE *out, const char *text); /* for XML and HTML, in quotes or not */

/* Bytes of the valid UTF-8 sequence at p; 0 if there is none that XML allows. */
int svg_text_sequence(const char *p);

/* "2.5M" for 2500000. */
void svg_short_number(char text[32], double v);

/* ---- Axes (svg_axis.c) --------------------------------------------------------------------- */

typedef struct svg_axis {
    double low, high, step;
    bool log, zero; /* zero: log, and 0 has a place before low */
} svg_axis;

/* The smallest of 1, 2, 5 times a power of ten that gives at most `count` steps. */
double svg_nice_step(double range, int count);

/* Ends and step for numbers from low to high. fit: ends at round numbers, with 0 among them
 * where `from_zero`. high < low: there are no numbers. */
svg_axis svg_axis_of(double low, double high, bool log, bool fit, bool from_zero, int count);

/* Tick i: its value, and whether it bears a number. False: there are no more. */
bool svg_axis_tick(const svg_axis *a, int i, double *value, bool *labelled);

/* Where a value lies: 0 at low, 1 at high. */
double svg_axis_share(const svg_axis *a, double value);

#endif
