/* main.c: the command `lbh`: finds the subcommand, runs it, prints its error. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const command *const commands[] = {
    &command_compare, &command_methods, &command_train,  &command_info, &command_encode,
    &command_decode,  &command_build,   &command_search, &command_eval,  &command_curve,
    &command_export,  &command_speed,   &command_bench,  &command_report, &command_tune,
    &command_scale,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int help(void)
{
    printf("lbh: learned binary hashing for FAISS\n\n"
           "Usage: lbh COMMAND [OPTIONS]\n\nCommands:\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s%s\n", commands[i]->name, commands[i]->summary);
    printf("\n'lbh COMMAND --help' describes a command, 'man lbh' all of them. A first look:\n\n"
           "  lbh compare --base synthetic: --nbits 64\n\n"
           "Exit codes: 0, 1 (data or run-time error), 2 (usage), 130 (interrupted).\n");
    return LBH_OK;
}

static int version(void)
{
    printf("lbh %s (FAISS %s)\n", lbh_version(), lbh_faiss_version());
    return LBH_OK;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return fail_usage("a command is missing (try 'lbh --help')");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help();
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version();
    bool asks = strcmp(name, "help") == 0;
    if (asks && argc == 2)
        return help();
    const command *c = find(asks ? argv[2] : name);
    if (!c)
        return fail_usage("unknown command '%s' (try 'lbh --help')", asks ? argv[2] : name);
    char *help_args[] = {argv[0], (char[]){"--help"}, NULL};
    return asks ? c->run(c, 2, help_args) : c->run(c, argc - 1, argv + 1);
}

/* The OpenMP runtime lets idle threads spin. Where other programs want the same cores that makes
 * training ten times slower and more. Asleep at once, threads take longer to wake than many a loop
 * runs (two of them trained no faster than one); after some ten microseconds both are fine. The
 * runtime reads its environment before main(), hence the second start. What the user has set stays. */
static void wait_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT"))
        return;
    if (setenv("OMP_WAIT_POLICY", "passive", 1) == 0 && setenv("GOMP_SPINCOUNT", "5000", 1) == 0)
        execv("/proc/self/exe", argv); /* returns only if it fails, and then we go on as we are */
}

int main(int argc, char **argv)
{
    wait_briefly(argv);
    cli_catch_signals();
    int rc = run(argc, argv);
    progress_clear();
    return cli_exit(rc == LBH_OK || rc == CLI_HELPED ? report_flush() : rc);
}
