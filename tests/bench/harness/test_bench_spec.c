/* test_bench_spec.c: specifications of `lbh bench`: what is read, what is refused and how, plans,
 * rivals' recipes, medians. */
#include "support.h"

#include "bench_measure.h"
#include "bench_plan.h"
#include "bench_presets.h"
#include "bench_rival.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bench_spec *read_spec(const char *text)
{
    bench_spec *s;
    cr_assert_eq(bench_spec_parse(&s, "a.ini", text, strlen(text)), LBH_OK, "%s", lbh_last_error());
    return s;
}

#define TAIL "[data x]\nbase = synthetic:\n[method itq]\n"

Test(bench_spec, good)
{
    bench_spec *s = read_spec(
        "\xEF\xBB\xBF; comment\n# comment\n[bench] # behind\nk = 1 10 ; behind\nat=1 5\n  100\n"
        "time_limit: 1.5\nnbits = 16\n\n[data x]\nbase = synthetic:n=10,d=4\nmetric = ip\n"
        "image = 2x2\nqueries = split:3\n[method itq]\n[method sgh:a]\n"
        "options = steps=5 metric=ip\nlabel = SGH (a)\nnbits = 8 24\nrescore = hamming float:100 "
        "decoder:all\ndata = x\n[published]\nsource = Somebody, figure 6\nnbits = 8 24\n"
        "what = recall10@100\nx sgh:a = .5 -\nx ITQ (his) = 1e-1\n");
    cr_assert(s->what.k.count == 2 && s->what.k.value[1] == 10);
    cr_assert(s->what.at.count == 3 && s->what.at.value[2] == 100, "an indented line goes on");
    cr_assert(s->time_limit == 1.5 && s->what.repeats == 3 && s->what.map_k == 1000);
    cr_assert(s->ndata == 1 && s->data[0].metric == BENCH_IP && s->data[0].height == 2);
    cr_assert_str_eq(s->data[0].queries, "split:3");
    cr_assert(s->nmethods == 2, "a section without keys counts");
    cr_assert_str_eq(s->method[0].label, "itq");
    cr_assert_str_eq(s->method[1].method, "sgh");
    cr_assert_str_eq(s->method[1].label, "SGH (a)");
    cr_assert_str_eq(s->method[1].options, "steps=5,metric=ip");
    spec_sweep own = bench_sweep(s, &s->method[1]), shared = bench_sweep(s, &s->method[0]);
    cr_assert(own.nbits.count == 2 && own.nbits.value[1] == 24 && own.rescore.count == 3);
    cr_assert(shared.nbits.count == 1 && shared.nbits.value[0] == 16 && shared.rescore.count == 1);
    cr_assert(s->npublished == 1 && s->published[0].rows == 2);
    cr_assert_str_eq(s->published[0].row[0].label, "sgh:a", "a colon in a name");
    cr_assert(s->published[0].row[0].value[0] == .5 && isnan(s->published[0].row[0].value[1]));
    cr_assert_str_eq(s->published[0].row[1].label, "ITQ (his)");
    cr_assert(s->published[0].row[1].count == 1 && s->published[0].row[1].value[0] == .1);
    bench_spec_free(s);
}

/* Each is refused with the file, the line and a text that helps. */
Test(bench_spec, bad)
{
    static const struct {
        const char *text, *line, *says;
    } bad[] = {
        {"k = 1\n" TAIL, "a.ini:1: ", "first [section]"},
        {"[bench]\nq = 1\n" TAIL, "a.ini:2: ", "allowed: k at map_k"},
        {"[bench]\nk = 1\n\nk = 2\n" TAIL, "a.ini:4: ", "twice"},
        {"[bench]\nk = 1 x\n" TAIL, "a.ini:2: k", "not a whole number"},
        {"[bench]\nk = 0\n" TAIL, "a.ini:2: k", "between 1 and"},
        {"[bench]\nk = 5 5\n" TAIL, "a.ini:2: ", "twice"},
        {"[bench]\nk =\n" TAIL, "a.ini:2: ", "no value"},
        {"[bench]\nnbits = 5000\n" TAIL, "a.ini:2: nbits", "4096"},
        {"[bench]\ntime_limit = 0\n" TAIL, "a.ini:2: time_limit", "above 0"},
        {"[bench]\ntime_limit = nan\n" TAIL, "a.ini:2: time_limit", "not a number"},
        {"[bench]\nrepeats = 1\n 2\n" TAIL, "a.ini:3: ", "one line"},
        {"[bench]\nrescore = hammer\n" TAIL, "a.ini:2: rescore", "float:R"},
        {"[bench]\nrescore = float\n" TAIL, "a.ini:2: rescore", "float:R"},
        {"[bench]\nrescore = float:0\n" TAIL, "a.ini:2: rescore", "float:R"},
        {"[bench]\nrescore = margin:all\n" TAIL, "a.ini:2: rescore", "none of"},
        {"[bench\n" TAIL, "a.ini:1: ", "']'"},
        {"[bench]\n[bench]\n" TAIL, "a.ini:2: ", "twice"},
        {"[bench]\nk = 1\n [data x]\n", "a.ini:3: ", "start of its line"},
        {"[nonsense]\n" TAIL, "a.ini:1: ", "[method NAME]"},
        {"[data]\n" TAIL, "a.ini:1: ", "no section"},
        {"[data a_b]\n" TAIL, "a.ini:1: ", "letters, digits"},
        {"[data a b]\n" TAIL, "a.ini:1: ", "letters, digits"},
        {TAIL "[data x]\n", "a.ini:4: ", "twice"},
        {TAIL "[method itq]\n", "a.ini:4: ", "[method itq:NAME]"},
        {TAIL "[method nope]\n", "a.ini:4: ", "faiss-lsh"},
        {TAIL "options = steps\n", "a.ini:4: options", "name=value"},
        {TAIL "data = y\n", "a.ini: [method itq]", "there is no [data y]"},
        {TAIL "this is no pair\n", "a.ini:4: ", "neither"},
        {"[data x]\nmetric = l3\nbase = a\n", "a.ini:2: metric", "l2, ip, cosine, label"},
        {"[data x]\nimage = 28\nbase = a\n", "a.ini:2: image", "HEIGHTxWIDTH"},
        {"[data x]\nsplit = queries=3\nbase = a\n", "a.ini:2: split", "queries"},
        {"[data x]\nlimit = 10\n[method itq]\n", "a.ini: [data x]", "base"},
        {"[data x]\nbase = y\n", "a.ini: ", "at least one"},
        {"", "a.ini: ", "at least one"},
        {TAIL "[published]\nx y = 1\n", "a.ini: ", "'nbits' and 'what'"},
        {TAIL "[published]\nnbits = 8\nwhat = map\nx y = 1 2\n", "a.ini: ", "has 2 numbers"},
        {TAIL "[published]\nnbits = 8\nwhat = map\nx y = a\n", "a.ini:7: x y", "not a number"},
        {TAIL "[published]\nauthor = me\n", "a.ini:5: ", "DATA LABEL"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bench_spec *s = (bench_spec *)1;
        int rc = bench_spec_parse(&s, "a.ini", bad[i].text, strlen(bad[i].text));
        cr_assert(rc == CLI_EUSAGE && s == NULL, "%s", bad[i].text);
        cr_assert(strncmp(lbh_last_error(), bad[i].line, strlen(bad[i].line)) == 0, "%s: '%s'",
                  bad[i].text, lbh_last_error());
        cr_assert(strstr(lbh_last_error(), bad[i].says), "%s: '%s'", bad[i].text, lbh_last_error());
    }
}

Test(bench_spec, hostile)
{
    static char text[1 << 21];
    bench_spec *s;
    /* a zero byte, an endless line, a long section, more than a megabyte */
    cr_assert_eq(bench_spec_parse(&s, "a", "[bench]\0", 8), CLI_EUSAGE);
    memset(text, 'a', sizeof text);
    cr_assert_eq(bench_spec_parse(&s, "a", text, 5000), CLI_EUSAGE);
    cr_assert(strstr(lbh_last_error(), "a:1: more than"), "%s", lbh_last_error());
    cr_assert_eq(bench_spec_parse(&s, "a", text, sizeof text), CLI_EUSAGE);
    memcpy(text, "[data ", 6);
    text[150] = ']';
    cr_assert_eq(bench_spec_parse(&s, "a", text, 151), CLI_EUSAGE);
    cr_assert(strstr(lbh_last_error(), "at most 120"), "%s", lbh_last_error());
    /* as many sections and list items as fit, and one more */
    for (int more = 0; more < 2; more++) {
        size_t n = (size_t)sprintf(text, TAIL);
        for (int i = 1; i < SPEC_METHODS + more; i++)
            n += (size_t)sprintf(text + n, "[method itq:%d]\n", i);
        cr_assert_eq(bench_spec_parse(&s, "a", text, n), more ? CLI_EUSAGE : LBH_OK);
        bench_spec_free(s);
    }
    for (int more = 0; more < 2; more++) {
        size_t n = (size_t)sprintf(text, "[bench]\nat = 1\n");
        for (int i = 2; i <= SPEC_LIST + more; i++)
            n += (size_t)sprintf(text + n, " %d\n", i);
        n += (size_t)sprintf(text + n, TAIL);
        cr_assert_eq(bench_spec_parse(&s, "a", text, n), more ? CLI_EUSAGE : LBH_OK);
        bench_spec_free(s);
    }
}

/* Any text cut anywhere is read or refused, never worse; the text ends where memory ends. */
Test(bench_spec, every_prefix_of_every_preset)
{
    int presets = 0;
    for (const bench_preset *p = bench_presets; p->name; p++, presets++) {
        size_t size = strlen(p->text);
        bench_spec *s;
        cr_assert_eq(bench_spec_parse(&s, p->name, p->text, size), LBH_OK, "%s", lbh_last_error());
        cr_assert_eq(bench_spec_quick(s), LBH_OK);
        for (int m = 0; m < s->nmethods; m++)
            for (int i = 0; i < s->method[m].sweep.nbits.count; i++)
                cr_assert(s->method[m].sweep.nbits.value[i] <= 64 ||
                          s->method[m].sweep.nbits.count == 1);
        bench_spec_free(s);
        for (size_t n = 0; n < size; n += 7) {
            char *copy = malloc(n + 1);
            memcpy(copy, p->text, n);
            (void)bench_spec_parse(&s, p->name, copy, n);
            bench_spec_free(s);
            free(copy);
        }
    }
    cr_assert(presets > 0);
}

/* What holds where nothing is said. */
Test(bench_spec, defaults)
{
    static const int64_t nbits[] = {16, 32, 64, 128},
                         at[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
    bench_spec *s = read_spec(TAIL);
    spec_sweep w = bench_sweep(s, &s->method[0]);
    cr_assert(w.nbits.count == 4 && s->what.at.count == 10 && s->what.k.count == 1);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(w.nbits.value[i], nbits[i]);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(s->what.at.value[i], at[i]);
    cr_assert(s->what.k.value[0] == 10 && s->what.answers == 10 && s->what.repeats == 3);
    cr_assert(s->what.map_k == 1000 && s->what.map_queries == 1000 && s->what.map_at == 0);
    cr_assert(s->time_limit == 600 && s->memory_limit == 8192);
    cr_assert(w.seeds.count == 1 && w.seeds.value[0] == 1 && s->data[0].split_seed == 1);
    cr_assert_str_eq(w.index.text[0], "BFlat");
    cr_assert_str_eq(w.search.text[0], "");
    cr_assert_str_eq(w.rescore.text[0], "hamming");
    bench_spec_free(s);
}

static int parse_value(const char *front, const char *key, int64_t value, const char *behind)
{
    char text[200];
    bench_spec *s;
    int n = snprintf(text, sizeof text, "%s%s = %lld\n%s", front, key, (long long)value, behind);
    int rc = bench_spec_parse(&s, "a", text, (size_t)n);
    bench_spec_free(s);
    return rc;
}

/* The least and the greatest value of each number are taken, and those beyond are not. */
Test(bench_spec, bounds)
{
    static const struct {
        const char *front, *key;
        int64_t min, max;
        const char *behind;
    } all[] = {
        {"[bench]\n", "k", 1, 65536, TAIL},          {"[bench]\n", "at", 1, 1048576, TAIL},
        {"[bench]\n", "map_k", 0, 1048576, TAIL},    {"[bench]\n", "map_at", 0, 1073741824, TAIL},
        {"[bench]\n", "map_queries", 0, 1073741824, TAIL},
        {"[bench]\n", "answers", 1, 1048576, TAIL},  {"[bench]\n", "repeats", 1, 1000, TAIL},
        {"[bench]\n", "threads", 1, 4096, TAIL},     {"[bench]\n", "time_limit", 1, 100000000, TAIL},
        {"[bench]\n", "memory_limit", 1, 1073741824, TAIL},
        {"[bench]\n", "nbits", 1, 4096, TAIL},       {"[bench]\n", "seeds", 0, 9007199254740992, TAIL},
        {TAIL, "nbits", 1, 4096, ""},                {TAIL, "seeds", 0, 9007199254740992, ""},
        {TAIL, "refine", 0, 1000000, ""},
        {TAIL "[data y]\nbase = b\n", "split_seed", 0, 9007199254740992, ""},
        {TAIL "[data y]\nbase = b\n", "limit", 1, 1099511627776, ""},
        {TAIL "[data y]\nbase = b\n", "sample", 1, 1099511627776, ""},
        {TAIL "[data y]\nbase = b\n", "codes", 10, 5000, ""},
        {TAIL "[published]\n", "nbits", 1, 4096, ""},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int beyond = 0; beyond < 2; beyond++) {
            int rc = beyond ? CLI_EUSAGE : LBH_OK;
            const char *key = all[i].key;
            cr_assert_eq(parse_value(all[i].front, key, all[i].min - beyond, all[i].behind), rc,
                         "%s %lld", key, (long long)all[i].min - beyond);
            cr_assert_eq(parse_value(all[i].front, key, all[i].max + beyond, all[i].behind), rc,
                         "%s %lld", key, (long long)all[i].max + beyond);
        }
}

Test(bench_spec, names_and_comments)
{
    char text[200];
    bench_spec *s = read_spec("[ data \t x \t]\nbase = a # b\n[method itq]\nlabel = a#b\n");
    cr_assert_str_eq(s->data[0].name, "x");
    cr_assert_str_eq(s->data[0].base, "a");
    cr_assert_str_eq(s->method[0].label, "a#b");
    bench_spec_free(s);
    for (int more = 0; more < 2; more++) {
        int n = snprintf(text, sizeof text, "[data %0*d]\nbase = a\n[method itq]\n", 48 + more, 0);
        cr_assert_eq(bench_spec_parse(&s, "a", text, (size_t)n), more ? CLI_EUSAGE : LBH_OK);
        bench_spec_free(s);
    }
}

/* A line of as many characters as are said to be allowed. */
Test(bench_spec, longest_line)
{
    static char text[1 << 16];
    bench_spec *s;
    int most;
    memset(text, 'a', sizeof text);
    cr_assert_eq(bench_spec_parse(&s, "a", text, sizeof text), CLI_EUSAGE);
    cr_assert_eq(sscanf(lbh_last_error(), "a:1: more than %d", &most), 1, "%s", lbh_last_error());
    for (int more = 0; more < 2; more++) {
        int n = snprintf(text, sizeof text, ";%0*d\n" TAIL, most - 1 + more, 0);
        cr_assert_eq(bench_spec_parse(&s, "a", text, (size_t)n), more ? CLI_EUSAGE : LBH_OK);
        bench_spec_free(s);
    }
}

/* --quick lowers what costs time, and raises nothing. */
Test(bench_spec, quick)
{
    bench_spec *s = read_spec(
        "[bench]\nrepeats = 5\nnbits = 128 64 32\nseeds = 4 5\n[data x]\nbase = a\n"
        "[data y]\nbase = b\nlimit = 9999\n[data z]\nbase = c\nlimit = 20000\n"
        "[method sgh]\nnbits = 512 256\nseeds = 7 8\n"
        "[method sgh:a]\noptions = steps=999 alternations=6\n"
        "[method sgh:b]\noptions = alternations=5 steps=1001\n[method pq]\n");
    cr_assert_eq(bench_spec_quick(s), LBH_OK);
    cr_assert(s->what.repeats == 1 && s->sweep.nbits.count == 2 && s->sweep.nbits.value[0] == 64 &&
              s->sweep.nbits.value[1] == 32);
    cr_assert(s->sweep.seeds.count == 1 && s->sweep.seeds.value[0] == 4);
    cr_assert(s->data[0].limit == 10000 && s->data[1].limit == 9999 && s->data[2].limit == 10000);
    cr_assert(s->data[0].max_queries == 1000 && s->data[2].max_queries == 1000);
    cr_assert(s->method[0].sweep.nbits.count == 1 && s->method[0].sweep.nbits.value[0] == 256);
    cr_assert(s->method[0].sweep.seeds.count == 1 && s->method[1].sweep.seeds.count == 0);
    cr_assert_str_eq(s->method[0].options, "steps=1000,alternations=5");
    cr_assert_str_eq(s->method[1].options, "steps=999,alternations=6,alternations=5");
    cr_assert_str_eq(s->method[2].options, "alternations=5,steps=1001,steps=1000");
    cr_assert_str_eq(s->method[3].options, "");
    bench_spec_free(s);
}

/* ---- Plans --------------------------------------------------------------------------------- */

static bench_plan plan_of(bench_spec *s, plan_data *data, int threads)
{
    bench_plan p;
    cr_assert_eq(bench_plan_make(&p, s, data, threads), LBH_OK, "%s", lbh_last_error());
    return p;
}

Test(bench_plan, cells)
{
    bench_spec *s = read_spec(
        "[bench]\nnbits = 8 16\nseeds = 1 2 3\nrescore = hamming margin none float:50\n"
        "index = BFlat BIVF4\nsearch = nprobe=1 nprobe=2\n"
        "[data x]\nbase = a\n[data y]\nbase = b\n[data gone]\nbase = c\n"
        "[method itq]\ndata = x\n[method pq]\ndata = y\n[method flat]\ndata = y gone\n"
        "[method faiss-lsh]\ndata = y\nindex = BFlat\n");
    plan_data data[] = {{true, 100, 10, 32, 1}, {true, 100, 10, 32, 2}, {false, 0, 0, 0, 0}};
    bench_plan p = plan_of(s, data, 2);
    /* itq: 2 bits x 3 seeds; pq, faiss-lsh: 2 bits, one seed; flat: once */
    cr_assert_eq(p.ngroups, 6 + 2 + 1 + 2);
    int cells[4] = {0};
    for (int g = 0; g < p.ngroups; g++)
        cells[p.group[g].method] += p.group[g].count;
    /* BFlat takes no nprobe, BIVF4 two; "none" of codes is "hamming"; a rival has no margin */
    cr_assert_eq(cells[0], 6 * (1 + 2) * 3);
    cr_assert_eq(cells[1], 2 * 2);
    cr_assert_eq(cells[2], 1);
    cr_assert_eq(cells[3], 2 * 2);
    cr_assert_eq(p.ncells, cells[0] + cells[1] + cells[2] + cells[3]);
    for (int i = 0; i < p.ncells; i++)
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(p.cell[i].key, p.cell[j].key);
    /* the same again; another content of the data, or number of threads, is another key */
    bench_plan again = plan_of(s, data, 2), threads = plan_of(s, data, 3);
    data[0].digest = 3;
    bench_plan other = plan_of(s, data, 2);
    for (int i = 0; i < p.ncells; i++) {
        cr_assert_str_eq(p.cell[i].key, again.cell[i].key);
        cr_assert_str_neq(p.cell[i].key, threads.cell[i].key);
    }
    cr_assert_str_neq(p.cell[0].key, other.cell[0].key);
    cr_assert_str_neq(p.group[0].model, other.group[0].model);
    cr_assert_str_eq(p.cell[p.ncells - 1].key, other.cell[p.ncells - 1].key);
    bench_plan_free(&p);
    bench_plan_free(&again);
    bench_plan_free(&threads);
    bench_plan_free(&other);
    bench_spec_free(s);
}

/* The linker sends the calls of lbh_version() here. */
static const char *version;
const char *__wrap_lbh_version(void);
const char *__wrap_lbh_version(void)
{
    return version ? version : "0.0.1";
}

/* What an older library learned is not taken for what this one would learn. */
Test(bench_plan, models_and_cells_are_of_one_version)
{
    bench_spec *s = read_spec("[bench]\nnbits = 8\n[data x]\nbase = a\n[method itq]\n[method pq]\n");
    plan_data data[] = {{true, 100, 10, 32, 1}};
    version = "1.2.3";
    bench_plan old = plan_of(s, data, 2), same = plan_of(s, data, 2);
    version = "1.2.4";
    bench_plan new = plan_of(s, data, 2);
    cr_assert_eq(old.ngroups, 2);
    for (int g = 0; g < 2; g++) {
        cr_assert_str_eq(old.group[g].model, same.group[g].model);
        cr_assert_str_neq(old.group[g].model, new.group[g].model);
        cr_assert_str_neq(old.cell[old.group[g].first].key, new.cell[new.group[g].first].key);
    }
    bench_plan_free(&old);
    bench_plan_free(&same);
    bench_plan_free(&new);
    bench_spec_free(s);
}

Test(bench_plan, rivals)
{
    static const struct {
        const char *name;
        int d;
        int64_t nbits;
        const char *factory;
    } known[] = {{"faiss-lsh", 784, 64, "RR64,LSH"},    {"faiss-itq", 32, 64, "Pad64,ITQ64,LSH"},
                 {"pq", 784, 64, "PQ8"},                {"pq", 200, 128, "Pad208,PQ16"},
                 {"opq", 200, 128, "OPQ16_192,PQ16"},   {"opq", 784, 64, "OPQ8_256,PQ8"},
                 {"opq", 960, 1024, "OPQ128_512,PQ128"}, {"pqfs", 200, 64, "Pad208,PQ16x4fs"},
                 {"lsq", 100, 64, "LSQ8x8"}, {"rq", 100, 128, "RQ16x8"},
                 {"sq", 784, 64, "PCA8,SQ8"},           {"sq", 4, 64, "PCA4,SQ8"},
                 {"sq", 784, 8, "PCA1,SQ8"},
                 {"rabitq", 784, 128, "PCAR64,RaBitQ"}, {"rabitq", 784, 32, "PCAR32,RaBitQ"},
                 {"rabitq", 32, 128, "RR32,RaBitQ"},    {"flat", 784, 64, "Flat"},
                 {"ivfpq", 784, 64, "IVF256,PQ8"},      {"ivfpq", 200, 128, "Pad208,IVF256,PQ16"},
                 {"ivfopq", 784, 64, "OPQ8_256,IVF256,PQ8"}, {"hnsw", 784, 64, "HNSW32"}};
    rival_recipe r;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cr_assert_eq(bench_rival_recipe(&r, known[i].name, known[i].d, known[i].nbits, NULL), LBH_OK);
        cr_assert_str_eq(r.factory, known[i].factory);
        cr_assert_eq(r.hamming, strstr(r.factory, ",LSH") != NULL);
    }
    cr_assert_eq(bench_rival_recipe(&r, "opq", 784, 128, &(rival_options){.dims = 784}), LBH_OK);
    cr_assert_str_eq(r.factory, "OPQ16_784,PQ16");
    cr_assert_eq(bench_rival_recipe(&r, "opq", 200, 64, &(rival_options){.dims = 64}), LBH_OK);
    cr_assert_str_eq(r.factory, "OPQ8_64,PQ8");
    cr_assert_eq(bench_rival_recipe(&r, "ivfpq", 128, 64, &(rival_options){.lists = 1024}), LBH_OK);
    cr_assert_str_eq(r.factory, "IVF1024,PQ8");
    cr_assert_eq(r.links, 8);
    cr_assert_eq(bench_rival_recipe(&r, "pq", 784, 12, NULL), LBH_EFORMAT);
    cr_assert_eq(bench_rival_recipe(&r, "opq", 4, 64, NULL), LBH_EFORMAT);
    cr_assert_eq(bench_rival_recipe(&r, "sq", 784, 7, NULL), LBH_EFORMAT);
    cr_assert(bench_is_rival("flat") && !bench_is_rival("itq") && !bench_is_rival("faiss"));
    cr_assert(!bench_is_rival("") && !bench_is_rival("pq opq") && bench_method_known("itq"));
}

Test(bench_plan, options_of_rivals)
{
    rival_options o;
    cr_assert_eq(bench_rival_options(&o, "opq", "dims=64,max_train=100"), LBH_OK);
    cr_assert(o.dims == 64 && o.max_train == 100);
    cr_assert_eq(bench_rival_options(&o, "pq", ""), LBH_OK);
    cr_assert(o.dims == 0 && o.max_train == 0);
    static const char *const bad[] = {"dims=", "dims=-1", "dims=64,", "dims=64 ", "steps=1", ",",
                                      "max_train=1.5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(bench_rival_options(&o, "opq", bad[i]), CLI_EUSAGE, "%s", bad[i]);
    cr_assert_eq(bench_rival_options(&o, "pq", "dims=64"), CLI_EUSAGE);
    cr_assert_eq(bench_rival_options(&o, "pq", "lists=64"), CLI_EUSAGE);
    cr_assert_eq(bench_rival_options(&o, "ivfopq", "dims=64,lists=32"), LBH_OK);
    cr_assert(o.dims == 64 && o.lists == 32);
}

/* As numpy's percentile(method="inverted_cdf") has it. */
Test(bench_numbers, nearest_ranks)
{
    double x[200];
    for (int i = 0; i < 200; i++)
        x[i] = i + 1;
    cr_assert(nearest_rank(x, 200, .5) == 100 && nearest_rank(x, 200, .95) == 190);
    cr_assert(nearest_rank(x, 200, .99) == 198 && nearest_rank(x, 200, 1) == 200);
    cr_assert(nearest_rank(x, 10, .95) == 10 && nearest_rank(x, 10, .99) == 10);
    cr_assert(nearest_rank(x, 21, .95) == 20 && nearest_rank(x, 21, .5) == 11);
    cr_assert(nearest_rank(x, 1, .5) == 1 && nearest_rank(x, 1, 0) == 1);
}

Test(bench_numbers, medians)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, one[] = {7};
    cr_assert(median_of(odd, 3) == 2 && median_of(even, 4) == 2.5 && median_of(one, 1) == 7);
    cr_assert(isnan(median_of(one, 0)));
}
