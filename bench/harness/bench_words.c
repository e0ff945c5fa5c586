/* bench_words.c: what a worker says to the runner. See bench_worker.h. */
#include "bench_worker.h"

#include <string.h>

void worker_phase(FILE *out)
{
    fputs("P\n", out);
    fflush(out);
}

void worker_begin(FILE *out, const char *key)
{
    fprintf(out, "B\t%s\n", key);
    fflush(out);
}

int worker_line(FILE *out, cJSON *line)
{
    char *text = line ? cJSON_PrintUnformatted(line) : NULL;
    cJSON_Delete(line);
    if (!text)
        return fail_memory();
    fprintf(out, "L\t%s\n", text);
    cJSON_free(text);
    return fflush(out) ? fail("the results could not be handed over") : LBH_OK;
}

/* Whether an error is one of too little memory, by any of those who say so. */
static bool is_memory(const char *text)
{
    static const char *const words[] = {"out of memory", "bad_alloc", "emory allocation",
                                        "annot allocate", "ENOMEM"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(text, words[i]))
            return true;
    return false;
}

int worker_failed(FILE *out, const char *key, int rc)
{
    char text[1024];
    if (cli_stopped(rc))
        return LBH_ECANCELLED;
    snprintf(text, sizeof text, "%s", lbh_last_error());
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    fprintf(out, "F\t%s\t%s\t%s\n", key, is_memory(text) ? "memory" : "failed", text);
    fflush(out);
    return LBH_OK;
}
