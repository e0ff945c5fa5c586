/* cmd_info.c: `lbh info`: what a model file holds. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>

/* Value of an option: a number, or the name of a choice. */
static void add_option(cJSON *options, const lbh_param *p, double value)
{
    char name[64];
    int len;
    const char *choice = choice_at(p->choices, value, &len);
    snprintf(name, sizeof name, "%.*s", len, choice);
    if (len)
        report_text(options, p->name, name);
    else
        report_number(options, p->name, value);
}

/* Whether the model is one linear map, and whether it can rebuild its data. */
static int add_abilities(cJSON *doc, const lbh_encoder *enc)
{
    int64_t nbits = lbh_encoder_nbits(enc), d = lbh_encoder_d(enc);
    float *matrix = cli_alloc(nbits * d, sizeof *matrix);
    float *vector = cli_alloc(nbits + d, sizeof *vector);
    if (matrix && vector) {
        cJSON_AddBoolToObject(doc, "linear", lbh_encoder_linear(enc, matrix, vector) == LBH_OK);
        cJSON_AddBoolToObject(doc, "decoder", lbh_encoder_decoder(enc, matrix, vector) == LBH_OK);
    }
    int rc = matrix && vector ? LBH_OK : LBH_ENOMEM;
    free(matrix);
    free(vector);
    return rc;
}

static int describe(cJSON *doc, const lbh_encoder *enc)
{
    const char *method = lbh_encoder_method(enc);
    char digest[32];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)lbh_encoder_digest(enc));
    report_text(doc, "method", method);
    report_text(doc, "summary", lbh_method_summary(method));
    report_number(doc, "d", lbh_encoder_d(enc));
    report_number(doc, "nbits", lbh_encoder_nbits(enc));
    report_number(doc, "code_size", (double)lbh_encoder_code_size(enc));
    report_number(doc, "pad_bits",
                  (double)(8 * lbh_encoder_code_size(enc)) - lbh_encoder_nbits(enc));
    report_text(doc, "bit_order", "lsb"); /* the loader refuses any other */
    report_number(doc, "n_train", (double)lbh_encoder_n_train(enc));
    report_text(doc, "digest", digest);
    int rc = add_abilities(doc, enc);
    cJSON *options = cJSON_AddObjectToObject(doc, "options");
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++) {
        double value;
        if (lbh_encoder_get_value(enc, p.name, &value) == LBH_OK)
            add_option(options, &p, value);
    }
    return rc;
}

/* What `lbh train` noted: how the rows were split, what the classes are called. */
static void add_notes(cJSON *doc, const lbh_encoder *enc, int json)
{
    const char *split = lbh_encoder_note(enc, "split"), *classes = lbh_encoder_note(enc, "classes");
    cJSON *names = classes && json ? cJSON_Parse(classes) : NULL;
    if (split)
        report_text(doc, "split", split);
    report_notes(doc, enc);
    if (lbh_encoder_nclasses(enc, NULL) > 0)
        report_number(doc, "nclasses", lbh_encoder_nclasses(enc, NULL));
    if (names)
        cJSON_AddItemToObject(doc, "classes", names);
    else if (classes)
        report_text(doc, "classes", classes);
}

static int run(const command *self, int argc, char **argv)
{
    int json = 0;
    const char *path = NULL;
    const option_def defs[] = {
        {OPT_FLAG, 0, "json", 0, &json, 0, 0, "print one JSON document", 0},
        OPTIONS_LAST,
    };
    LBH_TRY(options_parse(self, defs, argc, argv, &path));
    if (!path)
        return fail_usage("info: a model file is missing (try 'lbh info --help')");
    lbh_encoder *enc;
    LBH_TRY(model_load(&enc, path, NULL));
    cJSON *doc = report_new(self->name);
    report_text(doc, "model", path);
    int rc = describe(doc, enc);
    add_notes(doc, enc, json);
    lbh_encoder_free(enc);
    return common_end(doc, json, rc);
}

const command command_info = {"info", "Describe a model file", "MODEL [OPTIONS]", NULL, run};
