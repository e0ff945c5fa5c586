/* class_names.c: numbers and names of classes: dense renumbering, names of classes, picked rows.
 * See labels.h. */
#define _POSIX_C_SOURCE 200809L
#include "labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop_names(labels *l)
{
    for (int64_t i = 0; l->name && i < l->nnames; i++)
        free(l->name[i]);
    free(l->name);
    l->name = NULL;
    l->nnames = 0;
}

int labels_set_names(labels *l, const char **texts, int64_t count)
{
    qsort(texts, (size_t)count, sizeof *texts, compare_texts);
    labels new = {.name = cli_alloc(count, sizeof *new.name)};
    int rc = new.name ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < count && rc == LBH_OK; i++) {
        if (i > 0 && strcmp(texts[i], texts[i - 1]) == 0)
            continue;
        char *copy = strdup(texts[i]);
        if (copy)
            new.name[new.nnames++] = copy;
        else
            rc = fail_memory();
    }
    drop_names(l); /* only now: texts may point to them */
    l->name = new.name;
    l->nnames = new.nnames;
    return rc;
}

int64_t labels_find_name(const labels *l, const char *text)
{
    char **at = bsearch(&text, l->name, (size_t)l->nnames, sizeof *l->name, compare_texts);
    return at ? at - l->name : -1;
}

/* ---- Dense numbers ------------------------------------------------------------------------- */

static int64_t items(const labels *l)
{
    return l ? l->start[l->n] : 0;
}

/* Back to the numbers that the file had. */
static void undo(labels *l)
{
    for (int64_t i = 0; l && l->number && i < items(l); i++)
        l->item[i] = l->number[l->item[i]];
    if (l) {
        free(l->number);
        l->number = NULL;
    }
}

static int renumber(labels *l, const int64_t *known, int64_t count)
{
    l->number = cli_alloc(count, sizeof *l->number);
    if (!l->number)
        return LBH_ENOMEM;
    memcpy(l->number, known, (size_t)count * sizeof *known);
    l->classes = count;
    for (int64_t i = 0; i < items(l); i++) {
        const int64_t *at =
            bsearch(&l->item[i], known, (size_t)count, sizeof *known, compare_ids);
        l->item[i] = at - known;
    }
    return LBH_OK;
}

static int dense_numbers(labels *a, labels *b)
{
    int64_t *known = cli_alloc(items(a) + items(b), sizeof *known);
    if (!known)
        return LBH_ENOMEM;
    memcpy(known, a->item, (size_t)items(a) * sizeof *known);
    if (b)
        memcpy(known + items(a), b->item, (size_t)items(b) * sizeof *known);
    int64_t count = sort_unique(known, items(a) + items(b));
    int rc = renumber(a, known, count);
    if (rc == LBH_OK && b)
        rc = renumber(b, known, count);
    free(known);
    return rc;
}

/* ---- Dense names --------------------------------------------------------------------------- */

/* Numbers become names: their digits. */
static int name_numbers(labels *l)
{
    int64_t *known = cli_alloc(items(l), sizeof *known);
    char(*text)[CLASS_TEXT] = cli_alloc(items(l), sizeof *text);
    const char **texts = cli_alloc(items(l), sizeof *texts);
    int rc = known && text && texts ? LBH_OK : LBH_ENOMEM;
    int64_t count = 0;
    if (rc == LBH_OK) {
        memcpy(known, l->item, (size_t)items(l) * sizeof *known);
        count = sort_unique(known, items(l));
    }
    for (int64_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%lld", (long long)known[i]);
        texts[i] = text[i];
    }
    if (rc == LBH_OK)
        rc = labels_set_names(l, texts, count);
    for (int64_t i = 0; rc == LBH_OK && i < items(l); i++) {
        char digits[CLASS_TEXT];
        snprintf(digits, sizeof digits, "%lld", (long long)l->item[i]);
        l->item[i] = labels_find_name(l, digits);
    }
    free(known);
    free(text);
    free(texts);
    return rc;
}

/* Appends the names of the classes that occur. */
static int64_t add_used(const labels *l, bool *used, const char **texts, int64_t count)
{
    memset(used, 0, (size_t)l->nnames * sizeof *used);
    for (int64_t i = 0; i < items(l); i++)
        used[l->item[i]] = true;
    for (int64_t i = 0; i < l->nnames; i++)
        if (used[i])
            texts[count++] = l->name[i];
    return count;
}

static void move_to(labels *l, const labels *all)
{
    for (int64_t i = 0; i < items(l); i++)
        l->item[i] = labels_find_name(all, l->name[l->item[i]]);
    l->classes = all->nnames;
}

/* Gives a the names of b. */
static int copy_names(labels *a, const labels *b)
{
    const char **texts = cli_alloc(b->nnames, sizeof *texts);
    if (!texts)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < b->nnames; i++)
        texts[i] = b->name[i];
    int rc = labels_set_names(a, texts, b->nnames);
    free(texts);
    return rc;
}

static int dense_names(labels *a, labels *b)
{
    int64_t room = a->nnames + (b ? b->nnames : 0), count;
    const char **texts = cli_alloc(room, sizeof *texts);
    bool *used = cli_alloc(room, sizeof *used);
    labels all = {0};
    int rc = texts && used ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK) {
        count = add_used(a, used, texts, 0);
        count = b ? add_used(b, used, texts, count) : count;
        rc = labels_set_names(&all, texts, count);
    }
    if (rc == LBH_OK) {
        move_to(a, &all);
        rc = copy_names(a, &all);
    }
    if (rc == LBH_OK && b) {
        move_to(b, &all);
        rc = copy_names(b, &all);
    }
    drop_names(&all);
    free(texts);
    free(used);
    return rc;
}

int labels_dense(labels *a, labels *b)
{
    undo(a);
    undo(b);
    if (!a->name && !(b && b->name))
        return dense_numbers(a, b);
    int rc = a->name ? LBH_OK : name_numbers(a);
    if (rc == LBH_OK && b && !b->name)
        rc = name_numbers(b);
    return rc ? rc : dense_names(a, b);
}

/* ---- Names and rows ------------------------------------------------------------------------ */

const char *class_name(const labels *l, int64_t c, char text[CLASS_TEXT])
{
    if (l->name)
        return l->name[c];
    snprintf(text, CLASS_TEXT, "%lld", (long long)(l->number ? l->number[c] : c));
    return text;
}

cJSON *class_names(const labels *l)
{
    cJSON *array = cJSON_CreateArray();
    bool whole = array;
    for (int64_t c = 0; c < l->classes && whole; c++) {
        char text[CLASS_TEXT];
        whole = cJSON_AddItemToArray(array, cJSON_CreateString(class_name(l, c, text)));
    }
    if (!whole) {
        cJSON_Delete(array);
        fail_memory();
        return NULL;
    }
    return array;
}

int labels_meet(const labels *base, const labels *query)
{
    bool *in_base = cli_alloc(base->classes, sizeof *in_base), common = false;
    char b[CLASS_TEXT], q[CLASS_TEXT];
    if (!in_base)
        return LBH_ENOMEM;
    memset(in_base, 0, (size_t)base->classes * sizeof *in_base);
    for (int64_t i = 0; i < items(base); i++)
        in_base[base->item[i]] = true;
    for (int64_t i = 0; i < items(query); i++)
        common |= in_base[query->item[i]];
    free(in_base);
    if (common)
        return LBH_OK;
    return fail("no class of the queries (%.60s ...) is one of the base (%.60s ...)",
                items(query) ? class_name(query, query->item[0], q) : "none",
                items(base) ? class_name(base, base->item[0], b) : "none");
}

int labels_pick(labels *out, const labels *from, int64_t count, const int64_t *ids)
{
    *out = (labels){0};
    int64_t room = 0, at = 0;
    for (int64_t i = 0; i < count; i++)
        room += from->start[ids[i] + 1] - from->start[ids[i]];
    int rc = labels_alloc(out, count, room);
    for (int64_t i = 0; i < count && rc == LBH_OK; i++) {
        int64_t size = from->start[ids[i] + 1] - from->start[ids[i]];
        memcpy(out->item + at, from->item + from->start[ids[i]], (size_t)size * sizeof *out->item);
        at += size;
        out->start[i + 1] = at;
    }
    if (rc == LBH_OK && from->name)
        rc = copy_names(out, from);
    if (rc == LBH_OK && from->number) {
        out->number = cli_alloc(from->classes, sizeof *out->number);
        rc = out->number ? LBH_OK : LBH_ENOMEM;
        for (int64_t c = 0; rc == LBH_OK && c < from->classes; c++)
            out->number[c] = from->number[c];
    }
    out->classes = from->classes;
    if (rc)
        labels_close(out);
    return rc;
}
