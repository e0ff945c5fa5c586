/* test_graph_hashing.c: agh and dgh against a dense solve of their graph, enumeration of codes, and
 * what their papers claim of MNIST. */
#include "support.h"

#include "dgh.h"
#include "lbh.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

static lbh_encoder *trained(const char *method, const char *options, int64_t n, int d, int nbits,
                            const float *x)
{
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, method, d, nbits));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train(enc, n, x));
    return enc;
}

/* ---- AGH: all rows are anchors, so that the graph is known ---------------------------------- */

enum { N = 60, D = 5, NEAR = 4 };

static double squared_distance(const float *a, const float *b)
{
    double sum = 0;
    for (int j = 0; j < D; j++)
        sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sum;
}

/* The NEAR nearest rows of q, nearest first. */
static void nearest(const float *x, const float *q, int *who)
{
    bool taken[N] = {0};
    for (int k = 0; k < NEAR; k++) {
        who[k] = -1;
        for (int i = 0; i < N; i++)
            if (!taken[i] && (who[k] < 0 || squared_distance(x + i * D, q) <
                                                squared_distance(x + who[k] * D, q)))
                who[k] = i;
        taken[who[k]] = true;
    }
}

static double mean_reach(const float *x)
{
    double sigma = 0;
    int who[NEAR];
    for (int i = 0; i < N; i++) {
        nearest(x, x + i * D, who);
        sigma += sqrt(squared_distance(x + i * D, x + who[NEAR - 1] * D)) / N;
    }
    return sigma;
}

static void weights(const float *x, const float *q, double sigma, double *z)
{
    int who[NEAR];
    double sum = 0;
    memset(z, 0, N * sizeof *z);
    nearest(x, q, who);
    for (int k = 0; k < NEAR; k++)
        sum += z[who[k]] = exp(-squared_distance(x + who[k] * D, q) / sigma / sigma);
    for (int i = 0; i < N; i++)
        z[i] /= sum;
}

typedef struct graph {
    float *x;
    double sigma, Z[N][N], lambda[N], A[N][N]; /* A = Z Lambda^-1 Z^T */
} graph;

static graph *make_graph(uint64_t seed)
{
    graph *g = calloc(1, sizeof *g);
    g->x = test_mixture(N, D, seed, NULL);
    g->sigma = mean_reach(g->x);
    for (int i = 0; i < N; i++) {
        weights(g->x, g->x + i * D, g->sigma, g->Z[i]);
        for (int a = 0; a < N; a++)
            g->lambda[a] += g->Z[i][a];
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int a = 0; a < N; a++)
                g->A[i][j] += g->Z[i][a] * g->Z[j][a] / g->lambda[a];
    return g;
}

static void free_graph(graph *g)
{
    free(g->x);
    free(g);
}

/* Eigenvalues of the symmetric A (destroyed) by Jacobi's rotations, rising. */
static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void jacobi(double A[N][N], double *value)
{
    for (int sweep = 0; sweep < 60; sweep++)
        for (int p = 0; p < N; p++)
            for (int q = p + 1; q < N; q++) {
                double angle = 0.5 * atan2(2 * A[p][q], A[q][q] - A[p][p]);
                double c = cos(angle), s = sin(angle);
                for (int k = 0; k < N; k++) {
                    double a = A[p][k], b = A[q][k];
                    A[p][k] = c * a - s * b;
                    A[q][k] = s * a + c * b;
                }
                for (int k = 0; k < N; k++) {
                    double a = A[k][p], b = A[k][q];
                    A[k][p] = c * a - s * b;
                    A[k][q] = s * a + c * b;
                }
            }
    for (int i = 0; i < N; i++)
        value[i] = A[i][i];
    qsort(value, N, sizeof *value, rising);
}

/* y^T (I - A) y */
static double cost(const graph *g, const double *y)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum += y[i] * ((i == j) - g->A[i][j]) * y[j];
    return sum;
}

/* Laplacian I - A dense: its eigenvalue 0 of the constant vector, then those of our y. */
Test(agh, eigenvectors_equal_a_dense_solve_of_the_laplacian)
{
    enum { L = 7 };
    graph *g = make_graph(21);
    static float y[N * L];
    double value[N], dense[N][N];
    lbh_encoder *enc = trained("agh", "layers=1,anchors=60,rounds=0,neighbours=4", N, D, L, g->x);
    OK(lbh_encoder_project(enc, N, g->x, y));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            dense[i][j] = (i == j) - g->A[i][j];
    jacobi(dense, value);
    cr_assert_float_eq(value[0], 0, 1e-9);
    for (int k = 0; k < L; k++) {
        double sum = 0, worst = 0;
        for (int i = 0; i < N; i++) {
            double Ly = (double)y[i * L + k];
            for (int j = 0; j < N; j++)
                Ly -= g->A[i][j] * (double)y[j * L + k];
            worst = fmax(worst, fabs(Ly - value[k + 1] * (double)y[i * L + k]));
            sum += (double)y[i * L + k];
        }
        cr_assert(worst < 1e-4, "eigenvector %d is off by %g", k, worst);
        cr_assert_float_eq(sum, 0, 1e-3 * N, "eigenvector %d is not balanced", k);
        for (int c = 0; c <= k; c++) {
            double dot = 0;
            for (int i = 0; i < N; i++)
                dot += (double)y[i * L + k] * (double)y[i * L + c];
            cr_assert_float_eq(dot / N, c == k, 1e-4, "eigenvectors %d, %d: %g", k, c, dot / N);
        }
    }
    lbh_encoder_free(enc);
    free_graph(g);
}

/* A new row: y_k(q) = 1 / sigma_k sum_i A(q, x_i) y_k(x_i), the Nystroem extension. */
Test(agh, new_rows_follow_the_nystroem_formula)
{
    enum { L = 5, NEW = 30 };
    graph *g = make_graph(22);
    static float y[N * L], new[NEW * L];
    float *q = test_mixture(NEW, D, 23, NULL);
    lbh_encoder *enc = trained("agh", "layers=1,anchors=60,rounds=0,neighbours=4", N, D, L, g->x);
    OK(lbh_encoder_project(enc, N, g->x, y));
    OK(lbh_encoder_project(enc, NEW, q, new));
    for (int k = 0; k < L; k++) {
        double column[N], sigma;
        for (int i = 0; i < N; i++)
            column[i] = (double)y[i * L + k];
        sigma = 1 - cost(g, column) / N;
        for (int r = 0; r < NEW; r++) {
            double z[N], sum = 0;
            weights(g->x, q + r * D, g->sigma, z);
            for (int i = 0; i < N; i++)
                for (int a = 0; a < N; a++)
                    sum += z[a] * g->Z[i][a] / g->lambda[a] * column[i] / sigma;
            cr_assert_float_eq((double)new[r * L + k], sum, 2e-4, "row %d, bit %d", r, k);
        }
    }
    lbh_encoder_free(enc);
    free(q);
    free_graph(g);
}

/* f = |y| less its side's threshold: balanced, and no other balanced pair of thresholds costs less. */
Test(agh, thresholds_of_the_second_layer_are_the_best_balanced_ones)
{
    enum { L = 8, R = L / 2 };
    graph *g = make_graph(24);
    static float z[N * L];
    lbh_encoder *enc = trained("agh", "layers=2,anchors=60,rounds=0,neighbours=4", N, D, L, g->x);
    OK(lbh_encoder_project(enc, N, g->x, z));
    for (int k = 0; k < R; k++) {
        double f[N], moved[N], sum = 0, n[2] = {0};
        for (int i = 0; i < N; i++) {
            bool up = z[i * L + k] >= 0;
            n[up]++;
            f[i] = (double)z[i * L + R + k]; /* y - b+, or b- - y */
            sum += f[i];
        }
        cr_assert(n[0] > 0 && n[1] > 0);
        cr_assert_float_eq(sum, 0, 1e-3 * N, "bit %d: not balanced: %g", k, sum);
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int i = 0; i < N; i++) /* n+ b+ - n- b- stays */
                moved[i] = f[i] + 0.05 * sign * (z[i * L + k] >= 0 ? -1 / n[1] : 1 / n[0]) * N;
            cr_assert(cost(g, moved) > cost(g, f), "bit %d: %g, moved %g", k, cost(g, f),
                      cost(g, moved));
        }
    }
    lbh_encoder_free(enc);
    free_graph(g);
}

/* ---- DGH: its two steps on a small graph of random weights ----------------------------------- */

enum { MOST = 64, MOST_BITS = 6, ANCHORS = 9, JOINED = 3 };

typedef struct problem {
    dgh_run r;
    int who[MOST * JOINED];
    float weight[MOST * JOINED];
    double lambda[ANCHORS], D[MOST_BITS * MOST_BITS];
    float B[MOST * MOST_BITS], Y[MOST * MOST_BITS], C[MOST * MOST_BITS], P[ANCHORS * MOST_BITS];
    float G[MOST_BITS * MOST_BITS], V[MOST_BITS * MOST_BITS], square[MOST_BITS], column[MOST];
} problem;

static problem *make_problem(int n, int L, double rho, uint64_t seed)
{
    problem *p = calloc(1, sizeof *p);
    p->r = (dgh_run){.w = {.n = n, .m = ANCHORS, .s = JOINED, .who = p->who, .weight = p->weight,
                           .lambda = p->lambda},
                     .L = L, .rho = rho, .B = p->B, .Y = p->Y, .C = p->C, .P = p->P, .G = p->G,
                     .V = p->V, .square = p->square, .column = p->column, .D = p->D, .seed = seed};
    for (int i = 0; i < n; i++) {
        float sum = 0;
        for (int k = 0; k < JOINED; k++) {
            p->who[i * JOINED + k] = (i % 4 + 2 * k + (int)(2 * test_uniform(seed, (uint64_t)i))) % ANCHORS;
            p->weight[i * JOINED + k] = 0.1f + (float)test_uniform(seed + 1, (uint64_t)(i * JOINED + k));
            sum += p->weight[i * JOINED + k];
        }
        for (int k = 0; k < JOINED; k++) {
            p->weight[i * JOINED + k] /= sum;
            p->lambda[p->who[i * JOINED + k]] += (double)p->weight[i * JOINED + k];
        }
    }
    for (int i = 0; i < n * L; i++)
        p->B[i] = test_uniform(seed + 2, (uint64_t)i) < 0.5 ? -1.0f : 1.0f;
    OK(lbh_dgh_relax(&p->r));
    return p;
}

static double affinity(const problem *p, int i, int j)
{
    double sum = 0;
    for (int a = 0; a < JOINED; a++)
        for (int b = 0; b < JOINED; b++)
            if (p->who[i * JOINED + a] == p->who[j * JOINED + b])
                sum += (double)p->weight[i * JOINED + a] * (double)p->weight[j * JOINED + b] /
                       p->lambda[p->who[i * JOINED + a]];
    return sum;
}

/* tr(X^T A B) + rho tr(X^T Y), naively */
static double naive(const problem *p, const float *X, const float *B)
{
    int n = (int)p->r.w.n, L = p->r.L;
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < L; k++) {
            for (int j = 0; j < n; j++)
                sum += (double)X[i * L + k] * affinity(p, i, j) * (double)B[j * L + k];
            sum += p->r.rho * (double)X[i * L + k] * (double)p->Y[i * L + k];
        }
    return sum;
}

Test(dgh, objective_equals_its_definition_and_never_falls)
{
    for (uint64_t seed = 1; seed < 30; seed++) {
        problem *p = make_problem(MOST, MOST_BITS, 0.1 * (double)(seed % 7), seed);
        double before = lbh_dgh_objective(&p->r);
        cr_assert_float_eq(before, naive(p, p->B, p->B), 1e-4 * fabs(before));
        for (int turn = 0; turn < 10; turn++) {
            int64_t changed;
            do {
                changed = lbh_dgh_sign_step(&p->r);
                double now = lbh_dgh_objective(&p->r);
                cr_assert(now >= before - 1e-4 * fabs(before), "B: %g after %g", now, before);
                cr_assert(changed || turn == 0 || now <= before + 1e-4 * fabs(before));
                before = now;
            } while (changed > 0);
            OK(lbh_dgh_relax(&p->r));
            double now = lbh_dgh_objective(&p->r);
            cr_assert(now >= before - 1e-4 * fabs(before), "Y: %g after %g", now, before);
            before = now;
        }
        free(p);
    }
}

static void bits_of(unsigned number, int size, float *B)
{
    for (int i = 0; i < size; i++)
        B[i] = number >> i & 1 ? 1.0f : -1.0f;
}

/* A step gives the B that maximises the objective's tangent; the best of all codes stands. */
Test(dgh, codes_against_enumeration)
{
    enum { ROWS = 6, L = 2, SIZE = ROWS * L };
    for (uint64_t seed = 1; seed < 6; seed++) {
        problem *p = make_problem(ROWS, L, 0.3, seed);
        float start[SIZE], other[SIZE], best_codes[SIZE];
        double tangent = -1e30, best = -1e30, found = -1e30;
        memcpy(start, p->B, sizeof start);
        for (unsigned number = 0; number < 1u << SIZE; number++) {
            bits_of(number, SIZE, other);
            /* d Q / d B at the start is 2 A B + rho Y: twice naive()'s first part */
            double at = 2 * naive(p, other, start), own = naive(p, other, other);
            for (int i = 0; i < SIZE; i++)
                at -= p->r.rho * (double)other[i] * (double)p->Y[i];
            tangent = fmax(tangent, at);
            if (own > best) {
                best = own;
                memcpy(best_codes, other, sizeof other);
            }
        }
        lbh_dgh_sign_step(&p->r);
        double step = 2 * naive(p, p->B, start);
        for (int i = 0; i < SIZE; i++)
            step -= p->r.rho * (double)p->B[i] * (double)p->Y[i];
        cr_assert_float_eq(step, tangent, 1e-4, "seed %d: %g, the best is %g", (int)seed, step, tangent);
        memcpy(p->B, best_codes, sizeof best_codes);
        lbh_dgh_sign_step(&p->r);
        cr_assert_float_eq(lbh_dgh_objective(&p->r), best, 1e-4);
        for (unsigned number = 0; number < 64; number++) { /* from many starts: the best of all */
            for (int i = 0; i < SIZE; i++)
                p->B[i] = test_uniform(seed + 9, number * SIZE + (uint64_t)i) < 0.5 ? -1.0f : 1.0f;
            while (lbh_dgh_sign_step(&p->r) > 0)
                ;
            found = fmax(found, lbh_dgh_objective(&p->r));
        }
        cr_assert(found <= best + 1e-4 && found > 0.8 * best, "%g found, %g is best", found, best);
        free(p);
    }
}

/* Y is balanced and uncorrelated whatever B is, and Y^T J B is symmetric without negative
 * eigenvalues, which holds for the maximiser alone where B has full rank. */
static void check_relaxed(const problem *p, const char *what)
{
    int n = (int)p->r.w.n, L = p->r.L;
    double C[MOST_BITS][MOST_BITS] = {{0}}, trace = 0;
    for (int a = 0; a < L; a++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (double)p->Y[i * L + a];
        cr_assert_float_eq(sum, 0, 1e-3 * n, "%s: column %d sums to %g", what, a, sum);
        for (int b = 0; b < L; b++) {
            double dot = 0;
            for (int i = 0; i < n; i++) {
                dot += (double)p->Y[i * L + a] * (double)p->Y[i * L + b];
                C[a][b] += (double)p->Y[i * L + a] * (double)p->B[i * L + b];
            }
            cr_assert_float_eq(dot / n, a == b, 1e-3, "%s: columns %d, %d: %g", what, a, b, dot / n);
        }
    }
    for (int a = 0; a < L; a++) {
        trace += C[a][a];
        for (int b = 0; b < a; b++)
            cr_assert_float_eq(C[a][b], C[b][a], 1e-3 * n, "%s", what);
    }
    for (uint64_t trial = 0; trial < 50; trial++) /* Y turned a little gains nothing */
        for (int a = 1; a < L; a++) {
            double angle = 0.2 * test_normal(trial, (uint64_t)a), turned = 0;
            int b = (int)((uint64_t)a * trial) % a;
            turned = cos(angle) * (C[a][a] + C[b][b]) + sin(angle) * (C[b][a] - C[a][b]);
            cr_assert(turned <= C[a][a] + C[b][b] + 1e-3 * n, "%s", what);
        }
    cr_assert(trace > 0);
}

Test(dgh, relaxed_codes_are_the_best_of_those_allowed)
{
    problem *p = make_problem(MOST, MOST_BITS, 0.5, 77);
    check_relaxed(p, "random codes");
    double best = 0, other = 0;
    float *Z = malloc(sizeof p->Y);
    for (int i = 0; i < MOST * MOST_BITS; i++)
        best += (double)p->Y[i] * (double)p->B[i];
    memcpy(Z, p->B, sizeof p->B);
    for (int i = 0; i < MOST; i++) /* the relaxation of slightly other codes is allowed, and worse */
        if (i % 8 == 0)
            p->B[i * MOST_BITS] *= -1;
    OK(lbh_dgh_relax(&p->r));
    for (int i = 0; i < MOST * MOST_BITS; i++)
        other += (double)p->Y[i] * (double)Z[i];
    cr_assert(other < best, "%g, another Y has %g", best, other);
    for (int i = 0; i < MOST; i++) {
        p->B[i * MOST_BITS + 1] = p->B[i * MOST_BITS]; /* two equal columns, a constant one */
        p->B[i * MOST_BITS + 2] = 1;
    }
    OK(lbh_dgh_relax(&p->r));
    check_relaxed(p, "codes without full rank");
    free(Z);
    free(p);
}

/* ---- What the papers claim ------------------------------------------------------------------ */

enum { BASE = 5000, QUERIES = 200, PIXELS = 784 };

typedef struct digits {
    float *base, *queries;
    int base_label[BASE], query_label[QUERIES];
} digits;

static void read_rows(const char *name, int n, float *x)
{
    FILE *file = fopen(test_data_file(name), "rb");
    static unsigned char row[4 + PIXELS];
    for (int i = 0; i < n; i++) {
        cr_assert(file && fread(row, 1, sizeof row, file) == sizeof row);
        for (int j = 0; j < PIXELS; j++)
            x[(int64_t)i * PIXELS + j] = row[4 + j];
    }
    fclose(file);
}

static void read_labels(const char *name, int n, int *label)
{
    FILE *file = fopen(test_data_file(name), "rb");
    int32_t row[2];
    for (int i = 0; i < n; i++) {
        cr_assert(file && fread(row, sizeof *row, 2, file) == 2 && row[0] == 1);
        label[i] = row[1];
    }
    fclose(file);
}

/* mAP by labels over the whole ranking by (distance, row). */
static double mean_average_precision(const digits *s, const char *method, const char *options,
                                     int nbits)
{
    lbh_encoder *enc = trained(method, options, BASE, PIXELS, nbits, s->base);
    size_t size = lbh_encoder_code_size(enc);
    uint8_t *base = malloc(BASE * size), *queries = malloc(QUERIES * size);
    double map = 0;
    OK(lbh_encoder_encode(enc, BASE, s->base, base));
    OK(lbh_encoder_encode_queries(enc, QUERIES, s->queries, queries));
    for (int q = 0; q < QUERIES; q++) {
        double found = 0, sum = 0;
        int rank = 0;
        for (int distance = 0; distance <= nbits; distance++)
            for (int i = 0; i < BASE; i++) {
                if (test_hamming(base + (size_t)i * size, queries + (size_t)q * size, size) != distance)
                    continue;
                rank++;
                if (s->base_label[i] == s->query_label[q])
                    sum += ++found / rank;
            }
        map += sum / found / QUERIES;
    }
    free(base), free(queries);
    lbh_encoder_free(enc);
    return map;
}

/* Liu et al. 2011, table 1, 24 bits: 2-AGH .6738, 1-AGH .4997, LSH .1613, exact distance .4125.
 * Liu et al. 2014, figures 2 and 3: DGH above LSH, ITQ. Rows: the first 5,000. */
Test(graph_hashing, finds_digits_as_its_papers_claim, .timeout = 600)
{
    TEST_NEEDS("mnist/base.bvecs");
    digits *s = calloc(1, sizeof *s);
    s->base = malloc(sizeof(float) * BASE * PIXELS);
    s->queries = malloc(sizeof(float) * QUERIES * PIXELS);
    read_rows("mnist/base.bvecs", BASE, s->base);
    read_rows("mnist/query.bvecs", QUERIES, s->queries);
    read_labels("mnist/base_labels.ivecs", BASE, s->base_label);
    read_labels("mnist/query_labels.ivecs", QUERIES, s->query_label);
    double lsh = mean_average_precision(s, "lsh", "", 24);
    double itq = mean_average_precision(s, "itq", "", 24);
    double one = mean_average_precision(s, "agh", "layers=1,neighbours=2", 24);
    double two = mean_average_precision(s, "agh", "layers=2,neighbours=2", 24);
    double plain = mean_average_precision(s, "dgh", "start=spectral", 24);
    double turned = mean_average_precision(s, "dgh", "start=rotated", 24);
    fprintf(stderr, "lsh %.4f itq %.4f 1-agh %.4f 2-agh %.4f dgh-i %.4f dgh-r %.4f\n", lsh, itq, one,
            two, plain, turned);
    cr_assert(two > one + 0.02, "2-AGH %.4f, 1-AGH %.4f", two, one);
    cr_assert(one > lsh + 0.1 && two > itq + 0.1, "1-AGH %.4f, LSH %.4f, 2-AGH %.4f, ITQ %.4f", one,
              lsh, two, itq);
    cr_assert(plain > itq && turned > itq, "DGH-I %.4f, DGH-R %.4f, ITQ %.4f", plain, turned, itq);
    free(s->base), free(s->queries), free(s);
}
