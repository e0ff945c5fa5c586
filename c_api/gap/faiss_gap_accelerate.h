/* faiss_gap_accelerate.h: PRIVATE. FAISS's own index classes with our search in them; as
 * faiss_gap.h. */
#ifndef LBH_FAISS_GAP_ACCELERATE_H
#define LBH_FAISS_GAP_ACCELERATE_H

#include "lbh_faiss.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Puts an index of the derived class in the place of *index, of the index under its IDMap and of
 * the coarse quantizer, wherever they are BFlat, BIVF or (FAISS 1.7) BHNSW. Codes, lists and graphs are moved. On error *index
 * is in working order. */
int lbh_gap_accelerate(FaissIndexBinary **index);

/* 1 if the index (the one under its IDMap) is of a derived class. */
int lbh_gap_is_accelerated(const FaissIndexBinary *index);

#ifdef __cplusplus
}
#endif
#endif
