/* scale_build.c: an index of all codes. See scale.h.
 *
 * BIVF: the lists have their final sizes and places when all codes are encoded, so that each shard writes
 * its part of each list into the index file, list by list. MIH is built in memory, in one piece. BFlat has
 * nothing to build: codes.npy is scanned. */
#define _POSIX_C_SOURCE 200809L
#include "scale.h"

#include "lbh_mih.h"
#include "npy.h"
#include "output.h"
#include "progress.h"
#include "scale_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is read and written, and a shard of it. */
typedef struct filling {
    scale *s;
    scale_file codes_file, lists_file;
    int codes, lists;    /* files */
    int64_t codes_at;    /* bytes before the first code */
    uint8_t *code;
    void *narrow;        /* lists as they lie in the file */
    int64_t *number;     /* the same */
    lbh_index_writer *file;
    int64_t *record;     /* rows, and codes in each list */
} filling;

static int open_all(filling *f)
{
    scale *s = f->s;
    char header[128];
    int64_t rows = s->n < s->a->shard_rows ? s->n : s->a->shard_rows;
    f->codes_at = (int64_t)npy_header(header, VEC_U8, s->n, (int64_t)s->code_size);
    f->code = cli_alloc(rows, s->code_size);
    f->narrow = cli_alloc(rows, scale_list_width(s->nlist));
    f->number = cli_alloc(rows, sizeof *f->number);
    f->record = cli_alloc(s->nlist + 1, sizeof *f->record);
    if (!f->code || !f->narrow || !f->number || !f->record)
        return LBH_ENOMEM;
    LBH_TRY(scale_open(s, "codes.npy", O_RDONLY, &f->codes_file, &f->codes));
    LBH_TRY(scale_open(s, "lists.part", O_RDONLY, &f->lists_file, &f->lists));
    return lbh_index_writer_open(&f->file, s->lists, s->sizes, scale_file_of(s, "index.faiss.part").path);
}

static void close_all(filling *f)
{
    lbh_index_writer_free(f->file);
    if (f->codes >= 0)
        close(f->codes);
    if (f->lists >= 0)
        close(f->lists);
    free(f->code);
    free(f->narrow);
    free(f->number);
    free(f->record);
}

static int read_shard(filling *f, int64_t first, int64_t count)
{
    const scale *s = f->s;
    size_t width = scale_list_width(s->nlist);
    LBH_TRY(scale_read(f->codes, f->codes_file.path, f->code, (size_t)count * s->code_size,
                   f->codes_at + first * (int64_t)s->code_size));
    LBH_TRY(scale_read(f->lists, f->lists_file.path, f->narrow, (size_t)count * width, first * (int64_t)width));
    for (int64_t i = 0; i < count; i++)
        f->number[i] = width == sizeof(uint16_t) ? ((uint16_t *)f->narrow)[i]
                                                 : (int64_t)((uint32_t *)f->narrow)[i];
    return LBH_OK;
}

/* The record of a shard: its rows, and how full each list is behind it. */
static int fill(filling *f, scale_log *log)
{
    const scale *s = f->s;
    int rc = LBH_OK;
    for (int64_t first = log->rows; first < s->n && rc == LBH_OK; first = log->rows) {
        scale_time began = scale_now();
        int64_t rows = s->a->shard_rows, count = s->n - first < rows ? s->n - first : rows;
        rc = progress_tick("build", first, s->n);
        if (rc == LBH_OK)
            rc = read_shard(f, first, count);
        memcpy(f->record + 1, log->last + 1, (size_t)s->nlist * sizeof *f->record);
        f->record[0] = count;
        if (rc == LBH_OK)
            rc = lbh_index_writer_put(f->file, count, f->code, first, f->number, f->record + 1);
        if (rc == LBH_OK)
            rc = lbh_index_writer_sync(f->file);
        if (rc == LBH_OK)
            rc = scale_log_add(log, f->record, began);
    }
    progress_clear();
    if (!cli_stopped(rc))
        return rc;
    return cli_kept("%lld of %lld codes are in the index and kept in '%s': the same command goes on from there",
                    (long long)log->rows, (long long)s->n, s->a->dir);
}

static int build_lists(scale *s)
{
    scale_log log;
    LBH_TRY(scale_log_open(&log, s, "built.log", 1 + s->nlist));
    int rc = log.rows > s->n ? fail("'%s' tells of more rows than there are; it is damaged", log.file.path)
                             : LBH_OK;
    if (rc == LBH_OK && log.rows < s->n) {
        filling f = {.s = s, .codes = -1, .lists = -1};
        rc = open_all(&f);
        if (rc == LBH_OK)
            rc = fill(&f, &log);
        close_all(&f);
    }
    if (rc == LBH_OK)
        rc = scale_whole(s, "index.faiss");
    if (rc == LBH_OK)
        rc = scale_remove(s, "lists.part");
    report_seconds(s->doc, "build_seconds", log.seconds);
    report_seconds(s->doc, "build_cpu_seconds", log.cpu);
    scale_log_close(&log);
    return rc;
}

static int build_mih(scale *s)
{
    vectors codes;
    lbh_mih *mih = NULL;
    LBH_TRY(vectors_open(&codes, scale_file_of(s, "codes.npy").path));
    scale_time began = scale_now();
    progress_note("building the tables of MIH ...");
    int rc = lbh_mih_build(&mih, s->code_size, s->n, vectors_mapped_bytes(&codes, 0), NULL, 0);
    if (rc == LBH_OK)
        rc = lbh_mih_save(mih, scale_file_of(s, "index.mih").path);
    report_seconds(s->doc, "build_seconds", cli_now() - began.seconds);
    report_seconds(s->doc, "build_cpu_seconds", scale_now().cpu - began.cpu);
    vectors_close(&codes);
    lbh_mih_free(mih);
    return rc;
}

int scale_build(scale *s)
{
    if (s->kind == SCALE_IVF)
        return build_lists(s);
    return s->kind == SCALE_MIH && !scale_has(s, "index.mih") ? build_mih(s) : LBH_OK;
}
