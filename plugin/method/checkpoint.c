/* checkpoint.c: the state of a training in a file, from which it goes on. */
#define _POSIX_C_SOURCE 200809L
#include "encoder_document.h"
#include "training_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { FINGERPRINT_ROWS = 256 };

/* A hash of the size and of some rows of the data, so that a checkpoint is not taken up with others.*/
static int take_fingerprint(lbh_training *t)
{
    int64_t n = t->n, count = n < FINGERPRINT_ROWS ? n : FINGERPRINT_ROWS;
    float *x = lbh_scratch_f(t, count, t->rows.d);
    if (!x)
        return LBH_ENOMEM;
    int64_t ids[FINGERPRINT_ROWS];
    for (int64_t i = 0; i < count; i++)
        ids[i] = count > 1 ? i * (n - 1) / (count - 1) : 0; /* the first and the last among them */
    LBH_TRY(lbh_pull(t, count, ids, x));
    uint64_t h = XXH3_64bits_withSeed(x, (size_t)(count * t->rows.d) * sizeof *x, (uint64_t)n);
    snprintf(t->run->fingerprint, sizeof t->run->fingerprint, "%016llx", (unsigned long long)h);
    return LBH_OK;
}

static int build_checkpoint(lbh_document *doc, lbh_training *t, int64_t step)
{
    LBH_TRY(lbh_document_put(doc, "format", "faiss-lbh checkpoint"));
    LBH_TRY(lbh_put_encoder(doc, t->enc));
    LBH_TRY(lbh_document_put_number(doc, "n_train", (double)t->n));
    LBH_TRY(lbh_document_put(doc, "data", t->run->fingerprint));
    LBH_TRY(lbh_document_put_number(doc, "step", (double)step));
    LBH_TRY(lbh_put_tensors(doc, t->enc));
    for (int i = 0; i < t->run->nstates; i++) {
        const lbh_tensor *s = &t->run->state[i];
        LBH_TRY(lbh_document_put_tensor(doc, s->name, s->rows, s->cols, s->data));
    }
    return LBH_OK;
}

int lbh_save_checkpoint(lbh_training *t, int64_t step)
{
    lbh_document doc = {0};
    int rc = build_checkpoint(&doc, t, step);
    if (!rc)
        rc = lbh_document_write(&doc, t->enc->checkpoint);
    lbh_document_clear(&doc);
    t->run->saved = lbh_now();
    return rc;
}

/* The text of a checkpoint that this run would write must agree with the file's, line by line, but
 * for the step and the time limit. */
static int check_same_run(lbh_training *t, const lbh_document *doc)
{
    lbh_document mine = {0};
    int rc = build_checkpoint(&mine, t, 0);
    char *rest = NULL, *line = rc ? NULL : strtok_r(mine.text, "\n", &rest);
    for (; line && !rc; line = strtok_r(NULL, "\n", &rest)) {
        char *value = strchr(line, ' '), theirs[256] = "nothing";
        *value++ = '\0';
        if (strcmp(line, "step") == 0 || strcmp(line, "option.time_limit") == 0)
            continue;
        if (!lbh_document_get(doc, line, theirs, sizeof theirs) || strcmp(value, theirs) != 0)
            rc = lbh_error(LBH_ESTATE,
                           "%s is the checkpoint of another training: %s is %s there and %s here; "
                           "remove the file to start anew",
                           t->enc->checkpoint, line, theirs, value);
    }
    lbh_document_clear(&mine);
    return rc;
}

static int restore(lbh_training *t, const lbh_document *doc, int64_t *step)
{
    const char *path = t->enc->checkpoint;
    double done = 0;
    int count;
    LBH_TRY(check_same_run(t, doc));
    if (!lbh_document_get_number(doc, "step", &done) || !(done >= 0 && done < 0x1p53))
        return lbh_error(LBH_EFORMAT, "%s: no step", path);
    for (int i = 0; i < t->run->nstates; i++) {
        const lbh_tensor *s = &t->run->state[i];
        LBH_TRY(lbh_fill_tensor(doc, path, s->name, s->rows, s->cols, t->run->state_data[i]));
    }
    LBH_TRY(lbh_fill_tensors(t->enc, doc, path, &count));
    *step = (int64_t)done;
    return LBH_OK;
}

int lbh_resume(lbh_training *t, int64_t *step)
{
    *step = 0;
    if (!t->enc->checkpoint)
        return LBH_OK;
    LBH_TRY(take_fingerprint(t));
    if (access(t->enc->checkpoint, F_OK))
        return LBH_OK;
    lbh_document doc;
    LBH_TRY(lbh_document_read(&doc, t->enc->checkpoint));
    int rc = restore(t, &doc, step);
    lbh_document_clear(&doc);
    return rc;
}

int lbh_encoder_checkpoint(lbh_encoder *enc, const char *path, double seconds)
{
    if (!enc || !(seconds >= 0))
        return lbh_error(LBH_EINVAL, "lbh_encoder_checkpoint: NULL, or seconds below 0");
    char *copy = path ? strdup(path) : NULL;
    if (path && !copy)
        return lbh_error(LBH_ENOMEM, "out of memory for a path");
    free(enc->checkpoint);
    enc->checkpoint = copy;
    enc->checkpoint_seconds = seconds;
    return LBH_OK;
}

bool lbh_can_checkpoint(const lbh_training *t)
{
    return t->enc->checkpoint && t->run->fingerprint[0];
}
