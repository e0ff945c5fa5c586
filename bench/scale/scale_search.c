/* scale_search.c: the answers, and how they compare with those of a scan of all codes. See scale.h. */
#include "scale.h"

#include "lbh_mih.h"
#include "lbh_scan.h"
#include "outfile.h"
#include "output.h"
#include "progress.h"
#include "scale_scan.h"
#include "scale_state.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- The index ------------------------------------------------------------------------------- */

typedef int (*search_fn)(void *index, size_t code_size, int64_t nq, const uint8_t *query, int64_t k,
                         int32_t *distances, int64_t *ids);

static int search_lists(void *index, size_t code_size, int64_t nq, const uint8_t *query, int64_t k,
                        int32_t *distances, int64_t *ids)
{
    return lbh_index_search_codes(index, code_size, nq, query, k, distances, ids);
}

static int search_mih(void *index, size_t code_size, int64_t nq, const uint8_t *query, int64_t k,
                      int32_t *distances, int64_t *ids)
{
    (void)code_size;
    return lbh_mih_search(index, nq, query, k, distances, ids, NULL);
}

static int search_queries(const scale *s, search_fn search, void *index, scale_answers *r)
{
    enum { BLOCK = 16384 }; /* many queries share the reading of a list */
    int rc = LBH_OK;
    for (int64_t q = 0; q < r->nq && rc == LBH_OK; q += BLOCK) {
        int64_t count = r->nq - q < BLOCK ? r->nq - q : BLOCK;
        rc = progress_tick("search", q, r->nq);
        if (rc == LBH_OK)
            rc = search(index, s->code_size, count, r->query + (size_t)q * s->code_size, r->k,
                        r->distances + q * r->k, r->ids + q * r->k);
    }
    progress_clear();
    return rc;
}

/* Twice: the first search reads from the disk what it needs. */
static int search_timed(scale *s, search_fn search, void *index, scale_answers *r)
{
    double began = cli_now();
    LBH_TRY(search_queries(s, search, index, r));
    report_seconds(s->doc, "first_search_seconds", cli_now() - began);
    scale_time again = scale_now();
    LBH_TRY(search_queries(s, search, index, r));
    double seconds = cli_now() - again.seconds;
    report_seconds(s->doc, "search_seconds", seconds);
    report_seconds(s->doc, "search_cpu_seconds", scale_now().cpu - again.cpu);
    report_number(s->doc, "queries_per_second", (double)r->nq / seconds);
    return LBH_OK;
}

static int by_lists(scale *s, scale_answers *r)
{
    FaissIndexBinary *index = NULL;
    char set[64];
    int64_t nprobe = s->a->nprobe < s->nlist ? s->a->nprobe : s->nlist;
    snprintf(set, sizeof set, "nprobe=%lld", (long long)nprobe);
    int rc = lbh_index_load_mapped(&index, scale_file_of(s, "index.faiss").path);
    if (rc == LBH_OK)
        rc = lbh_index_set(index, set);
    if (rc == LBH_OK)
        rc = lbh_index_accelerate(&index);
    if (rc == LBH_OK)
        rc = search_timed(s, search_lists, index, r);
    report_number(s->doc, "nprobe", (double)nprobe);
    lbh_index_free(index);
    return rc;
}

static int by_mih(scale *s, scale_answers *r)
{
    lbh_mih *mih = NULL;
    int rc = lbh_mih_load(&mih, scale_file_of(s, "index.mih").path);
    if (rc == LBH_OK)
        rc = search_timed(s, search_mih, mih, r);
    lbh_mih_free(mih);
    return rc;
}

/* ---- The scan -------------------------------------------------------------------------------- */

/* One query, all codes in one call: how fast memory, or the disk, gives them. */
static int scan_one(scale *s, const vectors *codes, const scale_answers *r)
{
    scale_answers one;
    double began = cli_now();
    int rc = scale_answers_new(&one, 1, r->k, r->query);
    if (rc == LBH_OK)
        rc = lbh_hamming_search(1, one.query, s->n, vectors_mapped_bytes(codes, 0), s->code_size,
                                r->k, one.distances, one.ids);
    double seconds = cli_now() - began;
    report_seconds(s->doc, "scan_one_seconds", seconds);
    report_number(s->doc, "scan_bytes_per_second", (double)s->n * (double)s->code_size / seconds);
    scale_answers_free(&one);
    return rc;
}

static int scan(scale *s, scale_answers *r)
{
    vectors codes;
    double seconds = 0, cpu = 0;
    LBH_TRY(vectors_open(&codes, scale_file_of(s, "codes.npy").path));
    int rc = LBH_OK;
    if (codes.n != s->n || codes.d != (int)s->code_size || !vectors_mapped_bytes(&codes, 0))
        rc = fail("'%s' is not what this run wrote", codes.name);
    if (rc == LBH_OK)
        rc = scale_scan(s, &codes, r, &seconds, &cpu);
    report_number(s->doc, "scan_queries", (double)r->nq);
    report_seconds(s->doc, "scan_seconds", seconds);
    report_seconds(s->doc, "scan_cpu_seconds", cpu);
    if (rc == LBH_OK)
        rc = scan_one(s, &codes, r);
    vectors_close(&codes);
    return rc;
}

/* Shares of the k answers of r that are among the nearest: by distance, where all answers as near as the
 * last of the k nearest are right, and by id. */
static void compare(scale *s, const scale_answers *r, const scale_answers *truth)
{
    int64_t near = 0, same = 0, all = 0, k = r->k;
    for (int64_t q = 0; q < truth->nq; q++) {
        const int64_t *ids = r->ids + q * k, *right = truth->ids + q * k;
        int64_t known = 0;
        while (known < k && right[known] >= 0)
            known++;
        for (int64_t i = 0; i < known; i++) {
            near += ids[i] >= 0 && r->distances[q * k + i] <= truth->distances[q * k + known - 1];
            for (int64_t j = 0; j < known; j++)
                same += ids[i] == right[j];
        }
        all += known;
    }
    report_number(s->doc, "recall", (double)near / (double)all);
    report_number(s->doc, "recall_of_ids", (double)same / (double)all);
}

static int check(scale *s, const scale_answers *r)
{
    scale_answers truth;
    int64_t nq = s->a->check < r->nq ? s->a->check : r->nq;
    if (nq == 0)
        return LBH_OK;
    int rc = scale_answers_new(&truth, nq, r->k, r->query);
    if (rc == LBH_OK)
        rc = scan(s, &truth);
    if (rc == LBH_OK)
        compare(s, r, &truth);
    scale_answers_free(&truth);
    return rc;
}

/* ---------------------------------------------------------------------------------------------- */

int scale_search(scale *s)
{
    uint8_t *query = NULL;
    scale_answers r = {0};
    int rc = encode_all(s->enc, &s->query, ENCODE_QUERIES, &query);
    if (rc == LBH_OK)
        rc = scale_answers_new(&r, s->query.n, s->a->k, query);
    report_number(s->doc, "queries", (double)s->query.n);
    report_number(s->doc, "k", (double)s->a->k);
    if (rc == LBH_OK)
        rc = s->kind == SCALE_IVF ? by_lists(s, &r) : s->kind == SCALE_MIH ? by_mih(s, &r) : scan(s, &r);
    if (rc == LBH_OK)
        rc = array_put(scale_file_of(s, "ids.npy").path, ARRAY_IDS, r.nq, r.k, r.ids);
    if (rc == LBH_OK)
        rc = array_put(scale_file_of(s, "distances.npy").path, ARRAY_INTS, r.nq, r.k, r.distances);
    if (rc == LBH_OK && s->kind != SCALE_FLAT)
        rc = check(s, &r);
    scale_answers_free(&r);
    free(query);
    return rc;
}
