/* common.c: what the subcommands share. See common.h. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <omp.h>

void common_begin(const common *c)
{
    if (c->threads > 0)
        omp_set_num_threads((int)c->threads);
    progress_init(c->quiet);
}

static const struct {
    const char *name;
    bool wrong; /* with rows or codes */
} notes[] = {{"damped", true},          {"zero_rows", true},      {"few_rows", true},
             {"held_out", false},       {"recall_hamming", false}, {"recall_margin", false},
             {"recall_decoder", false}, {"best_ranking", false},   {"few_codes", true},
             {"dead_bits", true}};
enum { NOTES = sizeof notes / sizeof *notes };

void report_notes(cJSON *doc, const lbh_encoder *enc)
{
    for (int i = 0; i < NOTES; i++)
        if (lbh_encoder_note(enc, notes[i].name))
            report_text(doc, notes[i].name, lbh_encoder_note(enc, notes[i].name));
}

void say_notes(const char *of, const lbh_encoder *enc)
{
    for (int i = 0; i < NOTES; i++)
        if (notes[i].wrong && lbh_encoder_note(enc, notes[i].name))
            progress_say("note: %s: %s", of, lbh_encoder_note(enc, notes[i].name));
}

const char *choice_at(const char *choices, double v, int *len)
{
    for (int i = 0; choices && *choices; i++) {
        size_t n = strcspn(choices, "|");
        if (i == (int)v) {
            *len = (int)n;
            return choices;
        }
        choices += n + (choices[n] == '|');
    }
    *len = 0;
    return "";
}

int common_end(cJSON *doc, int json, int rc)
{
    if (rc == LBH_OK)
        return report_print(doc, json);
    cJSON_Delete(doc);
    return rc;
}
