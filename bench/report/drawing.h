/* drawing.h: figures and pages, which a program in Python draws (scripts/report). */
#ifndef LBH_DRAWING_H
#define LBH_DRAWING_H

#include "cli.h"

#include <cJSON.h>

/* Says, before hours of work, if there is no Python or a library of it is missing. */
int drawing_check(void);

/* Draws the job (scripts/report/report.py) into `path`, whole or not at all. Frees the job; NULL is
 * lack of memory. */
int drawing_save(cJSON *job, const char *path);

/* A chart for drawing_save(): lines with n points each. `style` is a colour and marker, and an entry
 * of the legend; the label stands at the end of the line. Without memory the chart is NULL. */
cJSON *drawing_chart(const char *title, const char *about, const char *x_title,
                     const char *y_title);
void drawing_entry(cJSON *chart, const char *name);
void drawing_line(cJSON *chart, int style, const char *name, const char *label, int n,
                  const double *x, const double *y);

#endif
