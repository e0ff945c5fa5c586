/* vectors.c: opens, checks and reads files of vectors. See vectors.h. */
#define _GNU_SOURCE
#include "vectors.h"

#include "map_file.h"
#include "readers.h"
#include "synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int open_file(vectors *v, char *path)
{
    LBH_TRY(reader_open(v, path));
    return v->n ? LBH_OK : fail("'%s' holds no rows", v->name);
}

static int select_rows(vectors *v, char *range)
{
    int64_t from, to;
    LBH_TRY(parse_range(range, v->name, v->n, &from, &to));
    v->first = from;
    v->n = to - from;
    if (v->data)
        v->data += (size_t)from * v->stride;
    return LBH_OK;
}

static int open_spec(vectors *v, char *path)
{
    char *range = split_range(path);
    int rc;
    v->ranged = range != NULL;
    if (strncmp(path, "synthetic:", 10) == 0 || strcmp(path, "synthetic") == 0) {
        rc = synthetic_open(&v->made, path[9] ? path + 10 : "");
        if (rc == LBH_OK) {
            v->n = synthetic_rows(v->made);
            v->d = synthetic_d(v->made);
            v->type = VEC_F32;
        }
    } else
        rc = open_file(v, path);
    return rc == LBH_OK && range ? select_rows(v, range) : rc;
}

int numbers_open(vectors *v, const char *spec)
{
    *v = (vectors){.name = strdup(spec)};
    char *path = strdup(spec);
    int rc = v->name && path ? open_spec(v, path) : fail_memory();
    free(path);
    if (rc)
        vectors_close(v);
    return rc;
}

int vectors_open(vectors *v, const char *spec)
{
    int rc = numbers_open(v, spec);
    if (rc || (!v->column && !v->answers))
        return rc;
    if (v->answers)
        rc = fail("'%s' holds neighbours and their distances, and no vectors", v->name);
    else
        rc = fail("'%s' has one axis, of %lld numbers, which may be a row or a column; save it with two: "
                  "x.reshape(1, -1) or x.reshape(-1, 1)", v->name, (long long)v->n);
    vectors_close(v);
    return rc;
}

void vectors_close(vectors *v)
{
    if (v->map)
        munmap(v->map, v->map_size);
    synthetic_close(v->made);
    free(v->owned);
    free(v->offset);
    free(v->pick);
    free(v->name);
    *v = (vectors){0};
}

int vectors_fit_metric(const vectors *v, int metric)
{
    if (!v->products || metric != LBH_METRIC_L2)
        return LBH_OK;
    return fail("'%s' is a set for inner products: say so (--metric ip, in a specification metric = ip), or "
                "take its rows as they are (FILE:SET:rows)", v->name);
}

int vectors_view(vectors *v, const vectors *first, const vectors *second, const char *part,
                 int64_t count, int64_t *rows)
{
    *v = (vectors){.n = count, .d = first->d, .type = VEC_F32, .part = {first, second},
                   .pick = rows, .products = first->products};
    size_t room = strlen(first->name) + (second ? strlen(second->name) : 0) + strlen(part) + 8;
    v->name = malloc(room);
    if (!v->name) {
        vectors_close(v);
        return fail_memory();
    }
    snprintf(v->name, room, "%s%s%s, %s", first->name, second ? " + " : "",
             second ? second->name : "", part);
    return LBH_OK;
}
