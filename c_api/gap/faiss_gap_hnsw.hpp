// faiss_gap_hnsw.hpp: PRIVATE. IndexBinaryHNSW whose graph is searched with distances of our own: FAISS's walk, and
// its answers. For faiss_gap_accelerate.cpp.
//
// Until FAISS 1.8 the walk is open to a distance of ours; later it takes FAISS's handlers of results, whose form
// changes with versions, and FAISS counts bits by the CPU's instruction itself: such an index stays as it is.
#ifndef LBH_FAISS_GAP_HNSW_HPP
#define LBH_FAISS_GAP_HNSW_HPP

#include <climits>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHNSW.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/FaissAssert.h>
#include <faiss/utils/Heap.h>

#if defined(__x86_64__)
#define LBH_COUNTS_BITS __attribute__((target("popcnt")))
#else
#define LBH_COUNTS_BITS
#endif

namespace
{

inline bool counts_bits()
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("popcnt");
#else
    return true;
#endif
}

// Distances of codes of `Words` words of 8 bytes; 0: of any size.
template <size_t Words> struct BitCounts final : faiss::DistanceComputer {
    BitCounts(const uint8_t *codes, size_t size) : codes_(codes), size_(size), query_(size / 8 + 1)
    {
    }

    void set_query(const float *query) override // of codes: FAISS has one class for both
    {
        std::memcpy(query_.data(), query, size_);
    }
    LBH_COUNTS_BITS float operator()(int64_t i) override
    {
        return static_cast<float>(count(code(i), reinterpret_cast<const uint8_t *>(query_.data())));
    }
    LBH_COUNTS_BITS float symmetric_dis(int64_t i, int64_t j) override
    {
        return static_cast<float>(count(code(i), code(j)));
    }

  private:
    const uint8_t *code(int64_t i) const
    {
        return codes_ + static_cast<size_t>(i) * size_;
    }

    LBH_COUNTS_BITS int count(const uint8_t *a, const uint8_t *b) const
    {
        const size_t words = Words ? Words : size_ / 8;
        int sum = 0;
        for (size_t w = 0; w < words; w++) {
            uint64_t x, y;
            std::memcpy(&x, a + 8 * w, 8);
            std::memcpy(&y, b + 8 * w, 8);
            sum += __builtin_popcountll(x ^ y);
        }
        for (size_t i = 8 * words; Words == 0 && i < size_; i++)
            sum += __builtin_popcount(static_cast<unsigned>(a[i] ^ b[i]));
        return sum;
    }

    const uint8_t *codes_;
    size_t size_;
    std::vector<uint64_t> query_;
};

inline std::unique_ptr<faiss::DistanceComputer> bit_counts(const uint8_t *codes, size_t size)
{
    using Made = std::unique_ptr<faiss::DistanceComputer>;
    switch (size) {
    case 8:
        return Made(new BitCounts<1>(codes, size));
    case 16:
        return Made(new BitCounts<2>(codes, size));
    case 32:
        return Made(new BitCounts<4>(codes, size));
    case 64:
        return Made(new BitCounts<8>(codes, size));
    case 128:
        return Made(new BitCounts<16>(codes, size));
    default:
        return Made(new BitCounts<0>(codes, size));
    }
}

// FAISS's walk for one query.
template <class Graph>
auto walk(const Graph &graph, faiss::DistanceComputer &from, int k, int64_t *labels, float *distances,
          faiss::VisitedTable &seen)
    -> decltype(graph.search(from, k, labels, distances, seen), void())
{
    graph.search(from, k, labels, distances, seen);
}

template <class Graph, class = void> struct Walks : std::false_type {
};
template <class Graph>
struct Walks<Graph, decltype(walk(std::declval<const Graph &>(), std::declval<faiss::DistanceComputer &>(), 1,
                                  nullptr, nullptr, std::declval<faiss::VisitedTable &>()))>
    : std::true_type {
};

template <class Stock> struct Hnsw final : Stock {
    // Shares everything with `stock`, which must give up what it owns, but for the graph, which was taken out.
    explicit Hnsw(const Stock &stock) : Stock(stock)
    {
    }

    void search(int64_t n, const uint8_t *x, int64_t k, int32_t *distances, int64_t *labels,
                const faiss::SearchParameters *params) const override
    {
        auto *flat = dynamic_cast<const faiss::IndexBinaryFlat *>(this->storage);
        if (params || !flat || k < 1 || k > INT_MAX)
            return Stock::search(n, x, k, distances, labels, params);
        const size_t size = static_cast<size_t>(this->code_size);
        bool failed = false;
#pragma omp parallel if (n > 1)
        {
            std::unique_ptr<faiss::DistanceComputer> from;
            std::unique_ptr<faiss::VisitedTable> seen;
            std::vector<float> near;
            try { // an exception that left the region would end the process
                from = bit_counts(flat->xb.data(), size);
                seen = take_table();
                near.resize(static_cast<size_t>(k));
            } catch (...) {
#pragma omp atomic write
                failed = true;
                from.reset();
            }
#pragma omp for schedule(dynamic, 16)
            for (int64_t i = 0; i < n; i++) {
                if (!from)
                    continue;
                int64_t *label = labels + i * k;
                const void *query = x + static_cast<size_t>(i) * size;
                from->set_query(static_cast<const float *>(query));
                faiss::maxheap_heapify(static_cast<size_t>(k), near.data(), label);
                walk(this->hnsw, *from, static_cast<int>(k), label, near.data(), *seen);
                faiss::maxheap_reorder(static_cast<size_t>(k), near.data(), label);
                for (int64_t j = 0; j < k; j++)
                    distances[i * k + j] =
                        label[j] < 0 ? INT32_MAX : static_cast<int32_t>(near[static_cast<size_t>(j)]);
            }
            give_table(std::move(seen));
        }
        if (failed)
            throw std::bad_alloc();
    }

  private:
    // Which codes a query has seen: a byte for each, cleared once for 250 queries. FAISS makes one for each call,
    // which takes longer than a query. These are kept.
    std::unique_ptr<faiss::VisitedTable> take_table() const
    {
        {
            std::lock_guard<std::mutex> hold(lock_);
            while (!table_.empty()) {
                auto table = std::move(table_.back());
                table_.pop_back();
                if (table->visited.size() == static_cast<size_t>(this->ntotal))
                    return table;
            }
        }
        return std::make_unique<faiss::VisitedTable>(static_cast<int>(this->ntotal));
    }
    void give_table(std::unique_ptr<faiss::VisitedTable> table) const
    {
        if (!table)
            return;
        table->advance();
        std::lock_guard<std::mutex> hold(lock_);
        try {
            table_.push_back(std::move(table));
        } catch (...) { // then the next call makes its own
        }
    }

    mutable std::mutex lock_;
    mutable std::vector<std::unique_ptr<faiss::VisitedTable>> table_;
};

} // namespace

#endif
