/* test_lifecycle.c: every kind of index through every step of its life, against a naive search over a
 * list of what ought to be in it; and the table of c_api/README.md against what was found. */
#include "cases.h"

#include <criterion/logging.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 500, CAPACITY = 4 * N, NQ = 12, K = 8, MAX_SIZE = 8 };

typedef struct kind {
    const char *factory;
    const char *thorough; /* parameters with which it is exact; NULL: it never is */
} kind;

/* Each of these, and each under IDMap and IDMap2. */
static const kind kinds[] = {
    {"BFlat", ""},     {"BIVF16", "nprobe=16"}, {"BIVF16_HNSW8", "nprobe=16,quantizer_efSearch=64"},
    {"BHNSW16", NULL}, {"BHash9", "nflip=9"},   {"BHash3x7", "nflip=7"}};
enum { KINDS = sizeof kinds / sizeof *kinds, MAPS = 3 };
static const char *const maps[MAPS] = {"", "IDMap,", "IDMap2,"};

/* An index and what ought to be in it. */
typedef struct life {
    char factory[64];
    const kind *k;
    int map; /* of maps[] */
    size_t size;
    FaissIndexBinary *index;
    int n;
    int64_t ids[CAPACITY];
    uint8_t codes[CAPACITY * MAX_SIZE];
} life;

static int is(const life *l, const char *factory)
{
    return strncmp(l->k->factory, factory, strlen(factory)) == 0;
}

/* Kinds that keep ids of their own, or have a map. */
static int keeps_ids(const life *l)
{
    return l->map || is(l, "BIVF") || strcmp(l->k->factory, "BHash9") == 0;
}

/* More codes: places ahead of those of earlier calls come out of the seed. */
static void add(life *l, int count, uint64_t seed, int64_t first_id)
{
    uint8_t *codes = test_near_codes(count, l->size, 6, seed);
    int64_t ids[N];
    for (int i = 0; i < count; i++)
        ids[i] = first_id < 0 ? l->n + i : first_id + 3 * i;
    cr_ok(lbh_index_add_codes(l->index, l->size, count, codes, first_id < 0 ? NULL : ids));
    memcpy(l->codes + (size_t)l->n * l->size, codes, (size_t)count * l->size);
    memcpy(l->ids + l->n, ids, (size_t)count * sizeof *ids);
    l->n += count;
    free(codes);
}

static void set_thorough(life *l)
{
    cr_ok(lbh_index_set(l->index, l->k->thorough ? l->k->thorough : "efSearch=64"));
}

/* Trained, empty, thorough. */
static life *new_life(const kind *k, int map, size_t size)
{
    life *l = calloc(1, sizeof *l);
    uint8_t *codes = test_near_codes(N, size, 6, 9);
    l->k = k;
    l->map = map;
    l->size = size;
    snprintf(l->factory, sizeof l->factory, "%s%s", maps[map], k->factory);
    cr_ok(lbh_index_build_codes(&l->index, size, l->factory, N, codes));
    cr_ok(lbh_index_reset(l->index));
    set_thorough(l);
    free(codes);
    return l;
}

static void free_life(life *l)
{
    lbh_index_free(l->index);
    free(l);
}

static int position(const life *l, int64_t id)
{
    for (int i = 0; i < l->n; i++)
        if (l->ids[i] == id)
            return i;
    return -1;
}

/* Answers of one query against the list: every distance is that of its id, none comes twice, and
 * exact kinds have the smallest. Returns how many of the k smallest distances were found. */
static int check_row(const life *l, const char *step, const uint8_t *query, const int *member,
                     const int32_t *d, const int64_t *labels)
{
    int distance[CAPACITY], count[8 * MAX_SIZE + 1] = {0}, hits = 0, found = 0;
    int order[K] = {0}, m = 0; /* the smallest distances, rising */
    for (int i = 0; i < l->n; i++) {
        distance[i] = test_hamming(l->codes + (size_t)i * l->size, query, l->size);
        if (!member || member[i])
            count[distance[i]]++;
    }
    for (int at = 0; at <= 8 * MAX_SIZE; at++)
        for (int i = 0; i < count[at] && m < K; i++)
            order[m++] = at;
    for (; found < K && labels[found] >= 0; found++) {
        int at = position(l, labels[found]);
        cr_assert(at >= 0 && (!member || member[at]), "%s, %s: id %lld is not there", l->factory,
                  step, (long long)labels[found]);
        cr_assert_eq(distance[at], d[found], "%s, %s: distance", l->factory, step);
        for (int j = 0; j < found; j++)
            cr_assert_neq(labels[j], labels[found], "%s, %s: an id twice", l->factory, step);
        hits += d[found] <= order[m - 1];
    }
    if (l->k->thorough) {
        cr_assert_eq(found, m, "%s, %s: %d answers", l->factory, step, found);
        for (int j = 0; j < found; j++)
            cr_assert_eq(d[j], order[j], "%s, %s: distance %d", l->factory, step, j);
    }
    return hits;
}

/* The index is what the list says. */
static void check(const life *l, const char *step)
{
    int32_t d[NQ * K];
    int64_t labels[NQ * K];
    int hits = 0;
    uint8_t *query = test_near_codes(NQ, l->size, 6, 77);
    cr_assert_eq(lbh_index_ntotal(l->index), l->n, "%s, %s: %lld codes, not %d", l->factory, step,
                 (long long)lbh_index_ntotal(l->index), l->n);
    cr_ok(lbh_index_search_codes(l->index, l->size, NQ, query, K, d, labels));
    for (int q = 0; q < NQ; q++)
        hits += check_row(l, step, query + (size_t)q * l->size, NULL, d + q * K, labels + q * K);
    if (l->n >= K)
        cr_assert_geq(hits, NQ * K * 8 / 10, "%s, %s: %d of %d", l->factory, step, hits, NQ * K);
    free(query);
}

/* A step that FAISS cannot do: the code, FAISS's or our words, and nothing has changed. */
static int cannot(const life *l, const char *step, int rc)
{
    cr_assert_eq(rc, LBH_EFAISS, "%s, %s: %d, %s", l->factory, step, rc, lbh_last_error());
    cr_assert(strlen(lbh_last_error()) > 10 && !strchr(lbh_last_error(), '\n'), "%s",
              lbh_last_error());
    check(l, step);
    return 0;
}

/* ---- The steps: 1 if the kind can, 0 if it cannot and says so; wrong behaviour fails the test. --
 */

static int step_train(life *l)
{
    uint8_t code[MAX_SIZE] = {0};
    FaissIndexBinary *fresh = NULL;
    cr_ok(lbh_index_new(&fresh, l->size, l->factory));
    int rc = lbh_index_add_codes(fresh, l->size, 1, code, NULL);
    cr_assert_eq(rc, is(l, "BIVF") ? LBH_ESTATE : LBH_OK, "%s: %s", l->factory, lbh_last_error());
    lbh_index_free(fresh);
    return rc == LBH_ESTATE;
}

static int step_add(life *l)
{
    check(l, "nothing yet");
    add(l, 1, 1, -1);
    check(l, "add one");
    add(l, N, 2, -1);
    check(l, "add");
    cr_ok(lbh_index_add_codes(l->index, l->size, 0, NULL, NULL));
    check(l, "add none");
    return 1;
}

static int step_add_with_ids(life *l)
{
    if (!keeps_ids(l)) {
        uint8_t code[MAX_SIZE] = {0};
        int64_t id = 5;
        add(l, N, 1, -1);
        return cannot(l, "add with ids", lbh_index_add_codes(l->index, l->size, 1, code, &id));
    }
    add(l, N, 1, 70000000000);
    check(l, "add with ids");
    add(l, N, 2, 1);
    check(l, "add more with ids");
    return 1;
}

static int step_search(life *l)
{
    add(l, N, 1, -1);
    check(l, "search");
    return 1;
}

static int step_range(life *l)
{
    lbh_range_result *r = NULL;
    uint8_t *query = test_near_codes(NQ, l->size, 6, 77);
    const int radius = (int)l->size + 3;
    add(l, N, 1, -1);
    int rc = lbh_index_range_search_codes(&r, l->index, l->size, NQ, query, radius);
    for (int q = 0; q < NQ && rc == LBH_OK; q++) {
        int inside = 0;
        for (int i = 0; i < l->n; i++)
            inside += test_hamming(l->codes + (size_t)i * l->size, query + (size_t)q * l->size,
                                   l->size) < radius;
        cr_assert_eq(r->lims[q + 1] - r->lims[q], inside, "%s: range", l->factory);
        for (int64_t j = r->lims[q]; j < r->lims[q + 1]; j++)
            cr_assert_eq(r->distances[j],
                         test_hamming(l->codes + (size_t)position(l, r->labels[j]) * l->size,
                                      query + (size_t)q * l->size, l->size));
    }
    lbh_range_result_free(r);
    free(query);
    return rc == LBH_OK ? 1 : cannot(l, "range search", rc);
}

static int every_third(const void *ctx, int64_t id)
{
    return id % 3 == *(const int *)ctx;
}

static int only_some(const void *ctx, int64_t id)
{
    (void)ctx;
    return id >= 17 && id < 22;
}

static int nothing(const void *ctx, int64_t id)
{
    (void)ctx, (void)id;
    return 0;
}

static void check_filtered(const life *l, lbh_filter_fn filter, const void *ctx, int floor)
{
    int32_t d[NQ * K];
    int64_t labels[NQ * K];
    int member[CAPACITY], hits = 0;
    uint8_t *query = test_near_codes(NQ, l->size, 6, 77);
    for (int i = 0; i < l->n; i++)
        member[i] = filter(ctx, l->ids[i]);
    cr_ok(lbh_index_search_filtered_codes(l->index, l->size, NQ, query, K, filter, ctx, d, labels));
    for (int q = 0; q < NQ; q++)
        hits +=
            check_row(l, "filter", query + (size_t)q * l->size, member, d + q * K, labels + q * K);
    cr_assert_geq(hits, floor, "%s, filter: %d", l->factory, hits);
    free(query);
}

static int step_filter(life *l)
{
    const int remainder = 1;
    check_filtered(l, nothing, NULL, 0); /* an empty index */
    add(l, N, 1, -1);
    check_filtered(l, every_third, &remainder, NQ * K * 8 / 10);
    check_filtered(l, only_some, NULL, l->k->thorough ? NQ * 5 : 0); /* a graph may miss them all */
    check_filtered(l, nothing, NULL, 0);
    return 1;
}

static int step_remove(life *l)
{
    int64_t ids[N / 2 + 1], removed = -1;
    int left = 0;
    add(l, N, 1, -1);
    for (int i = 0; i < N / 2; i++)
        ids[i] = 2 * i + (i % 5 == 0);
    ids[N / 2] = 99999; /* no such id */
    int rc = lbh_index_remove(l->index, N / 2 + 1, ids, &removed);
    if (rc != LBH_OK)
        return cannot(l, "remove", rc);
    cr_assert_eq(removed, N / 2);
    for (int i = 0; i < l->n; i++) {
        int gone = 0;
        for (int j = 0; j < N / 2; j++)
            gone |= l->ids[i] == ids[j];
        if (!gone) {
            memmove(l->codes + (size_t)left * l->size, l->codes + (size_t)i * l->size, l->size);
            l->ids[left] = keeps_ids(l) ? l->ids[i] : left;
            left++;
        }
    }
    l->n = left;
    check(l, "remove");
    if (keeps_ids(l))
        add(l, N / 4, 3, 1000000);
    else
        add(l, N / 4, 3, -1);
    check(l, "add after remove");
    cr_ok(lbh_index_remove(l->index, 0, NULL, NULL));
    check(l, "remove none");
    return 1;
}

static int step_reconstruct(life *l)
{
    uint8_t code[MAX_SIZE];
    add(l, N, 1, -1);
    if (keeps_ids(l))
        add(l, N, 2, 5000000);
    for (int i = 0; i < l->n; i++) {
        cr_ok(lbh_index_reconstruct(l->index, l->ids[i], code));
        cr_assert_arr_eq(code, l->codes + (size_t)i * l->size, l->size, "%s", l->factory);
    }
    cr_fails(lbh_index_reconstruct(l->index, 77777777, code), LBH_EINVAL, "77777777");
    cr_fails(lbh_index_reconstruct(l->index, -1, code), LBH_EINVAL, "-1");
    return 1;
}

static int step_reset(life *l)
{
    add(l, N, 1, -1);
    cr_ok(lbh_index_reset(l->index));
    l->n = 0;
    check(l, "reset");
    add(l, N / 3, 2, -1); /* fewer than before: what was forgotten must not be found */
    check(l, "add after reset");
    return 1;
}

/* `other` is of one file with l: the same lists, if it has any. */
static FaissIndexBinary *copy(const life *l, const char *path)
{
    FaissIndexBinary *other = NULL;
    cr_ok(lbh_index_save(l->index, path));
    cr_ok(lbh_index_load(&other, path));
    return other;
}

static int step_merge(life *l)
{
    life *other = calloc(1, sizeof *other);
    *other = *l;
    other->index = copy(l, test_tmp("empty.faiss"));
    set_thorough(other);
    add(l, N, 1, -1);
    add(other, N / 2, 2, -1);
    int rc = lbh_index_merge(l->index, other->index, N);
    if (rc != LBH_OK) {
        free_life(other);
        return cannot(l, "merge", rc);
    }
    for (int i = 0; i < other->n; i++)
        l->ids[l->n + i] = other->ids[i] + N;
    memcpy(l->codes + (size_t)l->n * l->size, other->codes, (size_t)other->n * l->size);
    l->n += other->n;
    other->n = 0;
    check(l, "merge");
    check(other, "merged away");
    add(other, N / 3, 3, -1);
    check(other, "add after being merged away");
    add(l, 20, 4, -1);
    check(l, "add after merge");
    FaissIndexBinary *odd = NULL;
    cr_ok(lbh_index_new(&odd, l->size, is(l, "BFlat") ? "BHash5" : "BFlat"));
    cr_fails(lbh_index_merge(l->index, odd, 0), LBH_EINVAL, "do not fit");
    lbh_index_free(odd);
    free_life(other);
    return 1;
}

static int step_save_load(life *l)
{
    add(l, N, 1, -1);
    FaissIndexBinary *read = copy(l, test_tmp("saved.faiss"));
    lbh_index_free(l->index);
    l->index = read;
    check(l, "load"); /* parameters are in the file */
    add(l, N / 2, 2, -1);
    check(l, "add after load");
    return 1;
}

static int step_map(life *l)
{
    const char *path = test_tmp("mapped.faiss");
    FaissIndexBinary *mapped = NULL;
    uint8_t code[MAX_SIZE] = {0};
    add(l, N, 1, -1);
    cr_ok(lbh_index_save(l->index, path));
    int rc = lbh_index_load_mapped(&mapped, path);
    if (rc != LBH_OK)
        return cannot(l, "map", rc);
    lbh_index_free(l->index);
    l->index = mapped;
    check(l, "map");
    cr_fails(lbh_index_add_codes(mapped, l->size, 1, code, NULL), LBH_ESTATE, "mapped");
    cr_fails(lbh_index_remove(mapped, 1, l->ids, NULL), LBH_ESTATE, "mapped");
    cr_fails(lbh_index_reset(mapped), LBH_ESTATE, "mapped");
    cr_ok(lbh_index_save(mapped, path)); /* over its own file: a new one takes the name */
    check(l, "save while mapped");
    return 1;
}

static const struct step {
    const char *name, *yes; /* the table's words */
    int (*run)(life *);
} steps[] = {{"train", "lists", step_train},
             {"add", "yes", step_add},
             {"add with ids", "yes", step_add_with_ids},
             {"search", "yes", step_search},
             {"range search", "yes", step_range},
             {"filter", "yes", step_filter},
             {"remove", "yes", step_remove},
             {"reconstruct", "yes", step_reconstruct},
             {"reset", "yes", step_reset},
             {"merge", "yes", step_merge},
             {"save, load", "yes", step_save_load},
             {"map", "yes", step_map}};
enum { STEPS = sizeof steps / sizeof *steps };

/* ---- Each step, for all kinds --------------------------------------------------------------- */

static int run_step(int step, const kind *k, int map, size_t size)
{
    life *l = new_life(k, map, size);
    int can = steps[step].run(l);
    free_life(l);
    return can;
}

static void for_all_kinds(int (*run)(life *))
{
    static const size_t sizes[] = {3, MAX_SIZE}; /* 3: hashes near the end of a code */
    for (int i = 0; i < STEPS; i++)
        for (int k = 0; steps[i].run == run && k < KINDS; k++)
            for (int map = 0; map < MAPS; map++)
                for (int s = 0; s < 2; s++)
                    run_step(i, &kinds[k], map, sizes[s]);
}

Test(lifecycle, train)
{
    for_all_kinds(step_train);
}
Test(lifecycle, add)
{
    for_all_kinds(step_add);
}
Test(lifecycle, add_with_ids)
{
    for_all_kinds(step_add_with_ids);
}
Test(lifecycle, search)
{
    for_all_kinds(step_search);
}
Test(lifecycle, range)
{
    for_all_kinds(step_range);
}
Test(lifecycle, filter)
{
    for_all_kinds(step_filter);
}
Test(lifecycle, remove)
{
    for_all_kinds(step_remove);
}
Test(lifecycle, reconstruct)
{
    for_all_kinds(step_reconstruct);
}
Test(lifecycle, reset)
{
    for_all_kinds(step_reset);
}
Test(lifecycle, merge)
{
    for_all_kinds(step_merge);
}
Test(lifecycle, save_load)
{
    for_all_kinds(step_save_load);
}
Test(lifecycle, map)
{
    for_all_kinds(step_map);
}

/* ---- The table of the README ----------------------------------------------------------------- */

/* "| BFlat | - | yes | ... |" of what this FAISS did; numbers of factories are taken out. */
static void table_row(char *row, size_t size, const kind *k, int map)
{
    size_t used = (size_t)snprintf(row, size, "| %s%s |", maps[map], k->factory);
    for (int i = 0; i < STEPS; i++)
        used += (size_t)snprintf(row + used, size - used, " %s |",
                                 run_step(i, k, map, MAX_SIZE) ? steps[i].yes
                                 : i == 0                      ? "-"
                                                               : "no");
    strcat(row, "\n");
}

Test(lifecycle, table_of_the_readme)
{
    char table[8192] = "", heading[64];
    size_t size;
    for (int map = 0; map < MAPS; map++)
        for (int k = 0; k < KINDS; k++) {
            char row[512];
            table_row(row, sizeof row, &kinds[k], map);
            strcat(table, row);
        }
    char *readme = (char *)test_slurp(README, &size);
    cr_assert_not_null(readme, "%s is absent", README);
    readme = realloc(readme, size + 1);
    readme[size] = '\0';
    snprintf(heading, sizeof heading, "### FAISS %s\n", lbh_faiss_version());
    char *section = strstr(readme, heading);
    if (!section) {
        fprintf(stderr, "c_api/README.md has no table for FAISS %s; it would be\n%s",
                lbh_faiss_version(), table);
        cr_skip_test("no table for this version");
    }
    char *end = strstr(section + 4, "\n#");
    if (end)
        *end = '\0';
    cr_assert(strstr(section, table), "the table of c_api/README.md should be\n%s", table);
    free(readme);
}

/* BIVF of other lists would hide the codes it is given. */
Test(lifecycle, merge_of_lists_trained_apart)
{
    uint8_t *a = test_near_codes(N, 8, 6, 1), *b = test_near_codes(N, 8, 6, 2);
    FaissIndexBinary *one = NULL, *two = NULL;
    cr_ok(lbh_index_build_codes(&one, 8, "BIVF16", N, a));
    cr_ok(lbh_index_build_codes(&two, 8, "BIVF16", N, b));
    cr_fails(lbh_index_merge(one, two, N), LBH_EINVAL, "same trained lists");
    cr_assert_eq(lbh_index_ntotal(one), N);
    cr_assert_eq(lbh_index_ntotal(two), N);
    cr_fails(lbh_index_merge(one, one, N), LBH_EINVAL, "itself");
    cr_fails(lbh_index_merge(one, two, -1), LBH_EINVAL, "add_id");
    cr_fails(lbh_index_merge(one, NULL, 0), LBH_EINVAL, "no index");
    lbh_index_free(one);
    lbh_index_free(two);
    free(a);
    free(b);
}

Test(lifecycle, wrong_calls)
{
    FaissIndexBinary *index = NULL;
    uint8_t code[8] = {0};
    int64_t id = 0;
    int32_t d;
    cr_ok(lbh_index_new(&index, 8, "BFlat"));
    cr_fails(lbh_index_remove(NULL, 1, &id, NULL), LBH_EINVAL, "no index");
    cr_fails(lbh_index_remove(index, -1, &id, NULL), LBH_EINVAL, "negative");
    cr_fails(lbh_index_remove(index, 1, NULL, NULL), LBH_EINVAL, "no data");
    cr_fails(lbh_index_reset(NULL), LBH_EINVAL, "no index");
    cr_fails(lbh_index_reconstruct(index, 0, NULL), LBH_EINVAL, "place");
    cr_fails(lbh_index_reconstruct(index, 0, code), LBH_EINVAL, "no id 0");
    cr_fails(lbh_index_search_filtered_codes(index, 8, 1, code, 1, NULL, NULL, &d, &id), LBH_EINVAL,
             "filter");
    cr_fails(lbh_index_search_filtered_codes(index, 8, 1, code, 0, nothing, NULL, &d, &id),
             LBH_EINVAL, "k (0)");
    cr_fails(lbh_index_search_filtered_codes(index, 8, 1, NULL, 1, nothing, NULL, &d, &id),
             LBH_EINVAL, "no data");
    cr_fails(lbh_index_search_filtered_codes(index, 8, 1, code, 1, nothing, NULL, NULL, &id),
             LBH_EINVAL, "place");
    cr_fails(lbh_index_load_mapped(&index, "/nowhere/index"), LBH_EIO, "/nowhere/index");
    lbh_index_free(index);
}
