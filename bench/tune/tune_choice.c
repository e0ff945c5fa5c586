/* tune_choice.c: see tune_choice.h. */
#include "tune_choice.h"

#include "bench_rival.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What cannot be told apart: recalls of a thousand queries, and times of a machine that does other
 * things too. */
static const double SAME_RECALL = .002, SAME_SPEED = .9;

/* Whether it keeps the bounds on time and memory; and whether it reaches the recall that is wanted. */
static bool holds(const tune_ask *ask, const tune_point *p)
{
    return (ask->bytes <= 0 || p->bytes <= ask->bytes) &&
           (ask->seconds <= 0 || p->qps * ask->seconds >= 1);
}

static bool reached(const tune_ask *ask, const tune_point *p)
{
    return ask->recall <= 0 || p->recall >= ask->recall;
}

double tune_value(const tune_ask *ask, const tune_point *p, double slack)
{
    if (!holds(ask, p))
        return -1;
    if (ask->recall > 0 && p->recall >= ask->recall - slack)
        return 1 + p->qps;
    return p->recall < 1 ? p->recall : 1;
}

/* ---- The front ----------------------------------------------------------------------------- */

static bool beats(const tune_point *a, const tune_point *b)
{
    return a->recall >= b->recall && a->qps >= b->qps && a->bytes <= b->bytes &&
           (a->recall > b->recall || a->qps > b->qps || a->bytes < b->bytes);
}

static bool same(const tune_point *a, const tune_point *b)
{
    return !(a->recall < b->recall || a->recall > b->recall || a->qps < b->qps || a->qps > b->qps ||
             a->bytes < b->bytes || a->bytes > b->bytes);
}

static bool comes_before(const tune_point *a, const tune_point *b)
{
    if (a->recall < b->recall || a->recall > b->recall)
        return a->recall > b->recall;
    return a->qps > b->qps;
}

int tune_front(const tune_point *p, int n, int *front)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        bool beaten = false;
        for (int j = 0; j < n && !beaten; j++)
            beaten = beats(&p[j], &p[i]) || (j < i && same(&p[j], &p[i]));
        int at = count;
        for (; !beaten && at > 0 && comes_before(&p[i], &p[front[at - 1]]); at--)
            front[at] = front[at - 1];
        if (!beaten) {
            front[at] = i;
            count++;
        }
    }
    return count;
}

/* ---- The choice ---------------------------------------------------------------------------- */

static bool in_question(const tune_ask *ask, const tune_point *p, bool reach)
{
    return holds(ask, p) && (!reach || reached(ask, p));
}

/* Of two that count as equal in what is asked for. */
static bool better_of_equals(const tune_point *a, const tune_point *b, bool reach)
{
    if (a->bytes < b->bytes || a->bytes > b->bytes)
        return a->bytes < b->bytes;
    return reach ? a->recall > b->recall : a->qps > b->qps;
}

int tune_best(const tune_ask *ask, const tune_point *p, int n)
{
    double most = -1;
    bool reach = false;
    int best = -1;
    for (int i = 0; i < n && ask->recall > 0; i++)
        reach |= in_question(ask, &p[i], true);
    for (int i = 0; i < n; i++)
        if (in_question(ask, &p[i], reach))
            most = fmax(most, reach ? p[i].qps : p[i].recall);
    for (int i = 0; i < n; i++) {
        bool equal = in_question(ask, &p[i], reach) &&
                     (reach ? p[i].qps >= SAME_SPEED * most : p[i].recall >= most - SAME_RECALL);
        if (equal && (best < 0 || better_of_equals(&p[i], &p[best], reach)))
            best = i;
    }
    return best;
}

/* ---- Words --------------------------------------------------------------------------------- */

/* Appends, cut off where there is no place. */
#define SAY(...)                                                                                   \
    (void)(used += used < size ? (size_t)snprintf(text + used, size - used, __VA_ARGS__) : 0)

void tune_name(char *text, size_t size, const tune_point *p)
{
    size_t used = 0;
    const char *colon = strchr(p->rescore, ':');
    SAY("%s%s", p->method, p->faiss ? " of FAISS" : "");
    if (p->nbits > 0 && !bench_rival_is_whole(p->method))
        SAY(", %lld bits", (long long)p->nbits);
    if (*p->options)
        SAY(", %s", p->options);
    if (*p->index && strcmp(p->index, "BFlat") != 0)
        SAY(", %s", p->index);
    if (*p->search)
        SAY("%s%s", *p->index ? " " : ", ", p->search);
    if (strcmp(p->rescore, "decoder:all") == 0)
        SAY(", ranked by the decoder");
    else if (strcmp(p->rescore, "hamming") == 0)
        SAY(", by Hamming distance");
    else if (colon && strncmp(p->rescore, "float", 5) == 0)
        SAY(", %s vectors read", colon + 1);
    else if (colon && strncmp(p->rescore, "sq8", 3) == 0)
        SAY(", %s vectors of bytes read", colon + 1);
    else if (colon)
        SAY(", %s candidates by the %.*s", colon + 1, (int)(colon - p->rescore), p->rescore);
}

/* The best that is of another method. */
static int runner_up(const tune_ask *ask, const tune_point *p, int n, int best)
{
    int next = -1;
    for (int i = 0; i < n; i++)
        if (strcmp(p[i].method, p[best].method) != 0 && holds(ask, &p[i]) &&
            (next < 0 || tune_value(ask, &p[i], 0) > tune_value(ask, &p[next], 0)))
            next = i;
    return next;
}

void tune_reason(char *text, size_t size, const tune_ask *ask, const tune_point *p, int n, int best)
{
    size_t used = 0;
    char name[400];
    const tune_point *b = &p[best];
    tune_name(name, sizeof name, b);
    SAY("Take %s: ", name);
    if (ask->recall > 0 && reached(ask, b))
        SAY("of %d ways that were measured it is the fastest, or as fast and smaller, with a recall "
            "%lld@%lld of %.4g or more", n, (long long)ask->k, (long long)ask->at, ask->recall);
    else if (ask->recall > 0)
        SAY("none of %d ways that were measured reaches a recall %lld@%lld of %.4g; this one comes "
            "nearest", n, (long long)ask->k, (long long)ask->at, ask->recall);
    else
        SAY("of %d ways that were measured it has the highest recall %lld@%lld, or one at most %.3g lower "
            "with fewer bytes", n, (long long)ask->k, (long long)ask->at, SAME_RECALL);
    if (ask->seconds > 0)
        SAY(", in at most %.4g us a query", ask->seconds * 1e6);
    if (ask->bytes > 0)
        SAY(", within %.4g bytes an item", ask->bytes);
    SAY(" (%.4f, %.0f queries a second, %.1f bytes)", b->recall, b->qps, b->bytes);
    int next = runner_up(ask, p, n, best);
    if (next >= 0) {
        tune_name(name, sizeof name, &p[next]);
        SAY("; the best of another method is %s (%.4f, %.0f, %.1f)", name, p[next].recall, p[next].qps,
            p[next].bytes);
    }
    SAY(".");
}
