/* cmd_build.c: `lbh build`: a FAISS binary index of the codes of a file of vectors. */
#include "code_file.h"
#include "common.h"

#include <stdlib.h>

typedef struct build_args {
    common common;
    const char *model, *base, *codes, *factory, *trained, *output;
    char *set;
    int64_t refine, first_id;
    int bit_order;
} build_args;

/* The codes of the base, or those that are given. */
static int take_codes(const build_args *a, const lbh_encoder *enc, const vectors *v, uint8_t **codes,
                      cJSON *doc)
{
    if (a->codes)
        return codes_read_all(v, a->bit_order, codes);
    double began = cli_now();
    int rc = encode_all(enc, v, a->refine, codes);
    if (rc == LBH_OK)
        report_seconds(doc, "encode_seconds", cli_now() - began);
    return rc;
}

/* Codes with the ids first_id, first_id + 1, ...; the first kinds of index take none but from 0. */
static int add(const build_args *a, size_t code_size, int64_t n, const uint8_t *codes,
               FaissIndexBinary *index)
{
    int64_t *ids = a->first_id ? cli_alloc(n, sizeof *ids) : NULL;
    if (a->first_id && !ids)
        return LBH_ENOMEM;
    for (int64_t i = 0; ids && i < n; i++)
        ids[i] = a->first_id + i;
    int rc = a->trained ? LBH_OK : lbh_index_train_codes(index, code_size, n, codes);
    if (rc == LBH_OK)
        rc = lbh_index_add_codes(index, code_size, n, codes, ids);
    if (rc == LBH_OK && a->set)
        rc = lbh_index_set(index, a->set);
    free(ids);
    return rc;
}

static int fill(const build_args *a, const lbh_encoder *enc, const vectors *v, size_t code_size,
                FaissIndexBinary *index, cJSON *doc)
{
    uint8_t *codes;
    LBH_TRY(take_codes(a, enc, v, &codes, doc));
    double began = cli_now();
    progress_note("building %s ...", lbh_index_kind(index));
    int rc = add(a, code_size, v->n, codes, index);
    free(codes);
    report_seconds(doc, "build_seconds", cli_now() - began);
    return rc;
}

static int save(const build_args *a, const FaissIndexBinary *index, cJSON *doc)
{
    if (cli_interrupted())
        return fail_cancelled();
    LBH_TRY(lbh_index_save(index, a->output));
    report_text(doc, "index", a->output);
    report_text(doc, "kind", lbh_index_kind(index));
    report_number(doc, "n", (double)lbh_index_ntotal(index));
    report_number(doc, "code_size", (double)lbh_index_code_size(index));
    return LBH_OK;
}

/* The empty index, before the encoding starts: what FAISS does not take is refused now. */
static int open_index(const build_args *a, size_t code_size, FaissIndexBinary **index)
{
    if (a->trained) {
        LBH_TRY(lbh_index_load(index, a->trained));
        if (lbh_index_ntotal(*index))
            return fail("'%s' has %lld codes; --trained wants an index without any", a->trained,
                        (long long)lbh_index_ntotal(*index));
        return LBH_OK;
    }
    return cli_usage(lbh_index_new(index, code_size, a->factory ? a->factory : "BFlat"));
}

/* Vectors with the model that encodes them, or codes, which a model may vouch for. */
static int check_args(const build_args *a)
{
    if (!a->base == !a->codes)
        return fail_usage("build: give vectors (--base) or codes (--codes)");
    if (a->base && !a->model)
        return fail_usage("build: option --model is missing (try 'lbh build --help')");
    if (a->trained && a->factory)
        return fail_usage("build: give --index or --trained, not both");
    if (a->codes && a->refine)
        return fail_usage("build: --refine is for --base; the codes are made already");
    if (a->base && a->bit_order != BITS_LSB)
        return fail_usage("build: --bit-order is for --codes");
    return outfile_check(a->output, true);
}

static int build(const build_args *a)
{
    vectors v;
    lbh_encoder *enc = NULL;
    FaissIndexBinary *index = NULL;
    int rc = check_args(a);
    if (rc == LBH_OK)
        rc = vectors_open(&v, a->base ? a->base : a->codes);
    if (rc)
        return rc;
    cJSON *doc = report_new("build");
    if (a->model)
        rc = model_load(&enc, a->model, a->base ? &v : NULL);
    size_t code_size = enc ? lbh_encoder_code_size(enc) : (size_t)v.d;
    if (rc == LBH_OK && a->codes)
        rc = codes_check(&v, code_size);
    if (rc == LBH_OK)
        rc = open_index(a, code_size, &index);
    if (rc == LBH_OK)
        rc = fill(a, enc, &v, code_size, index, doc);
    if (rc == LBH_OK)
        rc = save(a, index, doc);
    lbh_index_free(index);
    lbh_encoder_free(enc);
    vectors_close(&v);
    return common_end(doc, a->common.json, rc);
}

static int run(const command *self, int argc, char **argv)
{
    build_args a = {0};
    const option_def defs[] = {
        {OPT_TEXT, 0, "model", "MODEL", &a.model, 0, 0, "model file", 0},
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0, "vectors to index", 0},
        {OPT_TEXT, 0, "codes", "CODES", &a.codes, 0, 0, "or codes to index; needs no model", 0},
        {OPT_CHOICE, 0, "bit-order", BIT_ORDERS, &a.bit_order, 0, 0,
         "bits of a byte of CODES: least (lsb, as FAISS) or most significant first", 0},
        {OPT_TEXT, 0, "index", "FACTORY", &a.factory, 0, 0, "FAISS binary factory string (BFlat)",
         0},
        {OPT_TEXT, 0, "trained", "INDEX", &a.trained, 0, 0,
         "or a trained index without codes, of which this is a shard", 0},
        {OPT_INT, 0, "first-id", "N", &a.first_id, 0, INT64_MAX / 2, "id of the first row (0)", 0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a.set, 0, 0,
         "search parameter kept in the file: nprobe, nflip, efSearch", 0},
        {OPT_INT, 0, "refine", "N", &a.refine, 0, MAX_REFINE,
         "flips that refine each code towards the decoder (0)", 0},
        {OPT_TEXT, 'o', "output", "INDEX", &a.output, 0, 0, "file to write", 1},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == LBH_OK) {
        common_begin(&a.common);
        rc = build(&a);
    }
    free(a.set);
    return rc;
}

const command command_build = {
    "build", "Build a FAISS binary index of codes",
    "(--model MODEL --base FILE | --codes CODES) [--index FACTORY] -o INDEX [OPTIONS]",
    "FACTORY: BFlat, BIVF1024, BIVF1024_HNSW32, BHNSW32, BHash16, BHash4x16, IDMap,... of these.\n"
    "INDEX is a file that any FAISS reads with read_index_binary.\n",
    run};
