/* svg.h: line charts as SVG text that stands alone: no script, no font, no other file; readable in
 * light and dark. For figures that the command writes and for reports made of several. */
#ifndef LBH_SVG_H
#define LBH_SVG_H

#include <stdbool.h>

enum { SVG_STYLES = 6 }; /* colours with markers; further ones begin again */

/* One line, its points from left to right. */
typedef struct svg_series {
    int style;         /* which entry of the legend it belongs to: colour and marker */
    const char *label; /* at its right end */
    int n;
    const double *x, *y; /* x, y >= 0 and finite */
} svg_series;

typedef struct svg_chart {
    const char *title, *subtitle, *x_title, *y_title;
    int nlegend;
    const char *const *legend; /* name of style 0, 1, ... */
    int nseries;
    const svg_series *series;
    bool log_x; /* x = 0 then has a place of its own, left of a gap */
} svg_chart;

/* The chart as text, with y from 0. Any text is escaped. The caller frees. NULL with the error
 * raised: no memory, or no point to draw. */
char *svg_chart_text(const svg_chart *chart);

#endif
