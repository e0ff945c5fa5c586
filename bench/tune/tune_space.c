/* tune_space.c: see tune_space.h. */
#include "tune_space.h"

#include "bench_rival.h"
#include "command_options.h"
#include "faiss_rows.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What it keeps of an item, and what can rank its codes. */
enum {
    HAMMING = 1, /* by Hamming distance, and shortlists by the query's margins */
    DECODER = 2, /* shortlists by the decoder */
    ALL = 4,     /* all codes by the decoder */
    SCORES = 8,  /* FAISS's scores of its codes */
    WHOLE = 16,  /* the vectors themselves: no number of bits */
    FAST = 32    /* finds no more than others, but faster: of no use where only bytes are bounded */
};

typedef struct family {
    const char *name, *method, *options[TUNE_ROUNDS]; /* options of each round */
    int ranks;
    bool learns_products; /* worth a trial for inner products */
    int alone;            /* its turn where recall alone counts, and codes are all there is */
} family;

/* In the order in which they are tried, unless codes are all there is: then scores by tables find more than
 * Hamming distance, and those three go before sgh, for time may be short, and pq at the head, which takes
 * the least of it. sgh's last stage takes most of its time, and changes little in who wins; a rotation of
 * hundreds of dimensions would be most of opq's. */
static const family families[] = {
    {"sgh", "sgh", {"steps=1500,near_steps=0,alternations=2", ""}, HAMMING | DECODER, true, 3},
    {"sgh-decoder", "sgh", {"score=decoder,alternations=2", "score=decoder"}, ALL, true, 1},
    {"pq", "pq", {"max_train=6000", ""}, SCORES, true, 0},
    {"opq", "opq", {"max_train=2560,dims=128", "max_train=10000,dims=128"}, SCORES, true, 2},
    {"itq", "itq", {"max_train=10000", ""}, HAMMING | DECODER, false, 4},
    {"sigah", "sigah", {"steps=300", ""}, HAMMING | DECODER, false, 5},
    {"pqfs", "pqfs", {"max_train=6000", ""}, SCORES, true, 6},
    {"sq", "sq", {"", ""}, SCORES, true, 7},
    {"rabitq", "rabitq", {"", ""}, SCORES, true, 8},
    {"flat", "flat", {"", ""}, SCORES | WHOLE, true, 9},
    {"ivfpq", "ivfpq", {"max_train=10000", "max_train=50000"}, SCORES | FAST, true, 10},
    {"ivfopq", "ivfopq", {"max_train=2560", "max_train=10000"}, SCORES | FAST, true, 11},
    {"hnsw", "hnsw", {"", ""}, SCORES | WHOLE | FAST, true, 12},
};
enum { FAMILIES = sizeof families / sizeof *families };

/* "sgh itq ...". */
static const char *all_families(void)
{
    static char text[256];
    size_t used = 0;
    for (int i = 0; i < FAMILIES; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "",
                                 families[i].name);
    return text;
}

bool tune_wants_sweep(const tune_ask *ask)
{
    return ask->recall > 0 || ask->seconds > 0;
}

/* Room for vectors of so many bytes a number beside a code of so many bytes. */
static bool vectors_fit(const tune_ask *ask, double bytes, size_t number)
{
    return ask->bytes <= 0 || bytes + (double)ask->d * (double)number <= ask->bytes;
}

/* ---- The space ----------------------------------------------------------------------------- */

/* Whether a name is in a list with commas; *known counts those that were found. */
static bool named(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == len && strncmp(p, name, len) == 0)
            return true;
    return false;
}

static int check_names(const char *list)
{
    for (const char *p = list;; p++) {
        size_t len = strcspn(p, ",");
        bool known = false;
        for (int i = 0; i < FAMILIES; i++)
            known |= strlen(families[i].name) == len && strncmp(p, families[i].name, len) == 0;
        if (!known)
            return fail_usage("tune: --methods: '%.*s' is none of %s", (int)(len < 60 ? len : 60), p,
                              all_families());
        p += len;
        if (!*p)
            return LBH_OK;
    }
}

enum { LENGTHS = 16 };

static int parse_lengths(const char *text, int64_t bits[LENGTHS], int *n)
{
    LBH_TRY(parse_ints(text, 8, 4096, LENGTHS, "tune: --bits", bits, n));
    for (int i = 0; i < *n; i++)
        if (bits[i] % 8)
            return fail_usage("tune: --bits: %lld is no whole number of bytes", (long long)bits[i]);
    return LBH_OK;
}

/* As many bits as there may be; where speed counts too, or vectors have room, several lengths, those
 * first that most often do. */
static void usual_lengths(const tune_ask *ask, int64_t bits[LENGTHS], int *n)
{
    static const int64_t usual[] = {64, 128, 32, 256};
    double most = ask->bytes > 0 ? floor(ask->bytes) * 8 : 256;
    int64_t longest = most < 4096 ? (int64_t)most : 4096;
    bool several = tune_wants_sweep(ask) || vectors_fit(ask, 8, 1);
    if (longest > 0 && !several)
        bits[(*n)++] = longest;
    for (int i = 0; i < 4 && several; i++)
        if (usual[i] <= longest)
            bits[(*n)++] = usual[i];
    if (longest > 0 && longest < 32 && several)
        bits[(*n)++] = longest;
}

/* Whether anything that the family is can keep the bound on bytes; and whether the linked FAISS has it. */
static bool can_be(const tune_ask *ask, const family *f, int64_t nbits)
{
    rival_recipe r;
    if (!bench_is_rival(f->method))
        return ask->bytes <= 0 || (double)nbits / 8 <= ask->bytes;
    FaissIndex *probe = NULL;
    if (bench_rival_recipe(&r, f->method, ask->d, nbits, NULL) ||
        faiss_index_new(&probe, ask->d, r.factory, r.hamming, ask->metric)) {
        return false;
    }
    lbh_float_index_free(probe);
    return ask->bytes <= 0 || (double)r.nbits / 8 + r.links <= ask->bytes;
}

static void add(tune_space *s, int family_number, int64_t nbits)
{
    if (s->n < TUNE_MAX)
        s->candidate[s->n++] = (tune_candidate){family_number, nbits};
}

/* Which family is tried as the i-th. */
static int in_turn(const tune_ask *ask, int i)
{
    int f = i;
    if (!tune_wants_sweep(ask) && !vectors_fit(ask, 8, 1))
        for (f = 0; families[f].alone != i;)
            f++;
    return f;
}

int tune_space_make(tune_space *s, const tune_ask *ask, const char *methods, const char *bits)
{
    int64_t length[LENGTHS] = {0};
    int lengths = 0, rc = methods ? check_names(methods) : LBH_OK;
    *s = (tune_space){0};
    if (rc == LBH_OK && bits)
        rc = parse_lengths(bits, length, &lengths);
    if (rc)
        return rc;
    if (!bits)
        usual_lengths(ask, length, &lengths);
    for (int i = 0; i < lengths || i == 0; i++)
        for (int turn = 0; turn < FAMILIES; turn++) {
            int f = in_turn(ask, turn);
            const family *one = &families[f];
            bool wanted = methods ? named(methods, one->name)
                                  : (ask->metric != LBH_METRIC_IP || one->learns_products) &&
                                        (tune_wants_sweep(ask) || !(one->ranks & FAST));
            bool whole = one->ranks & WHOLE;
            if (wanted && whole && i == 0 && can_be(ask, one, 8))
                add(s, f, 32 * (int64_t)ask->d);
            else if (wanted && !whole && i < lengths && can_be(ask, one, length[i]))
                add(s, f, length[i]);
        }
    return s->n ? LBH_OK
                : fail_usage("tune: nothing fits into %.4g bytes an item%s", ask->bytes,
                             methods || bits ? " with these --methods and --bits" : "");
}

/* ---- Trials -------------------------------------------------------------------------------- */

typedef struct writer {
    char *text;
    size_t size, used;
} writer;

static void say(writer *w, const char *format, ...) CLI_PRINTF(2, 3);
static void say(writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (w->used < w->size)
        w->used += (size_t)vsnprintf(w->text + w->used, w->size - w->used, format, args);
    va_end(args);
}

/* Lengths of shortlists, in answers. Where the vectors rank them, longer ones always find more. */
static const int by_codes[] = {2, 10}, by_vectors[] = {2, 10, 50}, swept[] = {1, 2, 3, 5, 8, 12, 20, 32, 50, 80, 120};
#define LENGTHS_OF(list) (list), (int)(sizeof(list) / sizeof *(list))

/* Shortlists of so many times the answers, shorter than the base; on a line of their own, for those of
 * an INI file are short. */
static void say_depths(writer *w, const tune_ask *ask, const char *word, const int *factor, int n)
{
    say(w, "\n   ");
    for (int i = 0; i < n; i++)
        if (ask->at * factor[i] <= ask->n / 2 || i == 0)
            say(w, " %s:%lld", word, (long long)(ask->at * factor[i]));
}

static void say_vectors(writer *w, const tune_ask *ask, const char *word, bool sweep)
{
    if (sweep)
        say_depths(w, ask, word, LENGTHS_OF(swept));
    else
        say_depths(w, ask, word, LENGTHS_OF(by_vectors));
}

static void say_rankings(writer *w, const tune_ask *ask, const family *f, int64_t nbits, bool sweep)
{
    bool may_read = !(f->ranks & WHOLE);
    say(w, "rescore =");
    if (f->ranks & HAMMING)
        say(w, " hamming");
    if (f->ranks & (ALL | SCORES))
        say(w, f->ranks & ALL ? " decoder:all" : " none");
    if (f->ranks & HAMMING)
        say_depths(w, ask, "margin", LENGTHS_OF(by_codes));
    if (f->ranks & DECODER)
        say_depths(w, ask, "decoder", LENGTHS_OF(by_codes));
    if (may_read && vectors_fit(ask, (double)nbits / 8, sizeof(float)))
        say_vectors(w, ask, "float", sweep);
    if (may_read && !bench_is_rival(f->method) && vectors_fit(ask, (double)nbits / 8, 1))
        say_vectors(w, ask, "sq8", sweep);
    say(w, "\n");
}

/* Lists for n rows by FAISS's guideline, 4 to 16 times the square root, learned from at least 39 rows
 * each. */
static int64_t lists_for(int64_t n, int64_t learned)
{
    int64_t lists = 16;
    while (lists * lists < 16 * n && lists * 2 * 39 <= learned)
        lists *= 2;
    return lists;
}

static void say_searches(writer *w)
{
    say(w, "search = nprobe=1 nprobe=4 nprobe=16 nprobe=64 efSearch=16 efSearch=64 efSearch=256\n");
}

static void say_indexes(writer *w, const tune_ask *ask)
{
    int64_t lists = lists_for(ask->n, ask->n);
    say(w, "index =");
    if (lists * 39 <= ask->n)
        say(w, " BIVF%lld", (long long)lists);
    say(w, " BHNSW32 BFlat\n"); /* of BFlat most is known from the rounds before */
    say_searches(w);
}

/* The family's options of a round, and those that follow from the number of rows. */
static void write_options(char *text, size_t size, const tune_ask *ask, const family *f, int round)
{
    const char *own = f->options[round];
    rival_options o = {0};
    snprintf(text, size, "%s", own);
    if (strcmp(bench_rival_kind(f->method), "BIVF") != 0 ||
        bench_rival_options(&o, f->method, own) != LBH_OK)
        return;
    int64_t learned = o.max_train < ask->n ? o.max_train : ask->n;
    snprintf(text, size, "%s,lists=%lld", own, (long long)lists_for(ask->n, learned));
}

void tune_trial_text(char *text, size_t size, const tune_ask *ask, const tune_candidate *c, int round)
{
    writer w = {text, size, 0};
    const family *f = &families[c->family];
    bool sweep = round == TUNE_SWEEP, rival = bench_is_rival(f->method);
    char options[160];
    write_options(options, sizeof options, ask, f, sweep ? TUNE_ROUNDS - 1 : round);
    say(&w, "[bench]\nk = %lld\nat = %lld\nanswers = %lld\nmap_k = 0\nseeds = 1\nrepeats = %d\n"
            "nbits = %lld\n[method %s%s%s]\nlabel = %s%s%s\n",
        (long long)ask->k, (long long)ask->at, (long long)ask->at, round + 1 < TUNE_ROUNDS ? 1 : 3,
        f->ranks & WHOLE ? 32LL : (long long)c->nbits, f->method, *options ? ":" : "", options, f->method, *options ? " " : "",
        options);
    if (*options)
        say(&w, "options = ");
    for (const char *p = options; *p; p++)
        say(&w, "%c", *p == ',' ? ' ' : *p);
    say(&w, *options ? "\n" : "");
    say_rankings(&w, ask, f, c->nbits, sweep && (f->ranks & (HAMMING | SCORES)));
    if (sweep && f->ranks & HAMMING)
        say_indexes(&w, ask);
    else if (rival && *bench_rival_kind(f->method))
        say_searches(&w);
}
