/* fail_alloc.c: see fail_alloc.h. glibc keeps its allocator callable under the names __libc_*, so
 * that a program may define malloc itself; all libraries of the process then call this one. */
#define _GNU_SOURCE
#include "fail_alloc.h"

#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <omp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

/* Seen by all libraries of the process. */
#pragma GCC visibility push(default)
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *p, size_t size);
void *memalign(size_t align, size_t size);
void *aligned_alloc(size_t align, size_t size);
int posix_memalign(void **out, size_t align, size_t size);
void free(void *p);
#pragma GCC visibility pop

enum { MAX_RANGES = 32, FRAMES = 24 };

typedef struct range {
    uintptr_t from, to;
} range;

/* Where the code of libraries lies whose failing allocations end the process, and that of C++. */
static range deadly[MAX_RANGES], cplusplus;
static int ndeadly;

static atomic_bool armed;
static bool persistent;
static atomic_int_fast64_t countdown, failed, live, spared;
static void *frames[FRAMES];
static int nframes;

static int note_library(struct dl_phdr_info *info, size_t size, void *ctx)
{
    static const char *const names[] = {"libgomp", "libopenblas", "libgfortran", "/ld-", "libblas"};
    (void)size, (void)ctx;
    bool is_deadly = false, is_cplusplus = strstr(info->dlpi_name, "libstdc++") != NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is_deadly = is_deadly || strstr(info->dlpi_name, names[i]);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        range r = {info->dlpi_addr + h->p_vaddr, info->dlpi_addr + h->p_vaddr + h->p_memsz};
        if (h->p_type != PT_LOAD || !(h->p_flags & PF_X))
            continue;
        if (is_deadly && ndeadly < MAX_RANGES)
            deadly[ndeadly++] = r;
        if (is_cplusplus)
            cplusplus = r;
    }
    return 0;
}

void fail_alloc_start(void)
{
    dl_iterate_phdr(note_library, NULL);
    backtrace(frames, FRAMES); /* loads what it needs */
}

void fail_alloc_arm(int64_t nth, bool lasting)
{
    persistent = lasting;
    failed = 0;
    countdown = nth;
    armed = true;
}

int64_t fail_alloc_disarm(void)
{
    armed = false;
    return failed;
}

int64_t fail_alloc_live(void)
{
    return live;
}

int64_t fail_alloc_spared(void)
{
    return spared;
}

void fail_alloc_where(void)
{
    backtrace_symbols_fd(frames, nframes, 2);
}

static bool within(const range *r, uintptr_t at)
{
    return at >= r->from && at < r->to;
}

static bool is_spared(uintptr_t caller)
{
    for (int i = 0; i < ndeadly; i++)
        if (within(&deadly[i], caller))
            return true;
    return within(&cplusplus, caller) && omp_get_level() > 0;
}

/* Whether the allocation that `caller` asks for is to fail. */
static bool fails(const void *caller)
{
    if (!armed)
        return false;
    if (is_spared((uintptr_t)caller)) {
        spared++;
        return false;
    }
    int64_t left = --countdown;
    if (left > 0 || (left < 0 && !persistent))
        return false;
    failed++;
    if (left == 0) {
        armed = false; /* backtrace may allocate */
        nframes = backtrace(frames, FRAMES);
        armed = true;
    }
    errno = ENOMEM;
    return true;
}

static void *counted(void *p)
{
    if (p)
        live++;
    return p;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *p, size_t size)
{
    if (fails(CALLER))
        return NULL;
    void *q = __libc_realloc(p, size);
    return p ? q : counted(q);
}

void *memalign(size_t align, size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_memalign(align, size));
}

void *aligned_alloc(size_t align, size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_memalign(align, size));
}

int posix_memalign(void **out, size_t align, size_t size)
{
    void *p = fails(CALLER) ? NULL : counted(__libc_memalign(align, size));
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

void free(void *p)
{
    if (p)
        live--;
    __libc_free(p);
}
