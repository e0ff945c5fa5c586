/* npy_file.c: see npy_file.h. A reader that knows what it must find need not parse anything. */
#include "npy_file.h"

#include "error.h"

#include <string.h>

enum { HEADER = 128 }; /* NumPy wants a multiple of 64 */

static void make_header(char header[HEADER], const char *type, int64_t n, int d)
{
    static const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER - 10, 0};
    char text[HEADER];
    int length = d ? snprintf(text, sizeof text,
                              "{'descr': '%s', 'fortran_order': False, 'shape': (%lld, %d), }",
                              type, (long long)n, d)
                   : snprintf(text, sizeof text,
                              "{'descr': '%s', 'fortran_order': False, 'shape': (%lld,), }", type,
                              (long long)n);
    memset(header, ' ', HEADER);
    memcpy(header, magic, sizeof magic);
    memcpy(header + sizeof magic, text, (size_t)length);
    header[HEADER - 1] = '\n';
}

void lbh_npy_write_header(FILE *stream, const char *type, int64_t n, int d)
{
    char header[HEADER];
    make_header(header, type, n, d);
    fwrite(header, sizeof header, 1, stream);
}

int lbh_npy_data(const void **data, const void *file, size_t size, const char *type, int64_t n,
                 int d)
{
    char header[HEADER];
    make_header(header, type, n, d);
    size_t width = (size_t)(type[2] - '0') * (d ? (size_t)d : 1);
    if (size < HEADER || (uint64_t)n != (size - HEADER) / width || (size - HEADER) % width != 0)
        return lbh_error(LBH_EFORMAT, "a file of %zu bytes cannot hold %lld rows", size,
                         (long long)n);
    if (memcmp(file, header, HEADER) != 0)
        return lbh_error(LBH_EFORMAT, "no .npy file of %lld rows of %d numbers (%s)", (long long)n,
                         d ? d : 1, type);
    *data = (const char *)file + HEADER;
    return LBH_OK;
}
