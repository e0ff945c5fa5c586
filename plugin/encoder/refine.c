/* refine.c: better codes for database items, by search: lbh_encoder_encode_refined for any encoder
 * with a decoder. The equations are in core/map_codes.h, with x^ = m + b V for b in {-1,+1}:
 * V = U / 2, m = c + sum of U / 2. Where the decoder has byte tables, the search is table_codes.h's. */
#include "encoder_parts.h"
#include "linear.h"
#include "map_codes.h"
#include "table_codes.h"
#include "unit.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256, SHAKE = 50 }; /* a shake of tables' codes counts as so many flips */

typedef struct refiner {
    lbh_quadratic form;
    lbh_panels *agree; /* p = V (x - m) */
    bool cosine;       /* of x / ||x|| */
    lbh_table_search *search; /* by tables, or NULL */
    lbh_panels *axes;         /* theirs, and */
    float *shift;             /* what they make of the centre */
} refiner;

static int make_table_refiner(const lbh_encoder *enc, lbh_arena *arena, refiner *r)
{
    const lbh_tables *t = &enc->tables;
    r->shift = lbh_arena_take(arena, t->columns, sizeof *r->shift);
    if (!r->shift)
        return LBH_ENOMEM;
    LBH_TRY(lbh_panels_new(&r->axes, t->columns, t->d, t->axes, NULL));
    lbh_panels_apply(r->axes, 1, t->centre, r->shift);
    return lbh_table_search_new(&r->search, enc->nbits, t->columns, t->T);
}

static int make_refiner(const lbh_encoder *enc, lbh_arena *arena, refiner *r)
{
    int d = enc->d, L = enc->nbits;
    if (enc->tables.columns && enc->tables.nbytes <= LBH_MAX_TABLES)
        return make_table_refiner(enc, arena, r);
    float *V = lbh_arena_take(arena, (int64_t)L * d, sizeof *V);
    float *m = lbh_arena_take(arena, d, sizeof *m);
    float *shift = lbh_arena_take(arena, L, sizeof *shift);
    if (!V || !m || !shift)
        return LBH_ENOMEM;
    LBH_TRY(lbh_encoder_decoder(enc, V, m));
    lbh_signed_decoder(L, d, V, m, V, m, shift);
    for (int k = 0; k < L; k++)
        shift[k] = -shift[k];
    LBH_TRY(lbh_quadratic_new(&r->form, L, d, V));
    return lbh_panels_new(&r->agree, L, d, V, shift);
}

/* Searches from the given codes of one block of rows, of unit length already under the cosine: by
 * tables, or by a decoder that is linear in the bits. */
static int refine_by_tables(const refiner *r, int columns, int64_t n, const float *x, int iterations,
                            uint8_t *codes)
{
    float *y = lbh_alloc(n * columns, sizeof *y);
    if (!y)
        return LBH_ENOMEM;
    lbh_panels_apply(r->axes, n, x, y);
    for (int64_t i = 0; i < n * columns; i++)
        y[i] -= r->shift[i % columns];
    const lbh_table_job job = {.x = y, .patience = (iterations + SHAKE - 1) / SHAKE,
                               .codes = codes};
    int rc = lbh_table_search_some(r->search, n, &job);
    free(y);
    return rc;
}

static int refine_by_bits(const refiner *r, int L, int64_t n, const float *x, int iterations,
                          uint8_t *codes)
{
    float *p = lbh_alloc(n * L, sizeof *p), *b = lbh_alloc(n * L, sizeof *b);
    void *scratch = lbh_alloc((int64_t)lbh_map_scratch(L), 1);
    int rc = p && b && scratch ? LBH_OK : LBH_ENOMEM;
    if (!rc) {
        lbh_panels_apply(r->agree, n, x, p);
        lbh_unpack_bits(n, L, codes, b);
        for (int64_t i = 0; i < n * L; i++)
            b[i] = 2 * b[i] - 1;
        for (int64_t i = 0; i < n; i++)
            lbh_map_search(&r->form, p + i * L, NULL, iterations, b + i * L, NULL, scratch);
        lbh_pack_bits(n, L, b, codes);
    }
    free(p);
    free(b);
    free(scratch);
    return rc;
}

static int refine_block(const lbh_encoder *enc, const refiner *r, int64_t n, const float *x,
                        int iterations, uint8_t *codes)
{
    float *unit = lbh_alloc(r->cosine ? n * enc->d : 0, sizeof *unit);
    if (!unit)
        return LBH_ENOMEM;
    if (r->cosine) {
        lbh_unit_rows(n, enc->d, x, unit);
        x = unit;
    }
    int rc = r->search
                 ? refine_by_tables(r, enc->tables.columns, n, x, iterations, codes)
                 : refine_by_bits(r, enc->nbits, n, x, iterations, codes);
    free(unit);
    return rc;
}

static int refine_all(const lbh_encoder *enc, const refiner *r, int64_t n, const float *x,
                      int iterations, uint8_t *codes)
{
    int failure = LBH_OK;
    size_t size = lbh_encoder_code_size(enc);
    bool stop = false;
#pragma omp parallel for schedule(dynamic) reduction(min : failure)
    for (int64_t i = 0; i < n; i += BLOCK) {
        if (lbh_watch_stopped(&stop))
            continue;
        int64_t rows = n - i < BLOCK ? n - i : BLOCK;
        int rc = refine_block(enc, r, rows, x + i * enc->d, iterations, codes + (size_t)i * size);
        if (rc < failure)
            failure = rc;
    }
    LBH_TRY(lbh_watch_check());
    return failure ? lbh_error(failure, "%s: out of memory while searching codes",
                               enc->method->name)
                   : LBH_OK;
}

static int encode_and_refine(const lbh_encoder *enc, int64_t n, const float *x, int iterations,
                             uint8_t *codes)
{
    LBH_TRY(lbh_encoder_encode(enc, n, x, codes));
    lbh_arena arena = {0};
    refiner r = {.cosine = lbh_is_cosine(enc)};
    int rc = make_refiner(enc, &arena, &r);
    if (!rc)
        rc = refine_all(enc, &r, n, x, iterations, codes);
    lbh_arena_clear(&arena);
    lbh_table_search_free(r.search);
    lbh_panels_free(r.axes);
    lbh_panels_free(r.agree);
    lbh_quadratic_free(&r.form);
    return rc;
}

int lbh_encoder_encode_refined(const lbh_encoder *enc, int64_t n, const float *x, int iterations,
                               uint8_t *codes)
{
    if (iterations < 0)
        return lbh_error(LBH_EINVAL, "lbh_encoder_encode_refined: iterations (%d) below 0",
                         iterations);
    LBH_TRY(lbh_check_call(enc, n, x, codes));
    if (!enc->linear[LBH_BASE] && enc->method->search)
        /* The method searches already, for what its codes are scored by: let it, that long. */
        return lbh_encode_searching(enc, iterations, n, x, codes);
    lbh_watch_begin("encode", n);
    return lbh_watch_end(encode_and_refine(enc, n, x, iterations, codes));
}
