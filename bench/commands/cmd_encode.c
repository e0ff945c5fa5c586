/* cmd_encode.c: `lbh encode`: codes of a file of vectors, block by block. */
#include "code_file.h"
#include "common.h"

#include <stdlib.h>
#include <string.h>

typedef struct encode_args {
    common common;
    const char *model, *input, *output;
    int queries, bit_order;
    int64_t refine;
} encode_args;

static int to_file(void *ctx, int64_t count, const uint8_t *codes)
{
    return array_write(ctx, count, codes);
}

static int to_file_msb(void *ctx, int64_t count, const uint8_t *codes)
{
    const array_out *out = ctx;
    uint8_t *turned = cli_alloc(count, (size_t)out->d);
    if (!turned)
        return LBH_ENOMEM;
    memcpy(turned, codes, (size_t)count * (size_t)out->d);
    lbh_codes_reverse_bits(count, (size_t)out->d, turned);
    int rc = array_write(ctx, count, turned);
    free(turned);
    return rc;
}

static int write_codes(const encode_args *a, const lbh_encoder *enc, const vectors *v)
{
    array_out out;
    int64_t code_size = (int64_t)lbh_encoder_code_size(enc);
    LBH_TRY(array_open(&out, a->output, ARRAY_CODES, v->n, code_size));
    double began = cli_now();
    LBH_TRY(array_close(&out, encode_each(enc, v, a->queries ? ENCODE_QUERIES : a->refine,
                                       a->bit_order == BITS_MSB ? to_file_msb : to_file, &out)));
    cJSON *doc = report_new("encode");
    report_text(doc, "codes", a->output);
    report_number(doc, "n", (double)v->n);
    report_number(doc, "code_size", (double)code_size);
    report_text(doc, "bit_order", a->bit_order == BITS_MSB ? "msb" : "lsb");
    report_seconds(doc, "encode_seconds", cli_now() - began);
    return report_print(doc, a->common.json);
}

static int encode(const encode_args *a)
{
    vectors v;
    lbh_encoder *enc = NULL;
    LBH_TRY(a->queries && a->refine
                ? fail_usage("encode: --refine is for rows that are searched, not for --queries")
                : array_check(a->output, ARRAY_CODES));
    LBH_TRY(outfile_check(a->output, false));
    LBH_TRY(vectors_open(&v, a->input));
    int rc = model_load(&enc, a->model, &v);
    if (rc == LBH_OK)
        rc = write_codes(a, enc, &v);
    lbh_encoder_free(enc);
    vectors_close(&v);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    encode_args a = {0};
    const option_def defs[] = {
        {OPT_TEXT, 0, "model", "MODEL", &a.model, 0, 0, "model file", 1},
        {OPT_TEXT, 'i', "input", "FILE", &a.input, 0, 0, "vectors to encode", 1},
        {OPT_TEXT, 'o', "output", "CODES", &a.output, 0, 0, "file to write", 1},
        {OPT_FLAG, 0, "queries", 0, &a.queries, 0, 0,
         "encode as queries (differs for inner-product models)", 0},
        {OPT_INT, 0, "refine", "N", &a.refine, 0, MAX_REFINE,
         "flips that refine each code towards the decoder (0)", 0},
        {OPT_CHOICE, 0, "bit-order", BIT_ORDERS, &a.bit_order, 0, 0,
         "bits of a byte: least (lsb, as FAISS) or most significant first (lsb)", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    LBH_TRY(options_parse(self, defs, argc, argv, NULL));
    common_begin(&a.common);
    return encode(&a);
}

const command command_encode = {
    "encode", "Turn vectors into codes", "--model MODEL --input FILE -o CODES [OPTIONS]",
    "CODES: .bvecs, .u8bin or .npy (uint8). --bit-order lsb is what FAISS and the other commands\n"
    "have; msb is what numpy.packbits, pgvector, Vespa and sentence-transformers have.\n"
    "--refine N searches for codes that the decoder rebuilds the rows from better: for rows that are\n"
    "ranked by the decoder.\n",
    run};
