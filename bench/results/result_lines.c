/* result_lines.c: reads and appends JSON lines. See result_lines.h. */
#define _DEFAULT_SOURCE /* flock */
#include "result_lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Members ------------------------------------------------------------------------------- */

const char *result_text(const cJSON *line, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(line, name);
    return cJSON_IsString(v) && v->valuestring ? v->valuestring : "";
}

double result_number(const cJSON *line, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(line, name);
    return cJSON_IsNumber(v) && isfinite(v->valuedouble) ? v->valuedouble : NAN;
}

bool result_is(const cJSON *line, const char *name, const char *value)
{
    return strcmp(result_text(line, name), value) == 0;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static int keep(result_lines *r, cJSON *line)
{
    if ((r->n & (r->n - 1)) == 0) { /* full at each power of two */
        cJSON **more = realloc(r->line, (r->n ? 2 * (size_t)r->n : 1) * sizeof *more);
        if (!more) {
            cJSON_Delete(line);
            return fail_memory();
        }
        r->line = more;
    }
    r->line[r->n++] = line;
    return LBH_OK;
}

static int damaged(result_lines *r, const char *path, int number, const char *what)
{
    char note[1024];
    snprintf(note, sizeof note, "'%.800s', line %d: %s", path, number, what);
    if (r->damaged++ == 0 && !(r->note = strdup(note)))
        return fail_memory();
    return LBH_OK;
}

static int take_line(result_lines *r, const char *path, int number, const char *text, size_t len)
{
    if (strspn(text, " \t\r\n") == len)
        return LBH_OK;
    cJSON *line = strlen(text) == len ? cJSON_ParseWithOpts(text, NULL, 1) : NULL;
    int rc;
    if (!cJSON_IsObject(line))
        rc = damaged(r, path, number, "not a JSON object");
    else if (result_is(line, "format", RESULT_FORMAT))
        return keep(r, line);
    else if (strncmp(result_text(line, "format"), "lbh-bench ", 10) == 0)
        rc = fail("'%s', line %d: format '%.40s'; this lbh reads '%s': use the lbh that wrote it",
                  path, number, result_text(line, "format"), RESULT_FORMAT);
    else
        rc = damaged(r, path, number, "no result: its \"format\" is not \"" RESULT_FORMAT "\"");
    cJSON_Delete(line);
    return rc;
}

static int read_file(result_lines *r, const char *path)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return fail_errno("read", path);
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    int rc = LBH_OK;
    for (int number = 1; rc == LBH_OK && (len = getline(&text, &room, in)) >= 0; number++) {
        if (text[len - 1] != '\n')
            r->torn++;
        else
            rc = take_line(r, path, number, text, (size_t)len);
    }
    if (rc == LBH_OK && ferror(in))
        rc = fail_errno("read", path);
    free(text);
    fclose(in);
    r->files++;
    return rc;
}

/* The last of equal keys survives, but no failure displaces a success. */
typedef struct keyed {
    const char *key;
    int at;
    bool ok;
} keyed;

static int by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    if (order == 0)
        order = x->ok - y->ok;
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static int drop_replaced(result_lines *r)
{
    keyed *k = cli_alloc(r->n, sizeof *k);
    if (!k)
        return LBH_ENOMEM;
    int count = 0, left = 0;
    for (int i = 0; i < r->n; i++)
        if (*result_text(r->line[i], "key"))
            k[count++] = (keyed){result_text(r->line[i], "key"), i,
                                 result_is(r->line[i], "status", "ok")};
    qsort(k, (size_t)count, sizeof *k, by_key);
    /* Lines are freed last: the keys are theirs. */
    for (int i = 0; i < count; i++)
        k[i].ok = i + 1 == count || strcmp(k[i].key, k[i + 1].key) != 0;
    for (int i = 0; i < count; i++)
        if (!k[i].ok) {
            cJSON_Delete(r->line[k[i].at]);
            r->line[k[i].at] = NULL;
        }
    for (int i = 0; i < r->n; i++)
        if (r->line[i])
            r->line[left++] = r->line[i];
    r->replaced = r->n - left;
    r->n = left;
    free(k);
    return LBH_OK;
}

static int wanted(const struct dirent *e)
{
    size_t len = strlen(e->d_name);
    return e->d_name[0] != '.' && len > 6 && strcmp(e->d_name + len - 6, ".jsonl") == 0;
}

int result_lines_read(result_lines *r, const char *dir)
{
    *r = (result_lines){0};
    struct dirent **list = NULL;
    int count = scandir(dir, &list, wanted, alphasort), rc = LBH_OK;
    if (count < 0)
        return fail_errno("read the results in", dir);
    for (int i = 0; i < count; i++) {
        size_t size = strlen(dir) + strlen(list[i]->d_name) + 2;
        char *path = cli_alloc((int64_t)size, 1);
        if (rc == LBH_OK && !path)
            rc = LBH_ENOMEM;
        if (rc == LBH_OK) {
            snprintf(path, size, "%s/%s", dir, list[i]->d_name);
            rc = read_file(r, path);
        }
        free(path);
        free(list[i]);
    }
    free(list);
    if (rc == LBH_OK && r->n > 0)
        rc = drop_replaced(r);
    return rc;
}

void result_lines_free(result_lines *r)
{
    for (int i = 0; i < r->n; i++)
        cJSON_Delete(r->line[i]);
    free(r->line);
    free(r->note);
    *r = (result_lines){0};
}

/* ---- Appending ----------------------------------------------------------------------------- */

/* Cuts off what follows the last line feed. */
static int mend(int fd, const char *path)
{
    off_t end = lseek(fd, 0, SEEK_END), whole = end;
    char block[4096];
    while (whole > 0) {
        size_t want = whole < (off_t)sizeof block ? (size_t)whole : sizeof block;
        ssize_t got = pread(fd, block, want, whole - (off_t)want);
        if (got != (ssize_t)want)
            return fail_errno("read", path);
        while (want > 0 && block[want - 1] != '\n')
            want--, whole--;
        if (want > 0)
            break;
    }
    if (end < 0 || (whole < end && ftruncate(fd, whole) != 0))
        return fail_errno("write", path);
    return LBH_OK;
}

int result_lines_append(const char *path, const char *text)
{
    size_t len = strlen(text);
    char *line = cli_alloc((int64_t)len + 1, 1);
    if (!line)
        return LBH_ENOMEM;
    memcpy(line, text, len);
    line[len] = '\n';
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666), rc = LBH_OK;
    if (fd < 0)
        rc = fail_errno("write", path);
    else if (flock(fd, LOCK_EX) != 0)
        rc = fail_errno("lock", path);
    else
        rc = mend(fd, path);
    errno = ENOSPC; /* what a short write means */
    if (rc == LBH_OK && (write(fd, line, len + 1) != (ssize_t)len + 1 || fsync(fd) != 0))
        rc = fail_errno("write", path);
    if (fd >= 0 && close(fd) != 0 && rc == LBH_OK)
        rc = fail_errno("write", path);
    free(line);
    return rc;
}
