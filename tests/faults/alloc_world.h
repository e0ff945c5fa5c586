/* alloc_world.h: what a call under test works on, and what can be asked of it before and after. */
#ifndef LBH_TEST_ALLOC_WORLD_H
#define LBH_TEST_ALLOC_WORLD_H

#include "lbh_mih.h"
#include "lbh_pipeline.h"

#include <stdbool.h>

enum { N = 120, D = 12, NBITS = 16, CODE = 2, NQ = 8, K = 5, ROOM = 4096 };

/* The data of all calls: rows of D floats, one label each, and codes of CODE bytes. */
extern float rows[N * D];
extern int64_t label[N], label_start[N + 1], some_ids[N];
extern uint8_t bytes[N * D], codes[N * CODE];

typedef struct world {
    lbh_encoder *enc;
    lbh_rescorer *rescorer;
    lbh_mih *mih;
    FaissIndexBinary *index, *other;
    FaissIndex *floats;
    lbh_pipeline *pipe;
    lbh_range_result *range;
    const char *file;      /* of which the bytes count, or NULL */
    const char *pipe_file; /* of which the pipeline counts, or NULL */
    float f[ROOM];         /* what calls write */
    int32_t i32[ROOM];
    int64_t i64[ROOM];
    uint8_t u8[ROOM];
} world;

/* One public function in one situation. */
typedef struct scenario {
    const char *name; /* the function, and what is special */
    void (*prepare)(world *w, const char *with);
    const char *with;
    int (*call)(world *w, const char *with);
    const char *call_with;
    bool breaks; /* what it changes may be of no more use after an error, but can be freed */
    bool faiss_leaks; /* FAISS loses objects that it has half made */
} scenario;

/* The tables, ended by a NULL name. */
extern const scenario plugin_scenarios[], scan_scenarios[], faiss_scenarios[],
    pipeline_scenarios[];

void world_data(void);
void world_clear_outputs(world *w);
void world_free(world *w);

/* A hash of what all objects and files of `w` answer; with `outputs`, of what the call wrote, too.
 */
uint64_t world_answer(world *w, bool outputs);

/* A path in the directory of the test. Static memory. */
const char *world_path(const char *name);
void world_remove_files(void);

/* Ends the program: the test itself does not work. */
void world_need(int rc, const char *what);

/* Makes w->enc an encoder of `method`, trained in a moment, or (fresh) not trained. */
void world_fresh_encoder(world *w, const char *method);
void world_encoder(world *w, const char *method);
int world_train(lbh_encoder *enc);
void world_forget_models(void);

#endif
