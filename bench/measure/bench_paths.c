/* bench_paths.c: known data sets by name. See bench_data.h. */
#define _GNU_SOURCE
#include "bench_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sets that scripts/get_data.sh --layout knows, and other names under which they may lie. */
static const struct known {
    const char *name, *also;
} sets[] = {
    {"mnist", NULL},
    {"fashion-mnist", NULL},
    {"sift", "sift1m"},
    {"gist", "gist1m"},
    {"sift1b", "bigann"},
    {"deep1m", NULL},
    {"tiny100k", NULL},
    {"word2vec", "text8-word2vec"},
    {"glove", "glove-100-angular"},
    {"deep", "deep-image-96-angular"},
    {"reuters", NULL},
    {"cifar10", "cifar-10"},
    {"cifar10-gist", NULL},
    {"cifar10-fc7", NULL},
    {"cifar10-alexnet", NULL},
    {"cifar10-vgg16", NULL},
    {"cifar10-vgg19", NULL},
    {"cifar10-resnet50", NULL},
    {"cifar10-resnet152", NULL},
    {"cifar10-densenet121", NULL},
    {"nuswide-fc7", NULL},
    {"imagenet100-fc7", NULL},
    {"imagenet100-vgg16", NULL},
};

void bench_paths_free(bench_paths *p)
{
    free(p->base);
    free(p->queries);
    free(p->query_ids);
    free(p->labels);
    free(p->query_labels);
    free(p->train);
    *p = (bench_paths){0};
}

/* A word that is no path, no file and no "synthetic:...": the name of a set. (A folder of that name
 * may hold what the set was made from.) */
static bool is_set_name(const char *text)
{
    struct stat s;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text) &&
           (stat(text, &s) != 0 || S_ISDIR(s.st_mode));
}

/* DIR/NAME/PART.EXT for the first extension that there is; NULL: none. */
static char *find_part(const char *dir, const char *name, const char *part)
{
    static const char *const ends[] = {"fvecs", "bvecs",  "ivecs", "fbin", "u8bin", "i8bin",
                                       "ibin",  "npy",    "bin",   "csv",  "libsvm"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s/%s.%s", dir, name, part, ends[i]) < 0)
            return NULL;
        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static void find_all(bench_paths *p, const char *dir, const char *name)
{
    p->base = find_part(dir, name, "base");
    if (!p->base)
        return;
    p->queries = find_part(dir, name, "query");
    p->query_ids = find_part(dir, name, "query_ids");
    p->labels = find_part(dir, name, "base_labels");
    p->query_labels = find_part(dir, name, "query_labels");
    p->train = find_part(dir, name, "learn");
}

static int not_there(const spec_data *spec, const char *dir)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i].name, spec->base) == 0)
            return fail("[data %s]: the set '%s' is not in '%s' (--data); how to get it: "
                        "scripts/get_data.sh --layout %s", spec->name, spec->base, dir, spec->base);
    return fail("[data %s]: '%s' is no file, and there is no '%s/%s/base.*' (--data); known sets, and how "
                "to get them: scripts/get_data.sh --layout", spec->name, spec->base, dir, spec->base);
}

/* What the specification says goes before what lies beside the base. */
static int overrule(char **path, const char *text)
{
    if (!text)
        return LBH_OK;
    free(*path);
    *path = strdup(text);
    return *path ? LBH_OK : fail_memory();
}

int bench_paths_find(bench_paths *p, const spec_data *spec, const char *data_dir, bool *missing)
{
    *p = (bench_paths){0};
    *missing = false;
    int rc = LBH_OK;
    if (!is_set_name(spec->base))
        rc = overrule(&p->base, spec->base);
    else {
        find_all(p, data_dir, spec->base);
        for (size_t i = 0; !p->base && i < sizeof sets / sizeof *sets; i++)
            if (sets[i].also && strcmp(sets[i].name, spec->base) == 0)
                find_all(p, data_dir, sets[i].also);
        *missing = !p->base;
        rc = p->base ? LBH_OK : not_there(spec, data_dir);
    }
    if (rc == LBH_OK && (spec->queries || spec->query_ids)) { /* then not the set's own */
        free(p->query_ids);
        p->query_ids = NULL;
        rc = overrule(&p->query_ids, spec->query_ids);
    }
    if (rc == LBH_OK && spec->queries && !spec->query_labels) {
        free(p->query_labels);
        p->query_labels = NULL;
    }
    rc = rc ? rc : overrule(&p->queries, spec->queries);
    rc = rc ? rc : overrule(&p->labels, spec->labels);
    rc = rc ? rc : overrule(&p->query_labels, spec->query_labels);
    rc = rc ? rc : overrule(&p->train, spec->train);
    const char *const all[] = {p->base, p->queries, p->query_ids, p->labels, p->query_labels, p->train};
    for (size_t i = 0; i < sizeof all / sizeof *all && rc == LBH_OK; i++)
        if (all[i] && vectors_come_once(all[i]))
            rc = fail("[data %s]: '%s' can be read once only, and is read by each measurement; name a "
                      "file", spec->name, all[i]);
    if (rc)
        bench_paths_free(p);
    return rc;
}
