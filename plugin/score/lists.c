/* lists.c: codes that lie in lists, of which each query visits some, all ranked by the decoder's score.
 *
 * Norms are computed once a call for each list that is visited; then every query goes through its
 * lists, with tables of its own. Equal scores come by rising id: what is kept of a query are scores
 * with ids, and those behind the k best are cut off whenever there is no room for more. */
#include "rescorer.h"

#include "watch.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { SPARE = 1024 };

typedef struct found {
    float score;
    int64_t id;
} found;

typedef struct lists_job {
    const lbh_rescorer *r;
    const lbh_code_lists *lists;
    int64_t nq, nprobe, k;
    const float *q;
    const int64_t *probe;
    float **norm; /* of each list that is visited; NULL for inner products */
    float *distances;
    int64_t *labels;
} lists_job;

/* One thread's memory, and its query's best so far. */
typedef struct worker {
    lbh_block_scores s;
    found *best;
    int64_t count, most;
    float bar; /* a score above it is of none of the k best */
} worker;

static int worker_new(worker *w, const lists_job *s)
{
    int64_t all = 0;
    for (int64_t i = 0; i < s->lists->n && all < s->k; i++)
        all += s->lists->size[i];
    w->most = 2 * (s->k < all ? s->k : all) + SPARE;
    w->best = lbh_alloc(w->most, sizeof *w->best);
    int rc = lbh_block_scores_new(&w->s, s->r);
    return w->best ? rc : LBH_ENOMEM;
}

static void workers_free(worker *w, int count)
{
    for (int t = 0; w && t < count; t++) {
        lbh_block_scores_free(&w[t].s);
        free(w[t].best);
    }
    free(w);
}

/* ---- Norms --------------------------------------------------------------------------------- */

static void free_norms(lists_job *s)
{
    for (int64_t i = 0; s->norm && i < s->lists->n; i++)
        free(s->norm[i]);
    free(s->norm);
}

/* norm[i] becomes room for the norms of each list that a query visits. */
static int norms_room(lists_job *s)
{
    s->norm = calloc((size_t)(s->lists->n > 0 ? s->lists->n : 1), sizeof *s->norm);
    if (!s->norm)
        return lbh_error(LBH_ENOMEM, "out of memory for a search");
    for (int64_t i = 0; i < s->nq * s->nprobe; i++) {
        int64_t list = s->probe[i];
        if (list < 0 || s->norm[list] || s->lists->size[list] == 0)
            continue;
        s->norm[list] = lbh_alloc(s->lists->size[list], sizeof **s->norm);
        if (!s->norm[list])
            return LBH_ENOMEM;
    }
    return LBH_OK;
}

static int compute_norms(lists_job *s)
{
    if (s->r->metric == LBH_METRIC_IP)
        return LBH_OK;
    LBH_TRY(norms_room(s));
    bool stop = false;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < s->lists->n; i++)
        if (s->norm[i] && !lbh_watch_stopped(&stop))
            lbh_decoder_score_norms(&s->r->decoder, s->lists->size[i], s->lists->codes[i],
                                    s->norm[i]);
    return lbh_watch_check();
}

/* ---- Scores -------------------------------------------------------------------------------- */

static int compare_found(const void *a, const void *b)
{
    const found *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static void sort_best(worker *w, int64_t k)
{
    qsort(w->best, (size_t)w->count, sizeof *w->best, compare_found);
    if (w->count < k)
        return;
    w->count = k;
    w->bar = w->best[k - 1].score;
}

static void add_scores(worker *w, int64_t k, int64_t n, const int64_t *ids)
{
    for (int64_t i = 0; i < n; i++) {
        if (w->s.score[i] > w->bar || ids[i] < 0)
            continue;
        if (w->count == w->most)
            sort_best(w, k);
        w->best[w->count++] = (found){w->s.score[i], ids[i]};
    }
}

static void visit_list(const lists_job *s, worker *w, int64_t list)
{
    const lbh_rescorer *r = s->r;
    int64_t size = s->lists->size[list];
    const float *norms = s->norm ? s->norm[list] : NULL;
    for (int64_t first = 0; first < size; first += LBH_DECODED_BLOCK) {
        int64_t n = size - first < LBH_DECODED_BLOCK ? size - first : LBH_DECODED_BLOCK;
        lbh_block_scores_fill(&w->s, r, &w->s.table, n, s->lists->codes[list] + first * r->nbytes,
                              norms ? norms + first : NULL);
        add_scores(w, s->k, n, s->lists->ids[list] + first);
    }
}

static void search_query(const lists_job *s, worker *w, int64_t i)
{
    const lbh_rescorer *r = s->r;
    bool falling = r->metric != LBH_METRIC_L2;
    w->count = 0;
    w->bar = INFINITY;
    lbh_decoder_score_fill(&r->decoder, 1, s->q + i * r->enc->d, w->s.room, &w->s.table);
    for (int64_t j = 0; j < s->nprobe; j++)
        if (s->probe[i * s->nprobe + j] >= 0)
            visit_list(s, w, s->probe[i * s->nprobe + j]);
    sort_best(w, s->k);
    for (int64_t j = 0; j < s->k; j++) {
        float score = j < w->count ? w->best[j].score : FLT_MAX;
        s->distances[i * s->k + j] = falling ? 0.0f - score : score;
        s->labels[i * s->k + j] = j < w->count ? w->best[j].id : -1;
    }
}

/* ---- The call ------------------------------------------------------------------------------ */

static int check_call(const lbh_rescorer *r, const lbh_code_lists *lists, int64_t nq, const float *q,
                      int64_t nprobe, const int64_t *probe, int64_t k, const float *distances,
                      const int64_t *labels)
{
    static const char name[] = "lbh_rescorer_search_lists";
    if (!r || !lists || (nq > 0 && (!q || !probe || !distances || !labels)) ||
        (lists->n > 0 && (!lists->size || !lists->codes)) || (lists->n != 1 && !lists->ids))
        return lbh_error(LBH_EINVAL, "%s: a NULL argument", name);
    if (r->mode != LBH_RESCORE_DECODER)
        return lbh_error(LBH_EINVAL, "%s: for LBH_RESCORE_DECODER alone", name);
    if (nq < 0 || nprobe < 1 || k < 1)
        return lbh_error(LBH_EINVAL, "%s: nq (%lld) must be at least 0, nprobe (%lld) and k (%lld) 1",
                         name, (long long)nq, (long long)nprobe, (long long)k);
    for (int64_t i = 0; i < nq * nprobe; i++)
        if (probe[i] >= lists->n)
            return lbh_error(LBH_EINVAL, "%s: a query visits list %lld, but there are %lld", name,
                             (long long)probe[i], (long long)lists->n);
    return lbh_decoder_score_check(&r->decoder, r->enc->method->name, nq, q);
}

static int search(lists_job *s)
{
    int threads = omp_get_max_threads(), rc = LBH_OK;
    bool stop = false;
    worker *w = calloc((size_t)threads, sizeof *w);
    if (!w)
        return lbh_error(LBH_ENOMEM, "out of memory for a search");
    for (int t = 0; t < threads && !rc; t++)
        rc = worker_new(&w[t], s);
    if (!rc) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (s->nq > 1)
        for (int64_t i = 0; i < s->nq; i++)
            if (!lbh_watch_stopped(&stop))
                search_query(s, &w[omp_get_thread_num()], i);
        rc = lbh_watch_check();
    }
    workers_free(w, threads);
    return rc;
}

int lbh_rescorer_search_lists(const lbh_rescorer *r, const lbh_code_lists *lists, int64_t nq,
                              const float *q, int64_t nprobe, const int64_t *probe, int64_t k,
                              float *distances, int64_t *labels)
{
    LBH_TRY(check_call(r, lists, nq, q, nprobe, probe, k, distances, labels));
    lists_job s = {.r = r, .lists = lists, .nq = nq, .nprobe = nprobe, .k = k, .q = q,
                   .probe = probe, .distances = distances, .labels = labels};
    if (nq == 0)
        return LBH_OK;
    if (!lists->ids)
        return lbh_encoder_search_decoded(r->enc, r->metric, lists->size[0], lists->codes[0], nq, q, k,
                                          distances, labels);
    lbh_watch_begin("search", nq);
    int rc = compute_norms(&s);
    if (!rc)
        rc = search(&s);
    free_norms(&s);
    return lbh_watch_end(rc);
}
