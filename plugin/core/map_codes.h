/* map_codes.h: the code that a decoder rebuilds a row best from, by tabu search over single flips.
 *
 *   E(b) = b^T G b - 2 b^T p + lambda (alpha y.b - t)^2,   b in {-1,+1}^L
 *
 * G = V V^T and p = V (x - c) make E the squared error of x^ = c + b V, less ||x - c||^2; the last
 * term (lambda = 0 turns it off) asks one more linear function of the code for the value t. A flip
 * of bit k costs 4 G_kk - b_k g_k, g = 4 (G b - p): two vector passes a flip, no product.
 *
 * The search takes the cheapest flip even when it costs, and bars a flipped bit for a while (tabu),
 * so that it leaves local minima; it returns the best code seen, which no single flip improves. */
#ifndef LBH_CORE_MAP_CODES_H
#define LBH_CORE_MAP_CODES_H

#include <stddef.h>

typedef struct lbh_quadratic {
    int L, stride; /* bits; row stride of G4 (a multiple of 16) */
    float *G4;     /* L x stride: 4 G, zero padded */
} lbh_quadratic;

/* Makes 4 V V^T of V[L * d], in double sums. LBH_ENOMEM. */
int lbh_quadratic_new(lbh_quadratic *q, int L, int d, const float *V);
void lbh_quadratic_free(lbh_quadratic *q);

/* A decoder x^ = c + h U for h in {0,1} as one for b in {-1,+1}, x^ = m + b V: V[L * d] = U / 2,
 * m[d] = c + sum of U / 2; and Vm[L] = V m. V may be U itself and m may be c. */
void lbh_signed_decoder(int L, int d, const float *U, const float *c, float *V, float *m, float *Vm);

/* The extra term; y[L]. */
typedef struct lbh_extra_term {
    float lambda, alpha, t;
    const float *y;
} lbh_extra_term;

/* Bytes of scratch memory for one search. */
size_t lbh_map_scratch(int L);

/* Improves b[L] (entries +-1, from any start) for p[L]. Stops when `iterations` flips in a row found
 * nothing better; 0 = plain descent. extra may be NULL. margin[L], if not NULL, gets b_k times what
 * flipping bit k would cost (its sign is the bit). scratch: lbh_map_scratch bytes, 64-byte aligned.
 * The result depends on the arguments alone. */
void lbh_map_search(const lbh_quadratic *q, const float *p, const lbh_extra_term *extra,
                    int iterations, float *b, float *margin, void *scratch);

#endif
