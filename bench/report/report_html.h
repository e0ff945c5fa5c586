/* report_html.h: the page of a report and its parts. */
#ifndef LBH_REPORT_HTML_H
#define LBH_REPORT_HTML_H

#include "bench_spec.h"
#include "report_data.h"
#include "report_figure.h"

/* The sample of a line in a legend, hidden from readers of the text. */
void html_sample(FILE *out, int style, int dash);

/* A table cell with text, escaped; `tag` is "td" or "th". */
void html_cell(FILE *out, const char *tag, const char *text);

/* The head of a table, and the beginning of its body. Heads that begin with '<' stand over text. */
void html_columns(FILE *out, int count, const char *const *heads);

/* ---- Figures ------------------------------------------------------------------------------- */

/* By name, in the order of the page; a NULL name ends them. */
typedef struct figure_kind {
    const char *name;
    void (*build)(figure *f, const report_data *r);
} figure_kind;
enum { REPORT_FIGURES = 8 };
extern const figure_kind figure_kinds[REPORT_FIGURES + 1];
void report_build_time(figure *f, const report_data *r);
void report_build_pr(figure *f, const report_data *r);
void report_build_training(figure *f, const report_data *r);

figure figure_make(const report_data *r, const figure_kind *kind);

/* ---- Parts of the page, each a <section> or nothing ---------------------------------------- */

/* What won and what lost; published numbers beside ours if the specification (or NULL) has any. */
int html_summary(FILE *out, const report_data *r, const bench_spec *spec);
int html_images(FILE *out, const report_data *r);
int html_tables(FILE *out, const report_data *r);
int html_failures(FILE *out, const report_data *r);
int html_origin(FILE *out, const report_data *r, const char *dir); /* how the numbers were made */

/* The place of the conditions of a line (machine, versions, command) in the list of html_origin():
 * from 0, in the order of the results. */
int origin_of(const report_data *r, const cJSON *line);

/* The whole page. spec: NULL if there is none. */
int html_page(FILE *out, const report_data *r, const char *dir, const char *title,
              const bench_spec *spec);

/* Style sheets of the page, besides svg_style_sheet; NULL ends them. */
extern const char *const html_style_sheets[];

/* ---- Images -------------------------------------------------------------------------------- */

/* Decodes base64 with '=' padding; NULL with *size 0 if the text is none or memory is short. The
 * caller frees. */
unsigned char *base64_decode(const char *text, size_t *size);

/* Writes `count` grey images of height x width, side by side with transparent gaps between, as
 * "data:image/png;base64,...". */
int png_put_strip(FILE *out, int count, int height, int width, const unsigned char *pixels);

#endif
