/* training.c: what all methods share while they learn: checked rows, scratch memory, progress, the
 * time limit, checkpoints. */
#define _POSIX_C_SOURCE 200809L
#include "core/profile.h"
#include "core/rng.h"
#include "encoder_file.h"
#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum { MAX_STATES = 48, PULL_BLOCK = 1024, FINGERPRINT_ROWS = 256, SAMPLE_FLOATS = 1 << 27 };

/* Random streams of this file; methods use small numbers. */
static const uint64_t STREAM_SAMPLE = 0x73616d706c65;

static const double REPORT_SECONDS = 0.05; /* between two calls of the progress callback */

struct lbh_run {
    lbh_view view;
    lbh_damped damped;
    lbh_arena arena;
    double started, reported, saved; /* seconds of the monotonic clock */
    int nstates;
    lbh_tensor state[MAX_STATES];
    float *state_data[MAX_STATES];
    char fingerprint[24]; /* of the data */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

int lbh_pull(lbh_training *t, int64_t count, const int64_t *ids, float *x)
{
    lbh_time before = lbh_clock(LBH_TIME_DATA);
    int rc = t->rows.read(&t->rows, count, ids, x);
    lbh_clock(before);
    return rc;
}

int lbh_pull_range(lbh_training *t, int64_t first, int64_t count, float *x)
{
    int64_t ids[PULL_BLOCK];
    for (int64_t i = 0; i < count; i += PULL_BLOCK) {
        int64_t m = count - i < PULL_BLOCK ? count - i : PULL_BLOCK;
        for (int64_t j = 0; j < m; j++)
            ids[j] = first + i + j;
        LBH_TRY(lbh_pull(t, m, ids, x + i * t->rows.d));
    }
    return LBH_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* ---- Memory -------------------------------------------------------------------------------- */

void *lbh_scratch(lbh_training *t, int64_t count, size_t size)
{
    return lbh_arena_take(&t->run->arena, count, size);
}

float *lbh_scratch_f(lbh_training *t, int64_t rows, int64_t cols)
{
    return lbh_scratch(t, rows * cols, sizeof(float));
}

float *lbh_state_f(lbh_training *t, const char *name, int64_t rows, int64_t cols)
{
    struct lbh_run *run = t->run;
    float *data = lbh_scratch_f(t, rows, cols);
    if (data && run->nstates == MAX_STATES) {
        lbh_error(LBH_EINVAL, "more than %d training states", MAX_STATES);
        return NULL;
    }
    if (data) {
        lbh_tensor *s = &run->state[run->nstates];
        snprintf(s->name, sizeof s->name, "state.%s", name);
        s->rows = rows;
        s->cols = cols;
        s->data = data;
        run->state_data[run->nstates++] = data;
    }
    return data;
}

int lbh_sample_ids(lbh_training *t, int64_t count, int64_t *ids)
{
    if (count == t->n) {
        for (int64_t i = 0; i < count; i++)
            ids[i] = i;
        return LBH_OK;
    }
    uint64_t seed = (uint64_t)t->enc->common[LBH_OPT_SEED];
    LBH_TRY(lbh_rng_sample(seed, STREAM_SAMPLE, t->n, count, ids));
    qsort(ids, (size_t)count, sizeof *ids, compare_ids); /* files are read forwards */
    return LBH_OK;
}

int lbh_sample_rows(lbh_training *t, int64_t max_rows, int64_t *m, float **X)
{
    int d = t->rows.d;
    int64_t room = SAMPLE_FLOATS / d, limit = max_rows < room ? max_rows : room;
    *m = t->n < limit ? t->n : limit;
    int64_t *ids = lbh_scratch(t, *m, sizeof *ids);
    *X = lbh_scratch_f(t, *m, d);
    if (!ids || !*X)
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_ids(t, *m, ids));
    for (int64_t i = 0; i < *m; i += PULL_BLOCK) {
        int64_t count = *m - i < PULL_BLOCK ? *m - i : PULL_BLOCK;
        LBH_TRY(lbh_pull(t, count, ids + i, *X + i * d));
    }
    return LBH_OK;
}

/* ---- Checkpoints --------------------------------------------------------------------------- */

/* A hash of the size and of some rows of the data, so that a checkpoint is not taken up with others.*/
static int take_fingerprint(lbh_training *t)
{
    int64_t n = t->n, count = n < FINGERPRINT_ROWS ? n : FINGERPRINT_ROWS;
    float *x = lbh_scratch_f(t, count, t->rows.d);
    if (!x)
        return LBH_ENOMEM;
    int64_t ids[FINGERPRINT_ROWS];
    for (int64_t i = 0; i < count; i++)
        ids[i] = i * (n / count);
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

static int save_checkpoint(lbh_training *t, int64_t step)
{
    lbh_document doc = {0};
    int rc = build_checkpoint(&doc, t, step);
    if (!rc)
        rc = lbh_document_write(&doc, t->enc->checkpoint);
    lbh_document_clear(&doc);
    t->run->saved = now();
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

/* ---- Progress ------------------------------------------------------------------------------ */

void lbh_encoder_on_progress(lbh_encoder *enc, lbh_progress_fn fn, void *ctx)
{
    enc->progress = fn;
    enc->progress_ctx = ctx;
}

int lbh_report(lbh_training *t, int64_t step, int64_t steps, double loss)
{
    struct lbh_run *run = t->run;
    lbh_encoder *enc = t->enc;
    double time = now(), limit = enc->common[LBH_OPT_TIME_LIMIT];
    if (limit > 0 && time - run->started > limit)
        t->stop = true;
    bool can_save = enc->checkpoint && run->fingerprint[0];
    if (can_save && step < steps && time - run->saved >= enc->checkpoint_seconds)
        LBH_TRY(save_checkpoint(t, step));
    if (!enc->progress || (time - run->reported < REPORT_SECONDS && step < steps && !t->stop))
        return LBH_OK;
    run->reported = time;
    if (enc->progress(enc->progress_ctx, enc->method->name, step, steps, loss) == 0)
        return LBH_OK;
    if (can_save && step < steps)
        LBH_TRY(save_checkpoint(t, step));
    return lbh_error(LBH_ECANCELLED, "%s: cancelled at step %lld of %lld", enc->method->name,
                     (long long)step, (long long)steps);
}

/* ---- Training ------------------------------------------------------------------------------ */

static int check_lists(const char *method, const char *what, const lbh_lists *lists, int64_t n)
{
    if (!lists)
        return LBH_OK;
    if (lists->n != n)
        return lbh_error(LBH_EINVAL, "%s: %s for %lld rows, but there are %lld", method, what,
                         (long long)lists->n, (long long)n);
    if (!lists->start || lists->start[0] != 0)
        return lbh_error(LBH_EINVAL, "%s: %s: start[0] must be 0", method, what);
    for (int64_t i = 0; i < n; i++)
        if (lists->start[i + 1] < lists->start[i])
            return lbh_error(LBH_EINVAL, "%s: %s: start falls at row %lld", method, what,
                             (long long)i);
    for (int64_t i = 0; i < lists->start[n]; i++)
        if (lists->item[i] < 0 || lists->item[i] >= lists->nitems)
            return lbh_error(LBH_EINVAL, "%s: %s: item %lld is not in 0 .. %lld", method, what,
                             (long long)lists->item[i], (long long)lists->nitems - 1);
    return LBH_OK;
}

static int check_training(const lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                          const lbh_lists *neighbours)
{
    if (!enc || !rows || !rows->read)
        return lbh_error(LBH_EINVAL, "lbh_encoder_train: a NULL argument");
    const char *name = enc->method->name;
    if (enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is trained already", name);
    if (rows->d != enc->d)
        return lbh_error(LBH_EINVAL, "%s: rows of dimension %d, but the encoder has d = %d", name,
                         rows->d, enc->d);
    if (rows->n < 1)
        return lbh_error(LBH_EINVAL, "%s: no training rows", name);
    LBH_TRY(check_lists(name, "labels", labels, rows->n));
    LBH_TRY(check_lists(name, "neighbours", neighbours, rows->n));
    if (enc->method->needs_labels && !labels)
        return lbh_error(LBH_EINVAL, "%s: needs labels of the training rows", name);
    return enc->method->check ? enc->method->check(enc) : LBH_OK;
}

static int check_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    (void)v;
    for (int64_t i = 0; i < rows; i++)
        if (lbh_find_nonfinite(1, (int)cols, *data + i * cols) >= 0)
            return lbh_error(LBH_ENUMERIC, "training diverged: %s is not finite", name);
    return LBH_OK;
}

/* Learns; a model that is not finite is an error, not a model. */
static int learn(lbh_encoder *enc, lbh_training *t)
{
    lbh_visitor finite = {check_tensor};
    LBH_TRY(lbh_visit_allocate(enc));
    LBH_TRY(lbh_view_damp(&t->run->view, t, enc->common[LBH_OPT_ROBUST], &t->run->damped));
    LBH_TRY(enc->method->train(enc, t));
    if (enc->method->visit(enc, &finite))
        return lbh_error(LBH_ENUMERIC, "%s: %s; a lower step size may help", enc->method->name,
                         lbh_last_error());
    return lbh_note_damped(enc, &t->run->damped);
}

int lbh_encoder_train_rows(lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                           const lbh_lists *neighbours)
{
    LBH_TRY(check_training(enc, rows, labels, neighbours));
    struct lbh_run run = {.view = {.source = rows}, .started = now()};
    run.saved = run.started;
    lbh_training t = {.enc = enc,
                      .rows = lbh_view_rows(&run.view),
                      .n = rows->n,
                      .labels = labels,
                      .neighbours = neighbours,
                      .run = &run};
    double value[LBH_MAX_PARAMS]; /* training records some in the options */
    memcpy(value, enc->value, sizeof value);
    lbh_clock_reset();
    int rc = learn(enc, &t);
    lbh_clock_read(enc->seconds);
    lbh_arena_clear(&run.arena);
    if (!rc)
        rc = lbh_encoder_finish(enc);
    if (rc) {
        lbh_visit_free(enc);
        memcpy(enc->value, value, sizeof value);
        return rc;
    }
    enc->n_train = rows->n;
    snprintf(enc->library, sizeof enc->library, "%s", LBH_VERSION);
    return LBH_OK;
}

int lbh_encoder_train(lbh_encoder *enc, int64_t n, const float *x)
{
    if (!enc || !x)
        return lbh_error(LBH_EINVAL, "lbh_encoder_train: a NULL argument");
    lbh_rows rows = lbh_rows_from_matrix(n, enc->d, x);
    return lbh_encoder_train_rows(enc, &rows, NULL, NULL);
}

int lbh_encoder_train_time(const lbh_encoder *enc, int i, const char **name, double *seconds)
{
    static const char *const names[] = {[LBH_TIME_OTHER] = "other",
                                        [LBH_TIME_GEMM] = "gemm",
                                        [LBH_TIME_PASSES] = "passes",
                                        [LBH_TIME_NOISE] = "noise",
                                        [LBH_TIME_OPTIMISER] = "optimiser",
                                        [LBH_TIME_DATA] = "data"};
    if (!enc || !name || !seconds || i < 0 || i >= LBH_TIME_PARTS)
        return lbh_error(LBH_EINVAL, "lbh_encoder_train_time: NULL, or part %d of 0 to %d", i,
                         LBH_TIME_PARTS - 1);
    *name = names[i];
    *seconds = enc->seconds[i];
    return LBH_OK;
}
