/* supervised.h: what methods share that learn from labels: which rows have some, how many classes
 * there are, a sample of labelled rows with their 0/1 label matrix. */
#ifndef LBH_ENCODERS_SUPERVISED_H
#define LBH_ENCODERS_SUPERVISED_H

#include "method.h"

enum { LBH_MAX_CLASSES = 1000000 };

/* The rows of the training that have labels. */
typedef struct lbh_labelled {
    int64_t n;     /* how many; at least 1 */
    int64_t *rows; /* their ids, rising; scratch */
    bool several;  /* some row has more than one label */
    int nclasses;
} lbh_labelled;

/* classes: number of classes that an option asks for; 0 = from the labels. LBH_EINVAL if no row has
 * a label or there are more classes than asked for. */
int lbh_find_labelled(lbh_training *t, int64_t classes, lbh_labelled *found);

/* At most max_rows labelled rows (at most 512 MB of them; a random sample where there are more), in
 * rising order: their ids[m] and X[m * d], in scratch memory. */
int lbh_sample_labelled(lbh_training *t, const lbh_labelled *all, int64_t max_rows, int64_t *m,
                        int64_t **ids, float **X);

/* Y[m * nclasses]: 1 for each label of each row, else 0. */
void lbh_label_matrix(const lbh_training *t, int64_t m, const int64_t *ids, int nclasses, float *Y);

#endif
