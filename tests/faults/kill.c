/* test_kill: SIGKILL at scattered moments to processes that write, again and again.
 *
 *     test_kill                   10 kills for each writer
 *     test_kill --kills 200       200 for each
 *     test_kill --only model      one writer
 *     test_kill --directory DIR   files there (/dev/shm, where a save is fast)
 *
 * A child saves two contents under one name in turn, for ever; the parent kills it, and what lies
 * under the name must be one of the two, byte for byte. "In the middle of a save" counts the kills
 * that left a temporary file. The checkpoint of a training is another matter: the next child goes
 * on from it, and when a training comes to its end its model must be that of a training that nobody
 * interrupted. */
#define _XOPEN_SOURCE 700
#include "kill_writers.h"

#include <dirent.h>
#include <errno.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[256] = "/dev/shm";

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

/* Entries of the directory; with `clean`, all but `keep` are removed. */
static int entries(bool clean, const char *keep)
{
    int count = 0;
    DIR *dir = opendir(directory);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        char path[600];
        if (e->d_name[0] == '.')
            continue;
        count++;
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        if (clean && !(keep && strcmp(keep, e->d_name) == 0))
            unlink(path);
    }
    if (dir)
        closedir(dir);
    return count;
}

static void pause_for(double seconds)
{
    struct timespec t = {0, (long)(1e9 * seconds)};
    nanosleep(&t, NULL);
}

/* Starts a child that saves, and kills it `wait` seconds after its first save. */
static int kill_one(const writer *w, const char *path, double wait)
{
    int ready[2], status = 0;
    char byte = 0;
    if (pipe(ready))
        return fail(w->name, strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ready[0]);
        for (int i = 0;; i++) {
            if (w->save(path, i % 2))
                _exit(1);
            if (i == 0 && write(ready[1], "x", 1) != 1)
                _exit(1);
        }
    }
    close(ready[1]);
    bool started = child > 0 && read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    pause_for(wait);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return started && WIFSIGNALED(status) ? 0 : fail(w->name, "the saver ended by itself");
}

static int run_writer(const writer *w, int kills, int *midway)
{
    char path[300];
    int seen[2] = {0, 0}, middle = 0;
    snprintf(path, sizeof path, "%s/%s", directory, w->file);
    if (w->prepare(directory))
        return fail(w->name, "cannot prepare it");
    for (int i = 0; i < kills; i++) {
        entries(true, NULL);
        /* 0 to 10 ms in a scattered order */
        if (kill_one(w, path, 0.01 * (double)(i * 37 % 101) / 101))
            return 1;
        middle += entries(false, NULL) > w->files;
        int which = w->which(path);
        if (which < 0)
            return fail(w->name, "the file is neither the old nor the new one");
        seen[which]++;
    }
    entries(true, NULL);
    printf("%-12s %5d kills, %5d in the middle of a save; %d and %d times the one and the other\n",
           w->name, kills, middle, seen[0], seen[1]);
    fflush(stdout);
    *midway += middle;
    return 0;
}

/* ---- Checkpoints --------------------------------------------------------------------------- */

/* One child trains until it is killed, or until its model is saved. Returns 1 if it was saved. */
static int train_and_kill(const char *model, const char *checkpoint, double wait)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(train_once(model, checkpoint) ? 1 : 0);
    pause_for(wait);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0 ? 1 : -1;
    return 0;
}

static int run_checkpoints(int kills, int *midway)
{
    char model[300], checkpoint[300];
    int done = 0, middle = 0, resumed = 0;
    double span = 0.03; /* seconds over which the kills scatter; less where a training ends before */
    uint64_t want;
    snprintf(model, sizeof model, "%s/m.lbh", directory);
    snprintf(checkpoint, sizeof checkpoint, "%s/m.ckpt", directory);
    entries(true, NULL);
    if (train_once(model, NULL) || !(want = digest_of(model)))
        return fail("checkpoint", "the training that nobody interrupts fails");
    unlink(model);
    for (int i = 0; i < kills;) {
        int ended = train_and_kill(model, checkpoint, span * (0.05 + (double)(i * 37 % 101) / 101));
        if (ended < 0)
            return fail("checkpoint", "the training does not go on");
        if (ended) {
            if (digest_of(model) != want || access(checkpoint, F_OK) == 0)
                return fail("checkpoint", "another model than without kills");
            done++;
            span *= 0.9;
            unlink(model);
            continue;
        }
        i++;
        bool there = access(checkpoint, F_OK) == 0;
        resumed += there;
        middle += entries(false, NULL) > there;
        entries(true, "m.ckpt");
    }
    entries(true, NULL);
    printf("%-12s %5d kills, %5d in the middle of a save; %d left a checkpoint, %d trainings came "
           "to their end\n", "checkpoint", kills, middle, resumed, done);
    *midway += middle;
    return 0;
}

/* ---- All ----------------------------------------------------------------------------------- */

static int run_all(const char *only, int kills)
{
    int total = 0, midway = 0, rc = 0;
    for (const writer *w = writers; w->name && !rc; w++)
        if (!only || strcmp(only, w->name) == 0) {
            rc = run_writer(w, kills, &midway);
            total += kills;
        }
    if (!rc && (!only || strcmp(only, "checkpoint") == 0)) {
        rc = run_checkpoints(kills, &midway);
        total += kills;
    }
    if (rc)
        return rc;
    printf("%d kills survived, %d of them in the middle of a save\n", total, midway);
    if (midway == 0)
        return fail("test_kill", "no kill hit a save: nothing was tested");
    return 0;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    int kills = 10;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--kills") == 0 && i + 1 < argc)
            kills = atoi(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--directory") == 0 && i + 1 < argc)
            snprintf(directory, sizeof directory - 20, "%s", argv[++i]);
        else {
            fprintf(stderr, "usage: test_kill [--kills N] [--only WRITER] [--directory DIR]\n");
            return 2;
        }
    if (access(directory, W_OK))
        strcpy(directory, "/tmp");
    strcat(directory, "/lbh-kill-XXXXXX");
    if (kills < 1 || !mkdtemp(directory))
        return fail(directory, strerror(errno));
    omp_set_num_threads(1); /* the children are forked from this process */
    int rc = run_all(only, kills);
    if (!rc) {
        entries(true, NULL);
        rmdir(directory);
    } else {
        fprintf(stderr, "the files are in %s\n", directory);
    }
    return rc;
}
