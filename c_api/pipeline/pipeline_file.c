/* pipeline_file.c: saving and loading a pipeline as a set of files that changes all at once.
 *
 * A saver writes its members under names that no reader looks at yet (the next generation), each
 * synced, then the manifest, and renames that over `path`: the one step by which the set changes.
 * Only then are older generations removed. A reader that lost its members to a faster saver reads
 * the manifest again. */
#define _GNU_SOURCE
#include "pipeline.h"

#include "digest.h"
#include "durable_file.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Saving -------------------------------------------------------------------------------- */

typedef int (*write_fn)(const lbh_store *s, FILE *stream);

static int write_store(const lbh_store *s, write_fn write, const char *path)
{
    lbh_file file;
    LBH_TRY(lbh_file_create(&file, path));
    int rc = write(s, file.stream);
    if (rc == LBH_OK)
        return lbh_file_commit(&file);
    lbh_file_discard(&file);
    return rc;
}

bool lbh_pipeline_has_member(const lbh_pipeline *p, int member)
{
    switch (member) {
    case LBH_MEMBER_VECTORS:
        return p->store != NULL;
    case LBH_MEMBER_SCALE:
        return p->spec.store == LBH_STORE_BYTE;
    case LBH_MEMBER_IDS:
        return p->store && !lbh_store_in_order(p->store);
    default:
        return true;
    }
}

static int write_member(const lbh_pipeline *p, int member, const char *path)
{
    switch (member) {
    case LBH_MEMBER_ENCODER:
        return lbh_encoder_save(p->enc, path);
    case LBH_MEMBER_INDEX:
        return lbh_index_save(p->index, path);
    case LBH_MEMBER_VECTORS:
        return write_store(p->store, lbh_store_write_rows, path);
    case LBH_MEMBER_SCALE:
        return write_store(p->store, lbh_store_write_scale, path);
    default:
        return write_store(p->store, lbh_store_write_ids, path);
    }
}

static int write_members(const lbh_pipeline *p, const char *path, lbh_manifest *m)
{
    for (int i = 0; i < LBH_MEMBERS; i++) {
        if (!lbh_pipeline_has_member(p, i))
            continue;
        char *name = lbh_member_path(path, m->generation, i);
        if (!name)
            return LBH_ENOMEM;
        int rc = write_member(p, i, name);
        if (!rc)
            rc = lbh_member_measure(&m->member[i], name);
        free(name);
        if (rc)
            return rc;
    }
    return LBH_OK;
}

static void sync_directory(int fd)
{
    if (fsync(fd)) { /* some file systems cannot: then a rename lasts as it may */
    }
}

/* The step by which the set changes. */
static int publish(const lbh_manifest *m, const char *path, int directory)
{
    char *name = lbh_member_path(path, m->generation, LBH_MEMBERS);
    if (!name)
        return LBH_ENOMEM;
    lbh_file file;
    int rc = lbh_file_create(&file, name);
    if (!rc) {
        lbh_manifest_write(m, file.stream);
        rc = lbh_file_commit(&file);
    }
    if (!rc && rename(name, path))
        rc = lbh_error(LBH_EIO, "%s: cannot replace: %s", path, strerror(errno));
    if (!rc)
        sync_directory(directory);
    free(name);
    return rc;
}

/* The generation to write: above that of the manifest and of whatever a crash left behind. */
static int next_generation(const char *path, int64_t *generation, int64_t *old)
{
    lbh_manifest m;
    *old = -1;
    if (access(path, F_OK) == 0) {
        LBH_TRY(lbh_manifest_read(&m, path)); /* another file is not ours to replace */
        *old = m.generation;
    }
    int64_t highest = lbh_members_highest(path);
    *generation = (highest > *old ? highest : *old) + 1;
    return LBH_OK;
}

static int save_locked(const lbh_pipeline *p, const char *path, int directory)
{
    lbh_manifest m = {.metric = p->metric, .d = p->d, .ntotal = lbh_pipeline_ntotal(p),
                      .next_id = p->next_id};
    int64_t old;
    LBH_TRY(next_generation(path, &m.generation, &old));
    memcpy(m.factory, p->spec.text, sizeof m.factory);
    lbh_pipeline_params(p, m.parameters);
    int rc = write_members(p, path, &m);
    if (!rc)
        rc = publish(&m, path, directory);
    lbh_members_clean(path, rc ? old : m.generation);
    return rc;
}

/* Opens and locks the directory of `path`: savers in it wait for each other, and a lock ends with
 * its process. *fd is -1 where a directory cannot be opened: the files will say why. */
static int lock_directory(const char *path, int *fd)
{
    char *copy = strdup(path);
    if (!copy)
        return lbh_error(LBH_ENOMEM, "%s: out of memory for a file name", path);
    *fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    while (*fd >= 0 && flock(*fd, LOCK_EX) && errno == EINTR)
        ;
    return LBH_OK;
}

/* realpath or strdup gave nothing. */
static int no_path(const char *path)
{
    return lbh_error(errno == ENOMEM ? LBH_ENOMEM : LBH_EIO, "%s: cannot open: %s", path,
                     strerror(errno));
}

int lbh_pipeline_save(const lbh_pipeline *p, const char *path)
{
    if (!p || !path || !*path)
        return lbh_error(LBH_EINVAL, "pipeline: no pipeline or no file name given");
    if (!lbh_pipeline_is_trained(p))
        return lbh_error(LBH_ESTATE, "pipeline: \"%s\" is not trained: there is nothing to save",
                         p->spec.text);
    /* Through a link to what it stands for. */
    char *target = access(path, F_OK) == 0 ? realpath(path, NULL) : strdup(path);
    if (!target)
        return no_path(path);
    int fd = -1, rc = lock_directory(target, &fd);
    lbh_watch_begin("save", 0);
    if (!rc)
        rc = save_locked(p, target, fd);
    rc = lbh_watch_end(rc);
    if (fd >= 0)
        close(fd); /* and unlocks */
    free(target);
    return rc;
}

/* ---- Loading ------------------------------------------------------------------------------- */

/* Maps a member and checks its size, and its digest if `whole`. */
static int map_member(const void **data, size_t *size, const lbh_member *m, const char *path,
                      bool whole)
{
    LBH_TRY(lbh_map_file(data, size, path));
    int rc = LBH_OK;
    if (*size != m->size)
        rc = lbh_error(LBH_EFORMAT, "%s: has %zu bytes, %llu were written", path, *size,
                       (unsigned long long)m->size);
    else if (whole && lbh_digest(*data, *size) != m->digest)
        rc = lbh_error(LBH_EFORMAT, "%s: damaged: its digest is not that of what was saved", path);
    if (rc)
        munmap((void *)(uintptr_t)*data, *size);
    return rc;
}

/* "path: what was wrong" for errors of parts that know no file name. */
static int name_error(int rc, const char *path)
{
    char text[512];
    snprintf(text, sizeof text, "%s", lbh_last_error());
    return strstr(text, path) ? rc : lbh_error(rc, "%s: %s", path, text);
}

/* Hands the bytes of one member to its part. *keep: they stay mapped. */
int lbh_pipeline_take_member(lbh_pipeline *p, const lbh_manifest *m, int member, const char *path,
                             const void *data, size_t size, bool *keep)
{
    int rc;
    *keep = false;
    switch (member) {
    case LBH_MEMBER_ENCODER:
        return lbh_encoder_load_memory(&p->enc, data, size);
    case LBH_MEMBER_INDEX:
        rc = !path       ? lbh_index_load_memory(&p->index, data, size)
             : p->mapped ? lbh_index_load_mapped(&p->index, path)
                         : lbh_index_load(&p->index, path);
        return rc ? rc : lbh_index_accelerate(&p->index);
    case LBH_MEMBER_VECTORS:
        rc = lbh_store_map(p->store, m->ntotal, data, size);
        *keep = rc == LBH_OK;
        return rc;
    case LBH_MEMBER_SCALE:
        return lbh_store_read_scale(p->store, data, size);
    default:
        return lbh_store_read_ids(p->store, data, size);
    }
}

static int load_member(lbh_pipeline *p, const lbh_manifest *m, int member, const char *path)
{
    const void *data = NULL;
    size_t size = 0;
    bool keep = false;
    bool stays = member == LBH_MEMBER_VECTORS || (p->mapped && member == LBH_MEMBER_INDEX);
    LBH_TRY(map_member(&data, &size, &m->member[member], path, !stays));
    int rc = lbh_pipeline_take_member(p, m, member, path, data, size, &keep);
    if (!keep)
        munmap((void *)(uintptr_t)data, size);
    return rc ? name_error(rc, path) : LBH_OK;
}

/* Which members there must be, by the factory string; ids only where they are not in order. */
static int check_members(const lbh_pipeline *p, const lbh_manifest *m, const char *path)
{
    int store = p->spec.store;
    bool vectors = m->member[LBH_MEMBER_VECTORS].present;
    bool scale = m->member[LBH_MEMBER_SCALE].present;
    if (vectors != (store != 0) || scale != (store == LBH_STORE_BYTE) ||
        (m->member[LBH_MEMBER_IDS].present && !store))
        return lbh_error(LBH_EFORMAT, "%s: its files are not those of \"%s\"", path, p->spec.text);
    return LBH_OK;
}

/* The parts against the manifest and each other. */
static int check_parts(const lbh_pipeline *p, const lbh_manifest *m, const char *path)
{
    lbh_factory f;
    lbh_index_info info = lbh_gap_info(p->index);
    LBH_TRY(lbh_factory_parse(&f, p->spec.index, lbh_encoder_code_size(p->enc)));
    if (lbh_encoder_d(p->enc) != m->d || lbh_encoder_nbits(p->enc) != p->spec.nbits ||
        strcmp(lbh_encoder_method(p->enc), p->spec.method) != 0)
        return lbh_error(LBH_EFORMAT, "%s: its encoder is not that of \"%s\"", path, p->spec.text);
    if (lbh_index_code_size(p->index) != lbh_encoder_code_size(p->enc) || info.kind != f.kind ||
        info.idmap != f.idmap || lbh_index_ntotal(p->index) != m->ntotal)
        return lbh_error(LBH_EFORMAT, "%s: its index is not that of \"%s\" with %lld rows", path,
                         p->spec.text, (long long)m->ntotal);
    return LBH_OK;
}

int lbh_pipeline_from_manifest(lbh_pipeline **p, const lbh_manifest *m, const char *path)
{
    int rc = m->d < 1 ? LBH_EFORMAT : lbh_pipeline_start(p, m->d, m->factory, m->metric);
    if (rc == LBH_ENOMEM)
        return rc;
    if (rc)
        return lbh_error(LBH_EFORMAT, "%s: damaged, or written by a later version: %s", path,
                         m->d < 1 ? "d is 0" : lbh_last_error());
    rc = check_members(*p, m, path);
    if (!rc && (*p)->spec.store)
        rc = lbh_store_new(&(*p)->store, m->d, (*p)->spec.store);
    if (rc) {
        lbh_pipeline_free(*p);
        *p = NULL;
    }
    return rc;
}

int lbh_pipeline_check_parts(lbh_pipeline *p, const lbh_manifest *m, const char *path)
{
    LBH_TRY(check_parts(p, m, path));
    p->next_id = m->next_id;
    int rc = lbh_pipeline_set(p, m->parameters);
    return rc ? name_error(rc == LBH_EINVAL ? LBH_EFORMAT : rc, path) : LBH_OK;
}

static int load_parts(lbh_pipeline *p, const lbh_manifest *m, const char *path)
{
    for (int i = 0; i < LBH_MEMBERS; i++) {
        if (!m->member[i].present)
            continue;
        char *name = lbh_member_path(path, m->generation, i);
        int rc = name ? load_member(p, m, i, name) : LBH_ENOMEM;
        free(name);
        if (rc)
            return rc;
    }
    return lbh_pipeline_check_parts(p, m, path);
}

static int load(lbh_pipeline **out, const lbh_manifest *m, const char *path, bool mapped)
{
    lbh_pipeline *p = NULL;
    LBH_TRY(lbh_pipeline_from_manifest(&p, m, path));
    p->mapped = mapped;
    int rc = load_parts(p, m, path);
    if (rc)
        lbh_pipeline_free(p);
    else
        *out = p;
    return rc;
}

static int verify(const lbh_manifest *m, const char *path)
{
    for (int i = 0; i < LBH_MEMBERS; i++) {
        if (!m->member[i].present)
            continue;
        char *name = lbh_member_path(path, m->generation, i);
        const void *data = NULL;
        size_t size = 0;
        int rc = name ? map_member(&data, &size, &m->member[i], name, true) : LBH_ENOMEM;
        if (!rc)
            munmap((void *)(uintptr_t)data, size);
        free(name);
        if (rc)
            return rc;
    }
    return LBH_OK;
}

/* Loads (p not NULL) or verifies. A saver may remove the members between our reading the manifest
 * and opening them: as long as the manifest has changed since, that is no error. */
static int read_set(lbh_pipeline **p, const char *path, bool mapped)
{
    lbh_manifest m, again;
    LBH_TRY(lbh_manifest_read(&m, path));
    for (;;) {
        int rc = p ? load(p, &m, path, mapped) : verify(&m, path);
        if (!rc)
            return LBH_OK;
        char text[512];
        snprintf(text, sizeof text, "%s", lbh_last_error());
        if (lbh_manifest_read(&again, path) || again.generation == m.generation)
            return lbh_error(rc, "%s", text);
        m = again;
    }
}

static int load_path(lbh_pipeline **p, const char *path, bool mapped)
{
    if (!p || !path || !*path)
        return lbh_error(LBH_EINVAL, "pipeline: nowhere to put it, or no file name given");
    char *target = realpath(path, NULL);
    if (!target)
        return no_path(path);
    lbh_watch_begin("load", 0);
    int rc = lbh_watch_end(read_set(p, target, mapped));
    free(target);
    return rc;
}

int lbh_pipeline_load(lbh_pipeline **p, const char *path)
{
    return load_path(p, path, false);
}

int lbh_pipeline_load_mapped(lbh_pipeline **p, const char *path)
{
    return load_path(p, path, true);
}

int lbh_pipeline_verify(const char *path)
{
    if (!path || !*path)
        return lbh_error(LBH_EINVAL, "pipeline: no file name given");
    char *target = realpath(path, NULL);
    if (!target)
        return no_path(path);
    lbh_watch_begin("verify", 0);
    int rc = lbh_watch_end(read_set(NULL, target, false));
    free(target);
    return rc;
}
