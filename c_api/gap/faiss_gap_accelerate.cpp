/* faiss_gap_accelerate.cpp: IndexBinaryFlat and IndexBinaryIVF with the Hamming search of liblbh, IndexBinaryHNSW
 * with its distances.
 *
 * FAISS writes, clones and casts an index by its dynamic type, and takes a class derived from a
 * stock class for the stock class. So an object of these classes is, to all of FAISS, a stock index
 * that answers sooner. What has parameters of its own for one search (nprobe, an IDSelector) goes
 * to the stock class, which then uses our scanner of inverted lists.
 *
 * FAISS lacks a Hamming scan at the speed of memory, and threads for a single query, in every
 * version; delete when it has them. */
#include "faiss_gap_accelerate.h"

#include "faiss_gap_hnsw.hpp"
#include "faiss_gap_scanner.hpp"

extern "C" {
#include "error.h"
}

#include <algorithm>
#include <climits>
#include <memory>
#include <new>
#include <typeinfo>
#include <utility>
#include <vector>

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHNSW.h>
#include <faiss/IndexBinaryIVF.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVF.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/FaissAssert.h>

namespace
{

using faiss::SearchParameters;

// Our error as FAISS's: it crosses FAISS's code, and whoever called FAISS reports it.
void check(int rc)
{
    if (rc == LBH_ENOMEM)
        throw std::bad_alloc();
    if (rc != LBH_OK)
        FAISS_THROW_FMT("%s", lbh_last_error());
}

// Fills result->lims with counts, lets it allocate, and copies. Queries may come in blocks: those
// of a block are number `first` and the following ones.
void copy_counts(faiss::RangeSearchResult *to, int64_t first, const lbh_range_result &from)
{
    for (int64_t i = 0; i < from.n; i++)
        to->lims[first + i] = static_cast<size_t>(from.lims[i + 1] - from.lims[i]);
}

void copy_answers(faiss::RangeSearchResult *to, int64_t first, const lbh_range_result &from)
{
    size_t at = to->lims[first];
    for (int64_t j = 0; j < from.lims[from.n]; j++, at++) {
        to->labels[at] = from.labels[j];
        to->distances[at] = static_cast<float>(from.distances[j]);
    }
}

// ---- BFlat -------------------------------------------------------------------------------------

struct Flat final : faiss::IndexBinaryFlat {
    explicit Flat(faiss::IndexBinaryFlat &&stock) : IndexBinaryFlat(std::move(stock))
    {
    }

    void search(int64_t n, const uint8_t *x, int64_t k, int32_t *distances, int64_t *labels,
                const SearchParameters *params) const override
    {
        if (params)
            return IndexBinaryFlat::search(n, x, k, distances, labels, params);
        check(lbh_hamming_search(n, x, ntotal, xb.data(), static_cast<size_t>(code_size), k,
                                 distances, labels));
    }

    void range_search(int64_t n, const uint8_t *x, int radius, faiss::RangeSearchResult *result,
                      const SearchParameters *params) const override
    {
        if (params)
            return IndexBinaryFlat::range_search(n, x, radius, result, params);
        lbh_range_result *found = nullptr;
        check(lbh_hamming_range(&found, n, x, ntotal, xb.data(), static_cast<size_t>(code_size),
                                radius));
        Result owner(found);
        copy_counts(result, 0, *found);
        result->do_allocation();
        copy_answers(result, 0, *found);
    }
};

// ---- BIVF --------------------------------------------------------------------------------------

// The lists that some queries probe, taken from the InvertedLists (which may have to fetch them)
// and given back.
class Lists
{
  public:
    Lists(const faiss::InvertedLists *source, const std::vector<int64_t> &keys)
        : source_(source), number_(keys)
    {
        std::sort(number_.begin(), number_.end());
        number_.erase(std::unique(number_.begin(), number_.end()), number_.end());
        if (!number_.empty() && number_.front() < 0)
            number_.erase(number_.begin());
        list_.reserve(number_.size());
    }

    // Each once: lists on a disk are read by it from their first byte to their last.
    void take()
    {
        if (number_.size() <= INT_MAX)
            source_->prefetch_lists(number_.data(), static_cast<int>(number_.size()));
        for (int64_t number : number_) {
            size_t key = static_cast<size_t>(number);
            FAISS_THROW_IF_NOT_MSG(key < source_->nlist, "the quantizer names a list beyond nlist");
            list_.push_back({static_cast<int64_t>(source_->list_size(key)), nullptr, nullptr});
            list_.back().codes = source_->get_codes(key);
            list_.back().ids = source_->get_ids(key);
        }
    }

    ~Lists()
    {
        for (size_t i = 0; i < list_.size(); i++) {
            size_t key = static_cast<size_t>(number_[i]);
            if (list_[i].ids)
                source_->release_ids(key, list_[i].ids);
            if (list_[i].codes)
                source_->release_codes(key, list_[i].codes);
        }
    }

    Lists(const Lists &) = delete;
    Lists &operator=(const Lists &) = delete;

    // Numbers of lists as places in data().
    std::vector<int64_t> places(const std::vector<int64_t> &keys) const
    {
        std::vector<int64_t> place(keys.size(), -1);
        for (size_t i = 0; i < keys.size(); i++)
            if (keys[i] >= 0)
                place[i] =
                    std::lower_bound(number_.begin(), number_.end(), keys[i]) - number_.begin();
        return place;
    }

    const lbh_code_list *data() const
    {
        return list_.data();
    }
    int64_t count() const
    {
        return static_cast<int64_t>(list_.size());
    }

  private:
    const faiss::InvertedLists *source_;
    std::vector<int64_t> number_; // rising
    std::vector<lbh_code_list> list_;
};

struct Ivf final : faiss::IndexBinaryIVF {
    // Shares everything with `stock`, which must give up what it owns.
    explicit Ivf(const faiss::IndexBinaryIVF &stock) : IndexBinaryIVF(stock)
    {
    }

    void search(int64_t n, const uint8_t *x, int64_t k, int32_t *distances, int64_t *labels,
                const SearchParameters *params) const override
    {
        if (params || metric_type != faiss::METRIC_L2)
            return IndexBinaryIVF::search(n, x, k, distances, labels, params);
        for (int64_t i = 0; i < n; i += block_size) {
            int64_t m = std::min(n - i, block_size);
            const uint8_t *xi = x + i * code_size;
            std::vector<int64_t> keys = probe(m, xi);
            cut(m, keys);
            Lists lists(invlists, keys);
            lists.take();
            count(m, keys);
            check(lbh_hamming_search_lists(m, xi, static_cast<size_t>(code_size), probes(),
                                           lists.places(keys).data(), lists.count(), lists.data(),
                                           k, distances + i * k, labels + i * k));
        }
    }

    void range_search(int64_t n, const uint8_t *x, int radius, faiss::RangeSearchResult *result,
                      const SearchParameters *params) const override
    {
        if (params)
            return IndexBinaryIVF::range_search(n, x, radius, result, params);
        std::vector<Result> found;
        for (int64_t i = 0; i < n; i += block_size) {
            int64_t m = std::min(n - i, block_size);
            const uint8_t *xi = x + i * code_size;
            std::vector<int64_t> keys = probe(m, xi);
            Lists lists(invlists, keys);
            lists.take();
            count(m, keys);
            lbh_range_result *one = nullptr;
            check(lbh_hamming_range_lists(&one, m, xi, static_cast<size_t>(code_size), probes(),
                                          lists.places(keys).data(), lists.count(), lists.data(),
                                          radius));
            found.emplace_back(one);
            copy_counts(result, i, *one);
        }
        result->do_allocation();
        for (size_t b = 0; b < found.size(); b++)
            copy_answers(result, static_cast<int64_t>(b) * block_size, *found[b]);
    }

    // Without `override`: later versions have a second parameter, and use their own scanner.
    virtual faiss::BinaryInvertedListScanner *get_InvertedListScanner(bool store_pairs) const
    {
        return new Scanner(static_cast<size_t>(code_size), store_pairs);
    }

  private:
    // Queries that share the reading of a list: of many lists only a large block has several for each.
    static constexpr int64_t block_size = 16384;

    int64_t probes() const
    {
        return static_cast<int64_t>(std::min(nlist, nprobe));
    }

    // The lists nearest to each of m queries, m x probes(), -1 for none.
    std::vector<int64_t> probe(int64_t m, const uint8_t *x) const
    {
        FAISS_THROW_IF_NOT(nprobe > 0);
        size_t count = static_cast<size_t>(m * probes());
        std::vector<int64_t> keys(count);
        std::vector<int32_t> distances(count);
        quantizer->search(m, x, probes(), distances.data(), keys.data());
        return keys;
    }

    // FAISS's statistics, which are of all threads and of all indexes.
    void count(int64_t m, const std::vector<int64_t> &keys) const
    {
        faiss::IndexIVFStats &stats = faiss::indexIVF_stats;
        stats.nq += static_cast<size_t>(m);
        for (int64_t key : keys)
            if (key >= 0) {
                stats.nlist++;
                stats.ndis += invlists->list_size(static_cast<size_t>(key));
            }
    }

    // A query probes no further list once it has seen max_codes codes.
    void cut(int64_t m, std::vector<int64_t> &keys) const
    {
        if (max_codes == 0)
            return;
        size_t nprobes = static_cast<size_t>(probes());
        for (size_t i = 0; i < static_cast<size_t>(m); i++) {
            size_t seen = 0;
            for (size_t j = i * nprobes; j < (i + 1) * nprobes; j++) {
                if (seen >= max_codes)
                    keys[j] = -1;
                else if (keys[j] >= 0)
                    seen += invlists->list_size(static_cast<size_t>(keys[j]));
            }
        }
    }
};

// ---- Putting one in the place of another -------------------------------------------------------

const faiss::IndexBinaryIDMap *as_map(const faiss::IndexBinary *index)
{
    return dynamic_cast<const faiss::IndexBinaryIDMap *>(index);
}

void replace(faiss::IndexBinary *&slot);

faiss::IndexBinary *replaced_flat(faiss::IndexBinaryFlat *stock)
{
    faiss::IndexBinary *made = new Flat(std::move(*stock));
    delete stock;
    return made;
}

faiss::IndexBinary *replaced_ivf(faiss::IndexBinaryIVF *stock)
{
    if (stock->own_fields && stock->quantizer)
        replace(stock->quantizer);
    // The copy below is shallow but for this map, which can be as large as the ids.
    faiss::DirectMap map;
    std::swap(map, stock->direct_map);
    Ivf *made;
    try {
        made = new Ivf(*stock);
    } catch (...) {
        std::swap(map, stock->direct_map);
        throw;
    }
    std::swap(map, made->direct_map);
    stock->own_fields = stock->own_invlists = false;
    delete stock;
    return made;
}

template <class Stock> faiss::IndexBinary *replaced_hnsw(Stock *stock)
{
    if constexpr (!Walks<decltype(stock->hnsw)>::value)
        return stock;
    else {
        // The copy below is shallow but for the graph.
        faiss::HNSW graph;
        std::swap(graph, stock->hnsw);
        Hnsw<Stock> *made;
        try {
            made = new Hnsw<Stock>(*stock);
        } catch (...) {
            std::swap(graph, stock->hnsw);
            throw;
        }
        std::swap(graph, made->hnsw);
        stock->own_fields = false;
        delete stock;
        return made;
    }
}

// Other kinds stay as they are, and so do classes derived from these by others.
void replace(faiss::IndexBinary *&slot)
{
    if (auto *map = dynamic_cast<faiss::IndexBinaryIDMap *>(slot))
        return replace(map->index);
    const std::type_info &type = typeid(*slot);
    if (type == typeid(faiss::IndexBinaryFlat))
        slot = replaced_flat(static_cast<faiss::IndexBinaryFlat *>(slot));
    else if (type == typeid(faiss::IndexBinaryIVF))
        slot = replaced_ivf(static_cast<faiss::IndexBinaryIVF *>(slot));
    else if (type == typeid(faiss::IndexBinaryHNSW) && counts_bits())
        slot = replaced_hnsw(static_cast<faiss::IndexBinaryHNSW *>(slot));
}

} // namespace

int lbh_gap_accelerate(FaissIndexBinary **index)
{
    auto *slot = reinterpret_cast<faiss::IndexBinary *>(*index);
    for (const faiss::IndexBinary *p = slot; auto *map = as_map(p); p = map->index)
        if (!map->own_fields)
            return lbh_error(LBH_EFAISS, "accelerating the index: its IDMap does not own what is "
                                         "under it: accelerate that first, then make the IDMap");
    int rc = LBH_OK;
    try {
        replace(slot);
    } catch (const std::bad_alloc &) {
        rc = lbh_error(LBH_ENOMEM, "accelerating the index: out of memory");
    } catch (...) {
        rc = lbh_error(LBH_EFAISS, "accelerating the index: FAISS failed");
    }
    *index = reinterpret_cast<FaissIndexBinary *>(slot);
    return rc;
}

int lbh_gap_is_accelerated(const FaissIndexBinary *index)
{
    auto *p = reinterpret_cast<const faiss::IndexBinary *>(index);
    while (auto *map = as_map(p))
        p = map->index;
    return dynamic_cast<const Flat *>(p) || dynamic_cast<const Ivf *>(p) ||
           dynamic_cast<const Hnsw<faiss::IndexBinaryHNSW> *>(p);
}
