/* test_sgh_pairs.c: the semi-supervised extension of SGH: which rows are related; loss and
 * gradients against enumeration of all codes and central differences in double precision. */
#include "support.h"

#include "sgh_pairs.h"
#include "sgh_step.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static double softplus(double a)
{
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

static double sigmoid(double a)
{
    return 1 / (1 + exp(-a));
}

enum { PB = 4, PL = 3, PD = 2, PCODES = 1 << (PB * PL), NKEYS = 8 };

/* A batch of 4 rows of 3 bits: 4096 codes. Parameters: W, b; the decoder is fixed. */
typedef struct pair_bench {
    sgh_pairs p;
    int64_t start[NKEYS + 1], key[NKEYS], member_start[NKEYS + 1], member[NKEYS], row[PB];
    float mid[2 * (PL + 1)], half[PL + 1], relation[PB * PB], F[PB * PL], S[PB * PB];
    double loss[2 * (PL + 1)], row_loss[PB];
    int head[NKEYS], next[PB * 4], holder[PB * 4];
    float W[PL * PD], b[PL], U[PL * PD], beta[PL], rho, x[PB * PD];
    float gW[PL * PD], gb[PL], gU[PL * PD], gbeta[PL], grho;
    float A[PB * PL], P[PB * PL], H[PB * PL], G[PB * PL], T[PB * PD], sums[PL + PD];
} pair_bench;

static void prepare_pairs(pair_bench *w, float weight)
{
    omp_set_num_threads(1); /* thousands of tiny batches */
    memset(w, 0, sizeof *w);
    w->p = (sgh_pairs){.weight = weight, .start = w->start, .key = w->key, .row = w->row,
                       .mid = w->mid, .half = w->half, .loss = w->loss, .relation = w->relation,
                       .F = w->F, .S = w->S, .row_loss = w->row_loss, .head = w->head,
                       .next = w->next, .holder = w->holder};
    for (int i = 0; i < PB * PD; i++)
        w->x[i] = (float)test_normal(41, (uint64_t)i);
    for (int i = 0; i < PL * PD; i++) {
        w->W[i] = (float)test_normal(42, (uint64_t)i);
        w->U[i] = (float)test_normal(43, (uint64_t)i);
    }
    for (int k = 0; k < PL; k++)
        w->b[k] = (float)(0.5 * test_normal(44, (uint64_t)k));
    w->rho = 0.4f;
}

/* Gives the rows 0 .. n-1 these keys; -1 ends a row's list. */
static void set_lists(pair_bench *w, int n, const int keys[][3], bool labels)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 3 && keys[i][j] >= 0; j++)
            w->key[count++] = keys[i][j];
        w->start[i + 1] = count;
    }
    w->p.n = n;
    w->p.nkeys = NKEYS;
    if (!labels)
        return;
    for (int k = 0, at = 0; k < NKEYS; k++) {
        for (int i = 0; i < n; i++)
            for (int64_t j = w->start[i]; j < w->start[i + 1]; j++)
                if (w->key[j] == k)
                    w->member[at++] = i;
        w->member_start[k + 1] = at;
    }
    w->p.member_start = w->member_start;
    w->p.member = w->member;
}

static void expect_relation(pair_bench *w, const int row[PB], const int want[PB][PB])
{
    int near = 0, apart = 0;
    for (int i = 0; i < PB; i++)
        w->row[i] = row[i];
    for (int twice = 0; twice < 2; twice++) /* the second time: nothing is left of the first */
        sgh_pairs_relate(&w->p, PB);
    for (int i = 0; i < PB; i++)
        for (int j = 0; j < PB; j++) {
            cr_assert_eq(w->relation[i * PB + j], want[i][j], "%d %d", i, j);
            near += want[i][j] == 1;
            apart += want[i][j] == 0;
        }
    cr_assert(w->p.near == near && w->p.apart == apart);
}

Test(pairs, labels_relate_rows)
{
    static pair_bench w;
    /* rows: 0 and 1 share label 2; 2 has none; 3 shares label 5 with 1; 4 has another */
    static const int keys[5][3] = {{2, -1}, {2, 5, -1}, {-1}, {5, -1}, {7, -1}};
    prepare_pairs(&w, 1);
    set_lists(&w, 5, keys, true);
    expect_relation(&w, (int[]){0, 1, 2, 3},
        (const int[PB][PB]){{-1, 1, -1, 0}, {1, -1, -1, 1}, {-1, -1, -1, -1}, {0, 1, -1, -1}});
    expect_relation(&w, (int[]){0, 0, 4, 1}, /* two draws of one row are no pair */
        (const int[PB][PB]){{-1, -1, 0, 1}, {-1, -1, 0, 1}, {0, 0, -1, 0}, {1, 1, 0, -1}});
}

Test(pairs, neighbours_relate_rows)
{
    static pair_bench w;
    /* 0 lists 1; 1 lists 3; 2 and 3 have no lists */
    static const int keys[4][3] = {{1, -1}, {3, -1}, {-1}, {-1}};
    prepare_pairs(&w, 1);
    set_lists(&w, 4, keys, false);
    expect_relation(&w, (int[]){0, 1, 2, 3},
        (const int[PB][PB]){{-1, 1, 0, 0}, {1, -1, 0, 1}, {0, 0, -1, -1}, {0, 1, -1, -1}});
    expect_relation(&w, (int[]){3, 1, 1, 0},
        (const int[PB][PB]){{-1, 1, 1, 0}, {1, -1, -1, 1}, {1, -1, -1, 1}, {0, 1, 1, -1}});
}

static double logit(const pair_bench *w, const double *theta, int i, int k)
{
    double a = theta[PL * PD + k];
    for (int j = 0; j < PD; j++)
        a += theta[k * PD + j] * w->x[i * PD + j];
    return a;
}

static double joint_probability(const pair_bench *w, const double *theta, int code)
{
    double q = 1;
    for (int i = 0; i < PB; i++)
        for (int k = 0; k < PL; k++) {
            double p = sigmoid(logit(w, theta, i, k));
            q *= code >> (i * PL + k) & 1 ? p : 1 - p;
        }
    return q;
}

/* The definition: B / 2 (mean over near pairs + mean over pairs apart), each pair once. */
static double pairs_by_definition(const pair_bench *w, int code)
{
    double sum[2] = {0, 0};
    int count[2] = {0, 0};
    for (int i = 0; i < PB; i++)
        for (int j = 0; j < i; j++) {
            int y = (int)w->relation[i * PB + j];
            double s = 0;
            if (y < 0)
                continue;
            for (int k = 0; k < PL; k++) {
                int f = code >> (i * PL + k) & 1, g = code >> (j * PL + k) & 1;
                s += (f == g ? 1 : -1) / sqrt(PL);
            }
            sum[y] += softplus(s) - y * s;
            count[y]++;
        }
    return w->p.weight * PB / 2 *
           ((count[0] ? sum[0] / count[0] : 0) + (count[1] ? sum[1] / count[1] : 0));
}

/* Expected loss of the pairs over all codes of the batch, by which bits the rows' parts take. */
static double expected_pairs(const pair_bench *w, const double *theta)
{
    double total = 0;
    for (int code = 0; code < PCODES; code++)
        total += joint_probability(w, theta, code) * pairs_by_definition(w, code);
    return total;
}

/* Gradients at a forced code, with or without the pairs. */
static double pair_gradient(sgh_config cfg, pair_bench *w, int code, bool with)
{
    sgh_params p = {w->W, w->b, w->U, NULL, NULL, w->beta, &w->rho};
    sgh_params g = {w->gW, w->gb, w->gU, NULL, NULL, w->gbeta, &w->grho};
    sgh_batch batch = {w->A, w->P, w->H, w->G, w->T, w->sums};
    float noise[PB * PL];
    double rec;
    for (int i = 0; i < PB * PL; i++)
        noise[i] = code >> i & 1 ? 0 : 1;
    cfg.pairs = with ? &w->p : NULL;
    sgh_gradients(&cfg, &p, PB, w->x, noise, &batch, &g, &rec);
    return sgh_loss(&cfg, &p, PB, &batch, rec);
}

/* What the pairs add to the mean gradients of W and b over all codes. */
static void added_by_pairs(sgh_config cfg, pair_bench *w, const double *theta, double *added)
{
    enum { SIZE_P = PL * PD + PL };
    memset(added, 0, SIZE_P * sizeof *added);
    for (int code = 0; code < PCODES; code++) {
        double q = joint_probability(w, theta, code), loss[2];
        for (int with = 0; with < 2; with++) {
            loss[with] = pair_gradient(cfg, w, code, with);
            for (int i = 0; i < SIZE_P; i++)
                added[i] += (with ? q : -q) * (i < PL * PD ? w->gW[i] : w->gb[i - PL * PD]);
        }
        double want = pairs_by_definition(w, code);
        cr_assert_float_eq(loss[1] - loss[0], want, 1e-5 * (1 + fabs(loss[1])));
    }
}

static void prepare_theta(const pair_bench *w, double *theta)
{
    for (int i = 0; i < PL * PD; i++)
        theta[i] = w->W[i];
    for (int k = 0; k < PL; k++)
        theta[PL * PD + k] = w->b[k];
}

static void check_pairs(sgh_coding coding, bool labels)
{
    static pair_bench w;
    static const int by_label[4][3] = {{0, 1, -1}, {1, -1}, {2, -1}, {0, 2, -1}};
    static const int by_row[4][3] = {{1, -1}, {-1}, {-1}, {0, 1, -1}};
    double theta[PL * PD + PL], added[PL * PD + PL];
    sgh_config cfg = {.d = PD, .nbits = PL, .coding = coding, .decoder = SGH_BASIC,
                      .estimator = SGH_UNBIASED};
    prepare_pairs(&w, 3);
    set_lists(&w, 4, labels ? by_label : by_row, labels);
    for (int i = 0; i < PB; i++)
        w.row[i] = i;
    sgh_pairs_relate(&w.p, PB);
    sgh_pairs_tables(&w.p, PL, SGH_UNBIASED);
    prepare_theta(&w, theta);
    added_by_pairs(cfg, &w, theta, added);
    for (int i = 0; i < PL * PD + PL; i++) {
        double old = theta[i], step = 1e-5;
        theta[i] = old + step;
        double up = expected_pairs(&w, theta);
        theta[i] = old - step;
        double down = expected_pairs(&w, theta);
        theta[i] = old;
        double difference = (up - down) / (2 * step);
        cr_assert_float_eq(added[i], difference, 3e-5 * (1 + fabs(difference)),
                           "coding %d, parameter %d: %g and %g", coding, i, added[i], difference);
    }
}

Test(pairs, unbiased_gradient_and_loss_equal_enumeration)
{
    for (int coding = 0; coding < 2; coding++)
        for (int labels = 0; labels < 2; labels++)
            check_pairs((sgh_coding)coding, labels);
}

/* At a code: d(logit) = p (1-p) times 2 dl/df, dl/df of the definition with f a real number. */
Test(pairs, biased_gradient_is_the_derivative_by_the_code)
{
    static pair_bench w;
    static const int by_label[4][3] = {{0, 1, -1}, {1, -1}, {2, -1}, {0, 2, -1}};
    sgh_config cfg = {.d = PD, .nbits = PL, .coding = SGH_CODING_PM1, .decoder = SGH_BASIC};
    prepare_pairs(&w, 3);
    set_lists(&w, 4, by_label, true);
    for (int i = 0; i < PB; i++)
        w.row[i] = i;
    sgh_pairs_relate(&w.p, PB);
    sgh_pairs_tables(&w.p, PL, SGH_BIASED);
    for (int code = 0; code < PCODES; code += 37) {
        float without[PB * PL];
        pair_gradient(cfg, &w, code, false);
        memcpy(without, w.G, sizeof without);
        pair_gradient(cfg, &w, code, true);
        for (int i = 0; i < PB; i++)
            for (int k = 0; k < PL; k++) {
                double want = 0, p = w.P[i * PL + k];
                for (int j = 0; j < PB; j++) {
                    double s = 0, y = w.relation[i * PB + j];
                    int count = (int)(y > 0 ? w.p.near : w.p.apart) / 2;
                    for (int l = 0; l < PL; l++)
                        s += (double)w.H[i * PL + l] * w.H[j * PL + l] / sqrt(PL);
                    if (y >= 0)
                        want += 3.0 * PB / 2 / count * (sigmoid(s) - y) *
                                w.H[j * PL + k] / sqrt(PL);
                }
                want *= 2 * p * (1 - p);
                cr_assert_float_eq(w.G[i * PL + k] - without[i * PL + k], want, 3e-5);
            }
    }
}
