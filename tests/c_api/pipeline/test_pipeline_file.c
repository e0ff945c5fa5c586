/* test_pipeline_file.c: saved pipelines: the same after loading, whole after anything that goes
 * wrong. */
#define _POSIX_C_SOURCE 200809L
#include "lbh_pipeline.h"

#include "cases.h"

#include <dirent.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 300, NQ = 5, K = 6, D = 20 };

static float *rows_, *queries;
static void set_up(void)
{
    rows_ = test_mixture(2 * N, D, 21, NULL);
    queries = test_mixture(NQ, D, 22, NULL);
}

static void tear_down(void)
{
    free(rows_);
    free(queries);
}

TestSuite(pipeline_file, .init = set_up, .fini = tear_down);

static lbh_pipeline *make(const char *factory, int metric, int64_t n)
{
    lbh_pipeline *p = NULL;
    cr_ok(lbh_pipeline_new(&p, D, factory, metric));
    cr_ok(lbh_pipeline_train(p, N, rows_));
    cr_ok(lbh_pipeline_add(p, n, rows_));
    return p;
}

typedef struct answers {
    float distances[NQ * K];
    int64_t labels[NQ * K];
} answers;

static answers ask(const lbh_pipeline *p)
{
    answers a;
    cr_ok(lbh_pipeline_search(p, NQ, queries, K, a.distances, a.labels));
    return a;
}

static void same_answers(const lbh_pipeline *a, const lbh_pipeline *b)
{
    answers x = ask(a), y = ask(b);
    cr_assert_arr_eq(x.labels, y.labels, sizeof x.labels, "%s", lbh_pipeline_factory(a));
    cr_assert_arr_eq(x.distances, y.distances, sizeof x.distances, "%s", lbh_pipeline_factory(a));
}

/* "PATH.G.EXTENSION" in a buffer of its own turn. */
static const char *member(const char *path, int generation, const char *extension)
{
    static char text[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof text[turn], "%s.%d.%s", path, generation, extension);
    return text[turn];
}

/* Files whose names begin with that of `path`. */
static int count_files(const char *path)
{
    char *copy1 = strdup(path), *copy2 = strdup(path), *base = basename(copy2);
    DIR *dir = opendir(dirname(copy1));
    int count = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += strncmp(e->d_name, base, strlen(base)) == 0;
    closedir(dir);
    free(copy1);
    free(copy2);
    return count;
}

Test(pipeline_file, every_kind)
{
    static const char *const stores[] = {"", ",RFlat", ",RSQ8"};
    const char *path = test_tmp("kinds.lbhp");
    int generation = 0;
    for (const test_case *t = test_cases; t->factory; t++)
        for (int i = 0; i < 3; i++) {
            char factory[128];
            snprintf(factory, sizeof factory, "itq24,%s%s", t->factory, stores[i]);
            lbh_pipeline *p = make(factory, i % 2 ? LBH_METRIC_IP : LBH_METRIC_L2, N), *q = NULL;
            cr_ok(lbh_pipeline_set(p, i ? "k_factor=7.5,margin_factor=2" : "rescore=decoder"));
            if (t->thorough)
                cr_ok(lbh_pipeline_set(p, t->thorough));
            cr_ok(lbh_pipeline_save(p, path));
            cr_ok(lbh_pipeline_verify(path));
            cr_ok(lbh_pipeline_load(&q, path));
            cr_assert_str_eq(lbh_pipeline_factory(q), factory);
            cr_assert_eq(lbh_pipeline_metric(q), lbh_pipeline_metric(p));
            cr_assert_eq(lbh_pipeline_rescore(q), lbh_pipeline_rescore(p));
            cr_assert_eq(lbh_pipeline_ntotal(q), N);
            if (t->takes_ids || !strstr(t->kind, "HNSW")) /* HNSW: links depend on threads */
                same_answers(p, q);
            cr_ok(lbh_pipeline_add(q, 5, rows_ + N * D)); /* ids go on */
            cr_assert_eq(lbh_pipeline_ntotal(q), N + 5);
            float x[D];
            cr_ok(lbh_pipeline_reconstruct(q, N + 4, x));
            generation++;
            cr_assert_eq(count_files(path), i == 0 ? 3 : i == 1 ? 4 : 5);
            cr_assert_eq(access(member(path, generation, "faiss"), R_OK), 0);
            lbh_pipeline_free(p);
            lbh_pipeline_free(q);
        }
}

/* The members are files of their own right. */
Test(pipeline_file, members)
{
    const char *path = test_tmp("members.lbhp");
    lbh_pipeline *p = make("itq24,IDMap,BFlat,RFlat", LBH_METRIC_L2, N);
    int64_t ids[2] = {7000, 6000};
    cr_ok(lbh_pipeline_add_with_ids(p, 2, rows_, ids));
    cr_ok(lbh_pipeline_save(p, path));
    lbh_encoder *enc = NULL;
    FaissIndexBinary *index = NULL;
    cr_ok(lbh_encoder_load(&enc, member(path, 1, "lbh")));
    cr_ok(lbh_index_load(&index, member(path, 1, "faiss")));
    cr_assert_eq(lbh_encoder_digest(enc), lbh_encoder_digest(lbh_pipeline_encoder(p)));
    cr_assert_eq(lbh_index_ntotal(index), N + 2);
    size_t size;
    unsigned char *bytes = test_slurp(member(path, 1, "vectors.npy"), &size);
    cr_assert_eq(size, 128 + sizeof(float) * (N + 2) * D);
    cr_assert_arr_eq(bytes, "\x93NUMPY\x01\x00", 8);
    cr_assert(strstr((char *)bytes + 10,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (302, 20)"));
    cr_assert_arr_eq(bytes + 128, rows_, sizeof(float) * N * D);
    free(bytes);
    bytes = test_slurp(member(path, 1, "ids.npy"), &size);
    cr_assert_eq(size, 128 + 8 * (N + 2));
    int64_t last;
    memcpy(&last, bytes + size - 8, 8);
    cr_assert_eq(last, 6000);
    free(bytes);
    bytes = test_slurp(path, &size);
    cr_assert(strstr((char *)bytes, "factory itq24,IDMap,BFlat,RFlat\nmetric l2\nd 20\nntotal 302\n"
                                    "next_id 7001\nparameters rescore=float,k_factor=10.000000,"));
    free(bytes);
    lbh_encoder_free(enc);
    lbh_index_free(index);
    lbh_pipeline_free(p);
}

/* Rows come and go in a loaded pipeline; what it was loaded from may be replaced meanwhile. */
Test(pipeline_file, life_goes_on)
{
    const char *path = test_tmp("life.lbhp");
    static const char *const factories[] = {"itq24,BFlat,RFlat", "itq24,BIVF8,RFlat",
                                            "itq24,BFlat,RSQ8", "itq24,IDMap2,BFlat,RFlat"};
    for (int i = 0; i < 4; i++) {
        lbh_pipeline *p = make(factories[i], LBH_METRIC_L2, N), *q = NULL, *r = NULL;
        lbh_pipeline *other = make("lsh16,BFlat,RFlat", LBH_METRIC_L2, 9);
        cr_ok(lbh_pipeline_save(p, path));
        cr_ok(lbh_pipeline_load(&q, path));
        cr_ok(lbh_pipeline_save(other, path)); /* the mapped vectors lose their name */
        int64_t gone[] = {0, 5, 17, N - 1}, more[] = {3, N + 1}, count;
        lbh_pipeline *both[] = {p, q};
        for (int j = 0; j < 2; j++) {
            cr_ok(lbh_pipeline_remove_ids(both[j], 4, gone, &count));
            cr_assert_eq(count, 4);
            cr_ok(lbh_pipeline_add(both[j], 20, rows_ + N * D));
            cr_ok(lbh_pipeline_remove_ids(both[j], 2, more, &count));
            cr_assert_eq(count, 2);
        }
        same_answers(p, q);
        cr_ok(lbh_pipeline_save(q, path)); /* some rows mapped, some in memory, some gone */
        cr_ok(lbh_pipeline_verify(path));
        cr_ok(lbh_pipeline_load(&r, path));
        same_answers(p, r);
        cr_assert_eq(lbh_pipeline_ntotal(r), N + 14);
        cr_ok(lbh_pipeline_add(p, 3, rows_));
        cr_ok(lbh_pipeline_add(r, 3, rows_));
        same_answers(p, r);
        lbh_pipeline_free(p);
        lbh_pipeline_free(q);
        lbh_pipeline_free(r);
        lbh_pipeline_free(other);
    }
}

/* What a crash left behind is cleaned away, what only looks alike is not. */
Test(pipeline_file, leftovers)
{
    const char *path = test_tmp("left.lbhp");
    static const char *const stale[] = {"left.lbhp.7.lbh", "left.lbhp.9.vectors.npy",
                                        "left.lbhp.9.faiss.Xa12Yz", "left.lbhp.3.manifest"},
                            *const kept[] = {"left.lbhp.7.txt", "left.lbhp.old", "left.lbhp.7",
                                             "left.lbhp.x.lbh", "left.lbhp2.7.lbh"};
    char name[512], *directory = strdup(path);
    dirname(directory);
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "%s/%s", directory, i < 4 ? stale[i] : kept[i - 4]);
        test_spit(name, "x", 1);
    }
    lbh_pipeline *p = make("itq24,BFlat", LBH_METRIC_L2, N), *q = NULL;
    cr_ok(lbh_pipeline_save(p, path));
    cr_assert_eq(access(member(path, 10, "lbh"), R_OK), 0); /* above all that was there */
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "%s/%s", directory, i < 4 ? stale[i] : kept[i - 4]);
        cr_assert_eq(access(name, F_OK) == 0, i >= 4, "%s", name);
        unlink(name);
    }
    cr_ok(lbh_pipeline_load(&q, path));
    same_answers(p, q);
    lbh_pipeline_free(p);
    lbh_pipeline_free(q);
    free(directory);
}

/* A save that fails (no directory, a file that is no pipeline) changes nothing. */
Test(pipeline_file, failed_saves)
{
    const char *path = test_tmp("failed.lbhp"), *data = test_tmp("data.fvecs");
    lbh_pipeline *p = make("itq24,BFlat", LBH_METRIC_L2, N), *q = NULL;
    char nowhere[512];
    snprintf(nowhere, sizeof nowhere, "%s/no/such.lbhp", path);
    cr_assert_eq(lbh_pipeline_save(p, nowhere), LBH_EIO);
    test_spit(data, "precious", 8);
    cr_fails(lbh_pipeline_save(p, data), LBH_EFORMAT, "no pipeline");
    size_t size;
    unsigned char *bytes = test_slurp(data, &size);
    cr_assert(size == 8 && memcmp(bytes, "precious", 8) == 0);
    cr_assert_eq(count_files(data), 1);
    free(bytes);
    cr_fails(lbh_pipeline_load(&q, data), LBH_EFORMAT, "no pipeline");
    cr_fails(lbh_pipeline_load(&q, path), LBH_EIO, "cannot open");
    cr_fails(lbh_pipeline_save(NULL, path), LBH_EINVAL, "no pipeline");
    cr_fails(lbh_pipeline_save(p, ""), LBH_EINVAL, "no file name");
    lbh_pipeline_free(p);
}

/* Every member, cut, missing or with a byte changed: a clear error, never a mixture. */
Test(pipeline_file, damage)
{
    static const char *const extensions[] = {"lbh", "faiss", "vectors.npy", "scale.npy", "ids.npy"};
    const char *path = test_tmp("damage.lbhp");
    lbh_pipeline *p = make("itq24,IDMap,BFlat,RSQ8", LBH_METRIC_L2, N), *q = NULL;
    int64_t id = 5000;
    cr_ok(lbh_pipeline_add_with_ids(p, 1, rows_, &id));
    cr_ok(lbh_pipeline_save(p, path));
    for (int i = 0; i < 5; i++) {
        char name[512];
        size_t size;
        snprintf(name, sizeof name, "%s", member(path, 1, extensions[i]));
        unsigned char *bytes = test_slurp(name, &size);
        for (size_t cut = 0; cut < size; cut += 1 + size / 5) {
            test_spit(name, bytes, cut);
            cr_fails(lbh_pipeline_load(&q, path), LBH_EFORMAT, name);
            cr_fails(lbh_pipeline_verify(path), LBH_EFORMAT, name);
        }
        for (size_t at = 0; at < size; at += 1 + size / 11) {
            bytes[at] ^= 0x40;
            test_spit(name, bytes, size);
            bytes[at] ^= 0x40;
            cr_fails(lbh_pipeline_verify(path), LBH_EFORMAT, "damaged");
            if (i != 2) /* vectors are mapped, not read */
                cr_fails(lbh_pipeline_load(&q, path), LBH_EFORMAT, name);
        }
        unlink(name);
        cr_fails(lbh_pipeline_load(&q, path), LBH_EIO, name);
        test_spit(name, bytes, size);
        free(bytes);
        cr_ok(lbh_pipeline_verify(path));
    }
    size_t size;
    unsigned char *bytes = test_slurp(path, &size);
    for (size_t at = 0; at < size; at++) {
        test_spit(path, bytes, at);
        cr_assert_eq(lbh_pipeline_load(&q, path), LBH_EFORMAT);
        bytes[at] ^= 1;
        test_spit(path, bytes, size);
        cr_assert_eq(lbh_pipeline_load(&q, path), LBH_EFORMAT);
        bytes[at] ^= 1;
    }
    free(bytes);
    cr_assert_null(q);
    lbh_pipeline_free(p);
}

/* ---- Savers and readers at the same time --------------------------------------------------- */

typedef struct saver {
    const lbh_pipeline *p;
    const char *path;
    int saves, failures;
} saver;

static void *save_again_and_again(void *ctx)
{
    saver *s = ctx;
    for (int i = 0; i < s->saves; i++)
        s->failures += lbh_pipeline_save(s->p, s->path) != LBH_OK;
    return NULL;
}

Test(pipeline_file, savers_and_a_reader)
{
    const char *path = test_tmp("busy.lbhp");
    lbh_pipeline *a = make("itq24,BFlat,RFlat", LBH_METRIC_L2, N);
    lbh_pipeline *b = make("lsh16,BIVF4,RSQ8", LBH_METRIC_IP, N / 2);
    saver savers[2] = {{a, path, 20, 0}, {b, path, 20, 0}};
    pthread_t threads[2];
    int seen[2] = {0, 0};
    cr_ok(lbh_pipeline_save(a, path));
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, save_again_and_again, &savers[i]), 0);
    for (int i = 0; i < 40; i++) {
        lbh_pipeline *p = NULL;
        cr_ok(lbh_pipeline_load(&p, path));
        bool is_a = strcmp(lbh_pipeline_factory(p), lbh_pipeline_factory(a)) == 0;
        same_answers(p, is_a ? a : b);
        seen[is_a]++;
        lbh_pipeline_free(p);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(savers[i].failures, 0);
    }
    cr_ok(lbh_pipeline_verify(path));
    cr_assert(seen[0] + seen[1] == 40);
    lbh_pipeline_free(a);
    lbh_pipeline_free(b);
}
