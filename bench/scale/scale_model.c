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
    return rows ? vectors_view(sample, &s->base, NULL, "a sample of it", count, rows) : EXIT_RUNTIME;
}

/* Training keeps its own state in DIR/model.state, and goes on from it with the same model. */
static int learn(scale *s, const char *path)
{
    const scale_args *a = s->a;
    vectors sample = {0};
    char *state = scale_path(s, "model.state");
    int rc = state ? sample_rows(s, a->train_rows, &sample) : EXIT_RUNTIME;
    if (rc == EXIT_OK)
        rc = encoder_make(&s->enc, a->method, s->base.d, (int)a->nbits, a->metric, a->set, a->seed);
    if (rc == EXIT_OK) {
        lbh_rows rows = vectors_rows(&sample);
        int code = lbh_encoder_checkpoint(s->enc, state, 20);
        if (code == LBH_OK)
            code = lbh_encoder_train_rows(s->enc, &rows, NULL, NULL);
        progress_clear();
        if (code == LBH_OK)
            code = lbh_encoder_save(s->enc, path);
        rc = fail_library(code);
    }
    vectors_close(&sample);
    free(state);
    return rc;
}

static int take_model(scale *s)
{
    char *path = scale_path(s, "model.lbh");
    int rc = path ? EXIT_OK : EXIT_RUNTIME;
    double began = cli_now();
    bool has = scale_has(s, "model.lbh");
    if (rc == EXIT_OK && has && !s->enc)
        rc = model_load(&s->enc, path, &s->base);
    else if (rc == EXIT_OK && !has && s->enc) /* the one that was given */
        rc = fail_library(lbh_encoder_save(s->enc, path));
    else if (rc == EXIT_OK && !has) {
        rc = learn(s, path);
        report_seconds(s->doc, "train_seconds", cli_now() - began);
    }
    if (rc == EXIT_OK)
        rc = scale_remove(s, "model.state");
    free(path);
    return rc;
}

static int learn_lists(scale *s, const char *path)
{
    vectors sample = {0};
    uint8_t *codes = NULL;
    int64_t want = ROWS_A_LIST * s->nlist;
    int rc = sample_rows(s, want, &sample);
    if (rc == EXIT_OK)
        rc = encode_all(s->enc, &sample, ENCODE_BASE, &codes);
    progress_note("training the lists of %s ...", s->a->index);
    if (rc == EXIT_OK)
        rc = fail_library(lbh_index_train_codes(s->lists, s->code_size, sample.n, codes));
    if (rc == EXIT_OK)
        rc = fail_library(lbh_index_save(s->lists, path));
    free(codes);
    vectors_close(&sample);
    return rc;
}

static int take_lists(scale *s)
{
    char *path = scale_path(s, "lists.faiss");
    int rc = path ? EXIT_OK : EXIT_RUNTIME;
    double began = cli_now();
    if (rc == EXIT_OK && scale_has(s, "lists.faiss")) {
        lbh_index_free(s->lists);
        s->lists = NULL;
        rc = fail_library(lbh_index_load(&s->lists, path));
    } else if (rc == EXIT_OK) {
        rc = learn_lists(s, path);
        report_seconds(s->doc, "lists_seconds", cli_now() - began);
    }
    if (rc == EXIT_OK)
        rc = fail_library(lbh_index_accelerate(&s->lists));
    free(path);
    return rc;
}

int scale_model(scale *s)
{
    TRY(take_model(s));
    return s->kind == SCALE_IVF ? take_lists(s) : EXIT_OK;
}
