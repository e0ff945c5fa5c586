/* test_full: the writers of the libraries, on a disk that is full after one byte, after two, ...
 *
 *     test_full                 40 sizes for each writer
 *     test_full --sizes 1000    up to 1000
 *
 * A limit on the size of files makes the system write what still fits, and then refuse: a short
 * write, then an error. The save must fail with a text, the old content be there, whole, and no
 * file be left over. (On a full disk the same calls fail in the same places.) */
#define _XOPEN_SOURCE 700
#include "kill_writers.h"
#include "lbh.h"

#include <dirent.h>
#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/lbh-full-XXXXXX";

static int fail(const char *name, long long limit, const char *why)
{
    printf("%s, files of at most %lld bytes: %s\n", name, limit, why);
    return 1;
}

/* Entries of the directory, and the size of the largest. */
static int entries(bool clean, long long *largest)
{
    int count = 0;
    DIR *dir = opendir(directory);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        char path[400];
        struct stat st;
        if (e->d_name[0] == '.')
            continue;
        count++;
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        if (stat(path, &st) == 0 && st.st_size > *largest)
            *largest = st.st_size;
        if (clean)
            unlink(path);
    }
    if (dir)
        closedir(dir);
    return count;
}

static int limit_files(rlim_t bytes)
{
    struct rlimit r = {0};
    getrlimit(RLIMIT_FSIZE, &r);
    r.rlim_cur = bytes;
    return setrlimit(RLIMIT_FSIZE, &r);
}

/* The complaints of writers go to stderr: not here, where each save is to fail. */
static int save_quietly(const writer *w, const char *path, int which)
{
    int null = open("/dev/null", O_WRONLY), err = dup(2);
    dup2(null, 2);
    int rc = w->save(path, which);
    dup2(err, 2);
    close(null), close(err);
    return rc;
}

static int one(const writer *w, const char *path, long long limit)
{
    long long largest = 0;
    entries(true, &largest);
    if (w->save(path, 0))
        return fail(w->name, limit, "cannot save the old content");
    int before = entries(false, &largest);
    if (limit_files((rlim_t)limit))
        return fail(w->name, limit, "cannot limit files");
    int rc = save_quietly(w, path, 1);
    limit_files(RLIM_INFINITY);
    if (!rc)
        return fail(w->name, limit, "the save reports no error");
    if (entries(false, &largest) != before)
        return fail(w->name, limit, "files are left over");
    if (w->which(path) != 0)
        return fail(w->name, limit, "the old content is lost");
    return 0;
}

/* Largest file of the second content. */
static long long size_of(const writer *w, const char *path)
{
    long long largest = 0;
    entries(true, &largest);
    largest = 0;
    if (w->save(path, 1))
        return 0;
    entries(false, &largest);
    return largest;
}

static int run(const writer *w, int sizes, int *total)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", directory, w->file);
    long long size = w->prepare(directory) ? 0 : size_of(w, path);
    if (size < 2)
        return fail(w->name, size, "cannot prepare it");
    long long step = size / sizes > 0 ? size / sizes : 1;
    int count = 0;
    for (long long limit = 0; limit < size; limit += step, count++)
        if (one(w, path, limit))
            return 1;
    if (one(w, path, size - 1)) /* all but the last byte */
        return 1;
    printf("%-10s %5d sizes below %lld bytes\n", w->name, count + 1, size);
    *total += count + 1;
    return 0;
}

int main(int argc, char **argv)
{
    int sizes = argc == 3 && strcmp(argv[1], "--sizes") == 0 ? atoi(argv[2]) : 40;
    int total = 0, rc = 0;
    if ((argc != 1 && argc != 3) || sizes < 1) {
        fprintf(stderr, "usage: test_full [--sizes N]\n");
        return 2;
    }
    if (!mkdtemp(directory))
        return 1;
    signal(SIGXFSZ, SIG_IGN);
    omp_set_num_threads(1);
    for (const writer *w = writers; w->name && !rc; w++)
        rc = run(w, sizes, &total);
    long long largest = 0;
    entries(true, &largest);
    rmdir(directory);
    printf("%d saves on a full disk failed, and lost nothing\n", total);
    return rc;
}
