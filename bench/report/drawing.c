/* drawing.c: see drawing.h. The program reads the job and prints the figure, through files in
 * memory: unlike pipes, none waits for another. What it printed is written when it has ended well. */
#define _GNU_SOURCE
#include "drawing.h"

#include "outfile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT, OUTPUT, WORDS, FILES, NO_PYTHON = 127, BAD_USAGE = 64 };

/* Beside this program (in the build), or in the share/ that belongs to its bin/. */
static int find_program(char path[PATH_MAX])
{
    static const char *const places[] = {"share/faiss-lbh/report/report.py",
                                         "../share/faiss-lbh/report/report.py"};
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        slash[1] = '\0';
    for (int i = 0; i < 2 && slash; i++)
        if ((size_t)snprintf(path, PATH_MAX, "%s%s", self, places[i]) < PATH_MAX &&
            access(path, R_OK) == 0)
            return LBH_OK;
    return fail("the program that draws is not installed: there is no '%s%s'", self, places[1]);
}

/* What the program printed, with a '\0' behind it; NULL with the error raised. */
static char *take(int fd, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        fail_errno("read", "a figure in memory");
        return NULL;
    }
    char *text = cli_alloc((int64_t)st.st_size + 1, 1);
    *size = 0;
    while (text && *size < (size_t)st.st_size) {
        ssize_t got = pread(fd, text + *size, (size_t)st.st_size - *size, (off_t)*size);
        if (got <= 0 && errno != EINTR) {
            fail_errno("read", "a figure in memory");
            free(text);
            return NULL;
        }
        *size += got > 0 ? (size_t)got : 0;
    }
    if (text)
        text[*size] = '\0';
    return text;
}

static int start(const char *program, const int fd[FILES], int *status)
{
    const char *own = getenv("LBH_PYTHON");
    pid_t pid = fork();
    if (pid < 0)
        return fail_errno("start", program);
    if (pid == 0) {
        if (dup2(fd[INPUT], 0) == 0 && dup2(fd[OUTPUT], 1) == 1 && dup2(fd[WORDS], 2) == 2) {
            if (!own)
                execl("/usr/bin/python3", "python3", program, (char *)NULL);
            own = own ? own : "python3";
            execlp(own, own, program, (char *)NULL);
        }
        _exit(NO_PYTHON);
    }
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return fail_errno("wait for", program);
    return LBH_OK;
}

/* The last line it said, where a traceback has its reason. */
static int explain(int status, char *words)
{
    size_t len = strlen(words);
    while (len > 0 && words[len - 1] == '\n')
        words[--len] = '\0';
    char *line = strrchr(words, '\n');
    line = line ? line + 1 : words;
    if (cli_interrupted())
        return fail_cancelled();
    if (WIFSIGNALED(status))
        return fail("the program that draws was ended: %s", strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) == NO_PYTHON)
        return fail("there is no python3, which draws (Debian: apt-get install python3-jinja2 "
                    "python3-matplotlib)");
    return WEXITSTATUS(status) == BAD_USAGE ? fail_usage("%s", line) : fail("%s", line);
}

static int draw(const char *job, char **text, size_t *size)
{
    char program[PATH_MAX], *words = NULL;
    int fd[FILES] = {-1, -1, -1}, status = 0, rc = find_program(program);
    size_t said;
    for (int i = 0; i < FILES && rc == LBH_OK; i++)
        if ((fd[i] = cli_memory_file(i == INPUT ? job : "")) < 0)
            rc = LBH_EIO;
    if (rc == LBH_OK)
        rc = start(program, fd, &status);
    if (rc == LBH_OK && status != 0)
        rc = (words = take(fd[WORDS], &said)) ? explain(status, words) : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = (*text = take(fd[OUTPUT], size)) ? LBH_OK : LBH_ENOMEM;
    for (int i = 0; i < FILES; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    free(words);
    return rc;
}

int drawing_check(void)
{
    char *text = NULL;
    size_t size;
    int rc = draw("{\"job\":\"check\"}", &text, &size);
    free(text);
    return rc;
}

int drawing_save(cJSON *job, const char *path)
{
    char *text = NULL, *words = job ? cJSON_PrintUnformatted(job) : NULL;
    size_t size = 0;
    cJSON_Delete(job);
    int rc = words ? draw(words, &text, &size) : fail_memory();
    cJSON_free(words);
    if (rc == LBH_OK)
        rc = outfile_put(path, text, size);
    free(text);
    return rc;
}

cJSON *drawing_chart(const char *title, const char *about, const char *x_title, const char *y_title)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "job", "chart");
    cJSON_AddStringToObject(o, "title", title);
    cJSON_AddStringToObject(o, "about", about);
    cJSON_AddStringToObject(o, "x_title", x_title);
    cJSON_AddStringToObject(o, "y_title", y_title);
    cJSON_AddArrayToObject(o, "legend");
    if (o && !cJSON_AddArrayToObject(o, "series")) {
        cJSON_Delete(o);
        o = NULL;
    }
    return o;
}

void drawing_entry(cJSON *chart, const char *name)
{
    cJSON_AddItemToArray(cJSON_GetObjectItem(chart, "legend"), cJSON_CreateString(name));
}

void drawing_line(cJSON *chart, int style, const char *name, const char *label, int n,
                  const double *x, const double *y)
{
    cJSON *s = cJSON_CreateObject();
    cJSON_AddNumberToObject(s, "style", style);
    cJSON_AddStringToObject(s, "name", name);
    cJSON_AddStringToObject(s, "label", label);
    cJSON_AddItemToObject(s, "x", cJSON_CreateDoubleArray(x, n));
    cJSON_AddItemToObject(s, "y", cJSON_CreateDoubleArray(y, n));
    cJSON_AddItemToArray(cJSON_GetObjectItem(chart, "series"), s);
}
