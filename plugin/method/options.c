/* options.c: options are data: numbers by name, with bounds and choices, from the method's table. */
#define _POSIX_C_SOURCE 200809L
#include "number.h"
#include "method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const lbh_param common[LBH_OPT_COMMON] = {
    [LBH_OPT_SEED] = {"seed", 1, 0, 9007199254740992.0, 1, NULL,
                      "the same seed gives the same model"},
    [LBH_OPT_TIME_LIMIT] = {"time_limit", 0, 0, 1e9, 0, NULL,
                            "seconds of training, then finish with what there is; 0 = no limit"},
    [LBH_OPT_ROBUST] = {"robust", 4, 0, 1e30, 0, NULL,
                        "training draws rows in to so many times the distance from the middle that "
                        "three quarters of the rows keep within; 0: none"},
    [LBH_OPT_REBUILD] = {"rebuild", LBH_REBUILD_AUTO, 0, 3, 1, "auto|linear|tables|generator",
                         "decoder: linear in the bits, or by tables for bytes; auto: tables if they "
                         "rebuild rows left out better; or the network that made the codes, where "
                         "the method keeps it (decoder=... says the same)"},
    [LBH_OPT_METRIC] = {"metric", LBH_METRIC_L2, 0, 2, 1, "l2|ip|cosine",
                        "what neighbours are: by distance, inner product or angle (cosine: every "
                        "row is brought to unit length; ip: sgh learns for it)"},
    [LBH_OPT_HELD_OUT] = {"held_out", 0, -1, 1e6, 1, NULL,
                          "rows that training does not see, and that say what the codes give; -1 "
                          "(lbh train): 5 %, at most 200, of 1000 rows or more; 0: nothing is measured"},
};

bool lbh_is_cosine(const lbh_encoder *enc)
{
    return (int)enc->common[LBH_OPT_METRIC] == LBH_METRIC_COSINE;
}

const lbh_param *lbh_param_at(const lbh_method *m, int i)
{
    if (i < LBH_OPT_COMMON)
        return &common[i];
    for (int j = 0; m->params && m->params[j].name; j++)
        if (j == i - LBH_OPT_COMMON)
            return &m->params[j];
    return NULL;
}

/* Index of an option in the combined list (common ones first), or -1. */
static int find_param(const lbh_method *m, const char *name)
{
    const lbh_param *p;
    for (int i = 0; (p = lbh_param_at(m, i)) != NULL; i++)
        if (strcmp(p->name, name) == 0)
            return i;
    return -1;
}

/* Number of the choice called `text` in "a|b|c", or -1. */
static int find_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (int i = 0; choices; i++) {
        size_t n = strcspn(choices, "|");
        if (n == length && strncmp(choices, text, n) == 0)
            return i;
        choices = choices[n] ? choices + n + 1 : NULL;
    }
    return -1;
}

static int set_number(lbh_encoder *enc, int i, double value)
{
    const lbh_param *p = lbh_param_at(enc->method, i);
    if (!(value >= p->min && value <= p->max))
        return lbh_error(LBH_EINVAL, "%s: %s (%g) must be %g to %g", enc->method->name, p->name,
                         value, p->min, p->max);
    if (p->integer && value != floor(value))
        return lbh_error(LBH_EINVAL, "%s: %s (%g) must be a whole number", enc->method->name,
                         p->name, value);
    *(i < LBH_OPT_COMMON ? &enc->common[i] : &enc->value[i - LBH_OPT_COMMON]) = value;
    return LBH_OK;
}

static int set_list(lbh_encoder *enc, const char *assignments, int depth);

static int set_preset(lbh_encoder *enc, const char *name, int depth)
{
    const lbh_preset *p = enc->method->presets;
    for (; depth == 0 && p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return set_list(enc, p->assignments, depth + 1);
    return lbh_error(LBH_EINVAL, "%s: there is no preset \"%s\"; `lbh methods` lists them",
                     enc->method->name, name);
}

/* decoder=auto|linear|tables is another spelling of rebuild=..., also where a method has an option
 * `decoder` of its own, which has other choices. */
static bool is_rebuild(const lbh_encoder *enc, const char *name, const char *value)
{
    int own = find_param(enc->method, name);
    return strcmp(name, "decoder") == 0 && find_choice(common[LBH_OPT_REBUILD].choices, value) >= 0 &&
           (own < 0 || find_choice(lbh_param_at(enc->method, own)->choices, value) < 0);
}

static int set_one(lbh_encoder *enc, char *text, int depth)
{
    char *value = strchr(text, '=');
    if (!value)
        return lbh_error(LBH_EINVAL, "%s: \"%s\" should read name=value", enc->method->name, text);
    *value++ = '\0';
    if (strcmp(text, "preset") == 0)
        return set_preset(enc, value, depth);
    int i = is_rebuild(enc, text, value) ? LBH_OPT_REBUILD : find_param(enc->method, text);
    if (i < 0)
        return lbh_error(LBH_EINVAL, "%s: there is no option \"%s\"; `lbh methods` lists them",
                         enc->method->name, text);
    const lbh_param *p = lbh_param_at(enc->method, i);
    int choice = find_choice(p->choices, value);
    if (choice >= 0)
        return set_number(enc, i, choice);
    double number;
    if (!lbh_parse_number(value, &number))
        return lbh_error(LBH_EINVAL, "%s: %s (%s) must be %s%s", enc->method->name, text, value,
                         p->choices ? "one of " : "a number", p->choices ? p->choices : "");
    return set_number(enc, i, number);
}

static int set_list(lbh_encoder *enc, const char *assignments, int depth)
{
    char *copy = strdup(assignments);
    if (!copy)
        return lbh_error(LBH_ENOMEM, "out of memory for options");
    int rc = LBH_OK;
    char *rest = NULL;
    for (char *one = strtok_r(copy, ",", &rest); one && !rc; one = strtok_r(NULL, ",", &rest))
        rc = set_one(enc, one, depth);
    free(copy);
    return rc;
}

static int check_settable(const lbh_encoder *enc, const void *argument)
{
    if (!enc || !argument)
        return lbh_error(LBH_EINVAL, "lbh_encoder_set: a NULL argument");
    if (enc->trained)
        return lbh_error(LBH_ESTATE, "%s: options are fixed once the encoder is trained",
                         enc->method->name);
    return LBH_OK;
}

int lbh_encoder_set(lbh_encoder *enc, const char *assignments)
{
    LBH_TRY(check_settable(enc, assignments));
    lbh_encoder before = *enc;
    int rc = set_list(enc, assignments, 0);
    if (rc) { /* all or none */
        memcpy(enc->common, before.common, sizeof before.common);
        memcpy(enc->value, before.value, sizeof before.value);
    }
    return rc;
}

static int find_or_fail(const lbh_encoder *enc, const char *name, int *i)
{
    *i = find_param(enc->method, name);
    if (*i < 0)
        return lbh_error(LBH_EINVAL, "%s: there is no option \"%s\"", enc->method->name, name);
    return LBH_OK;
}

int lbh_encoder_set_value(lbh_encoder *enc, const char *name, double value)
{
    int i;
    LBH_TRY(check_settable(enc, name));
    LBH_TRY(find_or_fail(enc, name, &i));
    return set_number(enc, i, value);
}

int lbh_encoder_get_value(const lbh_encoder *enc, const char *name, double *value)
{
    int i;
    if (!enc || !name || !value)
        return lbh_error(LBH_EINVAL, "lbh_encoder_get_value: a NULL argument");
    LBH_TRY(find_or_fail(enc, name, &i));
    *value = i < LBH_OPT_COMMON ? enc->common[i] : enc->value[i - LBH_OPT_COMMON];
    return LBH_OK;
}
