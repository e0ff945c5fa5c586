/* tune_write.c: see tune_write.h. */
#define _GNU_SOURCE
#include "tune_write.h"

#include "bench_rival.h"
#include "faiss_rows.h"
#include "lbh_pipeline.h"
#include "output.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Ours ---------------------------------------------------------------------------------- */

static bool by_vectors(const tune_point *p)
{
    return strncmp(p->rescore, "float", 5) == 0;
}

static bool by_bytes(const tune_point *p)
{
    return strncmp(p->rescore, "sq8", 3) == 0;
}

/* Parameters as lbh_pipeline_set takes them. A shortlist of R candidates is R / answers for each
 * answer; 0 stands for all codes. */
static void parameters(char *text, size_t size, const tune_run *t, const tune_point *p)
{
    const char *colon = strchr(p->rescore, ':'), *how = by_bytes(p) ? "float" : p->rescore;
    int mode = (int)strcspn(how, ":");
    const char *search = p->search, *comma = *search ? "," : "";
    if (!colon)
        snprintf(text, size, "rescore=none%s%s", comma, search);
    else if (strcmp(colon, ":all") == 0)
        snprintf(text, size, "rescore=%.*s,k_factor=0%s%s", mode, how, comma, search);
    else
        snprintf(text, size, "rescore=%.*s,k_factor=%.6f%s%s", mode, how,
                 atof(colon + 1) / (double)t->ask.at, comma, search);
}

/* The model of the trial, if there is one that will do; else NULL. */
static lbh_encoder *kept_model(const tune_run *t, const tune_point *p, bool whole)
{
    lbh_encoder *enc = NULL;
    char *path = NULL;
    if (whole && *p->model && asprintf(&path, "%s/models/%s.lbh", t->dir, p->model) > 0 &&
        access(path, R_OK) == 0 && lbh_encoder_load(&enc, path))
        enc = NULL;
    free(path);
    return enc;
}

static int fill(lbh_pipeline *p, const vectors *base, const char *settings)
{
    lbh_rows rows = vectors_rows(base);
    lbh_encoder_on_progress(lbh_pipeline_encoder(p), progress_training, NULL);
    if (!lbh_pipeline_is_trained(p))
        LBH_TRY(lbh_pipeline_train_rows(p, &rows, NULL, NULL));
    progress_clear();
    LBH_TRY(lbh_pipeline_add_rows(p, &rows, NULL));
    return lbh_pipeline_set(p, settings);
}

static int write_pipeline(const tune_run *t, const tune_point *p, const vectors *base, bool whole,
                          const char *path, cJSON *doc)
{
    char factory[512], index[128], settings[160];
    lbh_pipeline *made = NULL;
    snprintf(index, sizeof index, "%s%s", p->index,
             by_vectors(p) ? ",RFlat" : by_bytes(p) ? ",RSQ8" : "");
    snprintf(factory, sizeof factory, "%s%lld%s%s%s,%s", p->method, (long long)p->nbits,
             *p->options ? "(" : "", p->options, *p->options ? ")" : "", index);
    parameters(settings, sizeof settings, t, p);
    lbh_encoder *enc = kept_model(t, p, whole);
    int rc = enc ? lbh_pipeline_new_with_encoder(&made, enc, index, t->ask.metric)
                 : lbh_pipeline_new(&made, base->d, factory, t->ask.metric);
    if (rc == LBH_OK)
        rc = fill(made, base, settings);
    if (rc == LBH_OK && cli_interrupted())
        rc = fail_cancelled();
    if (rc == LBH_OK)
        rc = lbh_pipeline_save(made, path);
    lbh_pipeline_free(made);
    lbh_encoder_free(enc);
    report_text(doc, "output", path);
    report_text(doc, "kind", "pipeline");
    report_text(doc, "factory", factory);
    report_text(doc, "parameters", settings);
    return rc;
}

/* ---- FAISS's ------------------------------------------------------------------------------- */

static int fill_faiss(FaissIndex *index, const tune_point *p, const vectors *base)
{
    rival_options own;
    LBH_TRY(bench_rival_options(&own, p->method, p->options));
    progress_note("training %s of FAISS on all rows ...", p->method);
    LBH_TRY(faiss_train_rows(index, base, own.max_train && own.max_train < base->n ? own.max_train : base->n));
    return faiss_add_rows(index, base);
}

static int write_faiss(const tune_run *t, const tune_point *p, const vectors *base, const char *path,
                       cJSON *doc)
{
    rival_recipe r;
    char factory[300], settings[64] = "";
    FaissIndex *index = NULL;
    bool with_vectors = by_vectors(p);
    rival_options own;
    LBH_TRY(bench_rival_options(&own, p->method, p->options));
    LBH_TRY(bench_rival_recipe(&r, p->method, base->d, p->nbits, &own));
    snprintf(factory, sizeof factory, "%s%s", r.factory, with_vectors ? ",RFlat" : "");
    if (with_vectors)
        snprintf(settings, sizeof settings, "k_factor_rf=%g%s", atof(p->rescore + 6) / (double)t->ask.at,
                 *p->search ? "," : "");
    snprintf(settings + strlen(settings), sizeof settings - strlen(settings), "%s", p->search);
    int rc = faiss_index_new(&index, base->d, factory, r.hamming, t->ask.metric);
    if (rc == LBH_OK)
        rc = fill_faiss(index, p, base);
    if (rc == LBH_OK) /* FAISS writes them down with the index */
        rc = lbh_float_index_set(index, settings);
    if (rc == LBH_OK && cli_interrupted())
        rc = fail_cancelled();
    if (rc == LBH_OK)
        rc = lbh_float_index_save(index, path);
    lbh_float_index_free(index);
    report_text(doc, "output", path);
    report_text(doc, "kind", "FAISS index");
    report_text(doc, "factory", factory);
    report_text(doc, "parameters", settings);
    return rc;
}

int tune_write(const tune_run *t, const tune_point *p, const vectors *base, bool whole, const char *path,
               cJSON *doc)
{
    return p->faiss ? write_faiss(t, p, base, path, doc)
                    : write_pipeline(t, p, base, whole, path, doc);
}
