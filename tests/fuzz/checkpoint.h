/* checkpoint.h: the trainings that the checkpoints of the target checkpoint.c are of; seeds.c writes
 * some of these. */
#ifndef LBH_FUZZ_CHECKPOINT_H
#define LBH_FUZZ_CHECKPOINT_H

#include "lbh.h"

enum { TRAINING_D = 4, TRAINING_BITS = 8, TRAINING_ROWS = 24, TRAINING_CLASSES = 3 };

typedef struct training {
    lbh_encoder *enc; /* not trained */
    float x[TRAINING_ROWS * TRAINING_D];
    int64_t start[TRAINING_ROWS + 1], item[TRAINING_ROWS];
    lbh_rows rows;
    lbh_lists labels;
} training;

/* The methods that keep their state in checkpoints. */
static const char *const training_method[] = {"sgh", "jmlh", "sigah"};
enum { TRAININGS = sizeof training_method / sizeof *training_method };

/* The rows point into *t: it must stay where it is. */
static inline int training_new(training *t, unsigned kind)
{
    for (int i = 0; i < TRAINING_ROWS; i++) {
        t->start[i] = i;
        t->item[i] = i % TRAINING_CLASSES;
        for (int j = 0; j < TRAINING_D; j++)
            t->x[i * TRAINING_D + j] = (float)(i * 37 % 101 * (j + 3) % 29);
    }
    t->start[TRAINING_ROWS] = TRAINING_ROWS;
    t->rows = lbh_rows_from_matrix(TRAINING_ROWS, TRAINING_D, t->x);
    t->labels = (lbh_lists){TRAINING_ROWS, TRAINING_CLASSES, t->start, t->item};
    t->enc = NULL;
    int rc = lbh_encoder_new(&t->enc, training_method[kind], TRAINING_D, TRAINING_BITS);
    if (rc == LBH_OK)
        (void)lbh_encoder_set(t->enc, "batch=8"); /* sizes that a method lacks stay as they are */
    static const struct {
        const char *name;
        double value;
    } small[] = {{"steps", 4}, {"hidden", 8}, {"layers", 1}, {"width", 8}, {"epochs", 1}, {"few_rows", 0}};
    for (size_t i = 0; rc == LBH_OK && i < sizeof small / sizeof *small; i++)
        (void)lbh_encoder_set_value(t->enc, small[i].name, small[i].value);
    return rc;
}

#endif
