/* learn.h: training of a checked call, for the room train/. */
#ifndef LBH_LEARN_H
#define LBH_LEARN_H

#include "method.h"

/* LBH_EINVAL, LBH_ESTATE unless the encoder can be trained on these rows. */
int lbh_check_training(const lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                       const lbh_lists *neighbours);

/* Lets the method learn, and keeps the model or nothing. */
int lbh_learn(lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
              const lbh_lists *neighbours);

#endif
