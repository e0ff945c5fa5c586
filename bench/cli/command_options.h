/* command_options.h: one table of options per subcommand; parsing, bounds and --help all come from it. */
#ifndef LBH_OPTIONS_H
#define LBH_OPTIONS_H

#include <stdint.h>

typedef enum {
    OPT_END,
    OPT_TEXT,   /* const char **: the argument */
    OPT_JOIN,   /* char **: arguments of all occurrences, joined with commas; free it */
    OPT_INT,    /* int64_t *: a whole number in [min, max] */
    OPT_NUMBER, /* double *: a number in [min, max] */
    OPT_FLAG,   /* int *: set to 1 */
    OPT_CHOICE, /* int *: position in `arg`, which reads "l2|ip" */
} option_kind;

typedef struct option_def {
    option_kind kind;
    char letter;      /* short form, or 0 */
    const char *name; /* long form */
    const char *arg;  /* name of the argument in --help; the choices of OPT_CHOICE */
    void *target;
    int64_t min, max;
    const char *doc;
    int required; /* 1: the subcommand cannot do without */
} option_def;

typedef struct command command;
struct command {
    const char *name;
    const char *summary; /* one line */
    const char *usage;   /* what follows the name in the usage line */
    const char *details; /* printed by --help after the options, or NULL */
    int (*run)(const command *self, int argc, char **argv);
};

/* Parses argv[1..]. At most one positional argument goes to *operand (NULL: none is allowed).
 * Returns LBH_OK, CLI_EUSAGE with the error raised, or CLI_HELPED when --help was printed. */
int options_parse(const command *self, const option_def *defs, int argc, char **argv,
                  const char **operand);

/* A whole number in [min, max] from text; CLI_EUSAGE with an error that names `what`. */
int parse_int(const char *text, int64_t min, int64_t max, const char *what, int64_t *value);
/* The same of numbers with commas between them: at most `most` of them to values[], *count. */
int parse_ints(const char *text, int64_t min, int64_t max, int most, const char *what, int64_t *values,
               int *count);
int parse_double(const char *text, double min, double max, const char *what, double *value);

/* Options that most subcommands have. */
#define OPTIONS_COMMON(json_, threads_, quiet_)                                                    \
    {OPT_INT, 0, "threads", "N", threads_, 1, 4096, "number of threads (all cores)", 0},           \
    {OPT_FLAG, 0, "json", 0, json_, 0, 0, "print one JSON document", 0},                           \
    {OPT_FLAG, 'q', "quiet", 0, quiet_, 0, 0, "no progress on the terminal", 0}

#define OPTIONS_LAST {OPT_END, 0, 0, 0, 0, 0, 0, 0, 0}

#endif
