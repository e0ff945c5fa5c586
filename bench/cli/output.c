/* output.c: results on stdout. See output.h. */
#include "output.h"

#include "lbh_faiss.h"

#include <errno.h>
#include <math.h>
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
        return fail("cannot write to standard output: %s", strerror(errno ? errno : EIO));
    return EXIT_OK;
}

int report_print(cJSON *doc, int json)
{
    if (!doc)
        return EXIT_RUNTIME;
    int rc = EXIT_OK;
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

void table_print(int columns, int rows, const char *const *cells)
{
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            int width = 0;
            for (int i = 0; i < rows; i++) {
                int len = (int)strlen(cells[i * columns + c]);
                width = len > width ? len : width;
            }
            printf(c == 0 ? "| %-*s |" : " %*s |", width, cells[r * columns + c]);
        }
        printf("\n");
        for (int c = 0; r == 0 && c < columns; c++) {
            int width = 0;
            for (int i = 0; i < rows; i++) {
                int len = (int)strlen(cells[i * columns + c]);
                width = len > width ? len : width;
            }
            printf("%s", c == 0 ? "|" : "");
            for (int i = 0; i < width + 1; i++)
                putchar('-');
            printf("%s|", c == 0 ? "-" : ":");
        }
        printf("%s", r == 0 ? "\n" : "");
    }
}
