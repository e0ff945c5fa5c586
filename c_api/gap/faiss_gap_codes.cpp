/* faiss_gap_codes.cpp: searching with errors that can be told apart, and the codes of
 * answers, which FAISS's C API does not give out (see faiss_gap_codes.h; the rules are those of faiss_gap.cpp). */
#include "faiss_gap_codes.h"
#include "faiss_gap.hpp"

#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHash.h>
#include <faiss/IndexBinaryIVF.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/FaissException.h>

namespace {

using idx = int64_t;

int distance(const uint8_t *a, const uint8_t *b, size_t size)
{
    int sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += __builtin_popcount(static_cast<unsigned>(a[i] ^ b[i]));
    return sum;
}

// Calls f with every hash that a search of BHash with this query looks up.
void each_hash(const faiss::IndexBinaryHash &index, const uint8_t *query,
               const std::function<void(uint64_t)> &f)
{
    uint64_t hash = 0;
    for (int bit = 0; bit < index.b; bit++)
        hash |= static_cast<uint64_t>(query[bit / 8] >> (bit % 8) & 1) << bit;
    std::function<void(uint64_t, int, int)> flip = [&](uint64_t h, int first, int left) {
        f(h);
        for (int bit = first; left > 0 && bit < index.b; bit++)
            flip(h ^ uint64_t(1) << bit, bit + 1, left - 1);
    };
    flip(hash, 0, index.nflip);
}

// The codes of k answers of one query of BHash, found in the buckets that the search went through.
// An id may be there twice: the distance says which one is meant.
void hash_codes(const faiss::IndexBinaryHash &index, const uint8_t *query, idx k,
                const int32_t *distances, const idx *labels, uint8_t *codes)
{
    size_t size = static_cast<size_t>(index.code_size);
    std::vector<std::pair<idx, idx>> wanted; // (label, place), by label
    for (idx j = 0; j < k; j++)
        if (labels[j] >= 0)
            wanted.emplace_back(labels[j], j);
    std::sort(wanted.begin(), wanted.end());
    each_hash(index, query, [&](uint64_t hash) {
        auto list = index.invlists.find(static_cast<idx>(hash));
        if (list == index.invlists.end())
            return;
        for (size_t i = 0; i < list->second.ids.size(); i++) {
            idx id = list->second.ids[i];
            const uint8_t *code = list->second.vecs.data() + i * size;
            auto at = std::lower_bound(wanted.begin(), wanted.end(), std::make_pair(id, idx(0)));
            for (; at != wanted.end() && at->first == id; ++at)
                if (distances[at->second] == distance(code, query, size))
                    std::memcpy(codes + static_cast<size_t>(at->second) * size, code, size);
        }
    });
}

// What IndexBinaryIVF::search does, but with the places of answers in the lists as labels (list <<
// 32 | offset); then ids and codes from there.
void search_ivf(const faiss::IndexBinaryIVF &ivf, idx n, const uint8_t *queries, idx k,
                int32_t *distances, idx *labels, uint8_t *codes)
{
    size_t size = static_cast<size_t>(ivf.code_size), probes = std::min(ivf.nlist, ivf.nprobe);
    std::vector<idx> lists(static_cast<size_t>(n) * probes);
    std::vector<int32_t> coarse(lists.size());
    ivf.quantizer->search(n, queries, static_cast<idx>(probes), coarse.data(), lists.data());
    ivf.invlists->prefetch_lists(lists.data(), static_cast<int>(lists.size()));
    ivf.search_preassigned(n, queries, k, lists.data(), coarse.data(), distances, labels, true);
    for (idx i = 0; i < n * k; i++) {
        if (labels[i] < 0)
            continue;
        auto list = static_cast<size_t>(labels[i] >> 32);
        auto offset = static_cast<size_t>(labels[i] & 0xffffffff);
        faiss::InvertedLists::ScopedCodes code(ivf.invlists, list, offset);
        std::memcpy(codes + static_cast<size_t>(i) * size, code.get(), size);
        labels[i] = ivf.invlists->get_single_id(list, offset);
    }
}

void search(const faiss::IndexBinary *p, idx n, const uint8_t *queries, idx k, int32_t *distances,
            idx *labels, uint8_t *codes)
{
    size_t size = static_cast<size_t>(p->code_size);
    if (auto *map = dynamic_cast<const faiss::IndexBinaryIDMap *>(p)) {
        search(map->index, n, queries, k, distances, labels, codes);
        for (idx i = 0; i < n * k; i++)
            if (labels[i] >= 0)
                labels[i] = map->id_map.at(static_cast<size_t>(labels[i]));
    } else if (auto *hash = dynamic_cast<const faiss::IndexBinaryHash *>(p)) {
        hash->search(n, queries, k, distances, labels);
        for (idx i = 0; i < n; i++)
            hash_codes(*hash, queries + static_cast<size_t>(i) * size, k, distances + i * k,
                       labels + i * k, codes + static_cast<size_t>(i * k) * size);
    } else if (auto *multi = dynamic_cast<const faiss::IndexBinaryMultiHash *>(p)) {
        multi->search(n, queries, k, distances, labels);
        for (idx i = 0; i < n * k; i++)
            if (labels[i] >= 0)
                multi->storage->reconstruct(labels[i], codes + static_cast<size_t>(i) * size);
    } else if (auto *ivf = dynamic_cast<const faiss::IndexBinaryIVF *>(p)) {
        search_ivf(*ivf, n, queries, k, distances, labels, codes);
    } else { // flat, HNSW
        p->search(n, queries, k, distances, labels);
        for (idx i = 0; i < n * k; i++)
            if (labels[i] >= 0)
                p->reconstruct(labels[i], codes + static_cast<size_t>(i) * size);
    }
}

// Looks for id in places 0 .. n-1; false if it is not there.
template <class Id> bool look(idx id, size_t n, Id id_at, size_t *place)
{
    for (*place = 0; *place < n; ++*place)
        if (id_at(*place) == id)
            return true;
    return false;
}

// The code of an id to `code`, if there is one.
bool find(const faiss::IndexBinary *p, idx id, uint8_t *code)
{
    size_t size = static_cast<size_t>(p->code_size), place = 0;
    if (auto *map = dynamic_cast<const faiss::IndexBinaryIDMap *>(p)) {
        return look(id, map->id_map.size(), [&](size_t i) { return map->id_map[i]; }, &place) &&
               find(map->index, static_cast<idx>(place), code);
    }
    if (auto *ivf = dynamic_cast<const faiss::IndexBinaryIVF *>(p)) {
        for (size_t list = 0; list < ivf->nlist; list++) {
            faiss::InvertedLists::ScopedIds ids(ivf->invlists, list);
            if (look(id, ivf->invlists->list_size(list), [&](size_t i) { return ids[i]; },
                     &place)) {
                faiss::InvertedLists::ScopedCodes codes(ivf->invlists, list, place);
                std::memcpy(code, codes.get(), size);
                return true;
            }
        }
        return false;
    }
    if (auto *hash = dynamic_cast<const faiss::IndexBinaryHash *>(p)) {
        for (const auto &list : hash->invlists) {
            const auto &ids = list.second.ids;
            if (look(id, ids.size(), [&](size_t i) { return ids[i]; }, &place)) {
                std::memcpy(code, list.second.vecs.data() + place * size, size);
                return true;
            }
        }
        return false;
    }
    if (id < 0 || id >= p->ntotal) // FAISS does not look
        return false;
    if (auto *multi = dynamic_cast<const faiss::IndexBinaryMultiHash *>(p))
        multi->storage->reconstruct(id, code);
    else
        p->reconstruct(id, code);
    return true;
}

} // namespace

/* FAISS's C API copies what was thrown as a std::exception, so that a lack of memory cannot be told
 * from other errors, in all versions; delete when it can. */
int lbh_gap_search(const FaissIndexBinary *index, int64_t n, const uint8_t *codes, int64_t k,
                   int32_t *distances, int64_t *labels)
{
    return guarded("searching the index",
                   [&] { cpp(index)->search(n, codes, k, distances, labels); });
}

/* As lbh_gap_search. */
int lbh_gap_range_search(FaissRangeSearchResult **result, const FaissIndexBinary *index, int64_t n,
                         const uint8_t *codes, int32_t radius)
{
    return guarded("range search", [&] {
        std::unique_ptr<faiss::RangeSearchResult> found(
            new faiss::RangeSearchResult(static_cast<std::size_t>(n)));
        cpp(index)->range_search(n, codes, radius, found.get());
        *result = reinterpret_cast<FaissRangeSearchResult *>(found.release());
    });
}

/* FAISS's search_and_reconstruct writes codes d bytes apart, not d / 8, and fails for the hash
 * kinds and for IDMap over BIVF; keep until it does neither. */
int lbh_gap_search_codes(const FaissIndexBinary *index, int64_t n, const uint8_t *queries,
                         int64_t k, int32_t *distances, int64_t *labels, uint8_t *codes)
{
    return guarded("searching the index",
                   [&] { search(cpp(index), n, queries, k, distances, labels, codes); });
}

/* FAISS's reconstruct knows no hash kinds, wants a direct map in BIVF, and IDMap2; keep. */
int lbh_gap_code(const FaissIndexBinary *index, int64_t id, uint8_t *code)
{
    bool found = false;
    int rc = guarded("reading a code", [&] { found = find(cpp(index), id, code); });
    if (rc == LBH_OK && !found)
        rc = lbh_error(LBH_EINVAL, "index: there is no id %lld", static_cast<long long>(id));
    return rc;
}

/* FAISS's C API has the lists of float indexes only, and no codes of BFlat; keep until it has. */
int lbh_gap_list(const FaissIndexBinary *inner, int64_t list, int64_t *size, const uint8_t **codes,
                 const int64_t **ids)
{
    return guarded("reading a list", [&] {
        auto at = static_cast<size_t>(list);
        if (auto *ivf = dynamic_cast<const faiss::IndexBinaryIVF *>(cpp(inner))) {
            *size = static_cast<int64_t>(ivf->invlists->list_size(at));
            *codes = ivf->invlists->get_codes(at);
            *ids = ivf->invlists->get_ids(at);
        } else if (auto *flat = dynamic_cast<const faiss::IndexBinaryFlat *>(cpp(inner))) {
            *size = flat->ntotal;
            *codes = flat->xb.data();
            *ids = nullptr;
        }
    });
}

/* As lbh_gap_list. */
void lbh_gap_release_list(const FaissIndexBinary *inner, int64_t list, const uint8_t *codes,
                          const int64_t *ids)
{
    auto *ivf = dynamic_cast<const faiss::IndexBinaryIVF *>(cpp(inner));
    if (!ivf)
        return;
    ivf->invlists->release_codes(static_cast<size_t>(list), codes);
    ivf->invlists->release_ids(static_cast<size_t>(list), ids);
}

/* FAISS's C API has no ids of an IDMap of a binary index; keep until it has. */
void lbh_gap_map_ids(const FaissIndexBinary *index, int64_t n, int64_t *ids)
{
    auto *map = dynamic_cast<const faiss::IndexBinaryIDMap *>(cpp(index));
    if (!map)
        return;
    lbh_gap_map_ids(reinterpret_cast<const FaissIndexBinary *>(map->index), n, ids);
    for (int64_t i = 0; i < n; i++)
        ids[i] = map->id_map[static_cast<size_t>(ids[i])];
}
