/* test_command_options.c: options, and the names of the rows of `lbh compare`. */
#include "support.h"

#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(int argc, char **argv, const option_def *defs)
{
    static const command self = {"test", "A test", "[OPTIONS]", NULL, NULL};
    return options_parse(&self, defs, argc, argv, NULL);
}

Test(options, kinds_and_bounds)
{
    const char *text = NULL;
    char *joined = NULL;
    int64_t number = 0;
    int flag = 0, choice = 0;
    option_def defs[] = {{OPT_TEXT, 0, "text", "T", &text, 0, 0, "", 0},
                         {OPT_JOIN, 's', "set", "S", &joined, 0, 0, "", 0},
                         {OPT_INT, 'k', "number", "N", &number, 1, 10, "", 1},
                         {OPT_FLAG, 0, "flag", 0, &flag, 0, 0, "", 0},
                         {OPT_CHOICE, 0, "metric", "l2|ip", &choice, 0, 0, "", 0},
                         OPTIONS_LAST};
    char *good[] = {"test", "--text=a", "-k", "7", "-s", "a=1", "--set", "b=2", "--flag",
                    "--metric", "ip", NULL};
    cr_assert_eq(parse(11, good, defs), LBH_OK, "%s", lbh_last_error());
    cr_assert_str_eq(text, "a");
    cr_assert_str_eq(joined, "a=1,b=2");
    cr_assert(number == 7 && flag == 1 && choice == 1);
    static char *bad[][3] = {{"test", "-k", "0"},       {"test", "-k", "11"},
                             {"test", "-k", "7x"},      {"test", "-k", "99999999999999999999"},
                             {"test", "-k", ""},        {"test", "-k1", "--nope"},
                             {"test", "-k1", "-z"},     {"test", "-k1", "--text"},
                             {"test", "-k1", "extra"},  {"test", "-k1", "--flag=1"},
                             {"test", "-k1", "--metric=l1"}, {"test", "--text=a", "--flag"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *argv[] = {bad[i][0], bad[i][1], bad[i][2], NULL};
        cr_assert_eq(parse(3, argv, defs), CLI_EUSAGE, "case %zu", i);
    }
    free(joined);
}

static void names(const char *list, int d, int nbits, int expected, const char *const *want)
{
    rival *r;
    int count;
    cr_assert_eq(rivals_new(&r, &count, list, d, nbits, BENCH_L2, false), LBH_OK, "%s",
                 lbh_last_error());
    cr_assert_eq(count, expected);
    for (int i = 0; i < count; i++)
        cr_assert_str_eq(r[i].name, want[i]);
    rivals_free(r, count);
}

Test(rivals, aliases_become_factory_strings)
{
    names("ITQ,LSH,PQ", 128, 64, 3, (const char *[]){"ITQ64,LSH", "RR64,LSH", "PQ8"});
    names("ITQ,PQ", 20, 64, 2, (const char *[]){"Pad64,ITQ64,LSH", "Pad24,PQ8"});
    names("PQ8,OPQ8_64,PQ8,Pad128,ITQ128,LSH", 64, 64, 3,
          (const char *[]){"PQ8", "OPQ8_64,PQ8", "Pad128,ITQ128,LSH"});
}

Test(rivals, every_method_takes_part_unless_it_needs_labels)
{
    rival *r;
    int count, unlabelled = 0;
    for (int i = 0; i < lbh_method_count(); i++)
        unlabelled += !lbh_method_needs_labels(lbh_method_name(i));
    cr_assert_eq(rivals_new(&r, &count, "all", 32, 16, BENCH_L2, false), LBH_OK);
    cr_assert_eq(count, unlabelled + 3);
    rivals_free(r, count);
    cr_assert_eq(rivals_new(&r, &count, "all", 32, 16, BENCH_L2, true), LBH_OK);
    cr_assert_eq(count, lbh_method_count() + 3);
    rivals_free(r, count);
}

Test(rivals, the_usual_ones_are_there)
{
    rival *r;
    int count, usual;
    cr_assert_eq(rivals_new(&r, &count, NULL, 32, 16, BENCH_L2, false), LBH_OK);
    usual = count;
    rivals_free(r, count);
    cr_assert_eq(rivals_new(&r, &count, NULL, 32, 16, BENCH_LABEL, true), LBH_OK);
    cr_assert(usual > 3 && count > usual, "%d, with labels %d", usual, count);
    rivals_free(r, count);
}

Test(rivals, wrong_names_are_found_at_once)
{
    rival *r;
    int count;
    static const char *const bad[] = {"nonsense", "", "PQ,,ITQ", "PQ,", "PQ7", "ITQ64"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(rivals_new(&r, &count, bad[i], 64, 64, BENCH_L2, false), CLI_EUSAGE, "%s",
                     bad[i]);
    char text[64];
    snprintf(text, sizeof text, "%s:no_such_option=1", lbh_method_name(0));
    cr_assert_eq(rivals_new(&r, &count, text, 64, 64, BENCH_L2, false), CLI_EUSAGE);
}

Test(rivals, bits_that_are_no_bytes_leave_pq_out)
{
    rival *r;
    int count;
    cr_assert_eq(rivals_new(&r, &count, "PQ", 64, 12, BENCH_L2, false), LBH_OK);
    cr_assert(r[0].skip);
    rivals_free(r, count);
}
