/* code_stats.c: balance, correlation and entropy of codes. See code_stats.h. */
#define _GNU_SOURCE
#include "code_stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bit_of(const uint8_t *code, int j)
{
    return code[j / 8] >> (j % 8) & 1;
}

static int balance(code_stats *s, int64_t n, size_t code_size, const uint8_t *codes)
{
    int64_t *count = cli_alloc(s->nbits, sizeof *count);
    if (!count)
        return LBH_ENOMEM;
    memset(count, 0, (size_t)s->nbits * sizeof *count);
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < s->nbits; j++)
            count[j] += bit_of(codes + (size_t)i * code_size, j);
    s->least = 1;
    for (int j = 0; j < s->nbits; j++) {
        double m = (double)count[j] / (double)n;
        s->ones[j] = m;
        s->mean += m / s->nbits;
        s->least = fmin(s->least, m);
        s->greatest = fmax(s->greatest, m);
        s->constant += count[j] == 0 || count[j] == n;
    }
    free(count);
    return LBH_OK;
}

/* Bit j of `rows` codes, each `step` apart, as plane[j * words ..], a bit a code. */
static void cut_planes(uint64_t *plane, int nbits, int64_t words, int64_t rows, double step,
                       size_t code_size, const uint8_t *codes)
{
    memset(plane, 0, (size_t)nbits * (size_t)words * sizeof *plane);
    for (int64_t i = 0; i < rows; i++) {
        const uint8_t *code = codes + (size_t)((double)i * step) * code_size;
        for (int j = 0; j < nbits; j++)
            plane[j * words + i / 64] |= (uint64_t)bit_of(code, j) << (i % 64);
    }
}

static int64_t ones_of(int64_t words, const uint64_t *a, const uint64_t *b)
{
    int64_t count = 0;
    for (int64_t w = 0; w < words; w++)
        count += __builtin_popcountll(a[w] & b[w]);
    return count;
}

/* Sum of |r_ij| over the pairs (i, j > i), and their number. */
static double pairs_of(int i, int nbits, int64_t words, double rows, const uint64_t *plane,
                       const int64_t *ones, int64_t *pairs)
{
    double sum = 0, mi = (double)ones[i] / rows, vi = mi * (1 - mi);
    for (int j = i + 1; j < nbits; j++) {
        double mj = (double)ones[j] / rows, v = vi * mj * (1 - mj);
        if (v <= 0)
            continue;
        double both = (double)ones_of(words, plane + i * words, plane + j * words) / rows;
        sum += fabs(both - mi * mj) / sqrt(v);
        ++*pairs;
    }
    return sum;
}

static int correlation(code_stats *s, int64_t n, size_t code_size, const uint8_t *codes)
{
    int nbits = s->nbits;
    int64_t rows = n < CORRELATION_ROWS ? n : CORRELATION_ROWS, words = (rows + 63) / 64, pairs = 0;
    uint64_t *plane = cli_alloc(nbits * words, sizeof *plane);
    int64_t *ones = cli_alloc(nbits, sizeof *ones), *count = cli_alloc(nbits, sizeof *count);
    double *sum = cli_alloc(nbits, sizeof *sum), total = 0;
    int rc = plane && ones && count && sum ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK) {
        cut_planes(plane, nbits, words, rows, (double)n / (double)rows, code_size, codes);
        for (int j = 0; j < nbits; j++) {
            ones[j] = ones_of(words, plane + j * words, plane + j * words);
            count[j] = 0;
        }
#pragma omp parallel for schedule(dynamic, 1)
        for (int i = 0; i < nbits; i++)
            sum[i] = pairs_of(i, nbits, words, (double)rows, plane, ones, &count[i]);
        for (int i = 0; i < nbits; i++) { /* in order: the same for any number of threads */
            total += sum[i];
            pairs += count[i];
        }
        s->correlation = pairs ? total / (double)pairs : NAN;
    }
    free(plane);
    free(ones);
    free(count);
    free(sum);
    return rc;
}

static int compare_codes(const void *a, const void *b, void *size)
{
    return memcmp(a, b, *(const size_t *)size);
}

static int entropy(code_stats *s, int64_t n, size_t code_size, const uint8_t *codes)
{
    uint8_t *sorted = cli_alloc(n, code_size);
    if (!sorted)
        return LBH_ENOMEM;
    memcpy(sorted, codes, (size_t)n * code_size);
    qsort_r(sorted, (size_t)n, code_size, compare_codes, &code_size);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && memcmp(sorted + (size_t)i * code_size,
                                            sorted + (size_t)end * code_size, code_size) == 0;)
            end++;
        double p = (double)(end - i) / (double)n;
        s->entropy -= p * log2(p);
        s->distinct++;
    }
    s->entropy = fmax(s->entropy, 0);
    s->entropy_limit = fmin(s->nbits, log2((double)n));
    free(sorted);
    return LBH_OK;
}

int code_stats_compute(code_stats *s, int64_t n, int nbits, size_t code_size, const uint8_t *codes)
{
    *s = (code_stats){.nbits = nbits, .ones = cli_alloc(nbits, sizeof(double))};
    int rc = s->ones ? balance(s, n, code_size, codes) : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = correlation(s, n, code_size, codes);
    if (rc == LBH_OK)
        rc = entropy(s, n, code_size, codes);
    if (rc)
        code_stats_free(s);
    return rc;
}

void code_stats_free(code_stats *s)
{
    free(s->ones);
    *s = (code_stats){0};
}

static int report_all(cJSON *doc, const code_stats *s)
{
    cJSON *block = cJSON_AddObjectToObject(doc, "code_stats");
    cJSON *ones = cJSON_CreateDoubleArray(s->ones, s->nbits);
    if (!block || !ones) {
        cJSON_Delete(ones);
        return fail_memory();
    }
    report_number(block, "balance_mean", s->mean);
    report_number(block, "balance_min", s->least);
    report_number(block, "balance_max", s->greatest);
    report_number(block, "constant_bits", s->constant);
    report_number(block, "bit_correlation", s->correlation);
    report_number(block, "distinct_codes", (double)s->distinct);
    report_number(block, "entropy", s->entropy);
    report_number(block, "entropy_limit", s->entropy_limit);
    cJSON_AddItemToObject(block, "ones", ones);
    return LBH_OK;
}

static void report_lines(cJSON *doc, const code_stats *s)
{
    char text[128];
    snprintf(text, sizeof text, "%.4f (%.4f to %.4f%s)", s->mean, s->least, s->greatest,
             s->constant ? ", some bits constant" : "");
    report_text(doc, "bit_balance", text);
    report_number(doc, "bit_correlation", s->correlation);
    snprintf(text, sizeof text, "%.4f of %.4f bits, %lld distinct codes", s->entropy,
             s->entropy_limit, (long long)s->distinct);
    report_text(doc, "code_entropy", text);
}

int code_stats_report(cJSON *doc, int json, int64_t n, int nbits, size_t code_size,
                      const uint8_t *codes)
{
    code_stats s;
    int rc = code_stats_compute(&s, n, nbits, code_size, codes);
    if (rc)
        return rc;
    if (json)
        rc = report_all(doc, &s);
    else
        report_lines(doc, &s);
    code_stats_free(&s);
    return rc;
}
