/* export.c: learned codes as float indexes of stock FAISS, for programs that do without this
 * library: what is asked for, and whether the encoder can give it. */
#include "export.h"

#include "durable_file.h"

#include <stdlib.h>
#include <string.h>

/* ---- Options ------------------------------------------------------------------------------- */

enum { FOR_LSH = 1 << EXPORT_LSH, FOR_IVF = 1 << EXPORT_IVF, FOR_AQ = 1 << EXPORT_AQ };

typedef enum option_id { OPT_NLIST, OPT_NPROBE, OPT_REFINE, OPT_METRIC, OPT_NORMS, OPT_SHARDS } option_id;

static const struct option {
    const char *name;
    option_id id;
    int formats;
    const char *choices; /* NULL: a whole number within min .. max */
    int64_t min, max;
} options[] = {
    {"nlist", OPT_NLIST, FOR_IVF | FOR_AQ, NULL, 1, 1 << 24},
    {"nprobe", OPT_NPROBE, FOR_IVF | FOR_AQ, NULL, 1, 1 << 24},
    {"refine", OPT_REFINE, FOR_AQ, NULL, 0, 1000000},
    {"metric", OPT_METRIC, FOR_IVF | FOR_AQ, "l2|ip", 0, 0},
    {"norms", OPT_NORMS, FOR_AQ, "none|byte|float", 0, 0},
    {"shards", OPT_SHARDS, FOR_IVF | FOR_AQ, NULL, 1, 10000},
};
enum { NOPTIONS = sizeof options / sizeof *options };

static const char *const format_names[] = {"faiss-lsh", "faiss-ivf", "faiss-aq"};

static int parse_format(export_job *job, const char *format)
{
    for (int i = 0; format && i < 3; i++)
        if (strcmp(format, format_names[i]) == 0) {
            job->format = (export_format)i;
            return LBH_OK;
        }
    return lbh_error(LBH_EINVAL,
                     "export: the format (%.40s) is none of faiss-lsh, faiss-ivf, "
                     "faiss-aq",
                     format ? format : "NULL");
}

/* Position of the text among "a|b|c", or -1. */
static int64_t choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (int64_t i = 0; *choices; i++) {
        size_t own = strcspn(choices, "|");
        if (own == length && strncmp(choices, text, own) == 0)
            return i;
        choices += own + (choices[own] == '|');
    }
    return -1;
}

static int parse_value(const struct option *o, const char *text, int64_t *value)
{
    if (o->choices) {
        *value = choice(o->choices, text);
        return *value >= 0 ? LBH_OK
                           : lbh_error(LBH_EINVAL, "export: %s (%s) is none of %s", o->name, text,
                                       o->choices);
    }
    size_t length = strlen(text);
    if (length < 1 || length > 15 || strspn(text, "0123456789") != length)
        return lbh_error(LBH_EINVAL, "export: %s (%s) must be a whole number", o->name, text);
    *value = strtoll(text, NULL, 10);
    if (*value < o->min || *value > o->max)
        return lbh_error(LBH_EINVAL, "export: %s (%lld) must be within %lld..%lld", o->name,
                         (long long)*value, (long long)o->min, (long long)o->max);
    return LBH_OK;
}

static int set_option(export_job *job, const char *name, const char *text)
{
    for (int i = 0; i < NOPTIONS; i++) {
        const struct option *o = &options[i];
        int64_t value = 0;
        if (strcmp(o->name, name) != 0 || !(o->formats >> job->format & 1))
            continue;
        LBH_TRY(parse_value(o, text, &value));
        switch (o->id) {
        case OPT_NLIST:
            job->nlist = value;
            break;
        case OPT_NPROBE:
            job->nprobe = value;
            break;
        case OPT_REFINE:
            job->refine = value;
            break;
        case OPT_METRIC:
            job->metric = value ? LBH_METRIC_IP : LBH_METRIC_L2;
            job->named = true;
            break;
        case OPT_NORMS:
            job->norms = (export_norms)value;
            break;
        case OPT_SHARDS:
            job->shards = value;
            break;
        }
        return LBH_OK;
    }
    char known[128] = "none";
    for (int i = 0, used = 0; i < NOPTIONS; i++)
        if (options[i].formats >> job->format & 1)
            used += snprintf(known + used, sizeof known - (size_t)used, "%s%s", used ? ", " : "",
                             options[i].name);
    return lbh_error(LBH_EINVAL, "export: %s has no option \"%.40s\"; it has: %s",
                     format_names[job->format], name, known);
}

/* Changes `text`. */
static int parse_options(export_job *job, char *text)
{
    for (char *part = *text ? text : NULL; part;) {
        char *next = strchr(part, ',');
        if (next)
            *next++ = '\0';
        char *value = strchr(part, '=');
        if (!value)
            return lbh_error(LBH_EINVAL, "export: \"%.40s\": expected name=value", part);
        *value++ = '\0';
        LBH_TRY(set_option(job, part, value));
        part = next;
    }
    return LBH_OK;
}

/* ---- What fits together -------------------------------------------------------------------- */

/* 4 sqrt(n) lists, FAISS's own rule of thumb, but no more than k-means can fill. */
static int64_t default_nlist(int64_t n)
{
    int64_t nlist = 1;
    while (nlist * nlist < 16 * n)
        nlist++;
    return nlist < n / 39 ? nlist : n / 39 > 1 ? n / 39 : 1;
}

static int check_lists(export_job *job)
{
    if (job->format == EXPORT_IVF && job->nlist == 0)
        job->nlist = default_nlist(job->n);
    if (job->nlist == 0 && job->shards)
        return lbh_error(LBH_EINVAL, "export: shards (%lld) are of one index with lists: give nlist",
                         (long long)job->shards);
    if (job->nlist == 0)
        return job->nprobe == 1 ? LBH_OK
                                : lbh_error(LBH_EINVAL, "export: nprobe (%lld) needs nlist",
                                            (long long)job->nprobe);
    if (job->n == 0)
        return lbh_error(LBH_EINVAL, "export: lists are learned from base rows: give some");
    if (job->n < job->nlist)
        return lbh_error(LBH_EINVAL,
                         "export: %lld lists need at least as many base rows to learn from, got "
                         "%lld",
                         (long long)job->nlist, (long long)job->n);
    if (job->nprobe > job->nlist)
        return lbh_error(LBH_EINVAL, "export: nprobe (%lld) is above nlist (%lld)",
                         (long long)job->nprobe, (long long)job->nlist);
    return LBH_OK;
}

static int check_norms(export_job *job)
{
    if (job->norms == NORMS_AUTO)
        job->norms = job->format != EXPORT_AQ || job->metric == LBH_METRIC_IP ? NORMS_NONE
                     : job->n > 0 && !job->shards                             ? NORMS_BYTE
                                                                              : NORMS_FLOAT;
    if (job->norms != NORMS_NONE && job->metric == LBH_METRIC_IP)
        return lbh_error(LBH_EINVAL, "export: norms=%s is for metric=l2: inner products need none",
                         job->norms == NORMS_BYTE ? "byte" : "float");
    if (job->norms == NORMS_BYTE && job->shards)
        return lbh_error(LBH_EINVAL, "export: norms=byte has the steps of one file's norms, and shards "
                                     "have those of all: use norms=float or norms=none");
    if (job->norms == NORMS_BYTE && job->n == 0)
        return lbh_error(LBH_EINVAL,
                         "export: norms=byte needs base rows, whose norms set its steps; "
                         "without a base use norms=float or norms=none");
    return LBH_OK;
}

/* The map of the queries; of the items too, unless the encoder treats them otherwise, and then
 * they must be in the file: stock FAISS cannot encode more of them. */
static int take_map(export_job *job)
{
    const lbh_encoder *enc = job->enc;
    int d = lbh_encoder_d(enc), nbits = lbh_encoder_nbits(enc);
    job->A = lbh_alloc_rows(nbits, (size_t)d * sizeof *job->A, 0);
    job->b = lbh_alloc_rows(nbits, sizeof *job->b, 0);
    if (!job->A || !job->b)
        return LBH_ENOMEM;
    if (lbh_encoder_linear(enc, job->A, job->b) == LBH_OK)
        return LBH_OK;
    if (lbh_encoder_linear_queries(enc, job->A, job->b, &job->unit) != LBH_OK)
        return lbh_error(
            LBH_EINVAL,
            "export: %s needs an encoder that is one linear map, which this %s is not; "
            "use lbh_index_build, or faiss-aq if it has a decoder",
            format_names[job->format], lbh_encoder_method(enc));
    if (!job->base && lbh_encoder_is_asymmetric(enc))
        return lbh_error(
            LBH_EINVAL,
            "export: this %s encodes items otherwise than queries, and stock FAISS can "
            "do the queries only: give the base rows, so that their codes are in the "
            "file",
            lbh_encoder_method(enc));
    return LBH_OK;
}

static int check_base(export_job *job)
{
    const lbh_rows *base = job->base;
    job->n = base ? base->n : 0;
    if (!base)
        return LBH_OK;
    if (base->n < 0 || !base->read)
        return lbh_error(LBH_EINVAL, "export: the base has no rows to read");
    if (base->d != lbh_encoder_d(job->enc))
        return lbh_error(LBH_EINVAL, "export: the base has dimension %d, the encoder %d", base->d,
                         lbh_encoder_d(job->enc));
    return LBH_OK;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int prepare(export_job *job, const char *format, char *opts)
{
    double metric = 0;
    LBH_TRY(parse_format(job, format));
    if (lbh_encoder_get_value(job->enc, "metric", &metric) == LBH_OK && metric != LBH_METRIC_L2)
        job->metric = LBH_METRIC_IP;
    job->cosine = metric == LBH_METRIC_COSINE;
    LBH_TRY(parse_options(job, opts));
    if (job->format == EXPORT_AQ && job->cosine && !job->named)
        return lbh_error(LBH_EINVAL,
                         "export: faiss-aq cannot rank by the cosine, as this encoder does: FAISS adds up "
                         "table entries, and does not divide by the length of x^; say metric=ip (without "
                         "that length) or metric=l2 (distance from x^), which find less");
    LBH_TRY(check_base(job));
    LBH_TRY(check_lists(job));
    LBH_TRY(check_norms(job));
    job->stored_size = lbh_encoder_code_size(job->enc) + (job->norms == NORMS_FLOAT  ? 4
                                                          : job->norms == NORMS_BYTE ? 1
                                                                                     : 0);
    return job->format == EXPORT_AQ ? export_take_decoder(job) : take_map(job);
}

static int write_file(const export_job *job, const char *path)
{
    lbh_file file;
    LBH_TRY(lbh_file_create(&file, path));
    int rc = export_write(job, file.stream);
    if (rc == LBH_OK)
        return lbh_file_commit(&file);
    lbh_file_discard(&file);
    return rc;
}

/* One after the other, so that only the rows of one are in memory; last the index without rows. */
static int write_shards(export_job *job, const FaissIndex *coarse, const char *path)
{
    size_t room = strlen(path) + 24;
    char *name = lbh_alloc_rows((int64_t)room, 1, 0);
    int rc = name ? LBH_OK : LBH_ENOMEM;
    for (int64_t s = 0; s < job->shards && rc == LBH_OK; s++) {
        job->first = s * job->base->n / job->shards;
        job->n = (s + 1) * job->base->n / job->shards - job->first;
        snprintf(name, room, "%s.%lld", path, (long long)s);
        rc = export_take_rows(job, coarse);
        if (rc == LBH_OK)
            rc = write_file(job, name);
    }
    free(name);
    job->n = 0;
    return rc == LBH_OK ? write_file(job, path) : rc;
}

static int write_all(export_job *job, const char *path)
{
    FaissIndex *coarse;
    int rc = export_take_lists(job, &coarse);
    if (rc == LBH_OK && job->shards)
        rc = write_shards(job, coarse, path);
    else if (rc == LBH_OK) {
        rc = export_take_rows(job, coarse);
        if (rc == LBH_OK)
            rc = write_file(job, path);
    }
    lbh_float_index_free(coarse);
    return rc;
}

int lbh_export_faiss(const lbh_encoder *enc, const char *format, const char *opts,
                     const lbh_rows *base, const char *path)
{
    char text[256];
    LBH_TRY(lbh_check_encoder(enc));
    if (!path || !*path)
        return lbh_error(LBH_EINVAL, "export: no file name given");
    opts = opts ? opts : "";
    size_t length = strlen(opts);
    if (length >= sizeof text)
        return lbh_error(LBH_EINVAL, "export: the options are longer than %zu characters",
                         sizeof text - 1);
    memcpy(text, opts, length + 1);
    export_job job = {.enc = enc,
                      .metric = LBH_METRIC_L2,
                      .nprobe = 1,
                      .norms = NORMS_AUTO,
                      .base = base};
    int rc = prepare(&job, format, text);
    if (rc == LBH_OK)
        rc = write_all(&job, path);
    free(job.A);
    free(job.b);
    free(job.codebooks);
    free(job.codes);
    free(job.list);
    free(job.centroids);
    return rc;
}
