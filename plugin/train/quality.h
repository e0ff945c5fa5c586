/* quality.h: what the codes of a new model give, for its notes.
 *
 *   held_out                   how many rows were held out, and among how many others they searched
 *   recall_hamming, _margin,   share of the 10 nearest of those (by the model's metric) among the first
 *   _decoder                   100, ranked by Hamming distance, by margins, by the decoder
 *   best_ranking               none, margin or decoder: what finds most, the simplest of equals
 *   few_codes, dead_bits       where different rows have few different codes, and where bits are the
 *                              same in all codes but one in 200; supervised methods gather rows in
 *                              codes on purpose: theirs are few if it is one
 *   few_rows                   where there are fewer rows than bits, unless the method has said it */
#ifndef LBH_QUALITY_H
#define LBH_QUALITY_H

#include "held_out.h"

/* Rows to hold out of n: as the option says; -1: 5 %, at most 200, and none of fewer than 1000 or where
 * labels, not distances, say what is near. */
int64_t lbh_rows_to_hold_out(const lbh_encoder *enc, int64_t n);

/* Sets the notes; where the option is 0 no recall is measured, and bits are looked at on a few rows. A
 * measurement that fails leaves its note out: the model is whole without. */
void lbh_note_quality(lbh_encoder *enc, const lbh_held_out *h);

#endif
