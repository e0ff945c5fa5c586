/* notes.c: what a user writes down about a model, kept in its file as lines "note.NAME VALUE". */
#define _POSIX_C_SOURCE 200809L
#include "notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 32 };

struct lbh_note {
    struct lbh_note *next;
    char name[NAME_SIZE];
    char value[]; /* with its '\0' */
};

/* The link to the note of that name (of len characters), or the last link, which is NULL. */
static struct lbh_note **find(struct lbh_note **link, const char *name, size_t len)
{
    while (*link && (strlen((*link)->name) != len || strncmp((*link)->name, name, len) != 0))
        link = &(*link)->next;
    return link;
}

/* Notes are found one after the other: a file with a million of them would take hours to read. */
static bool too_many(const lbh_encoder *enc)
{
    int count = 0;
    for (const struct lbh_note *n = enc->notes; n; n = n->next)
        count++;
    return count >= LBH_MAX_NOTES;
}

static int add(lbh_encoder *enc, const char *name, size_t len, const char *value, size_t size)
{
    struct lbh_note **link = find(&enc->notes, name, len), *old = *link;
    if (!old && too_many(enc))
        return lbh_error(LBH_EINVAL, "note %.*s: an encoder has at most %d notes", (int)len, name,
                         LBH_MAX_NOTES);
    struct lbh_note *new = lbh_alloc(1, sizeof *new + size + 1);
    if (!new)
        return LBH_ENOMEM;
    new->next = old ? old->next : NULL;
    memcpy(new->name, name, len);
    new->name[len] = '\0';
    memcpy(new->value, value, size);
    new->value[size] = '\0';
    *link = new;
    free(old);
    return LBH_OK;
}

static bool good_name(const char *name, size_t len)
{
    return len >= 1 && len < NAME_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") >= len;
}

int lbh_encoder_set_note(lbh_encoder *enc, const char *name, const char *value)
{
    if (!enc || !name)
        return lbh_error(LBH_EINVAL, "lbh_encoder_set_note: a NULL argument");
    if (!good_name(name, strlen(name)))
        return lbh_error(LBH_EINVAL, "note '%.40s': a name is 1 to %d of a-z, 0-9 and _", name,
                         NAME_SIZE - 1);
    if (value && strlen(value) > LBH_MAX_NOTE)
        return lbh_error(LBH_EINVAL, "note %s: %zu bytes are more than %d", name, strlen(value),
                         LBH_MAX_NOTE);
    if (value && strpbrk(value, "\r\n"))
        return lbh_error(LBH_EINVAL, "note %s: a note is one line of text", name);
    if (value)
        return add(enc, name, strlen(name), value, strlen(value));
    struct lbh_note **link = find(&enc->notes, name, strlen(name)), *old = *link;
    if (old)
        *link = old->next;
    free(old);
    return LBH_OK;
}

const char *lbh_encoder_note(const lbh_encoder *enc, const char *name)
{
    for (const struct lbh_note *n = enc && name ? enc->notes : NULL; n; n = n->next)
        if (strcmp(n->name, name) == 0)
            return n->value;
    return NULL;
}

void lbh_free_notes(lbh_encoder *enc)
{
    while (enc->notes) {
        struct lbh_note *next = enc->notes->next;
        free(enc->notes);
        enc->notes = next;
    }
}

int lbh_put_notes(lbh_document *doc, const lbh_encoder *enc)
{
    for (const struct lbh_note *n = enc->notes; n; n = n->next) {
        char key[NAME_SIZE + 8];
        snprintf(key, sizeof key, "note.%s", n->name);
        LBH_TRY(lbh_document_put(doc, key, n->value));
    }
    return LBH_OK;
}

int lbh_read_notes(lbh_encoder *enc, const lbh_document *doc)
{
    const char *end = doc->text + doc->text_size;
    for (const char *p = doc->text, *stop; p < end; p = stop + 1) {
        stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop)
            break;
        const char *space = memchr(p, ' ', (size_t)(stop - p));
        if (!space || space - p < 6 || strncmp(p, "note.", 5) != 0)
            continue;
        const char *name = p + 5, *value = space + 1;
        size_t len = (size_t)(space - name), size = (size_t)(stop - value);
        if (!good_name(name, len) || size > LBH_MAX_NOTE || memchr(value, '\0', size))
            continue;
        int rc = add(enc, name, len, value, size);
        if (rc)
            return rc == LBH_EINVAL ? lbh_error(LBH_EFORMAT, "%s", lbh_last_error()) : rc;
    }
    return LBH_OK;
}
