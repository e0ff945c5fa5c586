/* support.c: see support.h. */
#define _XOPEN_SOURCE 700
#include "support.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

double test_uniform(uint64_t seed, uint64_t index)
{
    uint64_t z = seed * 0x9E3779B97F4A7C15u + index * 0xD1B54A32D192ED03u + 1;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u; /* splitmix64's finaliser */
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

double test_normal(uint64_t seed, uint64_t index)
{
    double u = 1.0 - test_uniform(seed, 2 * index), v = test_uniform(seed, 2 * index + 1);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

float *test_mixture(int64_t n, int d, uint64_t seed, int64_t *label)
{
    float *x = malloc((size_t)n * (size_t)d * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        int c = (int)(10 * test_uniform(seed + 1, (uint64_t)i));
        if (label)
            label[i] = c;
        for (int j = 0; j < d; j++) {
            double scale = 1.0 / (1 + 0.2 * j);
            double centre = 2 * test_normal(77, (uint64_t)(c * 100003 + j));
            double noise = test_normal(seed, (uint64_t)(i * d + j));
            x[i * d + j] = (float)(0.5 + scale * (centre + noise));
        }
    }
    return x;
}

uint8_t *test_codes(int64_t n, size_t code_size, uint64_t seed)
{
    size_t bytes = (size_t)n * code_size;
    uint8_t *c = malloc(bytes ? bytes : 1);
    for (size_t i = 0; i < bytes; i++)
        c[i] = (uint8_t)(256 * test_uniform(seed, i));
    return c;
}

int test_hamming(const uint8_t *a, const uint8_t *b, size_t code_size)
{
    int distance = 0;
    for (size_t i = 0; i < code_size; i++)
        for (int v = a[i] ^ b[i]; v; v >>= 1)
            distance += v & 1;
    return distance;
}

void test_naive_search(int64_t n, const uint8_t *base, int64_t nq, const uint8_t *query,
                       size_t code_size, int64_t k, int32_t *distances, int64_t *labels)
{
    for (int64_t q = 0; q < nq; q++) {
        int32_t *D = distances + q * k;
        int64_t *I = labels + q * k;
        int64_t found = 0;
        for (int64_t i = 0; i < n; i++) {
            int32_t h = test_hamming(base + (size_t)i * code_size, query + (size_t)q * code_size,
                                     code_size);
            int64_t j = found;
            while (j > 0 && D[j - 1] > h)
                j--;
            if (j >= k)
                continue;
            int64_t last = found < k ? found++ : k - 1;
            memmove(D + j + 1, D + j, (size_t)(last - j) * sizeof *D);
            memmove(I + j + 1, I + j, (size_t)(last - j) * sizeof *I);
            D[j] = h;
            I[j] = i;
        }
        for (; found < k; found++) {
            D[found] = INT32_MAX;
            I[found] = -1;
        }
    }
}

const char *test_data_file(const char *name)
{
    static char path[4096];
    const char *dir = getenv("LBH_DATA_DIR");
    snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : LBH_DATA_DIR, name);
    return access(path, R_OK) == 0 ? path : NULL;
}

static char tmp_dir[64];
static pid_t tmp_owner;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tmp(void)
{
    if (tmp_owner == getpid())
        nftw(tmp_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_tmp(const char *name)
{
    static char path[8][512];
    static int turn;
    if (tmp_owner != getpid()) {
        strcpy(tmp_dir, "/tmp/lbh-test-XXXXXX");
        if (!mkdtemp(tmp_dir))
            abort();
        tmp_owner = getpid();
        atexit(remove_tmp);
    }
    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof path[turn], "%s/%s", tmp_dir, name);
    return path[turn];
}

unsigned char *test_slurp(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    unsigned char *data = malloc(*size + 1);
    if (fread(data, 1, *size, f) != *size)
        abort();
    fclose(f);
    return data;
}

void test_spit(const char *path, const void *data, size_t size)
{
    remove(path); /* ext4 sends to the disk what overwrites a file that was emptied, a new one not */
    FILE *f = fopen(path, "wb");
    if (!f || (size && fwrite(data, 1, size, f) != size) || fclose(f))
        abort();
}
