/* sgh_encode.c: encoding with the trained model when items' codes are searched for (sgh_map.h). */
#include "linear.h"
#include "map_codes.h"
#include "sgh_tables.h"
#include "table_codes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

sgh_mode sgh_model_mode(const sgh_model *model)
{
    float mode = model->search ? model->search[0] : 0;
    return mode == SGH_MAP_L2           ? SGH_MAP_L2
           : mode == SGH_MAP_IP_DECODER ? SGH_MAP_IP_DECODER
           : mode == SGH_MAP_IP_HAMMING ? SGH_MAP_IP_HAMMING
           : mode == SGH_TABLES         ? SGH_TABLES
                                        : SGH_LINEAR;
}

bool sgh_is_ip(sgh_mode mode)
{
    return mode == SGH_MAP_IP_DECODER || mode == SGH_MAP_IP_HAMMING;
}

static int prepare_tables(lbh_encoder *self)
{
    sgh_model *s = self->state;
    const lbh_tables *t = &self->tables;
    if (t->columns == 0 || t->nbytes > LBH_MAX_TABLES)
        return lbh_error(LBH_EFORMAT, "sgh: codes of tables, but without tables");
    LBH_TRY(lbh_table_search_new(&s->tables, self->nbits, t->columns, t->T));
    LBH_TRY(lbh_panels_new(&s->axes, t->columns, t->d, t->axes, NULL));
    s->shift = lbh_alloc(t->columns, sizeof *s->shift);
    if (!s->shift)
        return LBH_ENOMEM;
    lbh_panels_apply(s->axes, 1, t->centre, s->shift);
    return LBH_OK;
}

/* V = U / 2, m = c + sum U / 2, the form V V^T, and the packed maps. */
int sgh_prepare(lbh_encoder *self)
{
    sgh_model *s = self->state;
    int d = self->d, L = self->nbits;
    if (sgh_model_mode(s) == SGH_LINEAR)
        return LBH_OK;
    LBH_TRY(lbh_panels_new(&s->query, L, d, s->W, NULL));
    if (sgh_model_mode(s) == SGH_TABLES)
        return prepare_tables(self);
    s->V = lbh_alloc((int64_t)L * d, sizeof *s->V);
    s->m = lbh_alloc(d, sizeof *s->m);
    s->form = lbh_alloc(1, sizeof *s->form);
    s->Vm = lbh_alloc(L, sizeof *s->Vm);
    float *shift = lbh_alloc(L, sizeof *shift);
    int rc = s->V && s->m && s->Vm && s->form && shift ? LBH_OK : LBH_ENOMEM;
    if (!rc) {
        lbh_signed_decoder(L, d, s->U, s->c, s->V, s->m, s->Vm);
        for (int b = 0; b < L; b++)
            shift[b] = -s->Vm[b];
        rc = lbh_quadratic_new(s->form, L, d, s->V);
    }
    if (!rc)
        rc = lbh_panels_new(&s->agree, L, d, s->V, shift);
    free(shift);
    return rc;
}

void sgh_release(lbh_encoder *self)
{
    sgh_model *s = self->state;
    lbh_panels_free(s->agree);
    lbh_panels_free(s->query);
    lbh_panels_free(s->axes);
    lbh_table_search_free(s->tables);
    free(s->shift);
    if (s->form)
        lbh_quadratic_free(s->form);
    free(s->form);
    free(s->V);
    free(s->m);
    free(s->Vm);
    s->agree = s->query = s->axes = NULL;
    s->tables = NULL;
    s->shift = NULL;
    s->form = NULL;
    s->V = s->m = s->Vm = NULL;
}

static float length(int d, const float *x)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += (double)x[j] * (double)x[j];
    return (float)sqrt(sum);
}

/* W q + c, for inner products W q + c ||q||: the signs for q / ||q||, without dividing. */
static void query_values(const lbh_encoder *self, int64_t n, const float *x, float *z)
{
    const sgh_model *s = self->state;
    bool ip = sgh_is_ip(sgh_model_mode(s));
    lbh_panels_apply(s->query, n, x, z);
    for (int64_t i = 0; i < n; i++) {
        float scale = ip ? length(self->d, x + i * self->d) : 1;
        for (int b = 0; b < self->nbits; b++)
            z[i * self->nbits + b] += s->b[b] * scale;
    }
}

/* The second term of the search for one item: see sgh_map.h. W x + c ||x|| comes in y. */
static lbh_extra_term extra_term(const lbh_encoder *self, const float *x, const float *p, float *y)
{
    const sgh_model *s = self->state;
    int d = self->d, L = self->nbits;
    float norm = length(d, x);
    double t = 0;
    for (int j = 0; j < d; j++)
        t += (double)x[j] * ((double)x[j] - (double)s->m[j]);
    bool decoder = sgh_model_mode(s) == SGH_MAP_IP_DECODER;
    for (int b = 0; b < L; b++) {
        double along = (double)p[b]; /* V x = V (x - m) + V m */
        if (decoder) {
            along += (double)s->Vm[b];
            y[b] = norm > 0 ? (float)(along / (double)norm) : 0;
        } else
            y[b] = y[b] >= 0 ? 1.0f : -1.0f;
    }
    return (lbh_extra_term){s->search[1], s->search[2], norm > 0 ? (float)(t / (double)norm) : 0, y};
}

static int item_values(const lbh_encoder *self, int depth, int64_t n, const float *x, float *z)
{
    const sgh_model *s = self->state;
    int L = self->nbits;
    sgh_mode mode = sgh_model_mode(s);
    float *y = lbh_alloc(n * L, sizeof *y), *b = lbh_alloc(L, sizeof *b);
    void *scratch = lbh_alloc((int64_t)lbh_map_scratch(L), 1);
    int rc = y && b && scratch ? LBH_OK : LBH_ENOMEM;
    if (!rc) {
        query_values(self, n, x, y);
        lbh_panels_apply(s->agree, n, x, z);
    }
    for (int64_t i = 0; i < n && !rc; i++) {
        float *p = z + i * L, *yi = y + i * L;
        for (int k = 0; k < L; k++) /* from the linear code, or from the agreement with V */
            b[k] = (mode == SGH_MAP_L2 ? yi[k] : p[k]) >= 0 ? 1.0f : -1.0f;
        lbh_extra_term term = {0};
        if (mode != SGH_MAP_L2)
            term = extra_term(self, x + i * self->d, p, yi);
        lbh_map_search(s->form, p, mode == SGH_MAP_L2 ? NULL : &term, depth, b, p, scratch);
    }
    free(y);
    free(b);
    free(scratch);
    return rc;
}

int sgh_search(const lbh_encoder *self, int depth, int64_t n, const float *x, float *z)
{
    if (sgh_model_mode(self->state) != SGH_TABLES)
        return item_values(self, depth, n, x, z);
    query_values(self, n, x, z);
    return sgh_tables_items(self, depth, n, x, z, z);
}

int sgh_project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    if (role == LBH_BASE)
        return sgh_search(self, (int)self->value[SGH_OPT_REFINE], n, x, z);
    query_values(self, n, x, z);
    return LBH_OK;
}
