/* fuzz_notes.c: notes of models: the first line is a name, the rest a value, again and again. What was
 * kept is read back from the text of a model. */
#include "fuzz.h"

#include "encoder_document.h"
#include "notes.h"

#include <string.h>

static void read_back(const lbh_encoder *enc, const char *name)
{
    lbh_document doc = {0};
    lbh_encoder *other = NULL;
    const char *value = lbh_encoder_note(enc, name);
    if (lbh_encoder_new(&other, "lsh", 8, 8) || lbh_put_notes(&doc, enc))
        abort();
    /* A value is one line; any other byte of it is kept. */
    if (doc.text_size)
        FUZZ_CHECK(lbh_read_notes(other, &doc) == LBH_OK);
    const char *found = lbh_encoder_note(other, name);
    FUZZ_CHECK(value ? found && strcmp(found, value) == 0 : !found);
    lbh_document_clear(&doc);
    lbh_encoder_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    lbh_encoder *enc = NULL;
    if (lbh_encoder_new(&enc, "lsh", 8, 8))
        abort();
    int count = 0;
    for (char *name = text; name && count < 8; count++) {
        char *value = strchr(name, '\n'), *next = NULL;
        if (value) {
            *value++ = '\0';
            next = strchr(value, '\1');
        }
        if (next)
            *next++ = '\0';
        int rc = lbh_encoder_set_note(enc, name, value);
        if (rc == LBH_OK)
            read_back(enc, name);
        name = next;
    }
    lbh_encoder_free(enc);
    free(text);
    return 0;
}
