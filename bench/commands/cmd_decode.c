/* cmd_decode.c: `lbh decode`: vectors from a file of codes, block by block. */
#include "code_file.h"
#include "common.h"

#include <stdlib.h>

typedef struct decode_args {
    common common;
    const char *model, *codes, *output;
    int bit_order;
} decode_args;

/* Refuses a file that cannot hold codes of this model. */
static int check_codes(const lbh_encoder *enc, const vectors *v)
{
    if (!has_decoder(enc))
        return fail("%s has no decoder: its codes do not say what the vectors were",
                    lbh_encoder_method(enc));
    return codes_check(v, lbh_encoder_code_size(enc));
}

static int write_rows(array_out *out, const lbh_encoder *enc, const vectors *v, int bit_order)
{
    int d = lbh_encoder_d(enc);
    int64_t block = block_rows(d > v->d ? d : v->d);
    block = block > v->n ? v->n : block;
    float *x = cli_alloc(block * d, sizeof *x);
    uint8_t *codes = cli_alloc(block, (size_t)v->d);
    int rc = x && codes ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < v->n && rc == LBH_OK; i += block) {
        int64_t count = v->n - i < block ? v->n - i : block;
        rc = progress_tick("decode", i, v->n);
        if (rc == LBH_OK)
            rc = codes_read(v, bit_order, i, count, codes);
        if (rc == LBH_OK)
            rc = lbh_encoder_decode(enc, count, codes, x);
        if (rc == LBH_OK)
            rc = array_write(out, count, x);
    }
    progress_clear();
    free(x);
    free(codes);
    return rc;
}

static int write_file(const decode_args *a, const lbh_encoder *enc, const vectors *v)
{
    array_out out;
    LBH_TRY(array_open(&out, a->output, ARRAY_FLOATS, v->n, lbh_encoder_d(enc)));
    LBH_TRY(array_close(&out, write_rows(&out, enc, v, a->bit_order)));
    cJSON *doc = report_new("decode");
    report_text(doc, "vectors", a->output);
    report_number(doc, "n", (double)v->n);
    report_number(doc, "d", lbh_encoder_d(enc));
    return report_print(doc, a->common.json);
}

static int decode(const decode_args *a)
{
    vectors v;
    lbh_encoder *enc = NULL;
    LBH_TRY(array_check(a->output, ARRAY_FLOATS));
    LBH_TRY(outfile_check(a->output, false));
    LBH_TRY(vectors_open(&v, a->codes));
    int rc = model_load(&enc, a->model, NULL);
    if (rc == LBH_OK)
        rc = check_codes(enc, &v);
    if (rc == LBH_OK)
        rc = write_file(a, enc, &v);
    lbh_encoder_free(enc);
    vectors_close(&v);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    decode_args a = {0};
    const option_def defs[] = {
        {OPT_TEXT, 0, "model", "MODEL", &a.model, 0, 0, "model file", 1},
        {OPT_TEXT, 0, "codes", "CODES", &a.codes, 0, 0, "codes of 'lbh encode'", 1},
        {OPT_CHOICE, 0, "bit-order", BIT_ORDERS, &a.bit_order, 0, 0,
         "bits of a byte of CODES: least (lsb, as FAISS) or most significant first", 0},
        {OPT_TEXT, 'o', "output", "FILE", &a.output, 0, 0, "file to write", 1},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    LBH_TRY(options_parse(self, defs, argc, argv, NULL));
    common_begin(&a.common);
    return decode(&a);
}

const command command_decode = {
    "decode", "Rebuild vectors from codes", "--model MODEL --codes CODES -o FILE [OPTIONS]",
    "FILE: .fvecs, .fbin or .npy (float32). Only models with a decoder can do it (sgh, itq).\n", run};
