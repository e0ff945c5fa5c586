/* pipeline_memory.c: a pipeline as one piece of bytes: the manifest of pipeline_members.c, then the bytes of
 * the members that it lists, in its order, one after another. */
#define _GNU_SOURCE
#include "pipeline.h"

#include "digest.h"
#include "durable_file.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char WHAT[] = "pipeline in memory";

/* ---- Saving -------------------------------------------------------------------------------- */

static int save_member(const lbh_pipeline *p, int member, void **data, size_t *size)
{
    if (member == LBH_MEMBER_ENCODER)
        return lbh_encoder_save_memory(p->enc, data, size);
    if (member == LBH_MEMBER_INDEX)
        return lbh_index_save_memory(p->index, data, size);
    lbh_memory memory;
    LBH_TRY(lbh_memory_create(&memory));
    int rc = member == LBH_MEMBER_VECTORS ? lbh_store_write_rows(p->store, memory.stream)
             : member == LBH_MEMBER_SCALE ? lbh_store_write_scale(p->store, memory.stream)
                                          : lbh_store_write_ids(p->store, memory.stream);
    return lbh_memory_commit(&memory, rc, data, size);
}

/* The manifest must know all members before it is written: they wait in memory. */
static int save_members(const lbh_pipeline *p, lbh_manifest *m, void *data[LBH_MEMBERS])
{
    for (int i = 0; i < LBH_MEMBERS; i++) {
        size_t size = 0;
        if (!lbh_pipeline_has_member(p, i))
            continue;
        LBH_TRY(save_member(p, i, &data[i], &size));
        m->member[i] = (lbh_member){size, lbh_digest(data[i], size), 1};
        LBH_TRY(lbh_watch_check());
    }
    return LBH_OK;
}

int lbh_pipeline_save_memory(const lbh_pipeline *p, void **data, size_t *size)
{
    if (!p || !data || !size)
        return lbh_error(LBH_EINVAL, "pipeline: no pipeline, or no place for its bytes, given");
    LBH_TRY(lbh_pipeline_check_trained(p, 0, NULL));
    lbh_manifest m = {.metric = p->metric, .d = p->d, .ntotal = lbh_pipeline_ntotal(p),
                      .next_id = p->next_id, .generation = 1};
    memcpy(m.factory, p->spec.text, sizeof m.factory);
    lbh_pipeline_params(p, m.parameters);
    void *member[LBH_MEMBERS] = {0};
    lbh_memory memory;
    LBH_TRY(lbh_memory_create(&memory));
    lbh_watch_begin("save", 0);
    int rc = save_members(p, &m, member);
    if (!rc)
        rc = lbh_manifest_write(&m, memory.stream);
    for (int i = 0; i < LBH_MEMBERS; i++) {
        if (!rc && member[i]) {
            lbh_watch_write(memory.stream, member[i], m.member[i].size);
            rc = lbh_watch_check();
        }
        lbh_free(member[i]);
    }
    return lbh_memory_commit(&memory, lbh_watch_end(rc), data, size);
}

/* ---- Loading ------------------------------------------------------------------------------- */

/* Length of the manifest at the front: up to the end of the line that begins with "end ". */
static size_t manifest_length(const char *text, size_t size)
{
    size_t room = size < LBH_MANIFEST_MAX ? size : LBH_MANIFEST_MAX;
    const char *last = memmem(text, room, "\nend ", 5);
    const char *end = last ? memchr(last + 1, '\n', room - (size_t)(last + 1 - text)) : NULL;
    return end ? (size_t)(end + 1 - text) : 0;
}

/* A copy of its own for what stays mapped. */
static int keep_copy(const void **copy, const void *data, size_t size)
{
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return lbh_error(LBH_ENOMEM, "%s: out of memory for its vectors", WHAT);
    int rc = lbh_watch_copy(map, data, size);
    if (rc)
        munmap(map, size);
    else
        *copy = map;
    return rc;
}

static int load_member(lbh_pipeline *p, const lbh_manifest *m, int member, const void *data)
{
    size_t size = (size_t)m->member[member].size;
    bool keep;
    if (lbh_digest(data, size) != m->member[member].digest)
        return lbh_error(LBH_EFORMAT, "%s: damaged: a digest is not that of what was saved", WHAT);
    if (member != LBH_MEMBER_VECTORS)
        return lbh_pipeline_take_member(p, m, member, NULL, data, size, &keep);
    const void *copy = NULL;
    LBH_TRY(keep_copy(&copy, data, size));
    int rc = lbh_pipeline_take_member(p, m, member, NULL, copy, size, &keep);
    if (!keep)
        munmap((void *)(uintptr_t)copy, size);
    return rc;
}

static int load_members(lbh_pipeline *p, const lbh_manifest *m, const char *at, size_t left)
{
    for (int i = 0; i < LBH_MEMBERS; i++) {
        if (!m->member[i].present)
            continue;
        if (m->member[i].size > left || m->member[i].size == 0)
            return lbh_error(LBH_EFORMAT, "%s: cut off", WHAT);
        LBH_TRY(load_member(p, m, i, at));
        at += m->member[i].size;
        left -= (size_t)m->member[i].size;
    }
    if (left)
        return lbh_error(LBH_EFORMAT, "%s: %zu bytes too many", WHAT, left);
    return lbh_pipeline_check_parts(p, m, WHAT);
}

int lbh_pipeline_load_memory(lbh_pipeline **out, const void *data, size_t size)
{
    if (!out || !data)
        return lbh_error(LBH_EINVAL, "pipeline: nowhere to put it, or no bytes, given");
    size_t length = manifest_length(data, size);
    lbh_manifest m;
    LBH_TRY(lbh_manifest_parse(&m, data, length, WHAT));
    lbh_pipeline *p = NULL;
    LBH_TRY(lbh_pipeline_from_manifest(&p, &m, WHAT));
    lbh_watch_begin("load", 0);
    int rc = lbh_watch_end(load_members(p, &m, (const char *)data + length, size - length));
    if (rc)
        lbh_pipeline_free(p);
    else
        *out = p;
    return rc;
}
