/* scale_model.c: the encoder and the lists of a BIVF, both trained on samples. See scale.h. */
#include "scale.h"

#include "encoder_make.h"
#include "output.h"
#include "progress.h"
#include "scale_state.h"

#include <stdlib.h>
#include <string.h>

/* k-means asks for 39 codes a list at least, and more change little. */
enum { ROWS_A_LIST = 40 };

/* `count` rows at even distances. */
static int sample_rows(const scale *s, int64_t count, vectors *sample)
{
    count = count < s->n ? count : s->n;
    int64_t *rows = rows_evenly(s->n, count);
    return rows ? vectors_view(sample, &s->base, NULL, "a sample of it", count, rows) : LBH_ENOMEM;
}

/* Training keeps its own state in DIR/model.state, and goes on from it with the same model. */
static int learn(scale *s, const char *path)
{
    const scale_args *a = s->a;
    vectors sample = {0};
    int rc = sample_rows(s, a->train_rows, &sample);
    if (rc == LBH_OK)
        rc = encoder_make(&s->enc, a->method, s->base.d, (int)a->nbits, a->metric, a->set, a->seed);
    if (rc == LBH_OK) {
        lbh_rows rows = vectors_rows(&sample);
        rc = lbh_encoder_checkpoint(s->enc, scale_file_of(s, "model.state").path, 20);
        if (rc == LBH_OK)
            rc = lbh_encoder_train_rows(s->enc, &rows, NULL, NULL);
        progress_clear();
        if (rc == LBH_OK)
            rc = lbh_encoder_save(s->enc, path);
    }
    vectors_close(&sample);
    return rc;
}

static int take_model(scale *s)
{
    scale_file file = scale_file_of(s, "model.lbh");
    double began = cli_now();
    bool has = scale_has(s, "model.lbh");
    if (has && !s->enc)
        LBH_TRY(model_load(&s->enc, file.path, &s->base));
    else if (!has && s->enc) /* the one that was given */
        LBH_TRY(lbh_encoder_save(s->enc, file.path));
    else if (!has) {
        LBH_TRY(learn(s, file.path));
        report_seconds(s->doc, "train_seconds", cli_now() - began);
    }
    return scale_remove(s, "model.state");
}

static int learn_lists(scale *s, const char *path)
{
    vectors sample = {0};
    uint8_t *codes = NULL;
    int64_t want = ROWS_A_LIST * s->nlist;
    int rc = sample_rows(s, want, &sample);
    if (rc == LBH_OK)
        rc = encode_all(s->enc, &sample, ENCODE_BASE, &codes);
    progress_note("training the lists of %s ...", s->a->index);
    if (rc == LBH_OK)
        rc = lbh_index_train_codes(s->lists, s->code_size, sample.n, codes);
    if (rc == LBH_OK)
        rc = lbh_index_save(s->lists, path);
    free(codes);
    vectors_close(&sample);
    return rc;
}

static int take_lists(scale *s)
{
    scale_file file = scale_file_of(s, "lists.faiss");
    double began = cli_now();
    if (scale_has(s, "lists.faiss")) {
        lbh_index_free(s->lists);
        s->lists = NULL;
        LBH_TRY(lbh_index_load(&s->lists, file.path));
    } else {
        LBH_TRY(learn_lists(s, file.path));
        report_seconds(s->doc, "lists_seconds", cli_now() - began);
    }
    return lbh_index_accelerate(&s->lists);
}

int scale_model(scale *s)
{
    LBH_TRY(take_model(s));
    return s->kind == SCALE_IVF ? take_lists(s) : LBH_OK;
}
