/* scale_encode.c: rows to codes, shard by shard, and the list of each code where there are lists. See
 * scale.h. Memory holds a block of rows, whatever their number. */
#define _POSIX_C_SOURCE 200809L
#include "scale.h"

#include "npy.h"
#include "output.h"
#include "progress.h"
#include "scale_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What is being written. */
typedef struct writing {
    scale *s;
    scale_file codes_file, lists_file;
    int codes, lists;     /* files */
    int64_t codes_at;     /* bytes before the first code */
    int64_t next;         /* row */
    int64_t *record;      /* rows of this shard, and how many of them go to each list */
    int64_t *number;      /* lists of a block */
    void *narrow;         /* the same in as many bytes as they need */
    int64_t room;         /* rows that these two have room for */
} writing;

size_t scale_list_width(int64_t nlist)
{
    return nlist <= 1 << 16 ? sizeof(uint16_t) : sizeof(uint32_t);
}

static int make_room(writing *w, int64_t count)
{
    if (count <= w->room)
        return LBH_OK;
    free(w->number);
    free(w->narrow);
    w->number = cli_alloc(count, sizeof *w->number);
    w->narrow = cli_alloc(count, sizeof(uint32_t));
    w->room = w->number && w->narrow ? count : 0;
    return w->room ? LBH_OK : LBH_ENOMEM;
}

static int write_lists(writing *w, int64_t count, const uint8_t *codes)
{
    const scale *s = w->s;
    size_t width = scale_list_width(s->nlist);
    LBH_TRY(make_room(w, count));
    LBH_TRY(lbh_index_assign_codes(s->lists, s->code_size, count, codes, w->number));
    for (int64_t i = 0; i < count; i++) {
        w->record[1 + w->number[i]]++;
        if (width == sizeof(uint16_t))
            ((uint16_t *)w->narrow)[i] = (uint16_t)w->number[i];
        else
            ((uint32_t *)w->narrow)[i] = (uint32_t)w->number[i];
    }
    return scale_write(w->lists, w->lists_file.path, w->narrow, (size_t)count * width,
                       w->next * (int64_t)width);
}

static int take_block(void *ctx, int64_t count, const uint8_t *codes)
{
    writing *w = ctx;
    size_t size = w->s->code_size;
    if (w->s->nlist)
        LBH_TRY(write_lists(w, count, codes));
    LBH_TRY(scale_write(w->codes, w->codes_file.path, codes, (size_t)count * size,
                    w->codes_at + w->next * (int64_t)size));
    w->next += count;
    w->record[0] += count;
    return LBH_OK;
}

/* The bytes first, then the record that says that they are there. */
static int end_shard(writing *w, scale_log *log, scale_time began)
{
    if (fdatasync(w->codes))
        return fail_errno("write", w->codes_file.path);
    if (w->s->nlist && fdatasync(w->lists))
        return fail_errno("write", w->lists_file.path);
    int rc = scale_log_add(log, w->record, began);
    memset(w->record, 0, (size_t)log->words * sizeof *w->record);
    return rc;
}

/* A Ctrl-C keeps the blocks that are done. */
static int encode_shards(writing *w, scale_log *log)
{
    const scale *s = w->s;
    int rc = LBH_OK;
    w->next = log->rows;
    for (int64_t rows = s->a->shard_rows; rc == LBH_OK && w->next < s->n;) {
        scale_time began = scale_now();
        int64_t to = s->n - w->next < rows ? s->n : w->next + rows;
        rc = encode_range(s->enc, &s->base, ENCODE_BASE, w->next, to, take_block, w);
        if (rc == LBH_OK || (cli_stopped(rc) && w->record[0] > 0)) {
            int kept = end_shard(w, log, began);
            rc = kept ? kept : rc;
        }
    }
    progress_clear();
    if (!cli_stopped(rc))
        return rc;
    return cli_kept("%lld of %lld rows are encoded and kept in '%s': the same command goes on from there",
                    (long long)log->rows, (long long)s->n, s->a->dir);
}

static int open_files(writing *w)
{
    scale *s = w->s;
    char header[128];
    w->codes_at = (int64_t)npy_header(header, VEC_U8, s->n, (int64_t)s->code_size);
    w->record = calloc((size_t)s->nlist + 1, sizeof *w->record);
    if (!w->record)
        return fail_memory();
    LBH_TRY(scale_open(s, "codes.npy.part", O_RDWR | O_CREAT, &w->codes_file, &w->codes));
    LBH_TRY(scale_write(w->codes, w->codes_file.path, header, (size_t)w->codes_at, 0));
    return s->nlist ? scale_open(s, "lists.part", O_RDWR | O_CREAT, &w->lists_file, &w->lists) : LBH_OK;
}

static void close_files(writing *w)
{
    if (w->codes >= 0)
        close(w->codes);
    if (w->lists >= 0)
        close(w->lists);
    free(w->record);
    free(w->number);
    free(w->narrow);
}

static int keep_sizes(scale *s, const scale_log *log)
{
    s->sizes = cli_alloc(s->nlist, sizeof *s->sizes);
    if (!s->sizes)
        return LBH_ENOMEM;
    memcpy(s->sizes, log->sum + 1, (size_t)s->nlist * sizeof *s->sizes);
    return LBH_OK;
}

static int64_t peak_bytes(void)
{
    struct rusage use;
    return getrusage(RUSAGE_SELF, &use) ? 0 : 1024 * (int64_t)use.ru_maxrss;
}

int scale_encode(scale *s)
{
    scale_log log;
    LBH_TRY(scale_log_open(&log, s, "encoded.log", 1 + s->nlist));
    int rc = log.rows > s->n ? fail("'%s' tells of more rows than there are; it is damaged", log.file.path)
                             : LBH_OK;
    if (rc == LBH_OK && log.rows < s->n) {
        writing w = {.s = s, .codes = -1, .lists = -1};
        rc = open_files(&w);
        if (rc == LBH_OK)
            rc = encode_shards(&w, &log);
        close_files(&w);
        report_number(s->doc, "encode_peak_bytes", (double)peak_bytes());
    }
    if (rc == LBH_OK)
        rc = scale_whole(s, "codes.npy");
    if (rc == LBH_OK && s->nlist)
        rc = keep_sizes(s, &log);
    report_number(s->doc, "encode_shards", (double)log.records);
    report_seconds(s->doc, "encode_seconds", log.seconds);
    report_seconds(s->doc, "encode_cpu_seconds", log.cpu);
    scale_log_close(&log);
    return rc;
}
