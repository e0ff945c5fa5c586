/* fuzz_labels.c: class labels: LIBSVM, CSV and TSV with numbers or names, lists, matrices; renumbered,
 * named, picked. */
#include "fuzz.h"

#include "labels.h"

#include <string.h>

static void use(labels *l)
{
    int64_t ids[] = {l->n - 1, 0};
    labels picked = {0};
    char text[CLASS_TEXT];
    FUZZ_CHECK(l->n > 0 && l->start[0] == 0);
    for (int64_t i = 0; i < l->n; i++)
        FUZZ_CHECK(l->start[i + 1] >= l->start[i]);
    if (labels_dense(l, NULL) != LBH_OK)
        return;
    for (int64_t i = 0; i < l->start[l->n]; i++)
        FUZZ_CHECK(l->item[i] >= 0 && l->item[i] < l->classes);
    for (int64_t c = 0; c < l->classes; c++)
        FUZZ_CHECK(strlen(class_name(l, c, text)) < 1 << 20);
    cJSON *names = class_names(l);
    FUZZ_CHECK(!names || cJSON_GetArraySize(names) == (int)l->classes);
    cJSON_Delete(names);
    if (labels_pick(&picked, l, 2, ids) != LBH_OK)
        return;
    if (labels_dense(l, &picked) == LBH_OK && l->start[l->n] > 0 && picked.start[2] > 0)
        FUZZ_CHECK(labels_meet(l, &picked) == LBH_OK);
    labels_close(&picked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const extension[] = {".csv", ".csv", ".libsvm", ".tsv",
                                            ".txt", ".npy", ".ivecs", ".u8bin"};
    unsigned kind = fuzz_choice(&data, &size, 16);
    char spec[512];
    snprintf(spec, sizeof spec, "%s%s", fuzz_file(extension[kind / 2], data, size),
             kind % 2 ? "@1:3" : "");
    labels l;
    if (labels_open(&l, spec) == LBH_OK)
        use(&l);
    else
        FUZZ_CHECK(*lbh_last_error());
    labels_close(&l);
    return 0;
}
