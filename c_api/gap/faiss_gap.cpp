/* faiss_gap.cpp: with its neighbours faiss_gap_*.cpp the only C++ of the project: what FAISS's C
 * API lacks (see faiss_gap.h). Compiled against the headers of the very library that it is linked
 * with, because class layouts change from version to version. Works with FAISS 1.7.3 and later. */
#include "faiss_gap.h"
#include "faiss_gap.hpp"

#include <limits>
#include <memory>
#include <mutex>

#include <faiss/AutoTune.h>
#include <faiss/Clustering.h>
#include <faiss/Index.h>
#include <faiss/IndexBinary.h>
#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryFromFloat.h>
#include <faiss/IndexBinaryHNSW.h>
#include <faiss/IndexBinaryHash.h>
#include <faiss/IndexBinaryIVF.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexLSH.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/io.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <faiss/utils/utils.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

namespace {

const faiss::Index *cpp(const FaissIndex *index)
{
    return reinterpret_cast<const faiss::Index *>(index);
}

faiss::Index *cpp(FaissIndex *index)
{
    return reinterpret_cast<faiss::Index *>(index);
}

FaissIndexBinary *c(const faiss::IndexBinary *index)
{
    return reinterpret_cast<FaissIndexBinary *>(const_cast<faiss::IndexBinary *>(index));
}

// Two habits of FAISS's training: k-means writes a warning to stderr when there are few rows to a
// centroid (with less than one it throws, which is all that is wanted); and "PQ8" spends seconds a
// byte on an order of the centroids that only a polysemous search has a use for ("PQ8np" without).
void tame(faiss::Index *index)
{
    if (auto *p = dynamic_cast<faiss::IndexPreTransform *>(index)) {
        tame(p->index);
    } else if (auto *m = dynamic_cast<faiss::IndexIDMap *>(index)) {
        tame(m->index);
    } else if (auto *r = dynamic_cast<faiss::IndexRefine *>(index)) {
        tame(r->base_index);
    } else if (auto *q = dynamic_cast<faiss::IndexPQ *>(index)) {
        q->pq.cp.min_points_per_centroid = 1;
        q->do_polysemous_training = false;
    } else if (auto *v = dynamic_cast<faiss::IndexIVF *>(index)) {
        v->cp.min_points_per_centroid = 1;
        if (auto *vq = dynamic_cast<faiss::IndexIVFPQ *>(v)) {
            vq->pq.cp.min_points_per_centroid = 1;
            vq->do_polysemous_training = false;
        }
    }
}

// A search takes nprobe places a query, whatever the number of lists: a damaged file must not make
// that gigabytes.
void bound_nprobe(FaissIndexBinary *index)
{
    auto *ivf = dynamic_cast<faiss::IndexBinaryIVF *>(cpp(lbh_gap_info(index).inner));
    if (ivf && ivf->nprobe > ivf->nlist)
        ivf->nprobe = ivf->nlist;
}

struct Watch final : faiss::InterruptCallback {
    bool want_interrupt() override
    {
        return lbh_watch_poll();
    }
};

// Codes as the floats -1 and 1, for FAISS's k-means. Its own conversion enters a parallel region for every row:
// 1 us a row and iteration, between which it does not ask whether to go on.
struct Signs final : faiss::IndexLSH {
    explicit Signs(idx_t bits) : IndexLSH(bits, static_cast<int>(bits), false, false) {}

    void sa_decode(idx_t n, const uint8_t *rows, float *x) const override
    {
        for (idx_t i = 0; i < n * d; i++)
            x[i] = rows[i / 8] >> (i % 8) & 1 ? 1.0f : -1.0f;
    }
};

// As ivf.train(), for a quantizer that is to be learned.
void train_lists(faiss::IndexBinaryIVF &ivf, int64_t n, const uint8_t *codes)
{
    faiss::Clustering means(ivf.d, static_cast<int>(ivf.nlist), ivf.cp);
    faiss::IndexFlatL2 flat(ivf.d);
    Signs signs(ivf.d);
    ivf.quantizer->reset();
    means.train_encoded(n, codes, &signs, ivf.clustering_index ? *ivf.clustering_index : flat);
    std::vector<uint8_t> centres(ivf.nlist * static_cast<std::size_t>(ivf.code_size));
    faiss::real_to_binary(means.centroids.size(), means.centroids.data(), centres.data());
    ivf.quantizer->add(static_cast<int64_t>(ivf.nlist), centres.data());
    ivf.quantizer->is_trained = true;
    ivf.is_trained = true;
}

// Large reads go by pieces, between which it is asked whether to go on. If not, FAISS finds the file cut off.
struct WatchedReader final : faiss::FileIOReader {
    using FileIOReader::FileIOReader;

    std::size_t operator()(void *to, std::size_t size, std::size_t count) override
    {
        const std::size_t piece = std::size_t(1) << 24, bytes = size * count;
        std::size_t at = 0, got = 1;
        while (at < bytes && got && !lbh_watch_poll()) {
            got = std::fread(static_cast<char *>(to) + at, 1, std::min(piece, bytes - at), f);
            at += got;
        }
        return bytes ? at / size : 0;
    }
};

struct WatchedWriter final : faiss::FileIOWriter {
    using FileIOWriter::FileIOWriter;

    std::size_t operator()(const void *from, std::size_t size, std::size_t count) override
    {
        return size > 0 && count > 0 ? lbh_watch_write(f, from, size * count) / size : 0;
    }
};

} // namespace

/* FAISS's C API lacks its InterruptCallback, in all versions; keep. */
void lbh_gap_watch() noexcept
{
    static std::once_flag once;
    try {
        std::call_once(once, [] {
            if (!faiss::InterruptCallback::instance)
                faiss::InterruptCallback::instance.reset(new Watch);
        });
    } catch (...) { // no memory: the next call tries again
    }
}

/* FAISS's C API lacks the version until 1.8; delete when FAISS >= 1.8. */
const char *lbh_gap_version(void)
{
    return TEXT(FAISS_VERSION_MAJOR) "." TEXT(FAISS_VERSION_MINOR) "." TEXT(FAISS_VERSION_PATCH);
}

/* FAISS's C API lacks downcasts of binary indexes (1.12 has IVF, 1.14.1 flat, none hash, HNSW or
 * IDMap); keep until it has them all. */
lbh_index_info lbh_gap_info(const FaissIndexBinary *index)
{
    lbh_index_info info = {};
    const faiss::IndexBinary *p = cpp(index);
    // An IDMap of an IDMap is legal; what its ids mean is FAISS's affair, the innermost one counts.
    while (auto *map = dynamic_cast<const faiss::IndexBinaryIDMap *>(p)) {
        info.idmap = dynamic_cast<const faiss::IndexBinaryIDMap2 *>(p) ? 2 : 1;
        p = map->index;
    }
    info.inner = c(p);
    if (dynamic_cast<const faiss::IndexBinaryFlat *>(p)) {
        info.kind = LBH_KIND_FLAT;
    } else if (auto *ivf = dynamic_cast<const faiss::IndexBinaryIVF *>(p)) {
        info.kind = LBH_KIND_IVF;
        info.nlist = static_cast<int64_t>(ivf->nlist);
        info.quantizer = c(ivf->quantizer);
    } else if (dynamic_cast<const faiss::IndexBinaryHNSW *>(p)) {
        info.kind = LBH_KIND_HNSW;
    } else if (auto *hash = dynamic_cast<const faiss::IndexBinaryHash *>(p)) {
        info.kind = LBH_KIND_HASH;
        info.b = hash->b;
        info.nhash = 1;
    } else if (auto *multi = dynamic_cast<const faiss::IndexBinaryMultiHash *>(p)) {
        info.kind = LBH_KIND_MULTIHASH;
        info.b = multi->b;
        info.nhash = multi->nhash;
    } else if (dynamic_cast<const faiss::IndexBinaryFromFloat *>(p)) {
        info.kind = LBH_KIND_FROM_FLOAT;
    }
    return info;
}

/* FAISS's C API lacks the binary factory until 1.9 and IDMap in it until 1.13; delete when
 * FAISS >= 1.13 (and its C API reports errors without printing them). */
int lbh_gap_new(FaissIndexBinary **index, int d, const char *factory, int idmap)
{
    return guarded(factory, [&] {
        std::unique_ptr<faiss::IndexBinary> made(faiss::index_binary_factory(d, factory));
        if (auto *ivf = dynamic_cast<faiss::IndexBinaryIVF *>(made.get()))
            ivf->cp.min_points_per_centroid = 1; // see tame()
        if (idmap) {
            std::unique_ptr<faiss::IndexBinaryIDMap> map;
            if (idmap == 2)
                map.reset(new faiss::IndexBinaryIDMap2(made.get()));
            else
                map.reset(new faiss::IndexBinaryIDMap(made.get()));
            map->code_size = made->code_size; // FAISS 1.7.3 forgets it
            (void)made.release(); // map has it
            map->own_fields = true;
            made = std::move(map);
        }
        *index = c(made.release());
    });
}

/* FAISS 1.14.0 to 1.15.0 finds nothing by counting (use_heap = false) where max_codes is 0, its word
 * for "no limit"; a limit that is never reached says the same. Delete when those are gone. */
constexpr bool counting_needs_max_codes =
    FAISS_VERSION_MAJOR == 1 && FAISS_VERSION_MINOR >= 14 && FAISS_VERSION_MINOR <= 15;

/* FAISS's C API lacks nprobe and max_codes of binary IVF until 1.12, ef* of binary HNSW until 1.14
 * and nflip of the hash kinds in every version; keep. */
void lbh_gap_set(FaissIndexBinary *inner, lbh_search_param param, int64_t value)
{
    faiss::IndexBinary *p = cpp(inner);
    if (auto *ivf = dynamic_cast<faiss::IndexBinaryIVF *>(p)) {
        if (param == LBH_PARAM_NPROBE)
            ivf->nprobe = static_cast<std::size_t>(value);
        else if (param == LBH_PARAM_MAX_CODES)
            ivf->max_codes = static_cast<std::size_t>(value);
        else if (param == LBH_PARAM_USE_HEAP)
            ivf->use_heap = value != 0;
        if (counting_needs_max_codes && !ivf->use_heap && ivf->max_codes == 0)
            ivf->max_codes = std::numeric_limits<std::size_t>::max() / 2;
    } else if (auto *flat = dynamic_cast<faiss::IndexBinaryFlat *>(p)) {
        if (param == LBH_PARAM_USE_HEAP)
            flat->use_heap = value != 0;
    } else if (auto *hnsw = dynamic_cast<faiss::IndexBinaryHNSW *>(p)) {
        if (param == LBH_PARAM_EF_SEARCH)
            hnsw->hnsw.efSearch = static_cast<int>(value);
        else if (param == LBH_PARAM_EF_CONSTRUCTION)
            hnsw->hnsw.efConstruction = static_cast<int>(value);
    } else if (auto *hash = dynamic_cast<faiss::IndexBinaryHash *>(p)) {
        if (param == LBH_PARAM_NFLIP)
            hash->nflip = static_cast<int>(value);
    } else if (auto *multi = dynamic_cast<faiss::IndexBinaryMultiHash *>(p)) {
        if (param == LBH_PARAM_NFLIP)
            multi->nflip = static_cast<int>(value);
    }
}

/* As lbh_gap_set. */
int64_t lbh_gap_get(const FaissIndexBinary *inner, lbh_search_param param)
{
    const faiss::IndexBinary *p = cpp(inner);
    if (auto *ivf = dynamic_cast<const faiss::IndexBinaryIVF *>(p)) {
        if (param == LBH_PARAM_USE_HEAP)
            return ivf->use_heap;
        std::size_t value = param == LBH_PARAM_NPROBE ? ivf->nprobe : ivf->max_codes;
        bool ours = param == LBH_PARAM_MAX_CODES && counting_needs_max_codes && !ivf->use_heap &&
                    value == std::numeric_limits<std::size_t>::max() / 2;
        return ours ? 0 : static_cast<int64_t>(value);
    }
    if (auto *flat = dynamic_cast<const faiss::IndexBinaryFlat *>(p))
        return flat->use_heap;
    if (auto *hnsw = dynamic_cast<const faiss::IndexBinaryHNSW *>(p))
        return param == LBH_PARAM_EF_SEARCH ? hnsw->hnsw.efSearch : hnsw->hnsw.efConstruction;
    if (auto *hash = dynamic_cast<const faiss::IndexBinaryHash *>(p))
        return hash->nflip;
    if (auto *multi = dynamic_cast<const faiss::IndexBinaryMultiHash *>(p))
        return multi->nflip;
    return 0;
}

/* FAISS (all versions to 1.15) stores the length of a bucket in just enough bits for ids 0 ..
 * ntotal-1, which does not hold ntotal itself when that is a power of two; delete when it does. */
int lbh_gap_unwritable(const FaissIndexBinary *index)
{
    auto *multi = dynamic_cast<const faiss::IndexBinaryMultiHash *>(cpp(lbh_gap_info(index).inner));
    if (!multi || multi->ntotal < 1 || (multi->ntotal & (multi->ntotal - 1)) != 0)
        return 0;
    for (const auto &map : multi->maps)
        if (map.size() == 1)
            return 1;
    return 0;
}

/* FAISS's C API prints exceptions (all versions, unless built with NDEBUG); delete this and the
 * calls below when it no longer does. */
int lbh_gap_train(FaissIndexBinary *index, int64_t n, const uint8_t *codes)
{
    return guarded("training the index", [&] {
        auto *ivf = dynamic_cast<faiss::IndexBinaryIVF *>(cpp(index));
        if (ivf && !(ivf->quantizer->is_trained &&
                     ivf->quantizer->ntotal == static_cast<int64_t>(ivf->nlist)))
            train_lists(*ivf, n, codes);
        else
            cpp(index)->train(n, codes);
    });
}

/* As lbh_gap_train. */
int lbh_gap_write(const FaissIndexBinary *index, FILE *stream)
{
    return guarded("writing the index", [&] {
        WatchedWriter writer(stream);
        faiss::write_index_binary(cpp(index), &writer);
    });
}

/* As lbh_gap_train. */
int lbh_gap_read(FaissIndexBinary **index, FILE *stream, const char *path)
{
    return guarded(path, [&] {
        WatchedReader reader(stream);
        *index = c(faiss::read_index_binary(&reader));
        bound_nprobe(*index);
    });
}

/* As lbh_gap_train. */
int lbh_gap_float_new(FaissIndex **index, int d, const char *factory, int metric)
{
    return guarded(factory, [&] {
        faiss::Index *made = faiss::index_factory(
            d, factory, metric == LBH_METRIC_IP ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2);
        tame(made);
        *index = reinterpret_cast<FaissIndex *>(made);
    });
}

/* As lbh_gap_train. */
int lbh_gap_float_train(FaissIndex *index, int64_t n, const float *x)
{
    return guarded("training the float index", [&] { cpp(index)->train(n, x); });
}

/* As lbh_gap_train. */
int lbh_gap_float_add(FaissIndex *index, int64_t n, const float *x)
{
    return guarded("adding to the float index", [&] { cpp(index)->add(n, x); });
}

/* As lbh_gap_train. */
int lbh_gap_float_search(const FaissIndex *index, int64_t n, const float *x, int64_t k,
                         float *distances, int64_t *labels)
{
    return guarded("searching the float index",
                   [&] { cpp(index)->search(n, x, k, distances, labels); });
}

/* As lbh_gap_train. */
int lbh_gap_float_set(FaissIndex *index, const char *assignments)
{
    return guarded(assignments, [&] {
        faiss::ParameterSpace().set_index_parameters(reinterpret_cast<faiss::Index *>(index),
                                                     assignments);
    });
}

/* As lbh_gap_train. */
int lbh_gap_float_encode(const FaissIndex *index, int64_t n, const float *x, uint8_t *codes)
{
    return guarded("encoding with the float index",
                   [&] { cpp(index)->sa_encode(n, x, codes); });
}

/* As lbh_gap_train. */
int lbh_gap_float_write(const FaissIndex *index, FILE *stream)
{
    return guarded("writing the float index", [&] { faiss::write_index(cpp(index), stream); });
}

/* As lbh_gap_train. */
int lbh_gap_float_read(FaissIndex **index, FILE *stream, const char *path)
{
    return guarded(path, [&] {
        *index = reinterpret_cast<FaissIndex *>(faiss::read_index(stream));
    });
}

/* FAISS's faiss_Index_sa_code_size never writes its result before 1.12; delete when FAISS >= 1.12. */
size_t lbh_gap_float_code_size(const FaissIndex *index)
{
    try {
        return cpp(index)->sa_code_size();
    } catch (...) {
        return 0;
    }
}

/* FAISS's C API has k-means, which prints exceptions, and without our guard against its warning; as
 * lbh_gap_train. */
int lbh_gap_kmeans(int d, int64_t k, int64_t n, const float *x, int spherical, float *centroids)
{
    return guarded("learning the lists", [&] {
        faiss::ClusteringParameters cp;
        cp.niter = 10; // as the IVF indexes have it
        cp.min_points_per_centroid = 1;
        cp.spherical = spherical != 0;
        faiss::IndexFlat index(d, spherical ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2);
        faiss::Clustering clustering(d, static_cast<int>(k), cp);
        clustering.train(n, x, index);
        std::copy(clustering.centroids.begin(), clustering.centroids.end(), centroids);
    });
}

#ifdef LBH_OWN_FAISS_C
/* A static libfaiss_c may be built for executables only: Debian 13's cannot go into a shared library
 * (its objects are not position-independent, those of libfaiss are). There, our shared library has
 * the few functions of FAISS's C API that it calls from here, and hides them; the static library
 * leaves them to libfaiss_c. CMake defines the macro where a trial link fails; delete when no
 * supported libfaiss_c needs it. */
#include <faiss/c_api/IndexBinary_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/impl/AuxIndexStructures_c.h>
#include <faiss/impl/AuxIndexStructures.h>

namespace {

faiss::RangeSearchResult *cpp(FaissRangeSearchResult *result)
{
    return reinterpret_cast<faiss::RangeSearchResult *>(result);
}

} // namespace

extern "C" {

int faiss_IndexBinary_d(const FaissIndexBinary *index)
{
    return cpp(index)->d;
}

int faiss_IndexBinary_is_trained(const FaissIndexBinary *index)
{
    return cpp(index)->is_trained;
}

faiss_idx_t faiss_IndexBinary_ntotal(const FaissIndexBinary *index)
{
    return cpp(index)->ntotal;
}

void faiss_IndexBinary_free(FaissIndexBinary *index)
{
    delete cpp(index);
}

void faiss_RangeSearchResult_free(FaissRangeSearchResult *result)
{
    delete cpp(result);
}

void faiss_RangeSearchResult_lims(FaissRangeSearchResult *result, size_t **lims)
{
    *lims = cpp(result)->lims;
}

void faiss_RangeSearchResult_labels(FaissRangeSearchResult *result, faiss_idx_t **labels,
                                    float **distances)
{
    *labels = cpp(result)->labels;
    *distances = cpp(result)->distances;
}

int faiss_Index_d(const FaissIndex *index)
{
    return cpp(index)->d;
}

int faiss_Index_is_trained(const FaissIndex *index)
{
    return cpp(index)->is_trained;
}

faiss_idx_t faiss_Index_ntotal(const FaissIndex *index)
{
    return cpp(index)->ntotal;
}

FaissMetricType faiss_Index_metric_type(const FaissIndex *index)
{
    return static_cast<FaissMetricType>(cpp(index)->metric_type);
}

void faiss_Index_free(FaissIndex *index)
{
    delete cpp(index);
}

} // extern "C"
#endif
