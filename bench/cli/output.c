/* output.c: results on stdout. See output.h. */
#define _GNU_SOURCE
#include "output.h"

#include "lbh_faiss.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cJSON *report_new(const char *command)
{
    cJSON *doc = cJSON_CreateObject();
    if (!doc) {
        fail_memory();
        return NULL;
    }
    report_text(doc, "command", command);
    report_text(doc, "lbh_version", lbh_version());
    report_text(doc, "faiss_version", lbh_faiss_version());
    return doc;
}

void report_text(cJSON *doc, const char *name, const char *value)
{
    cJSON_AddStringToObject(doc, name, value);
}

void report_number(cJSON *doc, const char *name, double value)
{
    if (isfinite(value))
        cJSON_AddNumberToObject(doc, name, value);
    else
        cJSON_AddNullToObject(doc, name);
}

void report_seconds(cJSON *doc, const char *name, double value)
{
    report_number(doc, name, round(value * 1e6) / 1e6);
}

static void print_value(const cJSON *item)
{
    if (cJSON_IsString(item))
        printf("%s", item->valuestring);
    else if (cJSON_IsBool(item))
        printf("%s", cJSON_IsTrue(item) ? "yes" : "no");
    else if (!cJSON_IsNumber(item))
        printf("-");
    else if (item->valuedouble == floor(item->valuedouble) && fabs(item->valuedouble) < 1e15)
        printf("%.0f", item->valuedouble);
    else
        printf("%.4f", item->valuedouble);
}

static void print_text(const cJSON *doc, int indent)
{
    size_t width = 0;
    for (const cJSON *item = doc->child; item; item = item->next)
        if (item->string && strlen(item->string) > width)
            width = strlen(item->string);
    for (const cJSON *item = doc->child; item; item = item->next) {
        printf("%*s%-*s", indent, "", (int)width + 2, item->string ? item->string : "-");
        if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
            printf("\n");
            print_text(item, indent + 2);
        } else {
            print_value(item);
            printf("\n");
        }
    }
}

int report_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return lbh_error(LBH_EIO, "cannot write to standard output: %s", strerror(errno ? errno : EIO));
    return LBH_OK;
}

int report_print(cJSON *doc, int json)
{
    if (!doc)
        return LBH_ENOMEM;
    int rc = LBH_OK;
    if (json) {
        char *text = cJSON_Print(doc);
        if (text)
            puts(text);
        else
            rc = fail_memory();
        cJSON_free(text);
    } else
        print_text(doc, 0);
    cJSON_Delete(doc);
    return rc ? rc : report_flush();
}

/* ---- Tables -------------------------------------------------------------------------------- */

struct sheet {
    int columns, count;
    char **cell;
    bool failed;
};

sheet *sheet_new(int columns, const char *const *heads)
{
    sheet *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->columns = columns;
    for (int c = 0; c < columns; c++)
        sheet_cell(s, "%s", heads[c]);
    return s;
}

/* Room for one cell more. */
static bool make_room(sheet *s)
{
    if (s->count % 64)
        return true;
    char **more = realloc(s->cell, (size_t)(s->count + 64) * sizeof *more);
    if (more)
        s->cell = more;
    return more;
}

void sheet_cell(sheet *s, const char *format, ...)
{
    if (!s || s->failed)
        return;
    s->failed = !make_room(s);
    if (s->failed)
        return;
    va_list args;
    va_start(args, format);
    s->failed = vasprintf(&s->cell[s->count], format, args) < 0;
    va_end(args);
    s->count += !s->failed;
}

void sheet_number(sheet *s, const char *format, double value)
{
    if (isnan(value))
        sheet_cell(s, "-");
    else
        sheet_cell(s, format, value);
}

static int width_of(const sheet *s, int column)
{
    int width = 0;
    for (int i = column; i < s->count; i += s->columns) {
        int len = (int)strlen(s->cell[i]);
        width = len > width ? len : width;
    }
    return width;
}

static void print_cells(const sheet *s)
{
    for (int i = 0; i < s->count; i++) {
        int c = i % s->columns;
        printf(c == 0 ? "| %-*s |" : " %*s |", width_of(s, c), s->cell[i]);
        if (c < s->columns - 1)
            continue;
        printf("\n");
        for (c = 0; i < s->columns && c < s->columns; c++) {
            printf("%s", c == 0 ? "|" : "");
            for (int w = width_of(s, c); w >= 0; w--)
                putchar('-');
            printf("%s", c == 0 ? "-|" : ":|");
        }
        printf("%s", i < s->columns ? "\n" : "");
    }
}

int sheet_print(sheet *s)
{
    bool failed = !s || s->failed;
    if (!failed)
        print_cells(s);
    for (int i = 0; s && i < s->count; i++)
        free(s->cell[i]);
    if (s)
        free(s->cell);
    free(s);
    return failed ? fail_memory() : LBH_OK;
}
