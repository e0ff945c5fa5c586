/* bench_worker.c: a worker from its job to its end. See bench_worker.h. */
#define _GNU_SOURCE
#include "bench_worker.h"

#include "progress.h"

#include <omp.h>
#include <stdlib.h>
#include <sys/resource.h>

static char *read_input(void)
{
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room);
    for (size_t got = 1; text && got > 0;) {
        got = fread(text + size, 1, room - size - 1, stdin);
        size += got;
        if (room - size < 2) {
            char *more = realloc(text, room *= 2);
            if (!more)
                free(text);
            text = more;
        }
    }
    if (text)
        text[size] = '\0';
    return text;
}

/* Memory that a process asks for, not what its files take up. */
static int limit_memory(double megabytes)
{
    struct rlimit limit;
    limit.rlim_cur = limit.rlim_max = (rlim_t)(megabytes * 1e6);
    return setrlimit(RLIMIT_DATA, &limit) ? fail_errno("limit the memory of", "the worker")
                                          : LBH_OK;
}

int bench_worker_main(void)
{
    static char buffer[1 << 16];
    bench_job job = {0};
    FILE *out = fdopen(WORKER_FD, "w");
    if (!out)
        return fail_usage("bench: --worker is for lbh bench itself");
    setvbuf(out, buffer, _IOFBF, sizeof buffer);
    progress_init(1);
    char *text = read_input();
    int rc = text ? bench_job_parse(&job, text) : fail("the job could not be read");
    if (rc == LBH_OK) {
        omp_set_num_threads(job.threads);
        rc = limit_memory(job.spec->memory_limit);
    }
    if (rc == LBH_OK)
        rc = job.truth ? worker_truth(&job, out) : worker_group(&job, out);
    if (rc)
        rc = worker_failed(out, "*", rc);
    bench_job_free(&job);
    free(text);
    fclose(out);
    return rc;
}
