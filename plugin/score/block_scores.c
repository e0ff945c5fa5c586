/* block_scores.c: scores of a block of codes, as a rescorer ranks them; see rescorer.h. */
#include "rescorer.h"

#include <stdlib.h>
#include <string.h>

int lbh_block_scores_new(lbh_block_scores *w, const lbh_rescorer *r)
{
    int64_t words = (r->nbytes + 3) / 4, room = 8 * (int64_t)r->nbytes;
    if (r->mode == LBH_RESCORE_DECODER)
        room = lbh_decoder_score_room(&r->decoder);
    w->room = lbh_alloc(room, sizeof *w->room);
    int rc = lbh_score_table_new(&w->table, r->nbytes, r->nibble_tables, r->byte_tables);
    w->block = (lbh_code_block){.nbytes = r->nbytes, .stride = LBH_DECODED_BLOCK};
    w->block.word = lbh_alloc(words * LBH_DECODED_BLOCK, sizeof *w->block.word);
    w->norm = lbh_alloc(LBH_DECODED_BLOCK, sizeof *w->norm);
    w->score = lbh_alloc(LBH_DECODED_BLOCK, sizeof *w->score);
    return w->room && w->block.word && w->norm && w->score ? rc : LBH_ENOMEM;
}

void lbh_block_scores_free(lbh_block_scores *w)
{
    free(w->room);
    free(w->table.nibble);
    free(w->table.byte);
    free(w->block.word);
    free(w->norm);
    free(w->score);
}

void lbh_block_scores_fill(lbh_block_scores *w, const lbh_rescorer *r, const lbh_score_table *table,
                           int64_t n, const uint8_t *codes, const float *norms)
{
    bool times = norms && lbh_decoder_score_multiplies(&r->decoder);
    lbh_code_block_fill(&w->block, n, codes);
    if (norms && !times)
        memcpy(w->norm, norms, (size_t)n * sizeof *w->norm);
    r->score(&w->block, table, w->norm, w->score);
    if (times)
        lbh_decoder_score_multiply(n, norms, w->score);
}
