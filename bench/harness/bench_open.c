/* bench_open.c: what a run starts with: the data sets, its directory. See bench_run.h. */
#define _GNU_SOURCE
#include "bench_run.h"

#include "outfile.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int bench_open_sets(bench_run *r)
{
    int rc = LBH_OK, there = 0;
    r->data = calloc((size_t)r->spec->ndata, sizeof *r->data);
    r->missing = calloc((size_t)r->spec->ndata, sizeof *r->missing);
    if (!r->data || !r->missing)
        return fail_memory();
    for (int i = 0; i < r->spec->ndata && rc == LBH_OK; i++) {
        bench_data d;
        bool missing = false;
        rc = bench_data_open(&d, &r->spec->data[i], r->data_dir, &missing);
        if (rc && missing) {
            progress_say("note: %s", lbh_last_error());
            r->missing[i] = strdup(lbh_last_error());
            rc = r->missing[i] ? LBH_OK : fail_memory();
            continue;
        }
        if (rc == LBH_OK)
            rc = bench_data_digest(&d);
        if (rc == LBH_OK)
            r->data[i] = (plan_data){true, d.base.n, d.query.n, d.base.d, d.digest};
        there += rc == LBH_OK;
        bench_data_close(&d);
    }
    if (rc == LBH_OK && !there)
        rc = fail("no data set of '%s' is there; see the notes above, and --data", r->name);
    return rc;
}

/* Temporary files that a killed run left behind; nobody else is at work here. */
static void sweep(const char *dir)
{
    static const char *const left[] = {"spec.ini.??????", "truth/*.ivecs.??????",
                                       "models/*.lbh.??????", "models/index.*"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        char *pattern = NULL;
        glob_t found = {0};
        if (asprintf(&pattern, "%s/%s", dir, left[i]) < 0)
            return;
        if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
            for (size_t f = 0; f < found.gl_pathc; f++)
                unlink(found.gl_pathv[f]);
        globfree(&found);
        free(pattern);
    }
}

int bench_lock(const bench_run *r, int *fd)
{
    char *path = NULL, pid[32] = "";
    if (asprintf(&path, "%s/.lock", r->dir) < 0)
        return fail_memory();
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int rc = *fd < 0 ? fail_errno("open", path) : LBH_OK;
    if (rc == LBH_OK && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = read(*fd, pid, sizeof pid - 1);
        pid[got > 0 ? strcspn(pid, "\n") : 0] = '\0';
        rc = errno == EWOULDBLOCK || errno == EINTR || got >= 0
                 ? fail("another lbh bench%s%s is at work in '%s'; wait for it, or give another "
                        "--out", *pid ? ", process " : "", pid, r->dir)
                 : fail_errno("lock", path);
    } else if (rc == LBH_OK) {
        int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        if (ftruncate(*fd, 0) != 0 || write(*fd, pid, (size_t)len) != len)
            rc = fail_errno("write", path);
        sweep(r->dir);
    }
    free(path);
    return rc;
}

int bench_keep_spec(const bench_run *r)
{
    char *path = NULL;
    int rc = asprintf(&path, "%s/spec.ini", r->dir) > 0 ? outfile_put(path, r->text, strlen(r->text))
                                                        : fail_memory();
    free(path);
    return rc;
}
