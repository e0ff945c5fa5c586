// faiss_gap_scanner.hpp: PRIVATE. The scanner of one inverted list, for FAISS's own searches, on the
// Hamming search of liblbh. For faiss_gap_accelerate.cpp.
#ifndef LBH_FAISS_GAP_SCANNER_HPP
#define LBH_FAISS_GAP_SCANNER_HPP

#include "lbh_scan.h"

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <faiss/IndexBinaryIVF.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/utils/Heap.h>

namespace
{

struct FreeResult {
    void operator()(lbh_range_result *result) const
    {
        lbh_range_result_free(result);
    }
};
using Result = std::unique_ptr<lbh_range_result, FreeResult>;

// The scanner that FAISS's own searches in inverted lists ask for.
struct Scanner final : faiss::BinaryInvertedListScanner {
    Scanner(size_t size, bool pairs) : size_(size), pairs_(pairs)
    {
    }

    void set_query(const uint8_t *query) override
    {
        query_ = query;
    }
    void set_list(int64_t number, uint8_t) override
    {
        number_ = number;
    }

    uint32_t distance_to_code(const uint8_t *code) const override
    {
        uint32_t sum = 0;
        for (size_t i = 0; i < size_; i++)
            sum += static_cast<uint32_t>(__builtin_popcount(query_[i] ^ code[i]));
        return sum;
    }

    size_t scan_codes(size_t n, const uint8_t *codes, const int64_t *ids, int32_t *distances,
                      int64_t *labels, size_t k) const override
    {
        const lbh_code_list list = {static_cast<int64_t>(n), codes, pairs_ ? nullptr : ids};
        if (!search(list, k))
            return search_slowly(list, distances, labels, k);
        size_t better = 0;
        for (; better < k && label_[better] != -1 && distance_[better] < distances[0]; better++)
            faiss::heap_replace_top<faiss::CMax<int32_t, int64_t>>(
                k, distances, labels, distance_[better],
                pairs_ ? name(label_[better], nullptr) : label_[better]);
        return better;
    }

    void scan_codes_range(size_t n, const uint8_t *codes, const int64_t *ids, int radius,
                          faiss::RangeQueryResult &result) const override
    {
        const lbh_code_list list = {static_cast<int64_t>(n), codes, nullptr};
        const int64_t which = 0;
        lbh_range_result *found = nullptr;
        if (lbh_hamming_range_lists(&found, 1, query_, size_, 1, &which, 1, &list, radius))
            return range_slowly(list, ids, radius, result);
        Result owner(found);
        for (int64_t j = 0; j < found->lims[1]; j++)
            result.add(static_cast<float>(found->distances[j]), name(found->labels[j], ids));
    }

  private:
    // FAISS scans in a parallel region, from where an exception ends the process: without memory,
    // the same answers are found in a slower way.
    bool search(const lbh_code_list &list, size_t k) const
    {
        const int64_t which = 0;
        try {
            distance_.resize(k);
            label_.resize(k);
        } catch (const std::bad_alloc &) {
            return false;
        }
        return lbh_hamming_search_lists(1, query_, size_, 1, &which, 1, &list,
                                        static_cast<int64_t>(k), distance_.data(),
                                        label_.data()) == LBH_OK;
    }

    // The k nearest by (distance, label), each by a look at all codes.
    size_t search_slowly(const lbh_code_list &list, int32_t *distances, int64_t *labels,
                         size_t k) const
    {
        using answer = std::pair<int64_t, int64_t>;
        answer last(-1, 0);
        for (size_t better = 0;; better++) {
            answer best(INT64_MAX, 0);
            for (int64_t i = 0; better < k && i < list.n; i++) {
                answer a(distance_to_code(list.codes + static_cast<size_t>(i) * size_),
                         list.ids ? list.ids[i] : i);
                if (last < a && a < best)
                    best = a;
            }
            if (best.first >= distances[0])
                return better;
            faiss::heap_replace_top<faiss::CMax<int32_t, int64_t>>(
                k, distances, labels, static_cast<int32_t>(best.first),
                pairs_ ? name(best.second, nullptr) : best.second);
            last = best;
        }
    }

    void range_slowly(const lbh_code_list &list, const int64_t *ids, int radius,
                      faiss::RangeQueryResult &result) const
    {
        for (int64_t i = 0; i < list.n; i++) {
            uint32_t d = distance_to_code(list.codes + static_cast<size_t>(i) * size_);
            if (static_cast<int64_t>(d) < radius)
                result.add(static_cast<float>(d), name(i, ids));
        }
    }

    // What FAISS wants to know of a code: its id, or the list and the place in it.
    int64_t name(int64_t place, const int64_t *ids) const
    {
        // NOLINTNEXTLINE(*NullDereference): FAISS has ids where it does not want pairs
        return pairs_ ? number_ << 32 | place : ids[place];
    }

    size_t size_;
    bool pairs_;
    const uint8_t *query_ = nullptr;
    int64_t number_ = 0;
    mutable std::vector<int32_t> distance_; // of one list, before they go into the heap
    mutable std::vector<int64_t> label_;
};

} // namespace

#endif
