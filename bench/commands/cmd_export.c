/* cmd_export.c: `lbh export`: learned codes as a float index that stock FAISS reads by itself. */
#include "common.h"

#include <stdlib.h>
#include <sys/stat.h>

typedef struct export_args {
    common common;
    const char *model, *base, *output;
    int format;
    char *set;
} export_args;

#define FORMATS "faiss-lsh|faiss-ivf|faiss-aq"
static const char *const format_names[] = {"faiss-lsh", "faiss-ivf", "faiss-aq"};

static int write_index(const export_args *a, const lbh_encoder *enc, const vectors *base)
{
    const char *format = format_names[a->format];
    lbh_rows rows;
    double began = cli_now();
    if (base)
        rows = vectors_rows(base);
    progress_note("writing %s ...", format);
    LBH_TRY(lbh_export_faiss(enc, format, a->set, base ? &rows : NULL, a->output));
    struct stat st;
    cJSON *doc = report_new("export");
    report_text(doc, "index", a->output);
    report_text(doc, "format", format);
    report_number(doc, "n", base ? (double)base->n : 0);
    report_number(doc, "bytes", stat(a->output, &st) == 0 ? (double)st.st_size : 0);
    report_seconds(doc, "export_seconds", cli_now() - began);
    return common_end(doc, a->common.json, LBH_OK);
}

static int export(const export_args *a)
{
    vectors base;
    lbh_encoder *enc = NULL;
    LBH_TRY(outfile_check(a->output, true));
    if (a->base)
        LBH_TRY(vectors_open(&base, a->base));
    int rc = model_load(&enc, a->model, a->base ? &base : NULL);
    if (rc == LBH_OK)
        rc = write_index(a, enc, a->base ? &base : NULL);
    lbh_encoder_free(enc);
    if (a->base)
        vectors_close(&base);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    export_args a = {0};
    const option_def defs[] = {
        {OPT_TEXT, 0, "model", "MODEL", &a.model, 0, 0, "model file", 1},
        {OPT_CHOICE, 0, "format", FORMATS, &a.format, 0, 0, "kind of index", 1},
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0, "vectors to put into the index", 0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a.set, 0, 0,
         "nlist, nprobe, metric, norms, refine, shards: see below", 0},
        {OPT_TEXT, 'o', "output", "INDEX", &a.output, 0, 0, "file to write", 1},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == LBH_OK) {
        common_begin(&a.common);
        rc = export(&a);
    }
    free(a.set);
    return rc;
}

const command command_export = {
    "export", "Write a float index for stock FAISS, without this library",
    "--model MODEL --format FORMAT [--base FILE] -o INDEX [OPTIONS]",
    "INDEX is a file that any FAISS >= 1.7.3 reads with read_index and searches with float "
    "queries.\n"
    "  faiss-lsh  IndexPreTransform(LinearTransform, IndexLSH): Hamming distance, exhaustive\n"
    "  faiss-ivf  IndexIVFSpectralHash: the same bits and distances behind inverted lists\n"
    "  faiss-aq   the decoder as an additive quantizer over the same bits: x . x^ or ||x - x^||^2\n"
    "--set: nlist=N (faiss-ivf, faiss-aq), nprobe=N, metric=l2|ip, norms=byte|float|none "
    "(faiss-aq,\n"
    "L2: bytes behind each code that make the search fast), refine=N (faiss-aq: searched codes),\n"
    "shards=N (with lists: INDEX has no rows, INDEX.0, INDEX.1 ... have parts of them).\n",
    run};
