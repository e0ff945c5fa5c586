/* test_result_lines.c: reading and appending lines of results: every cut, damage, keys. */
#define _DEFAULT_SOURCE
#include "support.h"

#include "result_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "{\"format\":\"" RESULT_FORMAT "\","

static char dir[64];

static const char *file(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void setup(void)
{
    strcpy(dir, "/tmp/lbh_lines_XXXXXX");
    cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
    const char *names[] = {"a.jsonl", "b.jsonl", ".c.jsonl", "d.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(file(names[i]));
    cr_assert_eq(rmdir(dir), 0);
}

TestSuite(result_lines, .init = setup, .fini = teardown);

static void spit(const char *name, const char *text)
{
    test_spit(file(name), text, strlen(text));
}

static result_lines read_all(void)
{
    result_lines r;
    cr_assert_eq(result_lines_read(&r, dir), LBH_OK, "%s", lbh_last_error());
    return r;
}

Test(result_lines, nothing_there)
{
    result_lines r = read_all();
    cr_assert(r.n == 0 && r.files == 0);
    result_lines_free(&r);
    spit("a.jsonl", "");
    r = read_all();
    cr_assert(r.n == 0 && r.files == 1);
    result_lines_free(&r);
    cr_assert_eq(result_lines_read(&r, file("absent")), LBH_EIO);
    cr_assert(strstr(lbh_last_error(), "absent"));
    result_lines_free(&r);
}

/* A file cut anywhere gives the lines that end before the cut, and appending mends it. */
Test(result_lines, every_cut)
{
    char whole[512];
    int len = snprintf(whole, sizeof whole, HEAD "\"key\":\"1\"}\n" HEAD "\"key\":\"2\"}\n" HEAD
                                                                      "\"key\":\"3\"}\n");
    for (int cut = 0; cut <= len; cut++) {
        test_spit(file("a.jsonl"), whole, (size_t)cut);
        int ends = 0;
        for (int i = 0; i < cut; i++)
            ends += whole[i] == '\n';
        result_lines r = read_all();
        cr_assert_eq(r.n, ends);
        cr_assert_eq(r.torn, cut > 0 && whole[cut - 1] != '\n');
        cr_assert_eq(r.damaged, 0);
        result_lines_free(&r);
        cr_assert_eq(result_lines_append(file("a.jsonl"), HEAD "\"key\":\"new\"}"), LBH_OK);
        r = read_all();
        cr_assert(r.n == ends + 1 && r.torn == 0 && r.damaged == 0);
        cr_assert_str_eq(result_text(r.line[ends], "key"), "new");
        result_lines_free(&r);
    }
}

Test(result_lines, long_torn_line)
{
    size_t n = 10000;
    char *text = malloc(n + 1);
    snprintf(text, n, HEAD "\"key\":\"1\"}\n{\"pixels\":\"");
    memset(text + strlen(text), 'x', n - strlen(text));
    text[n] = 0;
    spit("a.jsonl", text);
    free(text);
    cr_assert_eq(result_lines_append(file("a.jsonl"), HEAD "\"key\":\"2\"}"), LBH_OK);
    result_lines r = read_all();
    cr_assert(r.n == 2 && r.damaged == 0 && r.torn == 0);
    result_lines_free(&r);
}

Test(result_lines, damage_is_counted)
{
    spit("a.jsonl", "\n" HEAD "\"x\":1}\n{\"x\":\nnull\n[1]\n" HEAD "\"x\":NaN}\n" HEAD
                    "} trailing\n{\"format\":\"else\"}\n{}\n");
    spit(".c.jsonl", HEAD "\"hidden\":1}\n");
    spit("d.json", HEAD "\"other\":1}\n");
    test_spit(file("b.jsonl"), HEAD "\"y\"\0:1}\n", strlen(HEAD) + 8);
    result_lines r = read_all();
    cr_assert(r.n == 1 && r.files == 2 && r.torn == 0, "%d %d", r.n, r.files);
    cr_assert_eq(r.damaged, 8);
    cr_assert(strstr(r.note, "a.jsonl', line 3:"), "%s", r.note);
    result_lines_free(&r);
}

Test(result_lines, newer_format_is_an_error)
{
    spit("a.jsonl", "{\"format\":\"lbh-bench 2\"}\n");
    result_lines r;
    cr_assert_eq(result_lines_read(&r, dir), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "lbh-bench 2") && strstr(lbh_last_error(), "line 1"));
    result_lines_free(&r);
}

/* Of equal keys the last counts, over files too, but a failure does not displace a success. */
Test(result_lines, keys)
{
    spit("a.jsonl", HEAD "\"key\":\"1\",\"status\":\"failed\",\"v\":1}\n" HEAD
                         "\"key\":\"2\",\"status\":\"ok\",\"v\":2}\n" HEAD
                         "\"key\":\"1\",\"status\":\"ok\",\"v\":3}\n" HEAD "\"v\":4}\n" HEAD
                         "\"v\":5}\n");
    spit("b.jsonl", HEAD "\"key\":\"2\",\"status\":\"ok\",\"v\":6}\n" HEAD
                         "\"key\":\"1\",\"status\":\"timeout\",\"v\":7}\n" HEAD
                         "\"key\":\"3\",\"status\":\"failed\",\"v\":8}\n");
    result_lines r = read_all();
    static const int want[] = {3, 4, 5, 6, 8};
    cr_assert_eq(r.n, 5);
    cr_assert_eq(r.replaced, 3);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(result_number(r.line[i], "v"), want[i], "%d", i);
    result_lines_free(&r);
}

Test(result_lines, members)
{
    cJSON *j = cJSON_Parse("{\"n\":1.5,\"inf\":1e999,\"null\":null,\"t\":\"text\",\"b\":true}");
    cr_assert(result_number(j, "n") == 1.5 && isnan(result_number(j, "inf")) &&
              isnan(result_number(j, "null")) && isnan(result_number(j, "t")) &&
              isnan(result_number(j, "N")) && isnan(result_number(j, "b")));
    cr_assert_str_eq(result_text(j, "t"), "text");
    cr_assert_str_eq(result_text(j, "n"), "");
    cr_assert(result_is(j, "t", "text") && !result_is(j, "t", "") && result_is(j, "absent", ""));
    cJSON_Delete(j);
}

Test(result_lines, append_errors)
{
    cr_assert_eq(result_lines_append(file("absent/a.jsonl"), "{}"), LBH_EIO);
    cr_assert(strstr(lbh_last_error(), "absent"));
    cr_assert_eq(result_lines_append("/dev/full", "{}"), LBH_EIO);
}
