/* hamming_scan.c: one task of a Hamming search: a block of queries against a slice of the codes.
 *
 * A search for many begins with the bar that a sample of the codes suggests: without it, most of
 * what is collected is thrown away again, and of codes at the limit the ids have to be looked at.
 * (Where k is small, hamming_first.c does better.) Where a share f of the codes is sampled, about f
 * k of the sample are answers; three standard
 * deviations more make the bar high enough nearly always. Queries that found fewer than k below
 * their bar search again without one. */
#include "hamming_run.h"

#include "profile.h"
#include "topk.h"
#include "watch.h"

#include <math.h>
#include <string.h>

enum {
    QUERY_BITS = 24, /* of the number of a query within a block */
    ROUND = 64,      /* slices begin at multiples of it */
    MANY = 50,       /* answers: worth a look at one in SPARSE codes before, or at more of few */
    SPARSE = 64,
    DENSE = 8,
    LIST_MANY = 10,  /* the same for lists, where what is thrown away costs more */
    LIST_SPARSE = 32,
    DONE = -1,       /* an end: not to be scanned with */
    PIECE = 1 << 26, /* of codes times queries, in bytes, between two looks at whether to stop, ... */
    RANGE_PIECE = 1 << 22, /* and where all of them may be answers, which are kept */
    TRIAL = 1 << 18, /* bytes of a piece to try a way of reading on, and ... */
    TRIALS = 8,      /* how many of them */
};

static void load_queries(lbh_hamming_task *r, int64_t first, int64_t count, uint64_t *query)
{
    memset(query, 0, (size_t)(count * r->words) * sizeof *query);
    for (int64_t i = 0; i < count; i++)
        memcpy(query + i * r->words, r->h->queries + (size_t)(first + i) * r->h->code_size,
               r->h->code_size);
}

/* Begin of slice `slice` of n codes. */
static int64_t slice_begin(lbh_hamming_task *r, int64_t n, int64_t slice)
{
    int64_t size = lbh_divide_up(lbh_divide_up(n, r->nslices), ROUND) * ROUND;
    return lbh_smaller(n, slice * size);
}

/* Scans codes begin .. end-1 with the queries of w->scan. */
static void scan_run(lbh_hamming_task *r, lbh_scan *s, int64_t begin, int64_t end,
                     const uint8_t *codes, const int64_t *ids)
{
    int64_t bytes = r->h->k ? PIECE : RANGE_PIECE;
    int64_t piece = bytes / ((int64_t)s->code_size * (s->nq + 1) * ROUND) * ROUND + ROUND;
    for (int64_t at = begin; at < end && !lbh_watch_stopped(&r->stop); at += piece) {
        s->first = at;
        s->ids = ids ? ids + at : NULL;
        r->scan(s, lbh_smaller(piece, end - at), codes + (size_t)at * s->code_size);
    }
}

/* The same for codes of the array. Few queries wait for memory, and whether it comes sooner to those
 * who ask ahead is up to the processor: Zen 5 reads up to 40 % faster so, Zen 4 up to 25 % slower. So the
 * first pieces of many codes are read in both ways by turns, and the rest as was the quickest of them. */
static void scan_array(lbh_hamming_task *r, lbh_scan *s, int64_t begin, int64_t end)
{
    const int64_t piece = TRIAL / ((int64_t)s->code_size * ROUND) * ROUND + ROUND;
    double best[2] = {INFINITY, INFINITY};
    if (s->nq < LBH_SCAN_FEW && (end - begin) / piece > 4 * TRIALS) {
        for (int t = 0; t < TRIALS; t++, begin += piece) {
            double began = lbh_now();
            s->ahead = t % 2 ? 0 : LBH_SCAN_AHEAD;
            s->next = r->h->codes + (size_t)(begin + piece) * s->code_size;
            scan_run(r, s, begin, begin + piece, r->h->codes, NULL);
            best[t % 2] = fmin(best[t % 2], lbh_now() - began);
        }
        s->ahead = best[1] < best[0] ? 0 : LBH_SCAN_AHEAD;
        s->next = NULL;
    }
    scan_run(r, s, begin, end, r->h->codes, NULL);
    s->ahead = LBH_SCAN_AHEAD;
}

/* Pairs (list, query) of a block, lists rising. */
static int64_t sort_pairs(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t first,
                          int64_t count)
{
    const lbh_hamming *h = r->h;
    int64_t npairs = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < h->nprobe; j++) {
            int64_t list = h->which[(first + i) * h->nprobe + j];
            if (list >= 0 && h->lists[list].n > 0)
                w->pair[npairs++] = (uint64_t)list << QUERY_BITS | (uint64_t)i;
        }
    if (count > 1)
        lbh_sort_keys(npairs, w->pair, w->pair_scratch);
    return npairs;
}

/* Makes all queries of the block those of w->scan. */
static void start_block(lbh_hamming_worker *w, int64_t count)
{
    lbh_scan *s = &w->scan;
    for (s->nq = 0; s->nq < count; s->nq++) {
        s->collector[s->nq] = w->collector[s->nq];
        s->bar[s->nq] = w->collector[s->nq]->bar;
    }
}

/* How many answers a sample ought to hold that `expected` are likely in. */
static int64_t enough(double expected)
{
    return (int64_t)(expected + 3 * sqrt(expected) + 2);
}

/* ---- One array ------------------------------------------------------------------------------ */

static void guess_ends(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t count,
                       int64_t begin, int64_t end, int64_t sparse)
{
    int64_t k = enough((double)r->kept / (double)sparse);
    for (int64_t i = 0; i < count; i++)
        lbh_collector_start(w->collector[i], k, lbh_hamming_ordered(r->h), r->nbits, (int32_t)r->nbits + 1);
    start_block(w, count);
    for (int64_t at = begin; at + ROUND <= end; at += ROUND * sparse)
        scan_run(r, &w->scan, at, at + ROUND, r->h->codes, NULL);
    for (int64_t i = 0; i < count; i++) {
        lbh_collector *c = w->collector[i];
        w->end[i] = lbh_smaller(c->limit, r->nbits) + 1;
        lbh_collector_start(c, r->kept, lbh_hamming_ordered(r->h), r->nbits, (int32_t)w->end[i]);
    }
}

/* Searches again, without a guess, for the queries that found fewer than k below it. */
static void try_again(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t count,
                      int64_t begin, int64_t end)
{
    lbh_scan *s = &w->scan;
    s->nq = 0;
    for (int64_t i = 0; i < count; i++) {
        lbh_collector *c = w->collector[i];
        if (c->limit < w->end[i] || w->end[i] > r->nbits)
            continue;
        lbh_collector_start(c, r->kept, lbh_hamming_ordered(r->h), r->nbits, (int32_t)r->nbits + 1);
        memmove(s->query + s->nq * r->words, s->query + i * r->words,
                (size_t)r->words * sizeof *s->query);
        s->collector[s->nq] = c;
        s->bar[s->nq++] = c->bar;
    }
    if (s->nq > 0)
        scan_array(r, s, begin, end);
}

/* How many of the first codes are done with. */
static int64_t scan_first(lbh_hamming_task *r, lbh_scan *s, int64_t begin, int64_t end)
{
    s->first = begin;
    s->ids = NULL;
    return r->first(s, end - begin, r->h->codes + (size_t)begin * s->code_size, r->kept);
}

void lbh_scan_array(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t first, int64_t count,
                    int64_t slice)
{
    int64_t begin = slice_begin(r, r->h->n, slice), end = slice_begin(r, r->h->n, slice + 1);
    int64_t sparse = r->kept >= MANY ? SPARSE : 0;
    while (sparse >= DENSE && (end - begin) / sparse < 2 * r->kept)
        sparse /= 2;
    bool guess = sparse >= DENSE;
    load_queries(r, first, count, w->scan.query);
    if (guess)
        guess_ends(r, w, count, begin, end, sparse);
    start_block(w, count);
    if (!guess && r->kept > 0 && r->first)
        begin += scan_first(r, &w->scan, begin, end);
    scan_array(r, &w->scan, begin, end);
    if (guess)
        try_again(r, w, count, begin, end);
}

/* ---- Lists ---------------------------------------------------------------------------------- */

static int64_t list_of(uint64_t pair)
{
    return (int64_t)(pair >> QUERY_BITS);
}

static int64_t query_of(uint64_t pair)
{
    return (int64_t)(pair & ((UINT64_C(1) << QUERY_BITS) - 1));
}

/* Makes the queries of the pairs from p on that name one list, and are not done, those of w->scan;
 * returns the pair after them. */
static int64_t gather_queries(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t npairs,
                              int64_t p)
{
    lbh_scan *s = &w->scan;
    int64_t list = list_of(w->pair[p]);
    for (s->nq = 0; p < npairs && list_of(w->pair[p]) == list; p++) {
        int64_t i = query_of(w->pair[p]);
        if (w->end[i] == DONE)
            continue;
        lbh_collector *c = w->collector[i];
        if (s->nq > 0 && s->collector[s->nq - 1] == c)
            break; /* the query names this list twice, and meets it twice */
        memcpy(s->query + s->nq * r->words, w->query + i * r->words,
               (size_t)r->words * sizeof *s->query);
        s->bar[s->nq] = c->bar;
        s->collector[s->nq++] = c;
    }
    return p;
}

/* The first 64 of every 2,048 codes. */
static void scan_sample(lbh_hamming_task *r, lbh_scan *s, int64_t begin, int64_t end,
                        const lbh_code_list *l)
{
    for (int64_t at = begin; at + ROUND <= end; at += ROUND * LIST_SPARSE)
        scan_run(r, s, at, at + ROUND, l->codes, l->ids);
}

static int64_t sample_size(int64_t n)
{
    int64_t whole = ROUND * LIST_SPARSE;
    return (n / whole + (n % whole >= ROUND)) * ROUND;
}

static void scan_pairs(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t npairs,
                       int64_t slice, bool sample)
{
    lbh_scan *s = &w->scan;
    for (int64_t p = 0; p < npairs;) {
        const lbh_code_list *l = &r->h->lists[list_of(w->pair[p])];
        int64_t begin = slice_begin(r, l->n, slice), end = slice_begin(r, l->n, slice + 1);
        p = gather_queries(r, w, npairs, p);
        s->next = p < npairs ? r->h->lists[list_of(w->pair[p])].codes : NULL;
        if (s->nq == 0)
            continue;
        if (!sample)
            scan_run(r, s, begin, end, l->codes, l->ids);
        else
            scan_sample(r, s, begin, end, l);
    }
}

static void start_again(lbh_hamming_task *r, lbh_collector *c, int64_t k, int64_t end)
{
    lbh_collector_start(c, k, false, r->nbits, (int32_t)end);
}

/* Sets w->end, and starts the collectors below it. Among lists, codes at the end count as well. */
static void guess_list_ends(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t count,
                            int64_t npairs, int64_t slice)
{
    memset(w->met, 0, (size_t)count * sizeof *w->met);
    memset(w->sampled, 0, (size_t)count * sizeof *w->sampled);
    for (int64_t p = 0; p < npairs; p++) {
        int64_t i = query_of(w->pair[p]), n = r->h->lists[list_of(w->pair[p])].n;
        n = slice_begin(r, n, slice + 1) - slice_begin(r, n, slice);
        w->met[i] += n;
        w->sampled[i] += sample_size(n);
    }
    for (int64_t i = 0; i < count; i++) {
        bool guess = w->met[i] / 8 >= r->kept && w->sampled[i] > 0;
        double share = guess ? (double)w->sampled[i] / (double)w->met[i] : 0;
        w->end[i] = guess ? 0 : DONE;
        if (guess)
            start_again(r, w->collector[i], lbh_smaller(enough(share * (double)r->kept), r->kept),
                        r->nbits + 1);
    }
    scan_pairs(r, w, npairs, slice, true);
    for (int64_t i = 0; i < count; i++) {
        lbh_collector *c = w->collector[i];
        w->end[i] = w->end[i] == DONE ? r->nbits + 1 : c->limit;
        start_again(r, c, r->kept, w->end[i]);
    }
}

/* Leaves to be scanned those queries alone that found fewer than k; returns whether there are. */
static bool keep_failures(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t count)
{
    bool any = false;
    for (int64_t i = 0; i < count; i++) {
        bool failed = w->collector[i]->count < r->kept && w->end[i] <= r->nbits;
        w->end[i] = failed ? r->nbits + 1 : DONE;
        any = any || failed;
        if (failed)
            start_again(r, w->collector[i], r->kept, r->nbits + 1);
    }
    return any;
}

void lbh_scan_lists(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t first, int64_t count,
                    int64_t slice)
{
    bool guess = r->kept >= LIST_MANY;
    int64_t npairs = sort_pairs(r, w, first, count);
    load_queries(r, first, count, w->query);
    if (guess)
        guess_list_ends(r, w, count, npairs, slice);
    else
        memset(w->end, 0, (size_t)count * sizeof *w->end);
    scan_pairs(r, w, npairs, slice, false);
    if (guess && keep_failures(r, w, count))
        scan_pairs(r, w, npairs, slice, false);
}
