/* read_hdf5.c: data sets of HDF5 files, those of ann-benchmarks above all: FILE:train and FILE:test
 * (vectors), FILE:neighbors and FILE:distances (ground truth), or any other matrix or column by its
 * name. The attribute `distance` of the root, or of the set, says what vectors are for (train, test, and
 * other sets of floats but `distances`):
 *   euclidean, l2    rows are taken as they are
 *   angular, cosine  rows, also of whole numbers, are brought to length 1, after which Euclidean
 *                    neighbours are the angular ones: |x - y|^2 = 2 (1 - cos)
 *   ip, dot          inner products: rows are taken as they are, and refused where neighbours are to be
 *                    Euclidean
 *   hamming          rows of booleans, a byte a bit; FILE:train:codes packs them, least bit first
 *   jaccard          lists of items, refused, as is type = sparse
 * Any other one is refused. FILE:train:rows takes the rows as they are, whatever the attribute says.
 * What lies in the file in one piece, in a type of ours, is mapped; the rest is read to memory. */
#define _XOPEN_SOURCE 700
#include "readers.h"

#ifndef LBH_HAVE_HDF5

int read_hdf5(vectors *v, const char *path, const char *part)
{
    (void)path;
    (void)part;
    return fail("'%s': this lbh was built without HDF5; install libhdf5-dev and build it again",
                v->name);
}

#else
#include "hdf5_file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* deflate makes at most 1032 bytes of one. */
enum { RATIO = 1032 };

typedef struct source {
    hid_t file, set, space, type, plan;
    hid_t memory;           /* type in which it is read */
    bool as_codes, as_rows; /* ":codes", ":rows" */
    char name[256];       /* of the set */
} source;

void hdf5_quiet(void)
{
    /* At the end of the process libhdf5 would write once more what it could not write before, to a
     * file that it has closed: it crashes there. All files are closed where their use ends. */
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* Variable-length text is HDF5's memory, other text ours. */
static bool read_text(hid_t attribute, hid_t type, char *text, size_t size)
{
    bool ok = false;
    if (H5Tis_variable_str(type) > 0) {
        char *held = NULL;
        hid_t memory = H5Tcopy(type);
        ok = H5Aread(attribute, memory, &held) >= 0 && held;
        if (ok) {
            strncpy(text, held, size - 1);
            H5free_memory(held);
        }
        H5Tclose(memory);
    } else if (H5Tget_size(type) < size)
        ok = H5Aread(attribute, type, text) >= 0;
    return ok;
}

/* A text attribute of the root group, of either kind of string, cut at `size` - 1 bytes; false if
 * it is absent or no text. */
static bool text_attribute(hid_t file, const char *name, char *text, size_t size)
{
    memset(text, 0, size);
    if (H5Aexists(file, name) <= 0)
        return false;
    hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    bool ok = H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1 &&
              read_text(attribute, type, text, size);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return ok;
}

/* ---- What the file says -------------------------------------------------------------------- */

static bool holds_vectors(const source *s)
{
    return strcmp(s->name, "train") == 0 || strcmp(s->name, "test") == 0;
}

/* Other people call their sets otherwise; `distances` are floats too, but no vectors. */
static bool may_hold_vectors(const source *s)
{
    return holds_vectors(s) || (H5Tget_class(s->type) == H5T_FLOAT && strcmp(s->name, "distances") != 0);
}

typedef enum { ROWS_AS_THEY_ARE, UNIT_ROWS, PRODUCTS, BITS, LISTS, NOT_KNOWN } purpose;

static purpose purpose_of(const char *distance)
{
    static const struct {
        const char *name;
        purpose is;
    } known[] = {
        {"euclidean", ROWS_AS_THEY_ARE}, {"l2", ROWS_AS_THEY_ARE}, {"sqeuclidean", ROWS_AS_THEY_ARE},
        {"angular", UNIT_ROWS},          {"cosine", UNIT_ROWS},    {"ip", PRODUCTS},
        {"dot", PRODUCTS},               {"inner_product", PRODUCTS}, {"innerproduct", PRODUCTS},
        {"dot_product", PRODUCTS},       {"mips", PRODUCTS},       {"hamming", BITS},
        {"bit", BITS},                   {"jaccard", LISTS}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(distance, known[i].name) == 0)
            return known[i].is;
    return NOT_KNOWN;
}

/* The text of an attribute of the root, or else of the set; false if neither has it. An attribute that
 * is no text gives "?". */
static bool text_of(const source *s, const char *name, char *text, size_t size)
{
    const hid_t places[] = {s->file, s->set};
    for (int i = 0; i < 2; i++) {
        if (text_attribute(places[i], name, text, size))
            return true;
        if (H5Aexists(places[i], name) > 0) {
            strcpy(text, "?");
            return true;
        }
    }
    return false;
}

static int check_distance(vectors *v, const source *s)
{
    char text[64];
    if (!may_hold_vectors(s) || s->as_rows)
        return LBH_OK;
    if (text_of(s, "type", text, sizeof text) && strcasecmp(text, "dense") != 0)
        return fail("'%s' is a set of type %s: lists of items; dense vectors are wanted", v->name,
                    text);
    if (!text_of(s, "distance", text, sizeof text))
        return LBH_OK;
    purpose is = purpose_of(text);
    if (is == LISTS)
        return fail("'%s' holds lists of items for the distance jaccard; dense vectors are wanted",
                    v->name);
    if (is == NOT_KNOWN)
        return fail("'%s': the file's distance '%s' is none of euclidean, angular (cosine), ip (dot) and "
                    "hamming; FILE:%s:rows takes the rows as they are", v->name, text, s->name);
    v->unit = is == UNIT_ROWS;
    v->products = is == PRODUCTS;
    v->bits = is == BITS && !s->as_codes;
    return LBH_OK;
}

/* h5py's lzf, Blosc, Zstandard, ...: plugins that may not be there. */
static int check_filters(const vectors *v, const source *s)
{
    int count = H5Pget_nfilters(s->plan);
    for (int i = 0; i < count; i++) {
        char name[64] = "";
        size_t values = 0;
        unsigned flags;
        H5Z_filter_t filter =
            H5Pget_filter2(s->plan, (unsigned)i, &flags, &values, NULL, sizeof name, name, NULL);
        if (filter >= 0 && H5Zfilter_avail(filter) <= 0)
            return fail("'%s' is compressed by the filter %s%snumber %d, which this libhdf5 does not have; "
                        "install its plugin, or write the set with compression='gzip'", v->name, name,
                        *name ? ", " : "", (int)filter);
    }
    return LBH_OK;
}

static int check_shape(vectors *v, const source *s)
{
    hsize_t shape[2] = {0, 1};
    int axes = H5Sget_simple_extent_ndims(s->space);
    if (axes < 1 || axes > 2)
        return fail("'%s': a data set of %d axes; one or two are wanted", v->name, axes);
    if (axes == 1 && holds_vectors(s))
        return fail("'%s' holds lists of items in one flat column; dense vectors are wanted",
                    v->name);
    H5Sget_simple_extent_dims(s->space, shape, NULL);
    if (shape[0] > INT64_MAX || shape[1] > VEC_MAX_D)
        return fail("'%s': %llu rows of %llu numbers; that is too much", v->name,
                    (unsigned long long)shape[0], (unsigned long long)shape[1]);
    v->n = (int64_t)shape[0];
    v->d = (int)shape[1];
    v->column = axes == 1;
    return v->n ? reader_check_d(v->name, v->d) : LBH_OK;
}

static bool use_type(vectors *v, source *s, vec_type type, hid_t memory)
{
    v->type = type;
    s->memory = memory;
    return true;
}

static bool choose_type(vectors *v, source *s)
{
    size_t size = H5Tget_size(s->type);
    bool negative = H5Tget_sign(s->type) == H5T_SGN_2;
    v->is_unsigned = H5Tget_class(s->type) == H5T_ENUM || H5Tget_sign(s->type) == H5T_SGN_NONE;
    switch (H5Tget_class(s->type)) {
    case H5T_ENUM: /* h5py's booleans: FALSE and TRUE over int8 */
        return size == 1 && use_type(v, s, VEC_U8, s->type);
    case H5T_FLOAT:
        return size > 4 ? use_type(v, s, VEC_F64, H5T_IEEE_F64LE)
                        : use_type(v, s, VEC_F32, H5T_IEEE_F32LE);
    case H5T_INTEGER:
        if (size == 1)
            return negative ? use_type(v, s, VEC_I8, H5T_STD_I8LE)
                            : use_type(v, s, VEC_U8, H5T_STD_U8LE);
        if (size < 4 || (size == 4 && negative))
            return use_type(v, s, VEC_I32, H5T_STD_I32LE);
        return size <= 8 && use_type(v, s, VEC_I64, negative || size < 8 ? H5T_STD_I64LE : H5T_STD_U64LE);
    default:
        return false;
    }
}

static int check_set(vectors *v, source *s)
{
    int rc = check_distance(v, s);
    if (rc == LBH_OK)
        rc = check_shape(v, s);
    if (rc == LBH_OK && !choose_type(v, s))
        rc = fail("'%s': numbers of a type that is not understood; float32, float64, integers and "
                  "booleans are", v->name);
    if (rc == LBH_OK && (H5Pget_layout(s->plan) == H5D_VIRTUAL || H5Pget_external_count(s->plan)))
        rc = fail("'%s' lies in other files; a set in one file is wanted", v->name);
    if (rc == LBH_OK && s->as_codes && v->type != VEC_U8)
        rc = fail("'%s': codes are made of booleans (point_type bit)", v->name);
    if (rc == LBH_OK)
        rc = check_filters(v, s);
    v->bits = v->bits && v->type == VEC_U8;
    v->stride = (size_t)v->d * vec_type_size(v->type);
    return rc;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

/* The rows where they lie in the file, or NULL. */
static const unsigned char *find_mapped(const vectors *v, const source *s, size_t bytes)
{
    hsize_t user = 0;
    hid_t made = H5Fget_create_plist(s->file);
    H5Pget_userblock(made, &user);
    H5Pclose(made);
    if (user || s->as_codes || H5Pget_layout(s->plan) != H5D_CONTIGUOUS ||
        H5Tequal(s->type, s->memory) <= 0)
        return NULL;
    haddr_t at = H5Dget_offset(s->set);
    if (at == HADDR_UNDEF || at > v->map_size || bytes > v->map_size - at)
        return NULL;
    return (const unsigned char *)v->map + at;
}

/* Bytes of 0 and 1 to bits, least significant first, in place. */
static int pack(vectors *v)
{
    unsigned char *p = v->owned;
    size_t width = (size_t)v->d, packed = (width + 7) / 8;
    for (int64_t i = 0; i < v->n; i++) {
        const unsigned char *row = p + (size_t)i * width;
        unsigned char *code = p + (size_t)i * packed;
        for (size_t b = 0; b < packed; b++) {
            unsigned byte = 0;
            for (size_t j = 8 * b; j < width && j < 8 * b + 8; j++) {
                if (row[j] > 1)
                    return fail("'%s': row %lld holds %d; bits are 0 and 1", v->name, (long long)i,
                                row[j]);
                byte |= (unsigned)row[j] << (j - 8 * b);
            }
            code[b] = (unsigned char)byte;
        }
    }
    v->d = (int)packed;
    v->stride = packed;
    return LBH_OK;
}

static int load(vectors *v, const source *s)
{
    size_t bytes;
    bool fits = reader_bytes(v->n, v->d, vec_type_size(v->type), &bytes);
    if (!fits || bytes / RATIO > v->map_size)
        return fail("'%s': %lld rows of %d numbers, more than a file of %zu bytes can hold",
                    v->name, (long long)v->n, v->d, v->map_size);
    v->data = find_mapped(v, s, bytes);
    if (v->data || !bytes)
        return LBH_OK;
    v->owned = cli_alloc((int64_t)bytes, 1);
    if (!v->owned)
        return LBH_ENOMEM;
    if (H5Dread(s->set, s->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, v->owned) < 0)
        return fail("'%s' cannot be read; the file is damaged or cut off", v->name);
    v->data = v->owned;
    return s->as_codes ? pack(v) : LBH_OK;
}

/* The file, or the bytes that came by a pipe or were unpacked. */
static hid_t open_image(const vectors *v, const char *path)
{
    if (lies_there(path))
        return H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, 0);
    H5Pset_file_image(access, v->map, v->map_size);
    hid_t file = H5Fopen(v->name, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return file;
}

/* Unsigned numbers of 64 bits are read as signed ones. */
static int check_range(const vectors *v, const source *s)
{
    for (int64_t i = 0; s->memory == H5T_STD_U64LE && i < v->n; i++)
        for (int j = 0; j < v->d; j++)
            if (vectors_int(v, i, j) < 0)
                return fail("'%s': row %lld holds a number above 2^63 - 1", v->name, (long long)i);
    return LBH_OK;
}

static int open_set(vectors *v, source *s, const char *path)
{
    s->file = open_image(v, path);
    if (s->file < 0)
        return fail("'%s' is no HDF5 file, or is damaged or cut off", v->name);
    if (H5Lexists(s->file, s->name, H5P_DEFAULT) <= 0 ||
        (s->set = H5Dopen2(s->file, s->name, H5P_DEFAULT)) < 0)
        return fail("'%s': the file has no data set '%s'", v->name, s->name);
    s->space = H5Dget_space(s->set);
    s->type = H5Dget_type(s->set);
    s->plan = H5Dget_create_plist(s->set);
    if (s->space < 0 || s->type < 0 || s->plan < 0)
        return fail("'%s': the file is damaged", v->name);
    int rc = check_set(v, s);
    if (rc == LBH_OK)
        rc = load(v, s);
    return rc ? rc : check_range(v, s);
}

static int set_name(vectors *v, source *s, const char *part)
{
    const char *how = part ? strchr(part, ':') : NULL;
    size_t length = how ? (size_t)(how - part) : part ? strlen(part) : 0;
    s->as_codes = how && strcmp(how, ":codes") == 0;
    s->as_rows = how && strcmp(how, ":rows") == 0;
    if (!length || length >= sizeof s->name || (how && !s->as_codes && !s->as_rows))
        return fail_usage("'%s': name a data set of the file: FILE:train, FILE:test, "
                          "FILE:neighbors, FILE:distances; or FILE:train:codes, bits packed as "
                          "codes, or FILE:train:rows, whatever the file's distance is", v->name);
    memcpy(s->name, part, length);
    return LBH_OK;
}

static int read_set(vectors *v, source s, const char *path)
{
    hdf5_quiet();
    int rc = open_set(v, &s, path);
    if (s.plan >= 0)
        H5Pclose(s.plan);
    if (s.type >= 0)
        H5Tclose(s.type);
    if (s.space >= 0)
        H5Sclose(s.space);
    if (s.set >= 0)
        H5Dclose(s.set);
    if (s.file >= 0)
        H5Fclose(s.file);
    return rc;
}

/* Seconds of computing after which a file of that size is not being read but has caught libhdf5 in
 * a circle. */
static rlim_t patience(size_t file_size)
{
    return 10 + (rlim_t)(file_size / 10000000);
}

/* libhdf5 reads past its memory where some numbers of a damaged file lie, and dies of it, or never
 * ends. So a child process reads first; what it survives we read ourselves. */
static int try_apart(vectors *v, source s, const char *path)
{
    int status = 0;
    pid_t child = fork();
    if (child < 0)
        return fail_errno("start a process to read", path);
    if (child == 0) {
        rlim_t seconds = patience(v->map_size);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_CPU, &(struct rlimit){seconds, seconds + 1});
        read_set(v, s, path);
        _exit(0); /* errors are raised by the parent, when it reads */
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    int killer = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (killer || WEXITSTATUS(status) != 0)
        return fail("'%s' cannot be read: the file is damaged, and libhdf5 %s over it", v->name,
                    killer == SIGXCPU   ? "found no end"
                    : killer == SIGKILL ? "was killed"
                                        : "crashed");
    return LBH_OK;
}

int read_hdf5(vectors *v, const char *path, const char *part)
{
    source s = {-1, -1, -1, -1, -1, -1, false, false, ""};
    int rc = set_name(v, &s, part);
    if (rc == LBH_OK)
        rc = reader_map(v, path, true);
    if (rc == LBH_OK)
        rc = try_apart(v, s, path);
    return rc ? rc : read_set(v, s, path);
}
#endif
