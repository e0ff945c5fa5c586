/* agh.c: anchor graph hashing (Liu, Wang, Kumar & Chang, ICML 2011).
 *
 *   min tr(Y^T (I - A) Y),  1^T Y = 0, Y^T Y = n I,  A = Z Lambda^-1 Z^T: the anchor graph (shared/
 *   anchor_graph.h);  Y = Z W: its eigenvectors;  a new row's: W^T z (the paper's Nystroem extension)
 *
 *   layers=1   bit_k = [ y_k >= 0 ]
 *   layers=2   half of the eigenvectors, two bits each: the one above, and
 *              [ y_k >= b+ ] where y_k >= 0,  [ y_k <= b- ] where not
 *
 * The thresholds cut each side once more. With v = |y|, p = 1 where y >= 0, q = 1 - p, L = I - A, and
 * f = v - b+ p + b- q, they minimise f^T L f with 1^T f = 0. L 1 = 0 makes that
 *
 *   b+ + b- = p^T L v / p^T L p,  n+ b+ - n- b- = 1^T v
 *
 * Left open by the paper or changed, and taken: gamma as in the authors' program (from the mean
 * distance to the s-th nearest anchor); five rounds of k-means; of the eigenvectors with eigenvalue 1
 * only the constant one is left out (the paper: all, but those of a graph that falls apart satisfy its
 * conditions and have the least cost); where no edge joins the two sides, p^T L p = 0, a side's
 * threshold is its mean. There are as many anchors as bits need, nbits / layers + 1, if there are rows;
 * bits beyond the rank of Z (few or equal rows) say nothing: their y is 0 everywhere. */
#include "anchor_graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ANCHORS, OPT_NEIGHBOURS, OPT_LAYERS, OPT_WIDTH, OPT_ROUNDS, OPT_MAX_TRAIN };
enum { BLOCK_ROWS = 256 };

static const lbh_param params[] = {
    [OPT_ANCHORS] = {"anchors", 300, 1, LBH_MAX_ANCHORS, 1, NULL,
                     "anchors (more if bits need them, fewer if there are fewer rows)"},
    [OPT_NEIGHBOURS] = {"neighbours", 3, 1, LBH_MAX_NEAR_ANCHORS, 1, NULL,
                        "nearest anchors that a row is joined to"},
    [OPT_LAYERS] = {"layers", 2, 1, 2, 1, NULL, "bits an eigenvector: 1-AGH or 2-AGH"},
    [OPT_WIDTH] = {"width", 1, 1e-3, 1e3, 0, NULL,
                   "kernel exp(-(dist / width)^2), dist in units of the mean distance to the last of "
                   "those neighbours"},
    [OPT_ROUNDS] = {"rounds", 5, 0, 10000, 1, NULL, "of k-means, which finds the anchors"},
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

typedef struct agh {
    lbh_anchor_graph graph;
    float *threshold; /* columns x 2: b+, b- */
} agh;

/* Eigenvectors used. */
static int columns(const lbh_encoder *self)
{
    int layers = (int)self->value[OPT_LAYERS];
    return (self->nbits + layers - 1) / layers;
}

static int anchors(const lbh_encoder *self)
{
    return (int)self->settled[OPT_ANCHORS];
}

static int near_anchors(const lbh_encoder *self)
{
    int s = (int)self->value[OPT_NEIGHBOURS];
    return s < anchors(self) ? s : anchors(self);
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    agh *s = self->state;
    LBH_TRY(lbh_anchor_graph_visit(&s->graph, self, anchors(self), columns(self), v));
    return v->tensor(v, "thresholds", &s->threshold, columns(self), 2);
}

/* b+, b- of one eigenvector y[n]; scratch: v[n], p[n], Zv[m], Zp[m]. */
static void find_thresholds(const lbh_anchor_weights *w, const float *y, float *v, float *p,
                            float *Zv, float *Zp, float *threshold)
{
    double positive = 0, above = 0, total = 0, pAv = 0, pAp = 0, n = (double)w->n;
    for (int64_t i = 0; i < w->n; i++) {
        bool up = y[i] >= 0;
        p[i] = up ? 1.0f : 0.0f;
        v[i] = up ? y[i] : -y[i];
        positive += up;
        above += up ? (double)y[i] : 0;
        total += (double)v[i];
    }
    lbh_anchor_graph_backward(w, 1, v, Zv);
    lbh_anchor_graph_backward(w, 1, p, Zp);
    for (int a = 0; a < w->m; a++) {
        double share = w->lambda[a] > 1e-12 ? (double)Zp[a] / w->lambda[a] : 0;
        pAv += share * (double)Zv[a];
        pAp += share * (double)Zp[a];
    }
    double negative = n - positive, pLv = above - pAv, pLp = positive - pAp;
    double up = positive > 0 ? above / positive : 0; /* means of the sides */
    double down = negative > 0 ? -(total - above) / negative : 0;
    if (pLp > 1e-5 * n) {
        double both = pLv / pLp;
        up = (total + negative * both) / n;
        down = both - up;
    }
    threshold[0] = (float)up;
    threshold[1] = (float)down;
}

static int learn_thresholds(lbh_encoder *self, lbh_training *t, const lbh_anchor_weights *w)
{
    agh *s = self->state;
    int r = columns(self);
    float *W = lbh_scratch_f(t, w->m, 1), *y = lbh_scratch_f(t, w->n, 1);
    float *v = lbh_scratch_f(t, w->n, 1), *p = lbh_scratch_f(t, w->n, 1);
    float *Zv = lbh_scratch_f(t, w->m, 1), *Zp = lbh_scratch_f(t, w->m, 1);
    if (!W || !y || !v || !p || !Zv || !Zp)
        return LBH_ENOMEM;
    for (int k = 0; k < r && !t->stop; k++) {
        for (int a = 0; a < w->m; a++)
            W[a] = s->graph.W[(int64_t)a * r + k];
        lbh_anchor_graph_forward(w, 1, W, y);
        find_thresholds(w, y, v, p, Zv, Zp, s->threshold + 2 * (int64_t)k);
        LBH_TRY(lbh_report(t, k + 1, r + 1, 0));
    }
    return LBH_OK;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    agh *s = self->state;
    lbh_anchor_weights w;
    int64_t n;
    float *X, *eigenvalue;
    int r = columns(self), m = (int)self->value[OPT_ANCHORS];
    LBH_TRY(lbh_sample_rows(t, (int64_t)self->value[OPT_MAX_TRAIN], &n, &X));
    m = m > r ? m : r + 1;
    self->settled[OPT_ANCHORS] = n < m ? (int)n : m;
    LBH_TRY(lbh_visit_allocate(self)); /* anew: the size is known now */
    LBH_TRY(lbh_anchor_graph_learn(&s->graph, t, n, X, anchors(self), near_anchors(self),
                                   (int)self->value[OPT_ROUNDS], self->value[OPT_WIDTH], &w));
    eigenvalue = lbh_scratch_f(t, 1, r);
    if (!eigenvalue)
        return LBH_ENOMEM;
    LBH_TRY(lbh_anchor_graph_spectrum(t, &w, r, s->graph.W, eigenvalue));
    if (self->value[OPT_LAYERS] > 1)
        LBH_TRY(learn_thresholds(self, t, &w));
    double cost = 0; /* tr(Y^T L Y) / n */
    for (int k = 0; k < r; k++)
        cost += 1 - (double)eigenvalue[k];
    return lbh_report(t, r + 1, r + 1, cost);
}

static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const agh *s = self->state;
    int r = columns(self), L = self->nbits;
    float *Y = lbh_alloc((int64_t)BLOCK_ROWS * r, sizeof *Y);
    int rc = Y ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < n && !rc; i += BLOCK_ROWS) {
        int64_t rows = n - i < BLOCK_ROWS ? n - i : BLOCK_ROWS;
        rc = lbh_anchor_graph_project(&s->graph, self, anchors(self), near_anchors(self), r, rows,
                                      x + i * self->d, Y);
        for (int64_t k = 0; k < rows && !rc; k++) {
            const float *y = Y + k * r;
            float *row = z + (i + k) * L;
            memcpy(row, y, (size_t)r * sizeof *y);
            for (int c = r; c < L; c++) {
                const float *threshold = s->threshold + 2 * (int64_t)(c - r);
                row[c] = y[c - r] >= 0 ? y[c - r] - threshold[0] : threshold[1] - y[c - r];
            }
        }
    }
    free(Y);
    return rc;
}

static int prepare(lbh_encoder *self)
{
    agh *s = self->state;
    return lbh_anchor_graph_prepare(&s->graph, self, anchors(self));
}

static void release(lbh_encoder *self)
{
    agh *s = self->state;
    lbh_anchor_graph_release(&s->graph);
}

const lbh_method lbh_method_agh = {
    .name = "agh",
    .summary = "anchor graph hashing: signs of the eigenvectors of a graph over anchors",
    .cite = "Liu, Wang, Kumar & Chang, Hashing with graphs, ICML 2011",
    .state_size = sizeof(agh),
    .params = params,
    .train = train,
    .visit = visit,
    .project = project,
    .prepare = prepare,
    .release = release,
};
