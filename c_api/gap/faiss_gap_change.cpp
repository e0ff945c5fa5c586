/* faiss_gap_change.cpp: adding and removing that succeed or leave the index as it was, also when
 * memory runs out (see faiss_gap_life.h; the rules are those of faiss_gap.cpp).
 *
 * FAISS adds and removes in steps, and an exception between two of them leaves parts of an index that
 * do not belong together: an IDMap whose index has more codes than it has ids, say, which reads
 * beyond its map in the next search. Here what may fail comes first, or is taken back. */
#include "faiss_gap.hpp"
#include "faiss_gap_life.h"

#include <memory>
#include <unordered_map>
#include <vector>

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHNSW.h>
#include <faiss/IndexBinaryHash.h>
#include <faiss/IndexBinaryIVF.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/AuxIndexStructures.h>

namespace {

using idx = int64_t;
using faiss::IndexBinaryIDMap;
using faiss::IndexBinaryIDMap2;
using faiss::IndexBinaryIVF;

// ---- Adding ------------------------------------------------------------------------------------

// Makes a list end before the first id that is not below `total`: ids of one list rise with the
// places that were added.
template <class Ids> size_t cut(Ids &ids, idx total)
{
    while (!ids.empty() && ids.back() >= total)
        ids.pop_back();
    return ids.size();
}

// An index without IDMap, and what it takes to bring it back to what it was. Ids are places.
class Rollback
{
  public:
    // NOLINTNEXTLINE(clang-analyzer-core*): a failed dynamic_cast does not mean NULL
    explicit Rollback(faiss::IndexBinary *index) : index_(index), total_(index->ntotal)
    {
        if (auto *ivf = dynamic_cast<IndexBinaryIVF *>(index))
            for (size_t list = 0; list < ivf->nlist; list++)
                sizes_.push_back(ivf->invlists->list_size(list));
        if (auto *hnsw = dynamic_cast<faiss::IndexBinaryHNSW *>(index))
            rng_.push_back(hnsw->hnsw.rng);
    }

    // To be called before codes are added in parts, of which the first may stay when a later one fails: what
    // sizes and places do not tell. Linking codes of a BHNSW changes the links that there are.
    void keep()
    {
        if (auto *hash = dynamic_cast<faiss::IndexBinaryHash *>(index_)) {
            for (const auto &list : hash->invlists)
                buckets_[list.first] = list.second.ids.size();
            kept_ = true;
        }
        auto *hnsw = dynamic_cast<faiss::IndexBinaryHNSW *>(index_);
        if (!hnsw)
            return;
        links_.assign(hnsw->hnsw.neighbors.begin(), hnsw->hnsw.neighbors.end());
        entry_ = hnsw->hnsw.entry_point;
        level_ = hnsw->hnsw.max_level;
        kept_ = true;
    }

    // Needs no memory: everything only becomes shorter.
    void run(bool ids_are_places)
    {
        if (auto *ivf = dynamic_cast<IndexBinaryIVF *>(index_)) {
            for (size_t list = 0; list < sizes_.size(); list++)
                if (ivf->invlists->list_size(list) > sizes_[list])
                    ivf->invlists->resize(list, sizes_[list]);
        } else if (auto *hash = dynamic_cast<faiss::IndexBinaryHash *>(index_)) {
            if (!kept_ && !ids_are_places)
                return;
            for (auto &list : hash->invlists) {
                auto before = buckets_.find(list.first);
                if (kept_)
                    list.second.ids.resize(before == buckets_.end() ? 0 : before->second);
                size_t size = kept_ ? list.second.ids.size() : cut(list.second.ids, total_);
                list.second.vecs.resize(size * static_cast<size_t>(hash->code_size));
            }
        } else if (auto *multi = dynamic_cast<faiss::IndexBinaryMultiHash *>(index_)) {
            for (auto &map : multi->maps)
                for (auto &list : map)
                    cut(list.second, total_);
            shorten(multi->storage);
        } else if (auto *hnsw = dynamic_cast<faiss::IndexBinaryHNSW *>(index_)) {
            size_t total = static_cast<size_t>(total_);
            if (kept_) { // else nothing is linked to the new ones yet
                std::copy(links_.begin(), links_.end(), hnsw->hnsw.neighbors.begin());
                hnsw->hnsw.entry_point = entry_;
                hnsw->hnsw.max_level = level_;
            }
            hnsw->hnsw.levels.resize(std::min(total, hnsw->hnsw.levels.size()));
            hnsw->hnsw.offsets.resize(std::min(total + 1, hnsw->hnsw.offsets.size()));
            hnsw->hnsw.neighbors.resize(hnsw->hnsw.offsets.back());
            hnsw->hnsw.rng = rng_.front();
            shorten(hnsw->storage);
        } else {
            shorten(index_);
        }
        index_->ntotal = total_; // NOLINT(clang-analyzer-core*): as above
    }

  private:
    void shorten(faiss::IndexBinary *index) const
    {
        auto *flat = dynamic_cast<faiss::IndexBinaryFlat *>(index);
        if (!flat || flat->ntotal <= total_)
            return;
        flat->ntotal = total_;
        flat->xb.resize(static_cast<size_t>(total_) * static_cast<size_t>(flat->code_size));
    }

    faiss::IndexBinary *index_;
    idx total_;
    std::vector<size_t> sizes_;               // of the lists of BIVF
    std::unordered_map<idx, size_t> buckets_; // of BHash, by key: their sizes
    std::vector<faiss::RandomGenerator> rng_; // of BHNSW's levels
    std::vector<faiss::HNSW::storage_idx_t> links_;
    faiss::HNSW::storage_idx_t entry_ = -1;
    int level_ = -1;
    bool kept_ = false;
};

// Codes of n that go into an index at a time: less than a tenth of a second, then it may be stopped. (FAISS
// links those of one call by falling level; a graph that is built in parts is as good.)
idx part_of(const faiss::IndexBinary *kind, idx n)
{
    if (auto *hnsw = dynamic_cast<const faiss::IndexBinaryHNSW *>(kind))
        return std::max<idx>(64, 32768 / std::max(1, hnsw->hnsw.nb_neighbors(1)));
    if (auto *multi = dynamic_cast<const faiss::IndexBinaryMultiHash *>(kind))
        return std::max<idx>(1024, (1 << 16) / std::max(1, multi->nhash));
    if (dynamic_cast<const faiss::IndexBinaryHash *>(kind) || dynamic_cast<const IndexBinaryIVF *>(kind))
        return 1 << 16;
    return n;
}

// As index->add(_with_ids) of `kind`, which is that of the index under an IDMap.
void add_in_parts(faiss::IndexBinary *index, const faiss::IndexBinary *kind, Rollback &before, idx n,
                  const uint8_t *codes, const idx *ids)
{
    idx part = part_of(kind, n);
    if (part < n)
        before.keep();
    for (idx i = 0; i < n; i += part) {
        idx m = std::min(part, n - i);
        const uint8_t *some = codes + i * index->d / 8;
        if (ids)
            index->add_with_ids(m, some, ids + i);
        else
            index->add(m, some);
        if (i + m < n && lbh_watch_poll())
            throw std::runtime_error("cancelled");
    }
}

// Room for n ids more, in all of an IDMap's tables. Returns the ids that are new to IDMap2's table,
// which has them from now on.
std::vector<idx> make_room(IndexBinaryIDMap &map, idx n, const idx *ids)
{
    std::vector<idx> entered;
    size_t need = map.id_map.size() + static_cast<size_t>(n);
    if (need > map.id_map.capacity())
        map.id_map.reserve(std::max(need, 2 * map.id_map.capacity()));
    auto *map2 = dynamic_cast<IndexBinaryIDMap2 *>(&map);
    if (!map2)
        return entered;
    entered.reserve(static_cast<size_t>(n));
    try {
        for (idx i = 0; i < n; i++) {
            if (map2->rev_map.emplace(ids[i], 0).second)
                entered.push_back(ids[i]);
            if ((i + 1) % (1 << 16) == 0 && lbh_watch_poll())
                throw std::runtime_error("cancelled");
        }
    } catch (...) {
        for (idx id : entered)
            map2->rev_map.erase(id);
        throw;
    }
    return entered;
}

void add_with_ids(IndexBinaryIDMap &map, idx n, const uint8_t *codes, const idx *ids)
{
    Rollback before(map.index);
    std::vector<idx> entered = make_room(map, n, ids);
    size_t total = map.id_map.size();
    try {
        add_in_parts(&map, map.index, before, n, codes, ids);
    } catch (...) {
        before.run(true);
        map.id_map.resize(total);
        map.ntotal = static_cast<idx>(total);
        if (auto *map2 = dynamic_cast<IndexBinaryIDMap2 *>(&map))
            for (idx id : entered)
                map2->rev_map.erase(id);
        throw;
    }
}

// ---- Removing ----------------------------------------------------------------------------------

// Gives the codes in the lists of an IVF index under IDMap, whose ids are places in the map, new
// ids.
void renumber(IndexBinaryIVF &ivf, const std::vector<idx> &place)
{
    for (std::size_t list = 0; list < ivf.nlist; list++) {
        std::size_t n = ivf.invlists->list_size(list);
        for (std::size_t i = 0; i < n; i++) {
            idx id = ivf.invlists->get_single_id(list, i);
            faiss::InvertedLists::ScopedCodes code(ivf.invlists, list, i);
            ivf.invlists->update_entry(list, i, place[static_cast<std::size_t>(id)], code.get());
        }
    }
}

// The place of each row of a map after the chosen ones are gone; -1 for those.
std::vector<idx> places_after(const IndexBinaryIDMap &map, const faiss::IDSelector &chosen)
{
    std::vector<idx> place;
    idx next = 0;
    place.reserve(map.id_map.size());
    for (idx id : map.id_map)
        place.push_back(chosen.is_member(id) ? -1 : next++);
    return place;
}

struct Gone final : faiss::IDSelector {
    explicit Gone(const std::vector<idx> &p) : place(p)
    {
    }
    bool is_member(idx id) const override
    {
        return place[static_cast<size_t>(id)] < 0;
    }
    const std::vector<idx> &place;
};

idx remove(IndexBinaryIDMap &map, const faiss::IDSelector &chosen)
{
    std::vector<idx> place = places_after(map, chosen);
    idx removed = static_cast<idx>(map.index->remove_ids(Gone(place)));
    // From here on nothing needs memory.
    auto *map2 = dynamic_cast<IndexBinaryIDMap2 *>(&map);
    for (size_t i = 0; map2 && i < place.size(); i++)
        if (place[i] < 0)
            map2->rev_map.erase(map.id_map[i]);
    for (size_t i = 0; i < place.size(); i++)
        if (place[i] >= 0) {
            map.id_map[static_cast<size_t>(place[i])] = map.id_map[i];
            if (map2)
                map2->rev_map.find(map.id_map[i])->second = place[i];
        }
    map.ntotal = map.index->ntotal;
    map.id_map.resize(static_cast<size_t>(map.ntotal));
    if (auto *ivf = dynamic_cast<IndexBinaryIVF *>(map.index))
        renumber(*ivf, place);
    return removed;
}

} // namespace

/* FAISS's C API copies what was thrown as a std::exception, so that a lack of memory cannot be told
 * from other errors, and FAISS leaves what it has half added, in all versions; keep. */
int lbh_gap_add(FaissIndexBinary *index, int64_t n, const uint8_t *codes, const int64_t *ids)
{
    return guarded("adding to the index", [&] {
        faiss::IndexBinary *p = cpp(index);
        if (auto *map = dynamic_cast<IndexBinaryIDMap *>(p))
            return add_with_ids(*map, n, codes, ids);
        Rollback before(p);
        try {
            add_in_parts(p, p, before, n, codes, ids);
        } catch (...) {
            before.run(!ids);
            throw;
        }
    });
}

/* FAISS's C API prints exceptions (as lbh_gap_train). FAISS's IDMap, in all versions to 1.15,
 * closes the gaps in its map but leaves the ids of a BIVF under it, which are places in that map,
 * as they were, and IDMap2 makes its table anew, for which there may be no memory; keep. */
int lbh_gap_remove_ids(FaissIndexBinary *index, int64_t n, const int64_t *ids, int64_t *removed)
{
    return guarded("removing from the index", [&] {
        faiss::IDSelectorBatch chosen(static_cast<std::size_t>(n), ids);
        if (auto *map = dynamic_cast<IndexBinaryIDMap *>(cpp(index)))
            *removed = remove(*map, chosen);
        else
            *removed = static_cast<int64_t>(cpp(index)->remove_ids(chosen));
    });
}
