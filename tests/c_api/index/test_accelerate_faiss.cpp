// accelerate_faiss.cpp: what only FAISS's C++ interface reaches in accelerated indexes: the scanner
// of inverted lists, and lists that are no arrays. In C++ because FAISS's C API has neither.
#include "lbh_faiss.h"

#include <criterion/criterion.h>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryIVF.h>
#include <faiss/IndexIVF.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/invlists/InvertedLists.h>

namespace
{

constexpr int d = 64, n = 3000, nq = 25, k = 15, nlist = 20, code_size = d / 8;

std::vector<uint8_t> codes(int count, unsigned seed)
{
    std::vector<uint8_t> c(static_cast<size_t>(count * code_size));
    for (size_t i = 0; i < c.size(); i++) {
        seed = seed * 1664525 + 1013904223;
        c[i] = static_cast<uint8_t>(seed >> 24 & seed >> 16);
    }
    return c;
}

const std::vector<uint8_t> base = codes(n, 1), query = codes(nq, 2);

faiss::IndexBinaryIVF *stock_ivf()
{
    auto *quantizer = new faiss::IndexBinaryFlat(d);
    quantizer->add(nlist, codes(nlist, 3).data());
    auto *ivf = new faiss::IndexBinaryIVF(quantizer, d, nlist);
    ivf->own_fields = true;
    ivf->is_trained = true;
    ivf->add(n, base.data());
    ivf->nprobe = 6;
    return ivf;
}

template <class Index> Index *accelerated(faiss::IndexBinary *index)
{
    auto *handle = reinterpret_cast<FaissIndexBinary *>(index);
    cr_assert_eq(lbh_index_accelerate(&handle), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_index_is_accelerated(handle), 1);
    auto *cast = dynamic_cast<Index *>(reinterpret_cast<faiss::IndexBinary *>(handle));
    cr_assert_not_null(cast, "the stock class casts to it");
    return cast;
}

using Ivf = std::unique_ptr<faiss::IndexBinaryIVF>;

struct Answers {
    std::vector<int32_t> distances = std::vector<int32_t>(nq * k);
    std::vector<int64_t> labels = std::vector<int64_t>(nq * k);
};

int distance(const uint8_t *a, const uint8_t *b)
{
    int sum = 0;
    for (int i = 0; i < code_size; i++)
        sum += __builtin_popcount(a[i] ^ b[i]);
    return sum;
}

// Lists that must be fetched and given back: copies, counted.
struct Fetched : faiss::InvertedLists {
    explicit Fetched(const faiss::InvertedLists *source)
        : InvertedLists(source->nlist, source->code_size), source(source)
    {
    }

    size_t list_size(size_t list) const override
    {
        return source->list_size(list);
    }

    const uint8_t *get_codes(size_t list) const override
    {
        auto *copy = new uint8_t[list_size(list) * code_size + 1];
        std::memcpy(copy, source->get_codes(list), list_size(list) * code_size);
        out.insert(copy);
        fetched++;
        return copy;
    }

    const int64_t *get_ids(size_t list) const override
    {
        auto *copy = new int64_t[list_size(list) + 1];
        std::memcpy(copy, source->get_ids(list), list_size(list) * sizeof *copy);
        out.insert(copy);
        fetched++;
        return copy;
    }

    void release_codes(size_t, const uint8_t *copy) const override
    {
        cr_assert_eq(out.erase(copy), 1);
        delete[] copy;
    }

    void release_ids(size_t, const int64_t *copy) const override
    {
        cr_assert_eq(out.erase(copy), 1);
        delete[] copy;
    }

    size_t add_entries(size_t, size_t, const int64_t *, const uint8_t *) override
    {
        return 0;
    }
    void update_entries(size_t, size_t, size_t, const int64_t *, const uint8_t *) override
    {
    }
    void resize(size_t, size_t) override
    {
    }

    const faiss::InvertedLists *source;
    mutable std::set<const void *> out;
    mutable int fetched = 0;
};

} // namespace

Test(c_api_accelerate_faiss, lists_are_fetched_and_given_back)
{
    Ivf stock(stock_ivf()), fast(stock_ivf());
    Fetched lists(stock->invlists);
    fast->replace_invlists(&lists, false);
    fast.reset(accelerated<faiss::IndexBinaryIVF>(fast.release()));
    Answers a, b;
    stock->search(nq, query.data(), k, a.distances.data(), a.labels.data());
    fast->search(nq, query.data(), k, b.distances.data(), b.labels.data());
    cr_assert(a.distances == b.distances);
    cr_assert_gt(lists.fetched, 0);
    cr_assert(lists.out.empty(), "%zu lists are still out", lists.out.size());
    faiss::RangeSearchResult found(nq);
    fast->range_search(nq, query.data(), 12, &found);
    cr_assert_gt(found.lims[nq], 0);
    cr_assert(lists.out.empty(), "%zu lists are still out", lists.out.size());
    // An error on the way gives them back, too.
    cr_assert_throw(fast->search(nq, query.data(), 0, b.distances.data(), b.labels.data()),
                    std::exception);
    cr_assert(lists.out.empty(), "%zu lists are still out", lists.out.size());
}

Test(c_api_accelerate_faiss, nothing_is_copied)
{
    auto *flat = new faiss::IndexBinaryFlat(d);
    flat->add(n, base.data());
    flat->use_heap = false;
    const uint8_t *where = flat->xb.data();
    std::unique_ptr<faiss::IndexBinaryFlat> fast(accelerated<faiss::IndexBinaryFlat>(flat));
    cr_assert_eq(fast->xb.data(), where);
    cr_assert_eq(fast->ntotal, n);
    cr_assert_eq(fast->use_heap, false);
    Ivf ivf(stock_ivf());
    ivf->make_direct_map();
    ivf->max_codes = 1234;
    const faiss::InvertedLists *lists = ivf->invlists;
    ivf.reset(accelerated<faiss::IndexBinaryIVF>(ivf.release()));
    cr_assert_eq(ivf->invlists, lists);
    cr_assert_eq(ivf->max_codes, 1234);
    uint8_t code[code_size];
    ivf->reconstruct(77, code); // by the direct map
    cr_assert_arr_eq(code, base.data() + 77 * code_size, code_size);
}

// search_preassigned() is not virtual: FAISS's own loop with our scanner.
Test(c_api_accelerate_faiss, scanner)
{
    Ivf stock(stock_ivf()), fast(accelerated<faiss::IndexBinaryIVF>(stock_ivf()));
    std::vector<int64_t> keys(nq * 6);
    std::vector<int32_t> coarse(nq * 6);
    stock->quantizer->search(nq, query.data(), 6, coarse.data(), keys.data());
    for (int pairs = 0; pairs < 2; pairs++) {
        Answers a, b;
        stock->search_preassigned(nq, query.data(), k, keys.data(), coarse.data(),
                                  a.distances.data(), a.labels.data(), pairs);
        fast->search_preassigned(nq, query.data(), k, keys.data(), coarse.data(),
                                 b.distances.data(), b.labels.data(), pairs);
        cr_assert(a.distances == b.distances);
        for (int i = 0; i < nq * k; i++) {
            int64_t id = b.labels[static_cast<size_t>(i)];
            if (pairs)
                id = fast->invlists->get_single_id(static_cast<size_t>(id >> 32),
                                                   static_cast<size_t>(id & 0xffffffff));
            cr_assert_eq(distance(query.data() + i / k * code_size, base.data() + id * code_size),
                         b.distances[static_cast<size_t>(i)]);
        }
    }
    faiss::RangeSearchResult a(nq), b(nq);
    stock->range_search_preassigned(nq, query.data(), 14, keys.data(), coarse.data(), &a);
    fast->range_search_preassigned(nq, query.data(), 14, keys.data(), coarse.data(), &b);
    cr_assert_arr_eq(a.lims, b.lims, (nq + 1) * sizeof *a.lims);
    for (int q = 0; q < nq; q++)
        cr_assert(std::set<int64_t>(a.labels + a.lims[q], a.labels + a.lims[q + 1]) ==
                  std::set<int64_t>(b.labels + b.lims[q], b.labels + b.lims[q + 1]));
    std::unique_ptr<faiss::BinaryInvertedListScanner> scanner(fast->get_InvertedListScanner());
    scanner->set_query(query.data());
    cr_assert_eq(scanner->distance_to_code(base.data()), distance(query.data(), base.data()));
}

Test(c_api_accelerate_faiss, search_and_reconstruct)
{
    Ivf stock(stock_ivf()), fast(accelerated<faiss::IndexBinaryIVF>(stock_ivf()));
    Answers a, b;
    std::vector<uint8_t> found(static_cast<size_t>(nq * k) *
                               d); // FAISS strides by d in some versions
    stock->search(nq, query.data(), k, a.distances.data(), a.labels.data());
    fast->search_and_reconstruct(nq, query.data(), k, b.distances.data(), b.labels.data(),
                                 found.data());
    cr_assert(a.distances == b.distances);
}

// A BIVF that uses somebody else's quantizer leaves it alone.
Test(c_api_accelerate_faiss, borrowed_quantizer)
{
    faiss::IndexBinaryFlat quantizer(d);
    quantizer.add(nlist, codes(nlist, 3).data());
    auto *ivf = new faiss::IndexBinaryIVF(&quantizer, d, nlist);
    ivf->is_trained = true;
    ivf->add(n, base.data());
    Ivf fast(accelerated<faiss::IndexBinaryIVF>(ivf));
    cr_assert_eq(fast->quantizer, &quantizer);
    Answers a;
    fast->search(nq, query.data(), k, a.distances.data(), a.labels.data());
    fast.reset();
    cr_assert_eq(quantizer.ntotal, nlist);
}

// nlist counts the lists that were visited, ndis the codes in them, and a query visits no further list
// once it has seen max_codes codes.
Test(c_api_accelerate_faiss, statistics_and_max_codes)
{
    Ivf fast(accelerated<faiss::IndexBinaryIVF>(stock_ivf()));
    const size_t nprobe = fast->nprobe;
    std::vector<int64_t> keys(static_cast<size_t>(nq) * nprobe);
    std::vector<int32_t> coarse(keys.size());
    fast->quantizer->search(nq, query.data(), static_cast<int64_t>(nprobe), coarse.data(),
                            keys.data());
    // the first list of the first query is just enough
    size_t enough = fast->invlists->list_size(static_cast<size_t>(keys[0]));
    for (size_t most : {size_t(0), size_t(1), enough, enough + 1, size_t(500), size_t(n)}) {
        size_t lists = 0, seen_by_all = 0;
        Answers found;
        for (size_t q = 0; q < nq; q++) {
            std::multiset<int32_t> all;
            size_t seen = 0;
            for (size_t j = 0; j < nprobe && (most == 0 || seen < most); j++) {
                size_t list = static_cast<size_t>(keys[q * nprobe + j]);
                const uint8_t *in_list = fast->invlists->get_codes(list);
                size_t size = fast->invlists->list_size(list);
                for (size_t i = 0; i < size; i++)
                    all.insert(distance(query.data() + q * code_size, in_list + i * code_size));
                seen += size;
                lists++;
            }
            seen_by_all += seen;
            auto next = all.begin();
            for (size_t j = 0; j < k; j++)
                found.distances[q * k + j] = next == all.end() ? INT32_MAX : *next++;
        }
        Answers given;
        fast->max_codes = most;
        faiss::indexIVF_stats.reset();
        fast->search(nq, query.data(), k, given.distances.data(), given.labels.data());
        cr_assert(given.distances == found.distances, "max_codes %zu", most);
        cr_assert_eq(faiss::indexIVF_stats.nq, nq);
        cr_assert_eq(faiss::indexIVF_stats.nlist, lists, "max_codes %zu", most);
        cr_assert_eq(faiss::indexIVF_stats.ndis, seen_by_all, "max_codes %zu", most);
    }
}

// Lists are learned from rows of the whole set: here it is sorted by clusters, and the first of four
// has as many rows as learning takes.
Test(c_api_accelerate_faiss, lists_are_learned_from_all_rows)
{
    constexpr int lists = 4, cluster = 256 * lists, rows = 4 * cluster;
    const std::vector<uint8_t> centre = codes(lists, 5), noise = codes(rows, 6), more = codes(rows, 7);
    std::vector<uint8_t> sorted(noise.size());
    for (size_t i = 0; i < sorted.size(); i++) {
        size_t c = i / (cluster * code_size);
        uint8_t flips = static_cast<uint8_t>(noise[i] & more[i] & noise[(i + 3) % noise.size()]);
        sorted[i] = static_cast<uint8_t>(centre[c * code_size + i % code_size] ^ flips);
    }
    FaissIndexBinary *handle = nullptr;
    cr_assert_eq(lbh_index_build_codes(&handle, code_size, "BIVF4", rows, sorted.data()), LBH_OK);
    auto *ivf = dynamic_cast<faiss::IndexBinaryIVF *>(reinterpret_cast<faiss::IndexBinary *>(handle));
    std::vector<int32_t> gap(rows);
    std::vector<int64_t> list(rows);
    ivf->quantizer->search(rows, sorted.data(), 1, gap.data(), list.data());
    for (int c = 0; c < 4; c++) {
        double sum = 0;
        for (int i = c * cluster; i < (c + 1) * cluster; i++)
            sum += gap[static_cast<size_t>(i)];
        cr_assert(sum / cluster < 8, "cluster %d is %g bits from its list's centre", c, sum / cluster);
    }
    lbh_index_free(handle);
}
