/* given_data.c: see given_data.h. */
#include "given_data.h"

#include "inputs.h"
#include "progress.h"

/* ---- Rows ---------------------------------------------------------------------------------- */

static int same_dimension(const vectors *v, const vectors *base)
{
    return v->d == base->d ? LBH_OK
                           : fail("'%s' has dimension %d, '%s' has %d", v->name, v->d, base->name,
                                  base->d);
}

/* --train, else the base. */
static int open_train(bench_data *d, const given_data *g)
{
    bool have = false;
    const char *spec = !g->labels && !g->train ? g->base_labels : g->labels;
    LBH_TRY(vectors_open(&d->train, g->train ? g->train : g->base));
    LBH_TRY(same_dimension(&d->train, &d->base));
    if (spec || d->train.made)
        LBH_TRY(row_labels_open(&d->train_labels, spec, &d->train, &have));
    return have ? labels_dense(&d->train_labels, NULL) : LBH_OK;
}

/* Base, queries and training rows out of one labelled set. */
static int open_split(bench_data *d, const given_data *g)
{
    LBH_TRY(split_parse(&d->plan, g->split));
    if (g->query_ids || g->train || g->labels)
        return fail_usage("%s: --split chooses the queries%s; %s--query-ids do not go with it",
                          g->command, g->learns ? " and the training rows, by --base-labels and "
                          "--query-labels" : "", g->learns ? "--train, --labels and " : "");
    if (!d->plan.queries && !g->query)
        return fail_usage("%s: --split without queries-per-class needs --query", g->command);
    LBH_TRY(split_open(&d->split, &d->plan, g->command, g->base, g->base_labels, g->query,
                   g->query_labels));
    split_move(&d->split, &d->base, &d->base_labels, &d->query, &d->query_labels);
    if (!g->learns)
        return LBH_OK;
    split_move_train(&d->split, &d->train, &d->train_labels);
    return labels_dense(&d->train_labels, NULL);
}

int given_open_rows(bench_data *d, given_data *g)
{
    g->set = (spec_data){.name = g->command, .metric = g->metric};
    *d = (bench_data){.spec = &g->set};
    if (g->split)
        return open_split(d, g);
    LBH_TRY(vectors_open(&d->base, g->base));
    LBH_TRY(query_open(&d->query, g->query, g->base));
    LBH_TRY(same_dimension(&d->query, &d->base));
    if (g->learns)
        LBH_TRY(open_train(d, g));
    return g->query_ids ? read_row_ids(g->query_ids, d->query.n, d->base.n, &d->own) : LBH_OK;
}

/* ---- Relevance ----------------------------------------------------------------------------- */

static int open_labels(bench_data *d, const given_data *g)
{
    bool have_base = d->base_labels.start, have_query = d->query_labels.start;
    if (g->metric != BENCH_LABEL && !g->wants_labels) { /* a split may have left some */
        labels_close(&d->base_labels);
        labels_close(&d->query_labels);
        return LBH_OK;
    }
    if (!have_base)
        LBH_TRY(row_labels_open(&d->base_labels, g->base_labels, &d->base, &have_base));
    if (!have_query)
        LBH_TRY(row_labels_open(&d->query_labels, g->query_labels, &d->query, &have_query));
    if (!have_base || !have_query)
        return fail_usage("%s: %s needs --base-labels and --query-labels", g->command,
                          g->metric == BENCH_LABEL ? "--metric label" : "--classify");
    LBH_TRY(labels_dense(&d->base_labels, &d->query_labels));
    return labels_meet(&d->base_labels, &d->query_labels);
}

int given_open_relevance(bench_data *d, const given_data *g)
{
    LBH_TRY(open_labels(d, g));
    if (g->metric != BENCH_LABEL && g->truth)
        LBH_TRY(truth_read(&d->near, g->truth, &d->base, &d->query, d->own, g->map_k));
    else if (g->metric != BENCH_LABEL)
        LBH_TRY(truth_compute(&d->near, &d->base, &d->query, d->own, g->map_k, g->metric));
    LBH_TRY(bench_sample(d, 0));
    return d->near.ids ? relevance_near(&d->near_rel, d->base.n, d->own, &d->near, g->map_k)
                       : LBH_OK;
}
