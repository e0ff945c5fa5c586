/* cmd_methods.c: `lbh methods`: what can be trained, with options, bounds and presets. */
#include "common.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_param(const lbh_param *p)
{
    char left[96];
    int len;
    const char *choice = choice_at(p->choices, p->value, &len);
    if (len)
        snprintf(left, sizeof left, "%s=%.*s", p->name, len, choice);
    else
        snprintf(left, sizeof left, "%s=%.10g", p->name, p->value);
    printf("    %-22s %s", left, p->doc);
    if (p->choices)
        printf(" (%s)\n", p->choices);
    else
        printf(" (%.10g to %.10g%s)\n", p->min, p->max, p->integer ? ", whole" : "");
}

static void print_method(const char *method)
{
    printf("%s: %s%s\n  %s\n  options:\n", method, lbh_method_summary(method),
           lbh_method_needs_labels(method) ? " (needs labels)" : "", lbh_method_cite(method));
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        print_param(&p);
    const char *name, *assignments;
    for (int i = 0; lbh_method_preset(&name, &assignments, method, i) == LBH_OK; i++)
        printf("%s    preset=%-15s %s\n", i == 0 ? "  presets:\n" : "", name, assignments);
}

static void add_param(cJSON *params, const lbh_param *p)
{
    cJSON *o = cJSON_CreateObject();
    report_text(o, "name", p->name);
    report_number(o, "default", p->value);
    report_number(o, "min", p->min);
    report_number(o, "max", p->max);
    cJSON_AddBoolToObject(o, "integer", p->integer);
    if (p->choices)
        report_text(o, "choices", p->choices);
    report_text(o, "doc", p->doc);
    cJSON_AddItemToArray(params, o);
}

static void add_method(cJSON *methods, const char *method)
{
    cJSON *o = cJSON_CreateObject();
    report_text(o, "name", method);
    report_text(o, "summary", lbh_method_summary(method));
    report_text(o, "cite", lbh_method_cite(method));
    cJSON_AddBoolToObject(o, "needs_labels", lbh_method_needs_labels(method));
    cJSON *params = cJSON_AddArrayToObject(o, "options");
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        add_param(params, &p);
    cJSON *presets = cJSON_AddObjectToObject(o, "presets");
    const char *name, *assignments;
    for (int i = 0; lbh_method_preset(&name, &assignments, method, i) == LBH_OK; i++)
        report_text(presets, name, assignments);
    cJSON_AddItemToArray(methods, o);
}

static int run(const command *self, int argc, char **argv)
{
    int json = 0;
    const char *wanted = NULL;
    const option_def defs[] = {
        {OPT_FLAG, 0, "json", 0, &json, 0, 0, "print one JSON document", 0},
        OPTIONS_LAST,
    };
    LBH_TRY(options_parse(self, defs, argc, argv, &wanted));
    if (wanted && !lbh_method_summary(wanted))
        return fail_usage("methods: there is no method '%s' (try 'lbh methods')", wanted);
    cJSON *doc = json ? report_new(self->name) : NULL;
    cJSON *methods = json ? cJSON_AddArrayToObject(doc, "methods") : NULL;
    for (int i = 0, printed = 0; i < lbh_method_count(); i++) {
        const char *name = lbh_method_name(i);
        if (wanted && strcmp(wanted, name) != 0)
            continue;
        if (json)
            add_method(methods, name);
        else {
            printf("%s", printed++ ? "\n" : "");
            print_method(name);
        }
    }
    return json ? report_print(doc, json) : LBH_OK;
}

const command command_methods = {
    "methods", "List the methods, their options and presets", "[METHOD] [OPTIONS]",
    "Options are given to 'lbh train' as --set name=value.\n", run};
