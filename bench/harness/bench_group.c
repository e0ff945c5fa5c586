/* bench_group.c: what a worker does: the neighbours of a data set, or one model with all its
 * searches. See bench_worker.h. */
#define _GNU_SOURCE
#include "bench_worker.h"

#include "ann_results.h"
#include "bench_answers.h"
#include "bench_images.h"
#include "bench_measure.h"
#include "bench_model.h"
#include "result_lines.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct group_work {
    const bench_job *job;
    FILE *out;
    bench_data data;
    bench_model model;
    bench_engine engine;
    float *x;       /* all queries */
    char *size_file; /* where an index is written to see its size */
    cJSON *ranking; /* of the codes; made when the first cell wants it */
} group_work;

static int open_data(bench_data *d, const bench_job *job)
{
    bool missing;
    LBH_TRY(bench_data_open(d, &job->spec->data[0], job->data_dir, &missing));
    d->digest = job->digest;
    int rc = bench_sample(d, job->spec->what.map_queries);
    if (rc)
        bench_data_close(d);
    return rc;
}

/* ---- Neighbours ---------------------------------------------------------------------------- */

/* And images of the data as they are, and from principal components of as many bytes as codes
 * have. */
int worker_truth(const bench_job *job, FILE *out)
{
    bench_data d;
    LBH_TRY(open_data(&d, job));
    int rc = bench_truth_make(&d, &job->spec->what, job->dir);
    worker_phase(out);
    if (rc == LBH_OK && d.spec->height)
        rc = worker_line(out, images_original(&d));
    for (int i = 0; i < job->images.count && d.spec->height && rc == LBH_OK; i++)
        rc = worker_line(out, images_principal(&d, job->images.value[i]));
    bench_data_close(&d);
    return rc;
}

/* ---- Cells --------------------------------------------------------------------------------- */

/* Copies the members of `from`. */
static void merge(cJSON *o, const cJSON *from)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, from)
        cJSON_AddItemToObject(o, item->string, cJSON_Duplicate(item, 1));
}

/* What full rankings say, where the cell's ranking is one: that of all rows, by one score. */
static int add_ranking(group_work *w, const bench_cell *c, cJSON *o)
{
    const bench_engine *e = &w->engine;
    const bench_model *m = &w->model;
    int rc = LBH_OK;
    if (e->how.mode == RANK_NONE || engine_decodes_all(e))
        return measure_floats(o, &w->job->spec->what, e);
    if (e->how.mode != RANK_HAMMING || strcmp(c->index, "BFlat") != 0)
        return LBH_OK;
    if (!w->ranking) {
        w->ranking = cJSON_CreateObject();
        rc = w->ranking ? measure_codes(w->ranking, &w->data, &w->job->spec->what, m->nbits,
                                        m->code_size, m->codes, m->sample)
                        : fail_memory();
    }
    merge(o, w->ranking);
    return rc;
}

/* A shortlist is as long as the cell says, else as the longest list of answers; exhaustive search
 * by a decoder takes no shortlist. */
static spec_rescore settle_depth(const bench_spec *s, const bench_cell *c)
{
    spec_rescore how = c->how;
    if (how.mode == RANK_HAMMING || how.mode == RANK_NONE || how.depth)
        return how;
    if (how.mode == RANK_DECODER && strcmp(c->index, "BFlat") == 0)
        how.depth = -1;
    else
        for (int i = 0; i < s->what.at.count; i++)
            how.depth = s->what.at.value[i] > how.depth ? s->what.at.value[i] : how.depth;
    return how;
}

/* ---- ann-benchmarks ------------------------------------------------------------------------ */

/* What stands in the parentheses: all that tells the cell from others of its method. */
static void ann_parameters(char *text, size_t size, const cJSON *line)
{
    static const char *const names[] = {"index", "search", "rescore", "options"};
    int len = snprintf(text, size, "%.0f", result_number(line, "nbits"));
    for (int i = 0; i < 4 && len < (int)size; i++)
        if (*result_text(line, names[i]))
            len += snprintf(text + len, size - (size_t)len, ",%s", result_text(line, names[i]));
    if (len < (int)size)
        snprintf(text + len, size - (size_t)len, ",seed=%.0f", result_number(line, "seed"));
}

/* Build time holds the training, too: that is what it takes to get from vectors to an index. */
static int export_cell(const group_work *w, const cJSON *o)
{
    char parameters[512];
    const bench_data *d = &w->data;
    static const char *const steps[] = {"train_s", "encode_s", "build_s"};
    ann_args a = {w->job->ann, NULL, w->job->spec->what.answers};
    ann_run run = {.engine = &w->engine, .method = w->job->spec->method[0].method,
                   .parameters = parameters, .stem = d->spec->name,
                   .bytes = result_number(o, "index_bytes") / (double)d->base.n};
    a.k = a.k < d->near.k ? a.k : d->near.k;
    for (int i = 0; i < 3; i++)
        run.build_seconds += fmax(result_number(o, steps[i]), 0); /* NaN counts as 0 */
    ann_parameters(parameters, sizeof parameters, o);
    return ann_export(&a, &run);
}

/* Float rescoring of ours reads each vector of the best of four times as many by Hamming distance. */
static int measure(group_work *w, const bench_cell *c, cJSON *o)
{
    const lbh_shortlist list = {1, 4};
    const bench_data *d = &w->data;
    const bench_model *m = &w->model;
    bench_engine *e = &w->engine;
    merge(o, m->facts);
    LBH_TRY(engine_index(e, c->index, c->search, w->size_file));
    LBH_TRY(engine_rank(e, settle_depth(w->job->spec, c), list));
    LBH_TRY(measure_answers(o, &w->job->spec->what, e, w->x));
    LBH_TRY(add_ranking(w, c, o));
    double bytes = m->codes ? e->index_bytes : (double)m->code_size * (double)d->base.n;
    if (c->how.mode == RANK_FLOAT)
        bytes += (double)d->base.n * d->base.d * sizeof(float);
    if (c->how.mode == RANK_SQ8)
        bytes += ((double)d->base.n + 2 * sizeof(float)) * d->base.d;
    add_number(o, "index_bytes", bytes);
    if (m->codes)
        add_number(o, "build_s", e->build_s);
    return w->job->ann && d->spec->metric != BENCH_LABEL ? export_cell(w, o) : LBH_OK;
}

/* ---- The group ----------------------------------------------------------------------------- */

static int run_cell(group_work *w, const job_cell *c)
{
    cJSON *o = cJSON_Duplicate(c->line, 1);
    if (!o)
        return fail_memory();
    bench_set_date(o);
    worker_begin(w->out, c->cell.key);
    int rc = measure(w, &c->cell, o);
    if (rc == LBH_OK)
        return worker_line(w->out, o);
    cJSON_Delete(o);
    return worker_failed(w->out, c->cell.key, rc);
}

static void phase(void *out)
{
    worker_phase(out);
}

static int open_work(group_work *w)
{
    const bench_job *job = w->job;
    model_wish wish = {.method = &job->spec->method[0], .nbits = job->nbits, .seed = job->seed,
                       .key = job->model, .again = job->force, .phase = phase, .ctx = w->out};
    char *folder = NULL;
    LBH_TRY(open_data(&w->data, job));
    int rc = bench_truth_open(&w->data, &job->spec->what, job->dir);
    if (rc == LBH_OK)
        rc = bench_query_floats(&w->data, &w->x);
    worker_phase(w->out);
    if (rc == LBH_OK && asprintf(&folder, "%s/models", job->dir) < 0)
        rc = fail_memory();
    wish.folder = folder;
    if (rc == LBH_OK && asprintf(&w->size_file, "%s/index.%ld.tmp", folder, (long)getpid()) < 0)
        rc = fail_memory();
    if (rc == LBH_OK)
        rc = model_open(&w->model, &wish, &w->data);
    if (rc == LBH_OK)
        rc = model_describe(&w->model, &w->data);
    engine_open(&w->engine, &w->data, &w->model);
    free(folder);
    return rc;
}

/* Lines for people to look at, where labels say what is right. */
static int show(group_work *w)
{
    const bench_data *d = &w->data;
    const spec_method *m = &w->job->spec->method[0];
    int rc = LBH_OK;
    if (!w->model.enc || !w->model.codes || d->spec->metric != BENCH_LABEL)
        return LBH_OK;
    if (d->spec->height)
        rc = worker_line(w->out, answers_line(d, m, &w->model, w->job->nbits, w->job->seed));
    if (rc == LBH_OK && d->spec->codes)
        rc = worker_line(w->out, codes_line(d, m, &w->model, w->job->nbits, w->job->seed));
    return rc;
}

int worker_group(const bench_job *job, FILE *out)
{
    group_work w = {.job = job, .out = out};
    int rc = open_work(&w);
    for (int i = 0; i < job->ncells && rc == LBH_OK; i++)
        rc = run_cell(&w, &job->cell[i]);
    if (rc == LBH_OK && w.data.spec->height && w.model.enc && has_decoder(w.model.enc))
        rc = worker_line(out, images_rebuilt(&w.data, &job->spec->method[0], w.model.enc,
                                             job->seed));
    if (rc == LBH_OK)
        rc = show(&w);
    cJSON_Delete(w.ranking);
    engine_close(&w.engine);
    free(w.size_file);
    free(w.x);
    model_close(&w.model);
    bench_data_close(&w.data);
    return rc;
}
