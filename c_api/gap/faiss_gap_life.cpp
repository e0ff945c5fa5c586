/* faiss_gap_life.cpp: what FAISS's C API lacks, or FAISS does wrongly, in the life of an index
 * between building and freeing it (see faiss_gap_life.h; the rules are those of faiss_gap.cpp). */
#include "faiss_gap_life.h"
#include "faiss_gap.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHNSW.h>
#include <faiss/IndexBinaryHash.h>
#include <faiss/IndexBinaryIVF.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/index_io.h>
#include <faiss/invlists/OnDiskInvertedLists.h>

#define FAISS_AT_LEAST(major, minor)                                                               \
    (FAISS_VERSION_MAJOR > (major) ||                                                              \
     (FAISS_VERSION_MAJOR == (major) && FAISS_VERSION_MINOR >= (minor)))

namespace
{

using idx = int64_t;
using faiss::IndexBinary;
using faiss::IndexBinaryFlat;
using faiss::IndexBinaryHash;
using faiss::IndexBinaryHNSW;
using faiss::IndexBinaryIDMap;
using faiss::IndexBinaryIDMap2;
using faiss::IndexBinaryIVF;
using faiss::IndexBinaryMultiHash;

template <class Kind, class Base> Kind *as(Base *p)
{
    return dynamic_cast<Kind *>(p);
}

void reset(IndexBinary *p)
{
    if (auto *map = as<IndexBinaryIDMap>(p)) {
        reset(map->index);
        map->id_map.clear();
        map->ntotal = 0;
        if (auto *map2 = as<IndexBinaryIDMap2>(p))
            map2->rev_map.clear();
        return;
    }
    p->reset(); // NOLINT(clang-analyzer-core*): a failed dynamic_cast does not mean NULL
    if (auto *multi = as<IndexBinaryMultiHash>(p))
        for (auto &buckets : multi->maps)
            buckets.clear();
}

bool same_codes(const IndexBinary *a, const IndexBinary *b)
{
    auto *flat_a = as<const IndexBinaryFlat>(a), *flat_b = as<const IndexBinaryFlat>(b);
    if (auto *hnsw_a = as<const IndexBinaryHNSW>(a))
        flat_a = as<const IndexBinaryFlat>(hnsw_a->storage);
    if (auto *hnsw_b = as<const IndexBinaryHNSW>(b))
        flat_b = as<const IndexBinaryFlat>(hnsw_b->storage);
    return flat_a && flat_b && flat_a->ntotal == flat_b->ntotal &&
           (flat_a->ntotal == 0 ||
            std::memcmp(flat_a->xb.data(), flat_b->xb.data(),
                        static_cast<std::size_t>(flat_a->ntotal * flat_a->code_size)) == 0);
}

bool mergeable(const IndexBinary *a, const IndexBinary *b)
{
    if (a->d != b->d)
        return false;
    if (auto *map = as<const IndexBinaryIDMap>(a)) {
        auto *other = as<const IndexBinaryIDMap>(b);
        return other && mergeable(map->index, other->index);
    }
    if (auto *ivf = as<const IndexBinaryIVF>(a)) {
        auto *other = as<const IndexBinaryIVF>(b);
        return other && ivf->nlist == other->nlist && ivf->direct_map.no() &&
               other->direct_map.no() && same_codes(ivf->quantizer, other->quantizer);
    }
    if (auto *hash = as<const IndexBinaryHash>(a)) {
        auto *other = as<const IndexBinaryHash>(b);
        return other && hash->b == other->b;
    }
    if (as<const IndexBinaryMultiHash>(a))
        return as<const IndexBinaryMultiHash>(b);
    if (as<const IndexBinaryHNSW>(a))
        return as<const IndexBinaryHNSW>(b);
    return as<const IndexBinaryFlat>(a) && as<const IndexBinaryFlat>(b);
}

// The codes of kinds whose ids are places.
const IndexBinaryFlat *storage(const IndexBinary *p)
{
    if (auto *multi = as<const IndexBinaryMultiHash>(p))
        return multi->storage;
    if (auto *hnsw = as<const IndexBinaryHNSW>(p))
        return as<const IndexBinaryFlat>(hnsw->storage);
    return as<const IndexBinaryFlat>(p);
}

void merge(IndexBinary *p, IndexBinary *q, idx add_id)
{
    if (auto *map = as<IndexBinaryIDMap>(p)) {
        auto *other = as<IndexBinaryIDMap>(q);
        map->id_map.reserve(map->id_map.size() + other->id_map.size());
        merge(map->index, other->index, map->index->ntotal);
        for (idx id : other->id_map)
            map->id_map.push_back(id + add_id);
        map->ntotal = map->index->ntotal;
        if (auto *map2 = as<IndexBinaryIDMap2>(p))
            map2->construct_rev_map();
        reset(other);
    } else if (auto *ivf = as<IndexBinaryIVF>(p)) {
        auto *other = as<IndexBinaryIVF>(q);
        ivf->invlists->merge_from(other->invlists, static_cast<std::size_t>(add_id));
        ivf->ntotal += other->ntotal;
        other->ntotal = 0;
    } else if (auto *hash = as<IndexBinaryHash>(p)) {
        auto *other = as<IndexBinaryHash>(q);
        for (auto &list : other->invlists) {
            for (idx &id : list.second.ids)
                id += add_id;
            hash->add_with_ids(static_cast<idx>(list.second.ids.size()), list.second.vecs.data(),
                               list.second.ids.data());
        }
        reset(other);
    } else if (q->ntotal > 0) {
        p->add(q->ntotal, storage(q)->xb.data()); // NOLINT(clang-analyzer-core*): as above
        reset(q);
    }
}

// Calls look(ids, count) with the ids of all codes, list by list, in kinds that keep ids.
template <class Look> bool each_ids(const IndexBinary *p, Look look)
{
    if (auto *map = as<const IndexBinaryIDMap>(p)) {
        look(map->id_map.data(), map->id_map.size());
    } else if (auto *ivf = as<const IndexBinaryIVF>(p)) {
        for (std::size_t list = 0; list < ivf->nlist; list++) {
            faiss::InvertedLists::ScopedIds ids(ivf->invlists, list);
            look(ids.get(), ivf->invlists->list_size(list));
        }
    } else if (auto *hash = as<const IndexBinaryHash>(p)) {
        for (const auto &list : hash->invlists)
            look(list.second.ids.data(), list.second.ids.size());
    } else {
        return false;
    }
    return true;
}

void id_range(const IndexBinary *p, idx *least, idx *greatest)
{
    *least = std::numeric_limits<idx>::max();
    *greatest = -1;
    bool keeps = each_ids(p, [=](const idx *ids, std::size_t count) {
        for (std::size_t i = 0; i < count; i++) {
            *least = std::min(*least, ids[i]);
            *greatest = std::max(*greatest, ids[i]);
        }
    });
    if (!keeps && p->ntotal > 0) {
        *least = 0;
        *greatest = p->ntotal - 1;
    }
}

std::vector<idx> sorted_ids(const IndexBinary *p, idx add)
{
    std::vector<idx> all;
    all.reserve(static_cast<std::size_t>(p->ntotal));
    each_ids(p, [&](const idx *ids, std::size_t count) {
        for (std::size_t i = 0; i < count; i++)
            all.push_back(ids[i] + add);
    });
    std::sort(all.begin(), all.end());
    return all;
}

const IndexBinary *innermost(const IndexBinary *p)
{
    while (auto *map = as<const IndexBinaryIDMap>(p))
        p = map->index;
    return p;
}

bool is_mapped(const IndexBinary *p)
{
    p = innermost(p);
    if (auto *ivf = as<const IndexBinaryIVF>(p))
        return as<const faiss::OnDiskInvertedLists>(ivf->invlists);
#if FAISS_AT_LEAST(1, 11)
    if (auto *flat = as<const IndexBinaryFlat>(p))
        return !flat->xb.is_owned;
#endif
    return false;
}

// FAISS has one way to map inverted lists and, from 1.11 on, another one for vectors; they do not
// go together. Which one is for this file: looks through IDMaps.
int mapping_flags(const char *path)
{
    const int lists = faiss::IO_FLAG_MMAP | faiss::IO_FLAG_READ_ONLY;
#if FAISS_AT_LEAST(1, 11)
    enum { HEADER = 4 + 4 + 8 + 1 + 4 };
    std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(path, "rb"), std::fclose);
    char head[4 + HEADER];
    while (file && std::fread(head, 1, sizeof head, file.get()) == sizeof head)
        if (std::memcmp(head, "IBM", 3) != 0)
            return std::memcmp(head, "IBwF", 4) == 0 ? lists : faiss::IO_FLAG_MMAP_IFC;
#else
    (void)path;
#endif
    return lists;
}

} // namespace

/* FAISS's multi-hash, in 1.7.3 and 1.11 (no longer in 1.15), empties copies of its tables, not the
 * tables, and finds places beyond its codes afterwards; delete when FAISS >= 1.15. */
int lbh_gap_reset(FaissIndexBinary *index)
{
    return guarded("emptying the index", [&] { reset(cpp(index)); });
}

/* FAISS does not say which ids an index has; keep. */
int lbh_gap_id_range(const FaissIndexBinary *index, int64_t *least, int64_t *greatest)
{
    return guarded("looking at the ids", [&] { id_range(cpp(index), least, greatest); });
}

/* As lbh_gap_id_range. */
int lbh_gap_common_id(const FaissIndexBinary *index, const FaissIndexBinary *other, int64_t add_id,
                      int64_t *id)
{
    return guarded("looking at the ids", [&] {
        auto a = sorted_ids(cpp(index), 0), b = sorted_ids(cpp(other), add_id);
        *id = -1;
        for (std::size_t i = 0, j = 0; i < a.size() && j < b.size() && *id < 0;
             a[i] < b[j] ? i++ : j++)
            *id = a[i] == b[j] ? a[i] : -1;
    });
}

int lbh_gap_mergeable(const FaissIndexBinary *index, const FaissIndexBinary *other)
{
    return mergeable(cpp(index), cpp(other));
}

/* FAISS has no merging of binary indexes in its C API until 1.12, then of BIVF only; 1.7.3 and
 * 1.11 refuse those too (they compare a type with that of a pointer); none asks whether the lists are
 * the same, and IDMap over BIVF mixes up its ids; keep. */
int lbh_gap_merge(FaissIndexBinary *index, FaissIndexBinary *other, int64_t add_id)
{
    return guarded("merging the indexes", [&] { merge(cpp(index), cpp(other), add_id); });
}

/* FAISS's C API names FAISS_IO_FLAG_MMAP but gives it the value of another flag, in all versions;
 * delete when it does not, and reports errors without printing them. */
int lbh_gap_read_mapped(FaissIndexBinary **index, const char *path)
{
    std::unique_ptr<IndexBinary> made;
    errno = 0;
    int rc =
        guarded(path, [&] { made.reset(faiss::read_index_binary(path, mapping_flags(path))); });
    if (rc == LBH_EFAISS && errno == ENOMEM)
        return lbh_error(LBH_ENOMEM, "%s: out of memory", path);
    if (rc != LBH_OK)
        return rc;
    if (!is_mapped(made.get()))
        return lbh_error(LBH_EFAISS,
                         "%s: FAISS %s cannot leave the codes of this kind of index in the "
                         "file; load it (lbh_index_load)",
                         path, lbh_faiss_version());
    *index = reinterpret_cast<FaissIndexBinary *>(made.release());
    return LBH_OK;
}

int lbh_gap_is_mapped(const FaissIndexBinary *index)
{
    return is_mapped(cpp(index));
}
