/* report_figure.h: a figure of a report: small charts of one kind side by side, with one legend, a
 * table of all its numbers, and what it shows in words. */
#ifndef LBH_REPORT_FIGURE_H
#define LBH_REPORT_FIGURE_H

#include "report_data.h"
#include "svg.h"

typedef struct figure_panel {
    svg_chart chart; /* its texts are the figure's */
    svg_series *series;
    int room;
    int group; /* panels of another group begin a new row */
} figure_panel;

/* In units of the drawing, in which letters are 13 high: four stand side by side on a wide page,
 * and one fits a phone. */
enum { PANEL_WIDTH = 340, PANEL_HEIGHT = 284 };

typedef struct figure {
    const char *name, *title, *about;
    bool scored; /* dashes say how items were scored */
    int npanels;
    figure_panel *panel;
    int nowned;
    void **owned; /* texts and arrays, freed with the figure */
    bool bad;     /* memory ran out: said when the figure is written */
} figure;

/* Memory that the figure owns; NULL, and `bad`, if there is none. */
void *figure_alloc(figure *f, size_t count, size_t size);
const char *figure_text(figure *f, const char *format, ...) CLI_PRINTF(2, 3);

/* A panel with the axes of `like`; a series in it with room for n points. A point's tip may be
 * NULL. Points that are not finite, or cannot be on a logarithmic axis, are left out. NULL without
 * memory, which series_point() takes. */
figure_panel *figure_panel_add(figure *f, int group, const svg_chart *like);
svg_series *figure_series_add(figure *f, figure_panel *p, const svg_series *like, int n);
void figure_point(figure *f, svg_series *s, double x, spread y, const char *tip);

/* Removes series without points, and panels without series. */
void figure_tidy(figure *f);
void figure_free(figure *f);

/* Whether a line has that style, and that dash; -1: any. */
bool figure_uses(const figure *f, int style, int dash);

/* A name, cut to what the title of a panel has room for. */
const char *figure_short(figure *f, const char *name);

/* "mnist (l2), 64 bits"; nbits < 0: "mnist (l2, 60k rows)". */
const char *figure_set_title(figure *f, const report_data *r, int set, int nbits);

/* As a section of a page, or as a file of its own. Nothing for a figure without panels. */
int figure_put_html(FILE *out, const figure *f, const report_data *r);
int figure_put_svg(FILE *out, const figure *f, const report_data *r);

/* "0.123", or fewer digits where there are many before the point; "-" for NaN. */
void value_text(char text[32], double v);

/* Writes "0.91 [0.90..0.92]" where the seeds differ, else one number. */
void spread_text(char text[112], const spread *s);

#endif
