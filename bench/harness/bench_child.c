/* bench_child.c: see bench_child.h.
 *
 * fork() alone will not do: the OpenMP runtime does not live on in a forked process. So the worker
 * is this program again, from its beginning. The system ends it when we end, however that
 * happens. */
#define _GNU_SOURCE
#include "bench_child.h"

#include "bench_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 400, TICK_MS = 200 };

typedef struct child {
    pid_t pid;
    int lines, words; /* what it says to us, and what it says to people */
    char *text;       /* of a line that is not whole yet */
    size_t size, room;
    char last[WORDS]; /* the end of what it said to people */
    struct rusage usage;
    int status;
} child;

/* ---- Start --------------------------------------------------------------------------------- */

/* A descriptor out of the way of 0 to 3. */
static int high(int fd)
{
    int up = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (fd >= 0)
        close(fd);
    return up;
}

/* In the new process; async-signal-safe calls only. Ctrl-C is for the parent, which ends us. */
static void become_worker(pid_t parent, int job, int lines, int words)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (dup2(job, 0) == 0 && dup2(words, 1) == 1 && dup2(words, 2) == 2 &&
        dup2(lines, WORKER_FD) == WORKER_FD)
        execl("/proc/self/exe", "lbh", "bench", "--worker", (char *)NULL);
    _exit(1);
}

static int start(child *c, const char *text)
{
    int lines[2] = {-1, -1}, words[2] = {-1, -1}, job = high(cli_memory_file(text)), rc = LBH_OK;
    pid_t parent = getpid();
    if (job < 0 || pipe2(lines, O_CLOEXEC) != 0 || pipe2(words, O_CLOEXEC) != 0)
        rc = fail_errno("start", "a worker");
    lines[1] = high(lines[1]);
    words[1] = high(words[1]);
    if (rc == LBH_OK && (c->pid = fork()) < 0)
        rc = fail_errno("start", "a worker");
    if (rc == LBH_OK && c->pid == 0)
        become_worker(parent, job, lines[1], words[1]);
    if (job >= 0)
        close(job);
    for (int i = 0; i < 2; i++) {
        int *end = i ? words : lines;
        if (end[1] >= 0)
            close(end[1]);
        if (rc && end[0] >= 0)
            close(end[0]);
    }
    c->lines = lines[0];
    c->words = words[0];
    return rc;
}

/* ---- Listening ----------------------------------------------------------------------------- */

/* Keeps the end of what it says: where it crashes that is the reason. */
static bool hear_words(child *c)
{
    char text[512];
    ssize_t got = read(c->words, text, sizeof text);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    size_t have = strlen(c->last), more = (size_t)got, keep = have;
    if (have + more >= WORDS) {
        more = more < WORDS - 1 ? more : WORDS - 1;
        keep = have < WORDS - 1 - more ? have : WORDS - 1 - more;
        memmove(c->last, c->last + have - keep, keep);
    }
    memcpy(c->last + keep, text + (size_t)got - more, more);
    c->last[keep + more] = '\0';
    for (char *p = c->last; *p; p++)
        if (*p == '\n' || *p == '\t' || *p == '\r')
            *p = ' ';
    return true;
}

static int give_lines(child *c, child_fn take, void *ctx, bool *heard)
{
    char *from = c->text, *stop;
    int rc = LBH_OK;
    while (rc == LBH_OK && (stop = memchr(from, '\n', c->size - (size_t)(from - c->text)))) {
        *stop = '\0';
        rc = take(ctx, from);
        from = stop + 1;
        *heard = true;
    }
    c->size -= (size_t)(from - c->text);
    memmove(c->text, from, c->size);
    return rc;
}

/* Reads what there is; *open becomes false at the end. */
static int hear_lines(child *c, child_fn take, void *ctx, bool *heard, bool *open)
{
    if (c->room - c->size < 4096) {
        char *more = realloc(c->text, 2 * c->room + 65536);
        if (!more)
            return fail_memory();
        c->text = more;
        c->room = 2 * c->room + 65536;
    }
    ssize_t got = read(c->lines, c->text + c->size, c->room - c->size);
    if (got < 0 && errno == EINTR)
        return LBH_OK;
    if (got <= 0) {
        *open = false;
        return LBH_OK;
    }
    c->size += (size_t)got;
    return give_lines(c, take, ctx, heard);
}

static int listen_to(child *c, double seconds, double end_of_all, child_fn take, void *ctx,
                     child_end *end)
{
    double since = cli_now();
    bool open = true, talks = true;
    while (open) {
        struct pollfd fds[2] = {{c->lines, POLLIN, 0}, {talks ? c->words : -1, POLLIN, 0}};
        bool heard = false;
        int rc = LBH_OK;
        int ready = poll(fds, 2, TICK_MS);
        if (cli_interrupted())
            return fail_cancelled();
        if (ready > 0 && fds[1].revents)
            talks = hear_words(c);
        if (ready > 0 && fds[0].revents)
            rc = hear_lines(c, take, ctx, &heard, &open);
        if (rc == LBH_OK)
            rc = take(ctx, NULL);
        if (rc)
            return rc;
        since = heard ? cli_now() : since;
        end->over = cli_now() > end_of_all;
        end->late = !end->over && cli_now() - since > seconds;
        if (end->over || end->late)
            return LBH_OK;
    }
    while (talks && hear_words(c)) /* what is left of its words */
        ;
    return LBH_OK;
}

/* ---- The end ------------------------------------------------------------------------------- */

static bool speaks_of_memory(const char *text)
{
    return strstr(text, "emory") || strstr(text, "bad_alloc") || strstr(text, "hread creation");
}

static void explain(const child *c, double seconds, child_end *end)
{
    size_t room = sizeof end->why;
    const char *colon = *c->last ? ": " : "";
    end->whole = !end->late && !end->over && WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0;
    end->memory = !end->whole && !end->late && !end->over && speaks_of_memory(c->last);
    if (end->over)
        snprintf(end->why, room, "the time was up");
    else if (end->late)
        snprintf(end->why, room, "took longer than the time limit of %g s", seconds);
    else if (WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGKILL) {
        end->memory = true;
        snprintf(end->why, room, "the system ended the process, as it does when memory runs out");
    } else if (WIFSIGNALED(c->status))
        snprintf(end->why, room, "crashed: %s%s%s", strsignal(WTERMSIG(c->status)), colon, c->last);
    else if (!end->whole)
        snprintf(end->why, room, "ended with code %d%s%s", WEXITSTATUS(c->status), colon, c->last);
}

int child_run(const char *job, double seconds, double end_of_all, child_fn take, void *ctx,
              child_end *end)
{
    child c = {.pid = -1};
    *end = (child_end){0};
    LBH_TRY(start(&c, job));
    int rc = listen_to(&c, seconds, end_of_all, take, ctx, end);
    if (rc || end->late || end->over)
        kill(c.pid, SIGKILL);
    while (wait4(c.pid, &c.status, 0, &c.usage) < 0 && errno == EINTR)
        ;
    end->peak_mb = (double)c.usage.ru_maxrss * 1024 / 1e6;
    explain(&c, seconds, end);
    close(c.lines);
    close(c.words);
    free(c.text);
    return rc;
}
