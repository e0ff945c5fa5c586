/* command_options.c: getopt_long driven by a table, and --help from the same table. See command_options.h. */
#define _GNU_SOURCE
#include "command_options.h"

#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 64, LONG_BASE = 256 };

int parse_int(const char *text, int64_t min, int64_t max, const char *what, int64_t *value)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || text[strspn(text, " \t\n")] != *text)
        return fail_usage("%s: '%s' is not a whole number", what, text);
    if (errno || v < min || v > max)
        return fail_usage("%s: %s is not between %lld and %lld", what, text, (long long)min,
                          (long long)max);
    *value = v;
    return LBH_OK;
}

int parse_ints(const char *text, int64_t min, int64_t max, int most, const char *what, int64_t *values,
               int *count)
{
    *count = 0;
    for (const char *p = text;; p++) {
        char one[32];
        size_t len = strcspn(p, ",");
        if (*count == most)
            return fail_usage("%s has more than %d numbers", what, most);
        snprintf(one, sizeof one, "%.*s", (int)len, p);
        LBH_TRY(parse_int(one, min, max, what, &values[(*count)++]));
        p += len;
        if (!*p)
            return LBH_OK;
    }
}

int parse_double(const char *text, double min, double max, const char *what, double *value)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || isnan(v))
        return fail_usage("%s: '%s' is not a number", what, text);
    if (v < min || v > max)
        return fail_usage("%s: %s is not between %g and %g", what, text, min, max);
    *value = v;
    return LBH_OK;
}

static int choose(const option_def *def, const char *text, const char *what)
{
    int i = 0;
    for (const char *p = def->arg; *p; i++) {
        size_t len = strcspn(p, "|");
        if (strlen(text) == len && strncmp(text, p, len) == 0) {
            *(int *)def->target = i;
            return LBH_OK;
        }
        p += len + (p[len] == '|');
    }
    return fail_usage("%s: '%s' is none of %s", what, text, def->arg);
}

static int join(char **target, const char *text)
{
    size_t old = *target ? strlen(*target) : 0;
    char *p = realloc(*target, old + strlen(text) + 2);
    if (!p)
        return fail_memory();
    if (old)
        p[old++] = ',';
    strcpy(p + old, text);
    *target = p;
    return LBH_OK;
}

static int store(const command *self, const option_def *def, const char *text)
{
    char what[128];
    snprintf(what, sizeof what, "%s: --%s", self->name, def->name);
    switch (def->kind) {
    case OPT_TEXT:
        *(const char **)def->target = text;
        return *text ? LBH_OK : fail_usage("%s: the argument is empty", what);
    case OPT_JOIN:
        return *text ? join(def->target, text) : fail_usage("%s: the argument is empty", what);
    case OPT_INT:
        return parse_int(text, def->min, def->max, what, def->target);
    case OPT_NUMBER:
        return parse_double(text, (double)def->min, (double)def->max, what, def->target);
    case OPT_CHOICE:
        return choose(def, text, what);
    case OPT_FLAG:
        *(int *)def->target = 1;
        return LBH_OK;
    default:
        return LBH_OK;
    }
}

static void help_option(const option_def *def)
{
    char left[64], letter[8] = "    ";
    if (def->letter)
        snprintf(letter, sizeof letter, "-%c, ", def->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, def->name, def->arg ? " " : "",
             def->arg ? def->arg : "");
    printf("%-32s%s%s%s\n", left, strlen(left) > 31 ? "\n                                " : "",
           def->doc, def->required ? " (required)" : "");
}

static void help(const command *self, const option_def *defs)
{
    printf("Usage: lbh %s %s\n\n%s.\n\nOptions:\n", self->name, self->usage, self->summary);
    for (const option_def *def = defs; def->kind != OPT_END; def++)
        help_option(def);
    printf("  -h, --help                    show this text\n");
    if (self->details)
        printf("\n%s", self->details);
}

/* Text of the option that getopt_long did not like. */
static int refuse(const command *self, int c, int argc, char **argv)
{
    const char *text = optind > 0 && optind <= argc ? argv[optind - 1] : "?";
    if (c == ':')
        return fail_usage("%s: option '%s' wants an argument (try 'lbh %s --help')", self->name,
                          text, self->name);
    if (optopt > 0 && optopt < LONG_BASE)
        return fail_usage("%s: unknown option '-%c' (try 'lbh %s --help')", self->name, optopt,
                          self->name);
    return fail_usage("%s: '%s' is unknown, ambiguous or takes no argument (try 'lbh %s --help')",
                      self->name, text, self->name);
}

static int check_required(const command *self, const option_def *defs, const bool *seen)
{
    for (int i = 0; defs[i].kind != OPT_END; i++)
        if (defs[i].required && !seen[i])
            return fail_usage("%s: option --%s is missing (try 'lbh %s --help')", self->name,
                              defs[i].name, self->name);
    return LBH_OK;
}

static int take_operand(const command *self, int argc, char **argv, const char **operand)
{
    int extra = optind + (operand ? 1 : 0);
    if (argc > extra)
        return fail_usage("%s: '%s' is one argument too many (try 'lbh %s --help')", self->name,
                          argv[extra], self->name);
    if (operand)
        *operand = optind < argc ? argv[optind] : NULL;
    return LBH_OK;
}

int options_parse(const command *self, const option_def *defs, int argc, char **argv,
                  const char **operand)
{
    struct option long_options[MAX_OPTIONS + 2] = {{0}};
    char letters[2 * MAX_OPTIONS + 4] = ":h";
    bool seen[MAX_OPTIONS] = {false};
    int count = 0;
    for (; count < MAX_OPTIONS && defs[count].kind != OPT_END; count++) {
        int has_arg = defs[count].kind == OPT_FLAG ? no_argument : required_argument;
        long_options[count] = (struct option){defs[count].name, has_arg, NULL, LONG_BASE + count};
        if (defs[count].letter)
            strcat(letters, (char[]){defs[count].letter, has_arg ? ':' : '\0', '\0'});
    }
    long_options[count] = (struct option){"help", no_argument, NULL, 'h'};
    opterr = 0;
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, letters, long_options, NULL)) != -1;) {
        if (c == 'h') {
            help(self, defs);
            return CLI_HELPED;
        }
        int i = c - LONG_BASE;
        for (int j = 0; i < 0 && j < count; j++)
            if (defs[j].letter == c)
                i = j;
        if (i < 0 || c == '?' || c == ':')
            return refuse(self, c, argc, argv);
        int rc = store(self, &defs[i], optarg);
        if (rc)
            return rc;
        seen[i] = true;
    }
    int rc = take_operand(self, argc, argv, operand);
    return rc ? rc : check_required(self, defs, seen);
}
