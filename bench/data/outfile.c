/* outfile.c: output files that appear whole or not at all, on system/durable_file.h; here they are also known
 * to the signal handler, which removes what a second Ctrl-C leaves. See outfile.h. */
#define _GNU_SOURCE
#include "outfile.h"

#include "durable_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 20 };

struct outfile {
    lbh_file file;
    char *guarded; /* name of the temporary file, while the signal handler knows it */
};

/* "-", "/dev/stdout", or one of them behind "KIND:". */
bool is_stdout(const char *path)
{
    const char *colon = strchr(path, ':');
    const char *name = colon ? colon + 1 : path;
    return strcmp(name, "-") == 0 || strcmp(name, "/dev/stdout") == 0;
}

int outfile_check(const char *path, bool regular)
{
    struct stat st;
    if (is_stdout(path))
        return regular ? fail("cannot write '%s': this is written whole or not at all, to a file, not to "
                              "standard output", path)
                       : LBH_OK;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return fail("cannot write '%s': it is a directory", path);
        if (!S_ISREG(st.st_mode))
            return regular ? fail("cannot write '%s': it is not a regular file", path) : LBH_OK;
    }
    return lbh_file_try(path);
}

/* The stream of standard output; what is printed from now on goes to standard error, not among the
 * numbers. */
static int take_stdout(lbh_file *file)
{
    static bool taken;
    if (taken)
        return fail("standard output can take one array only");
    taken = true;
    fflush(stdout);
    int fd = dup(STDOUT_FILENO);
    *file = (lbh_file){.stream = fd < 0 ? NULL : fdopen(fd, "wb"), .target = strdup("standard output")};
    if (!file->stream || !file->target || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        int rc = fail_errno("write", "standard output");
        lbh_file_discard(file);
        return rc;
    }
    return LBH_OK;
}

int outfile_open(outfile **file, const char *path)
{
    *file = NULL;
    outfile *f = calloc(1, sizeof *f);
    if (!f)
        return fail_memory();
    if (is_stdout(path)) {
        int rc = take_stdout(&f->file);
        if (rc)
            free(f);
        else
            *file = f;
        return rc;
    }
    int rc = lbh_file_create(&f->file, path);
    if (rc) {
        free(f);
        return rc;
    }
    setvbuf(f->file.stream, NULL, _IOFBF, BUFFER);
    if (f->file.temporary && (f->guarded = strdup(f->file.temporary)) != NULL)
        cli_guard(f->guarded);
    *file = f;
    return LBH_OK;
}

int outfile_write(outfile *f, const void *data, size_t size)
{
    if (fwrite(data, 1, size, f->file.stream) != size)
        return fail_errno("write", f->file.target);
    return LBH_OK;
}

int outfile_close(outfile *f, int rc)
{
    if (rc == LBH_OK)
        rc = lbh_file_commit(&f->file);
    else
        lbh_file_discard(&f->file);
    if (f->guarded)
        cli_unguard(f->guarded);
    free(f->guarded);
    free(f);
    return rc;
}

int outfile_put(const char *path, const void *data, size_t size)
{
    outfile *f;
    LBH_TRY(outfile_open(&f, path));
    return outfile_close(f, outfile_write(f, data, size));
}
