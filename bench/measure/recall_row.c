/* recall_row.c: the four recalls that every table of a search has. */
#include "recall_row.h"

#include <stdio.h>

const int recall_k[RECALLS] = {1, 10, 10, 10}, recall_n[RECALLS] = {1, 10, 100, 1000};

void report_recall(cJSON *doc, const double recall[RECALLS])
{
    cJSON *object = cJSON_AddObjectToObject(doc, "recall");
    for (int i = 0; i < RECALLS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d@%d", recall_k[i], recall_n[i]);
        report_number(object, name, recall[i]);
    }
}
