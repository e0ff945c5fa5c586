/* scale_plan.c: what a run will take: see scale.h. Bytes are counted; times are those of short measurements
 * (a fraction of a second each), of rows of this base and random codes. Training is not foreseen: it
 * shows its own progress. */
#define _DEFAULT_SOURCE /* statvfs */
#define _POSIX_C_SOURCE 200809L
#include "scale.h"

#include "encoder_make.h"
#include "lbh_scan.h"
#include "output.h"
#include "scale_state.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Bytes on the disk and in memory, and seconds. Mapped files are not memory: the system takes their pages
 * back when it wants to. */
typedef struct plan {
    size_t code_size;
    double codes, lists, index, queries;      /* on the disk */
    double encode_memory, build_memory, search_memory;
    double encode_seconds, build_seconds, scan_seconds;
    int64_t done;                             /* rows that are encoded already */
} plan;

/* ---- Memory and disk ------------------------------------------------------------------------- */

/* Bytes of memory that are free or can be made free; 0: unknown. */
static double memory_available(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    double kilobytes = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kilobytes = strtod(line + 13, NULL);
    if (file)
        fclose(file);
    return 1024 * kilobytes;
}

/* MIH: the code, its row, and for each substring a directory and, but for the first, entries (lbh_mih.h), the rest
 * of a code of up to 8 bytes or 11 bytes. */
static double mih_bytes(const scale *s, size_t code_size)
{
    double bits = 0, n = (double)s->n;
    while (n > 1) {
        n /= 2;
        bits++;
    }
    bits = bits < 8 ? 8 : bits > 32 ? 32 : bits;
    double substrings = (double)(int64_t)(8.0 * (double)code_size / bits + 0.5);
    substrings = substrings < 1 ? 1 : substrings;
    double entry = code_size <= 8 ? (double)code_size - (bits - 4) / 8 : 7 + bits / 8;
    entry = entry < 0 ? 0 : entry;
    return (double)s->n * ((double)code_size + bits / 8 + substrings + (substrings - 1) * entry);
}

static void count_bytes(const scale *s, plan *p)
{
    const scale_args *a = s->a;
    double n = (double)s->n, code = (double)p->code_size, width = (double)scale_list_width(s->nlist);
    double shard = (double)(s->n < a->shard_rows ? s->n : a->shard_rows);
    double block = (double)(block_rows(s->base.d) < s->n ? block_rows(s->base.d) : s->n);
    double answers = 12 * (double)a->k * (double)s->query.n;
    p->codes = code * n;
    p->queries = answers;
    p->encode_memory = block * (4.0 * s->base.d + code + (s->nlist ? 24 : 0));
    p->search_memory = 3 * answers;
    if (s->kind == SCALE_IVF) {
        p->lists = width * n;
        p->index = (code + 8) * n;
        p->build_memory = shard * (2 * code + width + 16);
    } else if (s->kind == SCALE_MIH) {
        p->index = mih_bytes(s, p->code_size);
        p->build_memory = p->index + 32 * n; /* to sort */
        p->search_memory += p->index;
    }
}

/* Bytes that a directory's file system has room for; that of its parent if it is to be made. */
static double disk_free(const char *dir)
{
    struct statvfs fs;
    char *parent = strdup(dir);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    if (slash && slash > parent)
        *slash = '\0';
    bool known = statvfs(dir, &fs) == 0 || statvfs(slash && parent ? parent : ".", &fs) == 0;
    free(parent);
    return known ? (double)fs.f_bavail * (double)fs.f_frsize : -1;
}

static int check_room(const scale *s, const plan *p)
{
    double memory = memory_available(), disk = disk_free(s->a->dir);
    double want = p->codes + p->lists + p->index + p->queries;
    if (s->kind == SCALE_MIH && s->n >= UINT32_MAX)
        return fail("MIH holds fewer than 2^32 codes, not %lld; take BIVF", (long long)s->n);
    if (s->kind == SCALE_MIH && memory > 0 && p->build_memory > memory)
        return fail("MIH of %lld codes takes up to %.1f GB of memory, and %.1f GB are free; take BIVF, whose "
                    "lists stay on the disk, or BFlat", (long long)s->n, p->build_memory / 1e9, memory / 1e9);
    if (memory > 0 && p->build_memory > memory)
        return fail("building takes %.1f GB of memory, and %.1f GB are free; lower --shard-rows",
                    p->build_memory / 1e9, memory / 1e9);
    /* What is to be gone on from lies there already. */
    if (disk >= 0 && p->done == 0 && want > disk)
        return fail("'%s': %.1f GB are wanted on the disk, and %.1f GB are free", s->a->dir, want / 1e9,
                    disk / 1e9);
    return LBH_OK;
}

/* ---- Time ------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * 0x9E3779B97F4A7C15u;
    return x ^ (x >> 29);
}

static void random_bytes(uint8_t *p, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(mix(seed + i) >> 32);
}

/* Seconds that one query takes for each of `codes` codes, among `queries` at once. */
static int time_scan(size_t code_size, int64_t queries, int64_t codes, double *seconds)
{
    uint8_t *q = cli_alloc(queries, code_size), *c = cli_alloc(codes, code_size);
    int32_t *distances = cli_alloc(queries, sizeof *distances);
    int64_t *ids = cli_alloc(queries, sizeof *ids);
    int rc = q && c && distances && ids ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK) {
        random_bytes(q, (size_t)queries * code_size, 1);
        random_bytes(c, (size_t)codes * code_size, UINT64_C(1) << 40);
        double began = cli_now();
        rc = lbh_hamming_search(queries, q, codes, c, code_size, 1, distances, ids);
        *seconds = (cli_now() - began) / (double)queries;
    }
    free(q);
    free(c);
    free(distances);
    free(ids);
    return rc;
}

/* Seconds a row: reading or making it, and a linear encoder of as many bits. */
static int time_rows(const scale *s, double *seconds)
{
    enum { ROWS = 1 << 16, FEW = 1000 };
    int64_t m = s->n < ROWS ? s->n : ROWS, few = m < FEW ? m : FEW;
    int nbits = s->enc ? lbh_encoder_nbits(s->enc) : (int)s->a->nbits;
    float *x = cli_alloc(m * s->base.d, sizeof *x);
    uint8_t *codes = cli_alloc(m, (size_t)(nbits + 7) / 8);
    lbh_encoder *enc = NULL;
    int rc = x && codes ? LBH_OK : LBH_ENOMEM;
    double began = cli_now();
    if (rc == LBH_OK)
        rc = vectors_floats(&s->base, 0, m, x);
    double read = cli_now() - began;
    if (rc == LBH_OK)
        rc = lbh_encoder_new(&enc, "lsh", s->base.d, nbits);
    if (rc == LBH_OK)
        rc = lbh_encoder_train(enc, few, x);
    began = cli_now();
    if (rc == LBH_OK)
        rc = lbh_encoder_encode(enc, m, x, codes);
    *seconds = (read + cli_now() - began) / (double)m;
    lbh_encoder_free(enc);
    free(x);
    free(codes);
    return rc;
}

static int measure(const scale *s, plan *p)
{
    enum { CODES = 1 << 21, QUERIES = 1 << 12, CHECKS = 64 };
    double row = 0, assign = 0, scan = 0, n = (double)s->n;
    int64_t check = s->kind == SCALE_FLAT || s->a->check > s->query.n ? s->query.n : s->a->check;
    LBH_TRY(time_rows(s, &row));
    if (s->nlist)
        LBH_TRY(time_scan(p->code_size, QUERIES, s->nlist, &assign));
    LBH_TRY(time_scan(p->code_size, CHECKS, CODES, &scan));
    p->encode_seconds = (n - (double)p->done) * (row + assign);
    p->build_seconds = s->kind == SCALE_IVF ? 6e-8 * n : s->kind == SCALE_MIH ? 3e-7 * n : 0;
    p->scan_seconds = (double)check * n * scan / CODES;
    return LBH_OK;
}

/* ---------------------------------------------------------------------------------------------- */

static void report(const scale *s, const plan *p, cJSON *doc)
{
    double all = p->codes + p->lists + p->index + p->queries;
    report_number(doc, "rows", (double)s->n);
    report_number(doc, "d", s->base.d);
    report_number(doc, "code_bytes", (double)p->code_size);
    report_text(doc, "index", s->a->index);
    report_number(doc, "shards", (double)((s->n + s->a->shard_rows - 1) / s->a->shard_rows));
    report_number(doc, "rows_done", (double)p->done);
    report_number(doc, "threads", omp_get_max_threads());
    report_number(doc, "disk_codes", p->codes);
    report_number(doc, "disk_index", p->index);
    report_number(doc, "disk_while_building", p->lists);
    report_number(doc, "disk_bytes", all);
    report_number(doc, "disk_free", disk_free(s->a->dir));
    report_number(doc, "memory_encode", p->encode_memory);
    report_number(doc, "memory_build", p->build_memory);
    report_number(doc, "memory_search", p->search_memory);
    report_number(doc, "memory_free", memory_available());
    report_seconds(doc, "encode_seconds", p->encode_seconds);
    report_seconds(doc, "build_seconds", p->build_seconds);
    report_seconds(doc, "scan_seconds", p->scan_seconds);
}

static int rows_done(const scale *s, int64_t *done)
{
    scale_log log;
    *done = 0;
    if (!scale_has(s, "encoded.log"))
        return LBH_OK;
    LBH_TRY(scale_log_open(&log, s, "encoded.log", 1 + s->nlist));
    *done = log.rows;
    scale_log_close(&log);
    return LBH_OK;
}

int scale_plan(scale *s, cJSON *doc)
{
    plan p = {.code_size = s->code_size};
    LBH_TRY(rows_done(s, &p.done));
    count_bytes(s, &p);
    LBH_TRY(check_room(s, &p));
    LBH_TRY(measure(s, &p));
    report(s, &p, doc);
    return LBH_OK;
}
