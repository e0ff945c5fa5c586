/* faiss_layout.c: see faiss_layout.h. */
#include "faiss_layout.h"

#include "lbh.h"

void fl_bytes(FILE *f, const void *data, size_t size)
{
    if (size)
        (void)!fwrite(data, 1, size, f);
}

void fl_fourcc(FILE *f, const char name[4])
{
    fl_bytes(f, name, 4);
}

void fl_bool(FILE *f, int v)
{
    uint8_t byte = v != 0;
    fl_bytes(f, &byte, 1);
}

void fl_i32(FILE *f, int32_t v)
{
    fl_bytes(f, &v, sizeof v);
}

void fl_u64(FILE *f, uint64_t v)
{
    fl_bytes(f, &v, sizeof v);
}

void fl_f32(FILE *f, float v)
{
    fl_bytes(f, &v, sizeof v);
}

void fl_floats(FILE *f, const float *data, uint64_t count)
{
    fl_u64(f, count);
    fl_bytes(f, data, (size_t)count * sizeof *data);
}

void fl_header(FILE *f, int32_t d, int64_t ntotal, int metric)
{
    const int64_t unused = 1 << 20; /* two fields that FAISS has given up */
    fl_i32(f, d);
    fl_bytes(f, &ntotal, sizeof ntotal);
    fl_bytes(f, &unused, sizeof unused);
    fl_bytes(f, &unused, sizeof unused);
    fl_bool(f, 1); /* trained */
    fl_i32(f, metric == LBH_METRIC_IP ? 0 : 1);
}

void fl_linear(FILE *f, int32_t d_in, int32_t d_out, const float *A, const float *b)
{
    fl_fourcc(f, "LTra");
    fl_bool(f, 1); /* has a bias */
    fl_floats(f, A, (uint64_t)d_in * (uint64_t)d_out);
    fl_floats(f, b, (uint64_t)d_out);
    fl_i32(f, d_in);
    fl_i32(f, d_out);
    fl_bool(f, 1); /* trained */
}

void fl_normalisation(FILE *f, int32_t d)
{
    fl_fourcc(f, "VNrm");
    fl_f32(f, 2); /* the Euclidean norm */
    fl_i32(f, d);
    fl_i32(f, d);
    fl_bool(f, 1);
}

void fl_no_rotation(FILE *f, int32_t d, int32_t nbits)
{
    fl_fourcc(f, "rrot");
    fl_bool(f, 0);
    fl_floats(f, NULL, 0);
    fl_floats(f, NULL, 0);
    fl_i32(f, d);
    fl_i32(f, nbits);
    fl_bool(f, 0);
}

void fl_flat(FILE *f, int32_t d, int64_t n, const float *x, int metric)
{
    fl_fourcc(f, metric == LBH_METRIC_IP ? "IxFI" : "IxF2");
    fl_header(f, d, n, metric);
    fl_floats(f, x, (uint64_t)n * (uint64_t)d);
}

void fl_ivf_header(FILE *f, const fl_ivf *ivf)
{
    fl_header(f, ivf->d, ivf->ntotal, ivf->metric);
    fl_u64(f, (uint64_t)ivf->nlist);
    fl_u64(f, (uint64_t)ivf->nprobe);
    fl_flat(f, ivf->d, ivf->nlist, ivf->centroids, ivf->coarse_metric);
    fl_bool(f, 0); /* no direct map */
    fl_u64(f, 0);
}

void fl_lists(FILE *f, int64_t nlist, const int64_t *size, const int64_t *order, int64_t first_id,
              size_t code_size, const uint8_t *codes)
{
    fl_fourcc(f, "ilar");
    fl_u64(f, (uint64_t)nlist);
    fl_u64(f, code_size);
    fl_fourcc(f, "full");
    fl_u64(f, (uint64_t)nlist);
    fl_bytes(f, size, (size_t)nlist * sizeof *size);
    for (int64_t l = 0; l < nlist; order += size[l], l++) {
        for (int64_t i = 0; i < size[l]; i++)
            fl_bytes(f, codes + (size_t)order[i] * code_size, code_size);
        for (int64_t i = 0; i < size[l]; i++)
            fl_u64(f, (uint64_t)(order[i] + first_id));
    }
}

/* The numbers of LSQ's own search are its constructor's: FAISS encodes with them what is added
 * later. */
void fl_local_search_quantizer(FILE *f, const fl_quantizer *q)
{
    fl_u64(f, (uint64_t)q->d);
    fl_u64(f, (uint64_t)q->m);
    fl_u64(f, (uint64_t)q->m); /* bits of each codebook's index: a vector */
    for (int32_t i = 0; i < q->m; i++)
        fl_u64(f, 8);
    fl_bool(f, 1); /* trained */
    fl_floats(f, q->codebooks, (uint64_t)q->m * 256 * (uint64_t)q->d);
    fl_i32(f, (int32_t)q->search_type);
    fl_f32(f, q->norm_min);
    fl_f32(f, q->norm_max);
    fl_u64(f, 256);                           /* K */
    fl_u64(f, 25);                            /* train_iters */
    fl_u64(f, 16);                            /* encode_ils_iters */
    fl_u64(f, 8);                             /* train_ils_iters */
    fl_u64(f, 4);                             /* icm_iters */
    fl_f32(f, 0.5f);                          /* p */
    fl_f32(f, 0.01f);                         /* lambd */
    fl_u64(f, 10000);                         /* chunk_size */
    fl_i32(f, 0x12345);                       /* random_seed */
    fl_u64(f, q->m < 4 ? (uint64_t)q->m : 4); /* nperts: at most m */
    fl_bool(f, 1);                            /* update_codebooks_with_double */
}
