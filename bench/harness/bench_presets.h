/* bench_presets.h: the specifications of bench/presets, compiled in: CMake makes bench_presets.c
 * from them (bench_presets.cmake). */
#ifndef LBH_BENCH_PRESETS_H
#define LBH_BENCH_PRESETS_H

typedef struct bench_preset {
    const char *name;
    const char *text; /* of the file, with a zero byte behind it */
} bench_preset;

/* By name, the last one with name NULL. */
extern const bench_preset bench_presets[];

#endif
