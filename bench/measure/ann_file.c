/* ann_file.c: see ann_file.h. */
#define _POSIX_C_SOURCE 200809L
#include "ann_file.h"

#ifndef LBH_HAVE_HDF5

int ann_available(void)
{
    return fail_usage("this lbh was built without HDF5, in which ann-benchmarks keeps its files; "
                      "install libhdf5-dev and build it again");
}

int ann_create(ann_file **f, const char *path)
{
    (void)path;
    *f = NULL;
    return ann_available();
}

void ann_text(ann_file *f, const char *name, const char *value)
{
    (void)f, (void)name, (void)value;
}

void ann_number(ann_file *f, const char *name, double value) { (void)f, (void)name, (void)value; }
void ann_int(ann_file *f, const char *name, int64_t value) { (void)f, (void)name, (void)value; }
void ann_bool(ann_file *f, const char *name, bool value) { (void)f, (void)name, (void)value; }

void ann_set(ann_file *f, const char *name, ann_kind kind, int64_t n, int64_t d)
{
    (void)f, (void)name, (void)kind, (void)n, (void)d;
}

void ann_append(ann_file *f, int64_t count, const void *rows) { (void)f, (void)count, (void)rows; }

int ann_close(ann_file *f, int rc)
{
    (void)f;
    return rc;
}

int ann_check_shape(const char *path, const char *name, int64_t n, int64_t d)
{
    (void)path, (void)name, (void)n, (void)d;
    return ann_available();
}

#else
#include "hdf5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ann_file {
    hid_t file, boolean;
    hid_t set; /* being written, or -1 */
    ann_kind kind;
    int axes;
    hsize_t d, row;
    bool failed;
    char *path, *temporary;
};

int ann_available(void)
{
    return LBH_OK;
}

/* Makes the directories of a path. */
static int make_directories(const char *path)
{
    char *copy = strdup(path);
    int rc = copy ? LBH_OK : fail_memory();
    for (char *p = copy ? strchr(copy + 1, '/') : NULL; p && rc == LBH_OK;
         p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = fail_errno("make the directory", copy);
        *p = '/';
    }
    free(copy);
    return rc;
}

static void discard(ann_file *f)
{
    if (f->boolean >= 0)
        H5Tclose(f->boolean);
    if (f->temporary)
        cli_unguard(f->temporary);
    free(f->temporary);
    free(f->path);
    free(f);
}

static hid_t boolean_type(void)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(type, "FALSE", &(signed char){0});
    H5Tenum_insert(type, "TRUE", &(signed char){1});
    return type;
}

int ann_create(ann_file **file, const char *path)
{
    int rc = make_directories(path);
    ann_file *f = rc ? NULL : calloc(1, sizeof *f);
    *file = NULL;
    if (!f)
        return rc ? rc : fail_memory();
    hdf5_quiet();
    size_t room = strlen(path) + 32;
    *f = (ann_file){.set = -1, .boolean = boolean_type(), .path = strdup(path),
                    .temporary = malloc(room)};
    if (!f->path || !f->temporary) {
        discard(f);
        return fail_memory();
    }
    snprintf(f->temporary, room, "%s.%ld.tmp", path, (long)getpid());
    cli_guard(f->temporary);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    f->file = H5Fcreate(f->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    if (f->file < 0) {
        unlink(f->temporary);
        discard(f);
        return fail("cannot write '%s'", path);
    }
    *file = f;
    return LBH_OK;
}

static void put_attribute(ann_file *f, const char *name, hid_t type, hid_t memory,
                          const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(f->file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, memory, value) < 0)
        f->failed = true;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
}

void ann_text(ann_file *f, const char *name, const char *value)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    put_attribute(f, name, type, type, &value);
    H5Tclose(type);
}

void ann_number(ann_file *f, const char *name, double value)
{
    put_attribute(f, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

void ann_int(ann_file *f, const char *name, int64_t value)
{
    put_attribute(f, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void ann_bool(ann_file *f, const char *name, bool value)
{
    put_attribute(f, name, f->boolean, f->boolean, &(signed char){value});
}

static hid_t type_in_file(const ann_file *f)
{
    switch (f->kind) {
    case ANN_F32:
        return H5T_IEEE_F32LE;
    case ANN_F64:
        return H5T_IEEE_F64LE;
    case ANN_I32:
        return H5T_STD_I32LE;
    case ANN_I64:
        return H5T_STD_I64LE;
    default:
        return f->boolean;
    }
}

static hid_t type_in_memory(const ann_file *f)
{
    switch (f->kind) {
    case ANN_F32:
        return H5T_NATIVE_FLOAT;
    case ANN_F64:
        return H5T_NATIVE_DOUBLE;
    case ANN_I32:
        return H5T_NATIVE_INT32;
    case ANN_I64:
        return H5T_NATIVE_INT64;
    default:
        return f->boolean;
    }
}

static void end_set(ann_file *f)
{
    if (f->set >= 0 && H5Dclose(f->set) < 0)
        f->failed = true;
    f->set = -1;
}

void ann_set(ann_file *f, const char *name, ann_kind kind, int64_t n, int64_t d)
{
    end_set(f);
    f->kind = kind;
    f->axes = d ? 2 : 1;
    f->d = (hsize_t)d;
    f->row = 0;
    hid_t space = H5Screate_simple(f->axes, (hsize_t[]){(hsize_t)n, f->d}, NULL);
    f->set = H5Dcreate2(f->file, name, type_in_file(f), space, H5P_DEFAULT, H5P_DEFAULT,
                        H5P_DEFAULT);
    if (f->set < 0)
        f->failed = true;
    H5Sclose(space);
}

void ann_append(ann_file *f, int64_t count, const void *rows)
{
    if (f->failed || !count)
        return;
    hsize_t from[2] = {f->row, 0}, size[2] = {(hsize_t)count, f->d};
    hid_t memory = H5Screate_simple(f->axes, size, NULL), space = H5Dget_space(f->set);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, size, NULL) < 0 ||
        H5Dwrite(f->set, type_in_memory(f), memory, space, H5P_DEFAULT, rows) < 0)
        f->failed = true;
    H5Sclose(space);
    H5Sclose(memory);
    f->row += (hsize_t)count;
}

/* What libhdf5 has written is on the disk before the file gets its name. */
static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) ? fail_errno("write", path) : LBH_OK;
    if (fd >= 0)
        close(fd);
    return rc;
}

int ann_close(ann_file *f, int rc)
{
    if (!f)
        return rc;
    end_set(f);
    if (H5Fclose(f->file) < 0)
        f->failed = true;
    if (rc == LBH_OK && cli_interrupted())
        rc = fail_cancelled();
    if (rc == LBH_OK && f->failed)
        rc = fail("cannot write '%s'; is the disk full?", f->path);
    if (rc == LBH_OK)
        rc = sync_file(f->temporary);
    if (rc == LBH_OK && rename(f->temporary, f->path) != 0)
        rc = fail_errno("write", f->path);
    if (rc)
        unlink(f->temporary);
    discard(f);
    return rc;
}

int ann_check_shape(const char *path, const char *name, int64_t n, int64_t d)
{
    hsize_t shape[2] = {0, 0};
    hdf5_quiet();
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = file < 0 ? -1 : H5Dopen2(file, name, H5P_DEFAULT);
    hid_t space = set < 0 ? -1 : H5Dget_space(set);
    if (space >= 0 && H5Sget_simple_extent_ndims(space) == 2)
        H5Sget_simple_extent_dims(space, shape, NULL);
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    if (file >= 0)
        H5Fclose(file);
    if (shape[0] == (hsize_t)n && shape[1] == (hsize_t)d)
        return LBH_OK;
    return fail("'%s' is another data set: its '%s' is %llu x %llu, not %lld x %lld; choose "
                "another name (--ann-set) or directory", path, name, (unsigned long long)shape[0],
                (unsigned long long)shape[1], (long long)n, (long long)d);
}
#endif
