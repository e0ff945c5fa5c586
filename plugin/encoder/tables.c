/* tables.c: the decoder by byte tables of a trained encoder (byte_tables.h): when there is
 * one and how it is learned. Option `rebuild`:
 *
 *   linear  the method's own decoder, linear in the bits
 *   tables  tables, shrunk towards the linear decoder
 *   auto    tables, if they rebuild rows left out better by more than 0.5 % */
#include "blas.h"
#include "encoder_parts.h"
#include "linalg.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 100000, PCA_ROWS = 20000 };
enum { MIN_COLUMNS = 128, COLUMNS_PER_BIT = 2 };
enum { AUTO_ROWS = 1000, AUTO_BITS = 512 }; /* auto: fewer rows or more bits stay linear */

static const double AUTO_GAIN = 0.005;

/* ---- Learning ------------------------------------------------------------------------------ */

/* The leading principal components of rows X[n * d], which are centred. */
static int find_axes(lbh_training *t, int64_t n, const float *X, lbh_tables *s)
{
    float *variance = lbh_scratch_f(t, 1, s->columns);
    if (!variance)
        return LBH_ENOMEM;
    if (s->columns == s->d) {
        for (int j = 0; j < s->d; j++)
            s->axes[(int64_t)j * s->d + j] = 1;
        return LBH_OK;
    }
    uint64_t seed = (uint64_t)t->enc->common[LBH_OPT_SEED];
    return lbh_pca(n < PCA_ROWS ? n : PCA_ROWS, s->d, X, s->columns, seed, s->axes, variance);
}

/* The linear decoder as tables. */
static int from_linear(lbh_training *t, lbh_tables *s)
{
    const lbh_encoder *enc = t->enc;
    int L = enc->nbits, d = enc->d, r = s->columns;
    float *U = lbh_scratch_f(t, L, d), *c = lbh_scratch_f(t, 1, d), *V = lbh_scratch_f(t, L + 1, r);
    if (!U || !c || !V)
        return LBH_ENOMEM;
    LBH_TRY(lbh_encoder_decoder(enc, U, c));
    lbh_gemm_nt(L, r, d, 1, U, s->axes, 0, V);
    float *shift = V + (int64_t)L * r;
    lbh_tables_project(s, c, shift);
    for (int64_t i = 0; i < (int64_t)s->nbytes * LBH_TABLE; i++) {
        int first = (int)(i / LBH_TABLE) * 8;
        for (int k = 0; k < r; k++) {
            float sum = first == 0 ? shift[k] : 0;
            for (int bit = 0; bit < 8 && first + bit < L; bit++)
                sum += i >> bit & 1 ? V[(int64_t)(first + bit) * r + k] : 0;
            s->T[i * r + k] = sum;
        }
    }
    return LBH_OK;
}

/* R[n * columns]: what the tables leave of rows X, which are centred. */
static void residuals(const lbh_tables *s, int64_t n, const float *X, const uint8_t *codes, float *R)
{
    lbh_gemm_nt((int)n, s->columns, s->d, 1, X, s->axes, 0, R);
    lbh_tables_subtract(s, n, codes, R);
}

static int learn_tables(lbh_training *t, lbh_tables *s, double *error)
{
    int64_t n;
    float *X;
    LBH_TRY(lbh_sample_rows(t, MAX_ROWS, &n, &X));
    float *R = lbh_scratch_f(t, n, s->columns);
    uint8_t *codes = lbh_scratch(t, n, (size_t)s->nbytes);
    if (!R || !codes)
        return LBH_ENOMEM;
    LBH_TRY(lbh_encoder_encode(t->enc, n, X, codes));
    lbh_centre(n, s->d, X, s->centre);
    LBH_TRY(find_axes(t, n, X, s));
    LBH_TRY(from_linear(t, s));
    residuals(s, n, X, codes, R);
    return lbh_tables_fit(s, n, codes, R, error);
}

int lbh_train_tables(lbh_encoder *enc, lbh_training *t)
{
    int how = (int)enc->common[LBH_OPT_REBUILD], d = enc->d;
    bool hopeless = t->n < AUTO_ROWS || enc->nbits > AUTO_BITS || t->stop;
    if (!enc->method->decoder || how == LBH_REBUILD_LINEAR ||
        how == LBH_REBUILD_GENERATOR ||
        (how == LBH_REBUILD_AUTO && hopeless) || enc->tables.columns)
        return LBH_OK;
    int wanted = COLUMNS_PER_BIT * enc->nbits > MIN_COLUMNS ? COLUMNS_PER_BIT * enc->nbits
                                                            : MIN_COLUMNS;
    lbh_tables s;
    double error[2];
    LBH_TRY(lbh_tables_new(&s, (int)lbh_encoder_code_size(enc), wanted < d ? wanted : d, d));
    int rc = learn_tables(t, &s, error);
    if (rc || (how == LBH_REBUILD_AUTO && !(error[1] < (1 - AUTO_GAIN) * error[0])))
        lbh_tables_clear(&s);
    else
        enc->tables = s;
    return rc;
}

/* ---- Access -------------------------------------------------------------------------------- */

int lbh_encoder_has_tables(const lbh_encoder *enc)
{
    return enc && enc->tables.columns > 0;
}

/* All 256 sums of the rows that byte j has; bits beyond nbits add nothing. */
static void fill_codebook(int j, int d, int nbits, const float *U, const float *c, float *book)
{
    if (j == 0)
        memcpy(book, c, (size_t)d * sizeof *book);
    else
        memset(book, 0, (size_t)d * sizeof *book);
    for (int bit = 0; bit < 8; bit++)
        for (int v = 1 << bit; v < 2 << bit; v++) {
            const float *rest = book + (int64_t)(v - (1 << bit)) * d;
            const float *row = U + (int64_t)(8 * j + bit) * d;
            int used = 8 * j + bit < nbits;
            for (int i = 0; i < d; i++)
                book[(int64_t)v * d + i] = rest[i] + (used ? row[i] : 0);
        }
}

int lbh_encoder_codebooks(const lbh_encoder *enc, float *books)
{
    LBH_TRY(lbh_check_call(enc, 1, books, books));
    if (enc->tables.columns) {
        lbh_tables_expand(&enc->tables, books);
        return LBH_OK;
    }
    int d = enc->d, m = (int)lbh_encoder_code_size(enc);
    float *U = lbh_alloc(8 * (int64_t)m * d, sizeof *U), *c = lbh_alloc(d, sizeof *c);
    int rc = U && c ? lbh_encoder_decoder(enc, U, c) : LBH_ENOMEM;
    for (int j = 0; j < m && !rc; j++)
        fill_codebook(j, d, enc->nbits, U, c, books + (int64_t)j * LBH_TABLE * d);
    free(U);
    free(c);
    return rc;
}
