/* bench_model.c: see bench_model.h. Our models are kept in DIR/models with the time and the curve
 * of their training, so that a cell that is measured later, or again after a crash, needs no other
 * training. */
#define _GNU_SOURCE
#include "bench_model.h"

#include "bench_measure.h"
#include "encoder_make.h"
#include "faiss_rows.h"
#include "progress.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void phase(const model_wish *w)
{
    if (w->phase)
        w->phase(w->ctx);
}

/* ---- Training curves ----------------------------------------------------------------------- */

enum { CURVE_POINTS = 128 };

/* Losses at even distances: where there are too many, every other one is dropped. */
typedef struct curve_record {
    int n;
    int64_t next, every;
    double point[CURVE_POINTS][2];
} curve_record;

static int record(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    curve_record *r = ctx;
    (void)progress_training(NULL, method, step, steps, loss);
    if (!isfinite(loss) || (step < r->next && step < steps))
        return cli_interrupted();
    if (r->n == CURVE_POINTS) {
        r->n = 0;
        for (int i = 0; i < CURVE_POINTS; i += 2)
            memcpy(r->point[r->n++], r->point[i], sizeof r->point[i]);
        r->every = r->every ? 2 * r->every : (steps + CURVE_POINTS - 1) / CURVE_POINTS;
    }
    r->point[r->n][0] = (double)step;
    r->point[r->n++][1] = loss;
    r->next = step + r->every;
    return cli_interrupted();
}

static void add_curve(cJSON *facts, const curve_record *r)
{
    if (r->n < 2)
        return;
    cJSON *curve = cJSON_AddArrayToObject(facts, "curve");
    for (int i = 0; i < r->n; i++) {
        double point[2] = {r->point[i][0], short_number(r->point[i][1])};
        cJSON_AddItemToArray(curve, cJSON_CreateDoubleArray(point, 2));
    }
}

/* ---- Ours ---------------------------------------------------------------------------------- */

static int train(bench_model *m, const model_wish *w, const bench_data *d)
{
    const spec_method *method = w->method;
    curve_record curve = {0};
    lbh_rows rows = vectors_rows(bench_train_rows(d));
    lbh_lists lists = labels_lists(bench_train_labels(d));
    LBH_TRY(encoder_make(&m->enc, method->method, d->base.d, (int)w->nbits, bench_distance(d),
                          *method->options ? method->options : NULL, w->seed));
    if (lbh_method_needs_labels(method->method) && !lists.start)
        return fail("method %s needs labels, and [data %s] has none of its training rows",
                    method->method, d->spec->name);
    lbh_encoder_on_progress(m->enc, record, &curve);
    double began = cli_now();
    LBH_TRY(lbh_encoder_train_rows(m->enc, &rows, lists.start ? &lists : NULL, NULL));
    progress_clear();
    m->train_s = cli_now() - began;
    add_number(m->facts, "train_s", m->train_s);
    add_number(m->facts, "n_train", (double)lbh_encoder_n_train(m->enc));
    add_curve(m->facts, &curve);
    lbh_encoder_on_progress(m->enc, NULL, NULL);
    return LBH_OK;
}

/* A model that cannot be kept is no reason to lose what was measured. */
static void keep(bench_model *m, const char *path)
{
    char *facts = cJSON_PrintUnformatted(m->facts);
    if (facts && lbh_encoder_set_note(m->enc, "bench", facts) == LBH_OK)
        (void)lbh_encoder_save(m->enc, path);
    cJSON_free(facts);
}

static bool load(bench_model *m, const char *path)
{
    if (access(path, R_OK) != 0 || lbh_encoder_load(&m->enc, path))
        return false;
    const char *note = lbh_encoder_note(m->enc, "bench");
    cJSON *facts = note ? cJSON_Parse(note) : NULL;
    if (facts) {
        cJSON_Delete(m->facts);
        m->facts = facts;
        return true;
    }
    lbh_encoder_free(m->enc);
    m->enc = NULL;
    return false;
}

static int get_ours(bench_model *m, const model_wish *w, const bench_data *d)
{
    char *path = NULL;
    if (w->trained) {
        m->enc = *w->trained;
        *w->trained = NULL;
        return LBH_OK;
    }
    if (!w->folder)
        return train(m, w, d);
    if (asprintf(&path, "%s/%s.lbh", w->folder, w->key) < 0)
        return fail_memory();
    int rc = LBH_OK;
    if (mkdir(w->folder, 0777) != 0 && errno != EEXIST)
        rc = fail_errno("make the directory", w->folder);
    if (rc == LBH_OK && (w->again || !load(m, path))) {
        rc = train(m, w, d);
        if (rc == LBH_OK)
            keep(m, path);
    }
    free(path);
    return rc;
}

static int open_ours(bench_model *m, const model_wish *w, const bench_data *d)
{
    int rc = get_ours(m, w, d);
    phase(w);
    double began = cli_now();
    int64_t refine = w->method->refine ? w->method->refine
                     : w->refine && rc == LBH_OK && has_decoder(m->enc) ? w->refine
                                                                         : 0;
    if (rc == LBH_OK)
        rc = encode_all(m->enc, &d->base, refine, &m->codes);
    m->encode_s = cli_now() - began;
    add_number(m->facts, "encode_s", m->encode_s);
    if (rc == LBH_OK)
        rc = encode_all(m->enc, &d->sample, ENCODE_QUERIES, &m->sample);
    if (rc)
        return rc;
    m->code_size = lbh_encoder_code_size(m->enc);
    m->nbits = lbh_encoder_nbits(m->enc);
    return LBH_OK;
}

/* ---- FAISS's ------------------------------------------------------------------------------- */

static int make_rival(bench_model *m, const model_wish *w, const bench_data *d,
                      const rival_options *own)
{
    const char *name = w->method->method;
    if (w->recipe)
        m->recipe = *w->recipe;
    else
        LBH_TRY(bench_rival_recipe(&m->recipe, name, d->base.d, w->nbits, own));
    if (faiss_index_new(&m->floats, d->base.d, m->recipe.factory, m->recipe.hamming, bench_distance(d)) == LBH_OK)
        return LBH_OK;
    return fail("FAISS %s does not make %s (\"%s\"): %s; scripts/rivals.py measures with a newer "
                "FAISS", lbh_faiss_version(), name, m->recipe.factory, lbh_last_error());
}

static int open_rival(bench_model *m, const model_wish *w, const bench_data *d)
{
    const spec_method *method = w->method;
    rival_options own;
    LBH_TRY(bench_rival_options(&own, method->method, method->options));
    LBH_TRY(make_rival(m, w, d, &own));
    int64_t n = bench_train_rows(d)->n;
    n = own.max_train && own.max_train < n ? own.max_train : n;
    double began = cli_now();
    int rc = faiss_train_rows(m->floats, bench_train_rows(d), n);
    m->train_s = cli_now() - began;
    add_number(m->facts, "train_s", m->train_s);
    add_number(m->facts, "n_train", (double)n);
    cJSON_AddStringToObject(m->facts, "factory", m->recipe.factory);
    phase(w);
    began = cli_now();
    if (rc == LBH_OK && m->recipe.hamming)
        rc = faiss_encode_rows(m->floats, &d->base, &m->codes);
    else if (rc == LBH_OK)
        rc = faiss_add_rows(m->floats, &d->base);
    m->encode_s = cli_now() - began;
    add_number(m->facts, "encode_s", m->encode_s);
    if (rc == LBH_OK && m->recipe.hamming)
        rc = faiss_encode_rows(m->floats, &d->sample, &m->sample);
    m->code_size = lbh_float_index_code_size(m->floats);
    /* Fast scan keeps codes of many rows together, and names no size; lists name that of a code with
     * its list's number, which is not what they keep. */
    if (!m->code_size || m->recipe.links)
        m->code_size = (size_t)(m->recipe.nbits + 7) / 8 + (size_t)m->recipe.links;
    m->nbits = (int)(8 * m->code_size);
    return rc;
}

int model_open(bench_model *m, const model_wish *w, const bench_data *d)
{
    *m = (bench_model){.facts = cJSON_CreateObject()};
    if (!m->facts)
        return fail_memory();
    int rc = w->recipe || bench_is_rival(w->method->method) ? open_rival(m, w, d) : open_ours(m, w, d);
    if (rc == LBH_OK)
        add_number(m->facts, "code_bytes", (double)m->code_size);
    return rc;
}

int model_describe(bench_model *m, const bench_data *d)
{
    int rc = m->enc ? measure_decoder(m->facts, m->enc, &d->base, m->codes) : LBH_OK;
    return rc || !m->codes ? rc
                           : measure_bits(m->facts, d->base.n, m->nbits, m->code_size, m->codes);
}

void model_close(bench_model *m)
{
    lbh_encoder_free(m->enc);
    lbh_float_index_free(m->floats);
    free(m->codes);
    free(m->sample);
    cJSON_Delete(m->facts);
    *m = (bench_model){0};
}
