/* code_classes.c: see code_classes.h. */
#define _POSIX_C_SOURCE 200809L
#include "code_classes.h"

#include "encode.h"

#include <stdlib.h>
#include <string.h>

/* ---- Scores -------------------------------------------------------------------------------- */

typedef struct tally {
    int64_t both, given, have; /* rows of a class that were given it and have it; given; have */
} tally;

int label_scores_of(label_scores *s, const labels *given, const labels *have, int64_t classes)
{
    tally *t = cli_alloc(classes, sizeof *t), all = {0};
    int64_t exact = 0, seen = 0;
    double f1 = 0;
    if (!t)
        return LBH_ENOMEM;
    memset(t, 0, (size_t)classes * sizeof *t);
    *s = (label_scores){0};
    for (int64_t i = 0; i < have->n; i++) {
        int64_t p = given->start[i], pend = given->start[i + 1], both = 0;
        if (have->start[i] == have->start[i + 1])
            continue;
        s->rows++;
        for (int64_t h = have->start[i]; h < have->start[i + 1]; h++) {
            t[have->item[h]].have++;
            while (p < pend && given->item[p] < have->item[h])
                p++;
            if (p < pend && given->item[p] == have->item[h]) {
                t[have->item[h]].both++;
                both++;
            }
        }
        for (p = given->start[i]; p < pend; p++)
            t[given->item[p]].given++;
        exact += both == have->start[i + 1] - have->start[i] && both == pend - given->start[i];
    }
    for (int64_t c = 0; c < classes; c++) {
        all.both += t[c].both;
        all.given += t[c].given;
        all.have += t[c].have;
        if (t[c].given + t[c].have == 0)
            continue;
        seen++;
        f1 += 2 * (double)t[c].both / (double)(t[c].given + t[c].have);
    }
    s->exact = (double)exact / (double)s->rows;
    s->micro_f1 = 2 * (double)all.both / (double)(all.given + all.have);
    s->macro_f1 = f1 / (double)seen;
    free(t);
    return LBH_OK;
}

/* ---- Nearest codes ------------------------------------------------------------------------- */

/* The rows that have labels, and their codes (those of the base where all have). */
typedef struct voters {
    int64_t n, *row;
    uint8_t *codes;
} voters;

static int voters_new(voters *v, size_t code_size, int64_t n, const uint8_t *base,
                      const labels *have)
{
    *v = (voters){.row = cli_alloc(n, sizeof *v->row), .codes = cli_alloc(n, code_size)};
    if (!v->row || !v->codes)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        if (have->start[i] < have->start[i + 1]) {
            memcpy(v->codes + (size_t)v->n * code_size, base + (size_t)i * code_size, code_size);
            v->row[v->n++] = i;
        }
    return v->n ? LBH_OK : fail("no row of the base has a label");
}

static void voters_free(voters *v)
{
    free(v->row);
    free(v->codes);
}

/* Own rows as numbers of voters; -1 where they do not vote. */
static int own_voters(const voters *v, int64_t nq, const int64_t *own, int64_t **out)
{
    *out = NULL;
    if (!own)
        return LBH_OK;
    *out = cli_alloc(nq, sizeof **out);
    for (int64_t q = 0; *out && q < nq; q++) {
        const int64_t *at = bsearch(&own[q], v->row, (size_t)v->n, sizeof *v->row, compare_ids);
        (*out)[q] = at ? at - v->row : -1;
    }
    return *out ? LBH_OK : LBH_ENOMEM;
}

/* Scratch for the votes on one query: how many each class has (0 between queries), and the classes
 * that have any, in the order in which they were met. */
typedef struct ballot {
    int64_t *votes, *met, nmet;
} ballot;

/* The labels that the vote gives, in the order in which their classes were met; their number. */
static int64_t count_votes(ballot *b, const voters *v, const labels *have, int64_t k,
                           const int64_t *near, bool several, int64_t *item)
{
    int64_t given = 0, voting = 0;
    b->nmet = 0;
    for (int64_t i = 0; i < k && near[i] >= 0; i++, voting++) {
        int64_t row = v->row[near[i]];
        for (int64_t j = have->start[row]; j < have->start[row + 1]; j++) {
            int64_t c = have->item[j];
            if (b->votes[c]++ == 0)
                b->met[b->nmet++] = c;
        }
    }
    for (int64_t i = 0; i < b->nmet; i++) {
        int64_t c = b->met[i];
        if (several ? 2 * b->votes[c] > voting : given == 0 || b->votes[c] > b->votes[item[0]])
            item[several ? given++ : 0] = c;
        given = several ? given : 1;
    }
    for (int64_t i = 0; i < b->nmet; i++)
        b->votes[b->met[i]] = 0;
    return several ? sort_unique(item, given) : given;
}

static int vote(labels *out, const voters *v, const labels *have, int64_t nq, int64_t k,
                const int64_t *near, bool several)
{
    int64_t most = 1;
    for (int64_t i = 0; several && i < v->n; i++) {
        int64_t count = have->start[v->row[i] + 1] - have->start[v->row[i]];
        most = count > most ? count : most;
    }
    /* A label needs more than half of the voters, so there are fewer than twice `most`. */
    int rc = labels_alloc(out, nq, nq * 2 * most);
    ballot b = {.votes = cli_alloc(have->classes, sizeof *b.votes),
                .met = cli_alloc(have->classes, sizeof *b.met)};
    if (!b.votes || !b.met)
        rc = LBH_ENOMEM;
    else
        memset(b.votes, 0, (size_t)have->classes * sizeof *b.votes);
    for (int64_t q = 0, at = 0; q < nq && rc == LBH_OK; q++) {
        at += count_votes(&b, v, have, k, near + q * k, several, out->item + at);
        out->start[q + 1] = at;
    }
    out->classes = have->classes;
    free(b.votes);
    free(b.met);
    return rc;
}

int knn_labels(labels *out, size_t code_size, int64_t n, const uint8_t *base, const labels *have,
               int64_t nq, const uint8_t *query, const int64_t *own, int64_t k, bool several)
{
    voters v;
    int64_t *own_ids = NULL, *near = NULL;
    int32_t *distances = NULL;
    FaissIndexBinary *index = NULL;
    *out = (labels){0};
    int rc = voters_new(&v, code_size, n, base, have);
    if (rc == LBH_OK)
        rc = own_voters(&v, nq, own, &own_ids);
    if (rc == LBH_OK)
        rc = lbh_index_build_codes(&index, code_size, "BFlat", v.n, v.codes);
    if (rc == LBH_OK)
        rc = search_all(index, code_size, nq, query, k, own_ids, &distances, &near);
    if (rc == LBH_OK)
        rc = vote(out, &v, have, nq, k, near, several);
    lbh_index_free(index);
    free(own_ids);
    free(near);
    free(distances);
    voters_free(&v);
    if (rc)
        labels_close(out);
    return rc;
}

/* ---- The model's classifier ---------------------------------------------------------------- */

typedef struct named_class {
    const char *name;
    int64_t number;
} named_class;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const named_class *)a)->name, ((const named_class *)b)->name);
}

/* The class of the data that each class of the model is: to[nclasses]. Classes that the data does
 * not have get numbers from have->classes on. The model's note says what they are called; without
 * it (a model that was not trained by lbh) class numbers are those of the model. */
static int match_classes(const lbh_encoder *enc, const labels *have, int64_t *to)
{
    int nclasses = lbh_encoder_nclasses(enc, NULL);
    const char *note = lbh_encoder_note(enc, "classes");
    cJSON *names = note ? cJSON_Parse(note) : NULL;
    named_class *known = cli_alloc(have->classes, sizeof *known);
    char(*text)[CLASS_TEXT] = cli_alloc(have->classes, sizeof *text);
    int rc = known && text ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK && note && !cJSON_IsArray(names))
        rc = fail("the model's note on its classes is damaged");
    for (int64_t c = 0; rc == LBH_OK && c < have->classes; c++) {
        known[c] = (named_class){class_name(have, c, text[c]), c};
    }
    if (rc == LBH_OK)
        qsort(known, (size_t)have->classes, sizeof *known, compare_names);
    const cJSON *name = names ? names->child : NULL;
    for (int64_t m = 0; rc == LBH_OK && m < nclasses; m++) {
        char digits[CLASS_TEXT];
        labels plain = {0};
        class_name(&plain, m, digits);
        named_class key = {.name = name && cJSON_IsString(name) ? name->valuestring : digits};
        const named_class *at =
            note && !name ? NULL
                          : bsearch(&key, known, (size_t)have->classes, sizeof *known,
                                    compare_names);
        to[m] = at ? at->number : have->classes + m;
        name = name ? name->next : NULL;
    }
    cJSON_Delete(names);
    free(known);
    free(text);
    return rc;
}

static int make_room(labels *l, int64_t *room, int64_t need)
{
    if (need <= *room)
        return LBH_OK;
    int64_t more = 2 * need;
    int64_t *item = realloc(l->item, (size_t)more * sizeof *item);
    if (!item)
        return fail_memory();
    l->item = item;
    *room = more;
    return LBH_OK;
}

/* Labels that the classifier gives to codes: those of positive log-odds if it tells several and the
 * data have several, else the best one. */
static int head_labels(labels *out, const lbh_encoder *enc, int64_t n, const uint8_t *codes,
                       const int64_t *to, bool several)
{
    enum { ROWS = 256 };
    int multi, nclasses = lbh_encoder_nclasses(enc, &multi);
    bool sets = several && multi;
    int64_t room = n;
    float *scores = cli_alloc(ROWS, (size_t)nclasses * sizeof *scores);
    int rc = labels_alloc(out, n, room);
    rc = scores ? rc : LBH_ENOMEM;
    for (int64_t i = 0, at = 0; i < n && rc == LBH_OK; i += ROWS) {
        int64_t rows = n - i < ROWS ? n - i : ROWS, best[ROWS];
        const uint8_t *block = codes + (size_t)i * lbh_encoder_code_size(enc);
        rc = sets ? lbh_encoder_class_scores(enc, rows, block, scores)
                  : lbh_encoder_classify(enc, rows, block, best);
        if (rc == LBH_OK)
            rc = make_room(out, &room, at + rows * (sets ? nclasses : 1));
        for (int64_t r = 0; r < rows && rc == LBH_OK; r++) {
            int64_t first = at;
            if (!sets)
                out->item[at++] = to[best[r]];
            for (int c = 0; sets && c < nclasses; c++)
                if (scores[r * nclasses + c] > 0)
                    out->item[at++] = to[c];
            sort_unique(out->item + first, at - first);
            out->start[i + r + 1] = at;
        }
    }
    free(scores);
    return rc;
}

/* ---- The report ---------------------------------------------------------------------------- */

static bool has_several(const labels *l)
{
    for (int64_t i = 0; i < l->n; i++)
        if (l->start[i + 1] - l->start[i] > 1)
            return true;
    return false;
}

static int add_scores(cJSON *o, const labels *given, const labels *have, int64_t classes,
                      bool several)
{
    label_scores s;
    LBH_TRY(label_scores_of(&s, given, have, classes));
    if (several) {
        report_number(o, "micro_f1", s.micro_f1);
        report_number(o, "macro_f1", s.macro_f1);
        report_number(o, "exact_match", s.exact);
    } else
        report_number(o, "accuracy", s.exact);
    return LBH_OK;
}

static int report_head(cJSON *o, const classify_job *c, bool several)
{
    int nclasses = lbh_encoder_nclasses(c->enc, NULL);
    if (nclasses == 0) {
        report_text(o, "head", "none");
        return LBH_OK;
    }
    labels given = {0};
    int64_t *to = cli_alloc(nclasses, sizeof *to), unknown = c->have->classes;
    int rc = to ? match_classes(c->enc, c->have, to) : LBH_ENOMEM;
    for (int m = 0; rc == LBH_OK && m < nclasses; m++)
        unknown -= to[m] < c->have->classes;
    if (rc == LBH_OK)
        rc = head_labels(&given, c->enc, c->nq, c->query_codes, to, several);
    if (rc == LBH_OK) {
        cJSON *head = cJSON_AddObjectToObject(o, "head");
        report_number(head, "classes", nclasses);
        report_number(head, "classes_it_does_not_know", (double)unknown);
        rc = add_scores(head, &given, c->have, c->have->classes + nclasses, several);
    }
    labels_close(&given);
    free(to);
    return rc;
}

static int report_knn(cJSON *o, const classify_job *c, bool several)
{
    labels given;
    int64_t voting = 0;
    for (int64_t i = 0; i < c->n; i++)
        voting += c->base->start[i] < c->base->start[i + 1];
    int64_t limit = voting - (c->own ? 1 : 0), k = c->k < limit ? c->k : limit;
    if (k < 1)
        return fail("no row of the base is left that has a label");
    LBH_TRY(knn_labels(&given, lbh_encoder_code_size(c->enc), c->n, c->base_codes, c->base,
                       c->nq, c->query_codes, c->own, k, several));
    cJSON *knn = cJSON_AddObjectToObject(o, "knn");
    report_number(knn, "k", (double)k);
    int rc = add_scores(knn, &given, c->have, c->have->classes, several);
    labels_close(&given);
    return rc;
}

int classify_report(cJSON *doc, const classify_job *c)
{
    bool several = has_several(c->base) || has_several(c->have);
    int64_t unlabelled = 0;
    for (int64_t i = 0; i < c->have->n; i++)
        unlabelled += c->have->start[i] == c->have->start[i + 1];
    cJSON *o = cJSON_AddObjectToObject(doc, "classify");
    report_text(o, "labels", several ? "several a row" : "one a row");
    report_number(o, "classes", (double)c->have->classes);
    report_number(o, "queries_without_label", (double)unlabelled);
    LBH_TRY(report_head(o, c, several));
    return report_knn(o, c, several);
}
