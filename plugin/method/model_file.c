/* model_file.c: see model_file.h. */
#define _POSIX_C_SOURCE 200809L
#include "model_file.h"

#include "arena.h"
#include "error.h"
#include "durable_file.h"
#include "number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian; this reader has no byte swapping"
#endif

enum { ALIGN = 64, CHECKSUM = 8 };

typedef struct header {
    char magic[4];
    uint32_t version;
    uint64_t file_size, text_size;
    char zero[40];
} header;

_Static_assert(sizeof(header) == ALIGN, "the header fills one line");

/* ---- Building ------------------------------------------------------------------------------ */

int lbh_document_put(lbh_document *doc, const char *key, const char *value)
{
    size_t need = strlen(key) + strlen(value) + 2;
    if (doc->text_size + need + 1 > doc->text_room) {
        size_t room = 2 * doc->text_room + need + 1024;
        char *text = realloc(doc->text, room);
        if (!text)
            return lbh_error(LBH_ENOMEM, "out of memory: %zu bytes of model text", room);
        doc->text = text;
        doc->text_room = room;
    }
    snprintf(doc->text + doc->text_size, need + 1, "%s %s\n", key, value);
    doc->text_size += need;
    return LBH_OK;
}

int lbh_document_put_number(lbh_document *doc, const char *key, double value)
{
    char text[40];
    lbh_format_number(text, sizeof text, value);
    return lbh_document_put(doc, key, text);
}

int lbh_document_put_tensor(lbh_document *doc, const char *name, int64_t rows, int64_t cols,
                            const float *data)
{
    if (doc->ntensors == LBH_MAX_TENSORS || strlen(name) >= LBH_NAME_SIZE)
        return lbh_error(LBH_EINVAL, "tensor %s: too many tensors or too long a name", name);
    lbh_tensor *t = &doc->tensor[doc->ntensors++];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rows = rows;
    t->cols = cols;
    t->data = data;
    return LBH_OK;
}

void lbh_document_clear(lbh_document *doc)
{
    free(doc->text);
    free(doc->bytes);
    *doc = (lbh_document){0};
}

static uint64_t aligned(uint64_t offset)
{
    return (offset + ALIGN - 1) / ALIGN * ALIGN;
}

/* One line for each tensor; the offsets depend on the size of this very text, so it is made in a
 * fixed width. */
static int tensor_lines(const lbh_document *doc, lbh_document *lines, uint64_t *end)
{
    enum { LINE = 160 };
    uint64_t offset = aligned(sizeof(header) + doc->text_size + (uint64_t)doc->ntensors * LINE);
    for (int i = 0; i < doc->ntensors; i++) {
        const lbh_tensor *t = &doc->tensor[i];
        char line[LINE];
        int used = snprintf(line, sizeof line, "%s f32 %lld %lld %llu", t->name, (long long)t->rows,
                            (long long)t->cols, (unsigned long long)offset);
        int pad = LINE - 1 - (int)strlen("tensor ") - used; /* "tensor" + blank ... + newline */
        memset(line + used, ' ', (size_t)pad);
        line[used + pad] = '\0';
        LBH_TRY(lbh_document_put(lines, "tensor", line));
        offset = aligned(offset + (uint64_t)t->rows * (uint64_t)t->cols * sizeof(float));
    }
    *end = offset;
    return LBH_OK;
}

/* Writes and hashes; a failed write is remembered by the stream. */
static void emit(FILE *f, XXH3_state_t *hash, const void *data, size_t size, uint64_t *offset)
{
    fwrite(data, 1, size, f);
    XXH3_64bits_update(hash, data, size);
    *offset += size;
}

static void emit_padding(FILE *f, XXH3_state_t *hash, uint64_t *offset)
{
    static const char zero[ALIGN];
    emit(f, hash, zero, aligned(*offset) - *offset, offset);
}

static void emit_all(FILE *f, XXH3_state_t *hash, const lbh_document *doc,
                     const lbh_document *lines, uint64_t end)
{
    header h = {.magic = "LBHM",
                .version = doc->version ? doc->version : 1,
                .file_size = end + CHECKSUM,
                .text_size = doc->text_size + lines->text_size};
    uint64_t offset = 0;
    emit(f, hash, &h, sizeof h, &offset);
    emit(f, hash, doc->text, doc->text_size, &offset);
    if (lines->text_size)
        emit(f, hash, lines->text, lines->text_size, &offset);
    emit_padding(f, hash, &offset);
    for (int i = 0; i < doc->ntensors; i++) {
        const lbh_tensor *t = &doc->tensor[i];
        emit(f, hash, t->data, (size_t)t->rows * (size_t)t->cols * sizeof(float), &offset);
        emit_padding(f, hash, &offset);
    }
    uint64_t sum = XXH3_64bits_digest(hash);
    fwrite(&sum, sizeof sum, 1, f);
}

int lbh_document_emit(const lbh_document *doc, FILE *stream)
{
    lbh_document lines = {0};
    uint64_t end = 0;
    int rc = tensor_lines(doc, &lines, &end);
    XXH3_state_t *hash = rc ? NULL : XXH3_createState();
    if (!rc && !hash)
        rc = lbh_error(LBH_ENOMEM, "out of memory for a checksum");
    if (!rc) {
        XXH3_64bits_reset(hash);
        emit_all(stream, hash, doc, &lines, end);
    }
    XXH3_freeState(hash);
    lbh_document_clear(&lines);
    return rc;
}

int lbh_document_write(const lbh_document *doc, const char *path)
{
    lbh_file file;
    LBH_TRY(lbh_file_create(&file, path));
    int rc = lbh_document_emit(doc, file.stream);
    if (!rc)
        return lbh_file_commit(&file);
    lbh_file_discard(&file);
    return rc;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static int check_header(const header *h, uint64_t size, const char *what)
{
    if (size < sizeof *h + CHECKSUM || memcmp(h->magic, "LBHM", 4) != 0)
        return lbh_error(LBH_EFORMAT, "%s: not a faiss-lbh model file", what);
    if (h->version < 1 || h->version > LBH_FILE_VERSION)
        return lbh_error(LBH_EFORMAT, "%s: file version %u, this library reads 1 to %d", what,
                         h->version, LBH_FILE_VERSION);
    if (h->file_size != size)
        return lbh_error(LBH_EFORMAT, "%s: damaged: it has %llu bytes and should have %llu", what,
                         (unsigned long long)size, (unsigned long long)h->file_size);
    if (h->text_size > size - sizeof *h - CHECKSUM)
        return lbh_error(LBH_EFORMAT, "%s: damaged: the text is longer than the file", what);
    return LBH_OK;
}

/* "NAME f32 ROWS COLS OFFSET" */
static int parse_tensor(lbh_document *doc, const char *line, uint64_t size, const char *what)
{
    lbh_tensor *t = &doc->tensor[doc->ntensors];
    long long rows, cols;
    unsigned long long offset;
    if (doc->ntensors == LBH_MAX_TENSORS ||
        sscanf(line, "%31s f32 %18lld %18lld %18llu", t->name, &rows, &cols, &offset) != 4)
        return lbh_error(LBH_EFORMAT, "%s: bad tensor line: %.60s", what, line);
    uint64_t room = size - CHECKSUM;
    bool fits = rows > 0 && cols > 0 && offset % ALIGN == 0 && offset <= room &&
                (uint64_t)rows <= (room - offset) / sizeof(float) / (uint64_t)cols;
    if (!fits || lbh_document_tensor(doc, t->name))
        return lbh_error(LBH_EFORMAT, "%s: tensor %s does not fit in the file, or is there twice",
                         what, t->name);
    t->rows = rows;
    t->cols = cols;
    t->data = (const float *)(const void *)((const char *)doc->bytes + offset);
    doc->ntensors++;
    return LBH_OK;
}

/* Ends each line, and each key, with a '\0' where it stands. */
static int parse_text(lbh_document *doc, uint64_t text_size, uint64_t size, const char *what)
{
    char *line = (char *)doc->bytes + sizeof(header), *end = line + text_size;
    if (text_size == 0 || end[-1] != '\n' || memchr(line, '\0', (size_t)text_size))
        return lbh_error(LBH_EFORMAT, "%s: damaged text", what);
    while (line < end) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        *newline = '\0';
        char *value = strchr(line, ' ');
        if (!value)
            return lbh_error(LBH_EFORMAT, "%s: a line without value: %.60s", what, line);
        *value++ = '\0';
        if (strcmp(line, "tensor") == 0)
            LBH_TRY(parse_tensor(doc, value, size, what));
        else
            LBH_TRY(lbh_document_put(doc, line, value));
        line = newline + 1;
    }
    return LBH_OK;
}

/* Takes over doc->bytes of `size` bytes. */
static int parse_bytes(lbh_document *doc, uint64_t size, const char *what)
{
    header h;
    memcpy(&h, doc->bytes, sizeof h);
    uint64_t sum;
    memcpy(&sum, (const char *)doc->bytes + size - CHECKSUM, sizeof sum);
    if (XXH3_64bits(doc->bytes, (size_t)size - CHECKSUM) != sum)
        return lbh_error(LBH_EFORMAT, "%s: damaged: the checksum does not match", what);
    return parse_text(doc, h.text_size, size, what);
}

int lbh_document_parse(lbh_document *doc, const void *data, size_t size, const char *what)
{
    *doc = (lbh_document){0};
    header h = {0};
    memcpy(&h, data, size < sizeof h ? size : sizeof h);
    LBH_TRY(check_header(&h, size, what));
    doc->bytes = lbh_alloc((int64_t)size, 1);
    if (!doc->bytes)
        return LBH_ENOMEM;
    memcpy(doc->bytes, data, size);
    int rc = parse_bytes(doc, size, what);
    if (rc)
        lbh_document_clear(doc);
    return rc;
}

static int read_stream(lbh_document *doc, FILE *f, const char *path)
{
    struct stat st;
    if (fstat(fileno(f), &st))
        return lbh_error(LBH_EIO, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return lbh_error(LBH_EIO, "cannot read %s: not a regular file", path);
    uint64_t size = (uint64_t)st.st_size;
    header h = {0};
    if (fread(&h, 1, sizeof h, f) < sizeof h && ferror(f))
        return lbh_error(LBH_EIO, "cannot read %s: %s", path, strerror(errno));
    LBH_TRY(check_header(&h, size, path));
    doc->bytes = lbh_alloc((int64_t)size, 1);
    if (!doc->bytes)
        return LBH_ENOMEM;
    memcpy(doc->bytes, &h, sizeof h);
    if (fread((char *)doc->bytes + sizeof h, 1, (size_t)size - sizeof h, f) != size - sizeof h)
        return lbh_error(LBH_EIO, "cannot read %s: it ended early", path);
    return parse_bytes(doc, size, path);
}

int lbh_document_read(lbh_document *doc, const char *path)
{
    *doc = (lbh_document){0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return lbh_error(errno == ENOMEM ? LBH_ENOMEM : LBH_EIO, "cannot read %s: %s", path,
                         strerror(errno));
    int rc = read_stream(doc, f, path);
    fclose(f);
    if (rc)
        lbh_document_clear(doc);
    return rc;
}

bool lbh_document_get(const lbh_document *doc, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    const char *line = doc->text, *end = line ? line + doc->text_size : line;
    for (; line && line < end; line = strchr(line, '\n') + 1) {
        if (strncmp(line, key, length) != 0 || line[length] != ' ')
            continue;
        const char *v = line + length + 1;
        size_t n = strcspn(v, "\n");
        if (n >= size)
            return false;
        memcpy(value, v, n);
        value[n] = '\0';
        return true;
    }
    return false;
}

bool lbh_document_get_number(const lbh_document *doc, const char *key, double *value)
{
    char text[64];
    return lbh_document_get(doc, key, text, sizeof text) && lbh_parse_number(text, value);
}

const lbh_tensor *lbh_document_tensor(const lbh_document *doc, const char *name)
{
    for (int i = 0; i < doc->ntensors; i++)
        if (strcmp(doc->tensor[i].name, name) == 0)
            return &doc->tensor[i];
    return NULL;
}
