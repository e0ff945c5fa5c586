/* test_mlp.c: the multi-layer perceptron: every parameter block against central differences of a
 * network written down in double precision; the packed form against the batch form. */
#include "support.h"

#include "mlp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { B = 7, D = 5, H1 = 6, H2 = 4, OUT = 3, MOST = 1000 };

/* Output of row x of a network with double parameters laid out as lbh_mlp_bind lays them out; mask:
 * factor of each hidden unit, NULL = 1. */
static void oracle(const lbh_mlp *m, const double *theta, const double *x, const double *mask,
                   double *y)
{
    double in[64], out[64];
    memcpy(in, x, (size_t)m->size[0] * sizeof *in);
    for (int l = 0; l < m->nlayers; l++) {
        const double *W = theta, *b = theta + m->size[l + 1] * m->size[l];
        for (int k = 0; k < m->size[l + 1]; k++) {
            double a = b[k];
            for (int j = 0; j < m->size[l]; j++)
                a += W[k * m->size[l] + j] * in[j];
            out[k] = l < m->nlayers - 1 ? fmax(a, 0) : a;
            if (l < m->nlayers - 1 && mask)
                out[k] *= *mask++;
        }
        memcpy(in, out, sizeof in);
        theta = b + m->size[l + 1];
    }
    memcpy(y, in, (size_t)m->size[m->nlayers] * sizeof *y);
}

typedef struct bench {
    lbh_mlp m, g;
    lbh_mlp_batch w;
    int size;
    float theta[MOST], grad[MOST], X[B * D], dX[B * D], weight[B * OUT];
    double exact[MOST], x[B * D], mask[B * 64];
    bool masked;
} bench;

static void set_up(bench *t, int nhidden, const int *hidden, float drop)
{
    t->m = t->g = lbh_mlp_shape(D, nhidden, hidden, OUT);
    t->size = (int)lbh_mlp_size(&t->m);
    lbh_mlp_bind(&t->m, t->theta);
    lbh_mlp_bind(&t->g, t->grad);
    for (int i = 0; i < t->size; i++)
        t->exact[i] = t->theta[i] = (float)(0.6 * test_normal(1, (uint64_t)i));
    for (int i = 0; i < B * D; i++)
        t->x[i] = t->X[i] = (float)test_normal(2, (uint64_t)i);
    for (int i = 0; i < B * OUT; i++)
        t->weight[i] = (float)test_normal(3, (uint64_t)i);
    t->w.drop = drop;
    t->masked = drop > 0;
    int nmask = 0, per_row = 0;
    for (int l = 0; l < t->m.nlayers; l++) {
        int n = t->m.size[l + 1];
        t->w.Y[l] = calloc((size_t)(B * n), sizeof(float));
        t->w.D[l] = calloc((size_t)(B * n), sizeof(float));
        t->w.uniform[l] = drop > 0 ? calloc((size_t)(B * n), sizeof(float)) : NULL;
        for (int i = 0; i < B * n && drop > 0; i++)
            t->w.uniform[l][i] = (float)test_uniform(4 + (uint64_t)l, (uint64_t)i);
        per_row += l < t->m.nlayers - 1 ? n : 0;
    }
    for (int i = 0; i < B; i++)
        for (int l = 0; l < t->m.nlayers - 1; l++)
            for (int k = 0; k < t->m.size[l + 1]; k++)
                t->mask[nmask++] = drop > 0 && t->w.uniform[l][i * t->m.size[l + 1] + k] < drop
                                       ? 0
                                       : 1.0 / (1.0 - drop);
    cr_assert_eq(nmask, B * per_row);
}

static void tear_down(bench *t)
{
    for (int l = 0; l < t->m.nlayers; l++)
        free(t->w.Y[l]), free(t->w.D[l]), free(t->w.uniform[l]);
}

/* sum of weight o output over the batch */
static double loss(const bench *t)
{
    int per_row = 0;
    double sum = 0, y[OUT];
    for (int l = 0; l < t->m.nlayers - 1; l++)
        per_row += t->m.size[l + 1];
    for (int i = 0; i < B; i++) {
        oracle(&t->m, t->exact, t->x + i * D, t->masked ? t->mask + i * per_row : NULL, y);
        for (int k = 0; k < OUT; k++)
            sum += t->weight[i * OUT + k] * y[k];
    }
    return sum;
}

static double difference(const bench *t, double *parameter)
{
    const double step = 1e-6, old = *parameter;
    *parameter = old + step;
    double up = loss(t);
    *parameter = old - step;
    double down = loss(t);
    *parameter = old;
    return (up - down) / (2 * step);
}

static void check_gradients(int nhidden, const int *hidden, float drop)
{
    static bench t;
    memset(&t, 0, sizeof t);
    set_up(&t, nhidden, hidden, drop);
    int last = t.m.nlayers - 1;
    lbh_mlp_forward(&t.m, B, t.X, &t.w);
    double sum = 0;
    for (int i = 0; i < B * OUT; i++)
        sum += (double)t.weight[i] * t.w.Y[last][i];
    cr_assert_float_eq(sum, loss(&t), 1e-4 * (1 + fabs(sum)));
    memcpy(t.w.D[last], t.weight, sizeof t.weight);
    lbh_mlp_backward(&t.m, B, t.X, &t.w, &t.g, t.dX);
    for (int i = 0; i < t.size; i++) {
        double d = difference(&t, &t.exact[i]);
        cr_assert_float_eq(t.grad[i], d, 2e-5 * (1 + fabs(d)), "%d layers, parameter %d: %g, %g",
                           t.m.nlayers, i, t.grad[i], d);
    }
    for (int i = 0; i < B * D; i++) {
        double d = difference(&t, &t.x[i]);
        cr_assert_float_eq(t.dX[i], d, 2e-5 * (1 + fabs(d)));
    }
    tear_down(&t);
}

Test(mlp, every_block_equals_central_differences)
{
    const int hidden[] = {H1, H2, 5};
    for (int n = 0; n <= 3; n++)
        for (int drop = 0; drop < 2; drop++)
            check_gradients(n, hidden, drop ? 0.3f : 0);
}

Test(mlp, shapes_leave_out_layers_of_no_units)
{
    const int hidden[] = {0, 9, 0};
    lbh_mlp m = lbh_mlp_shape(4, 3, hidden, 2);
    cr_assert(m.nlayers == 2 && m.size[0] == 4 && m.size[1] == 9 && m.size[2] == 2);
    cr_assert_eq(lbh_mlp_size(&m), 4 * 9 + 9 + 9 * 2 + 2);
    const int none[] = {0, 0, 0};
    m = lbh_mlp_shape(4, 3, none, 2);
    cr_assert(m.nlayers == 1 && m.size[1] == 2);
}

Test(mlp, copies_are_whole)
{
    const int hidden[] = {H1, H2};
    lbh_mlp from = lbh_mlp_shape(D, 2, hidden, OUT), to = from;
    float a[MOST], b[MOST] = {0};
    int64_t size = lbh_mlp_size(&from);
    for (int64_t i = 0; i < size; i++)
        a[i] = (float)(i + 1);
    lbh_mlp_bind(&from, a);
    lbh_mlp_bind(&to, b);
    lbh_mlp_copy(&from, &to);
    cr_assert_arr_eq(a, b, (size_t)size * sizeof *a);
    cr_assert_eq(b[size], 0);
}

Test(mlp, packed_form_agrees_and_rows_are_independent)
{
    enum { N = 205, D2 = 33, BIG = 70 };
    const int hidden[] = {BIG, 35};
    for (int depth = 0; depth <= 2; depth++) {
        lbh_mlp m = lbh_mlp_shape(D2, depth, hidden, 20);
        float *theta = malloc((size_t)lbh_mlp_size(&m) * sizeof *theta);
        float *x = malloc(N * D2 * sizeof *x), *z = malloc(N * 20 * sizeof *z);
        float *one = malloc(N * 20 * sizeof *one);
        lbh_mlp_bind(&m, theta);
        lbh_mlp_start(&m, 5, 6);
        for (int i = 0; i < N * D2; i++)
            x[i] = (float)test_normal(7, (uint64_t)i);
        lbh_mlp_batch w = {0};
        for (int l = 0; l < m.nlayers; l++)
            w.Y[l] = malloc((size_t)(N * m.size[l + 1]) * sizeof(float));
        lbh_mlp_forward(&m, N, x, &w);
        lbh_mlp_packed p = {0};
        cr_assert_eq(lbh_mlp_pack(&p, &m), 0);
        cr_assert_eq(lbh_mlp_apply(&p, N, x, z), 0);
        for (int i = 0; i < N * 20; i++)
            cr_assert_float_eq(z[i], w.Y[m.nlayers - 1][i], 1e-4);
        for (int i = 0; i < N; i++)
            cr_assert_eq(lbh_mlp_apply(&p, 1, x + i * D2, one + i * 20), 0);
        cr_assert(memcmp(z, one, N * 20 * sizeof *z) == 0, "depth %d", depth);
        for (int l = 0; l < m.nlayers; l++)
            free(w.Y[l]);
        lbh_mlp_unpack(&p);
        free(theta), free(x), free(z), free(one);
    }
}

Test(mlp, folding_the_input_keeps_the_outputs)
{
    const int hidden[] = {H1};
    static bench t;
    float mean[D], raw[B * D], before[B * OUT];
    set_up(&t, 1, hidden, 0);
    for (int j = 0; j < D; j++)
        mean[j] = (float)(3 + test_normal(8, (uint64_t)j));
    for (int i = 0; i < B * D; i++)
        raw[i] = t.X[i] / 0.25f + mean[i % D];
    lbh_mlp_forward(&t.m, B, t.X, &t.w);
    memcpy(before, t.w.Y[1], sizeof before);
    lbh_mlp_fold_input(&t.m, mean, 0.25f);
    lbh_mlp_forward(&t.m, B, raw, &t.w);
    for (int i = 0; i < B * OUT; i++)
        cr_assert_float_eq(before[i], t.w.Y[1][i], 1e-4);
    tear_down(&t);
}
