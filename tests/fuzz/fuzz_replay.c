/* fuzz_replay.c: fuzz_replay TARGET FILE|DIRECTORY ...: runs a target on files, without libFuzzer: those
 * that once crashed it, and what the seeds and the fuzzer found. `fuzz_replay --list` names the
 * targets. Exit code 0: all ran; a target that fails ends the process. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* fuzz_targets.h, made by CMake: TARGET(name) for each. */
#define TARGET(name) int fuzz_##name(const uint8_t *data, size_t size);
#include "fuzz_targets.h"
#undef TARGET

typedef int (*target_fn)(const uint8_t *data, size_t size);

static const struct {
    const char *name;
    target_fn run;
} targets[] = {
#define TARGET(name) {#name, fuzz_##name},
#include "fuzz_targets.h"
#undef TARGET
};
enum { TARGETS = sizeof targets / sizeof *targets };

static target_fn target;
static char current[4096];
static long files;

/* Names the file that did it; the default action follows. */
static void on_crash(int signal)
{
    static const char words[] = "fuzz_replay: crashed on ";
    if (write(2, words, sizeof words - 1) < 0 || write(2, current, strlen(current)) < 0 ||
        write(2, "\n", 1) < 0)
        _exit(1);
    raise(signal); /* SA_RESETHAND */
}

static void run_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    if (!f || !data || fread(data, 1, size, f) != size) {
        fprintf(stderr, "fuzz_replay: cannot read %s: %s\n", path, strerror(errno));
        exit(1);
    }
    fclose(f);
    snprintf(current, sizeof current, "%s", path);
    target(data, size);
    free(data);
    files++;
}

static int visit(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)ftw;
    if (flag == FTW_NS || flag == FTW_DNR) {
        fprintf(stderr, "fuzz_replay: cannot read %s\n", path);
        exit(1);
    }
    if (flag == FTW_F)
        run_file(path, (size_t)st->st_size);
    return 0;
}

static int list(void)
{
    for (int i = 0; i < TARGETS; i++)
        puts(targets[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    for (int i = 0; argc > 2 && i < TARGETS; i++)
        if (strcmp(argv[1], targets[i].name) == 0)
            target = targets[i].run;
    if (!target) {
        fprintf(stderr, "usage: fuzz_replay --list, or fuzz_replay TARGET FILE|DIRECTORY ...\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    for (int i = 2; i < argc; i++)
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
            fprintf(stderr, "fuzz_replay: cannot read %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
    printf("%s: %ld files\n", argv[1], files);
    return 0;
}
