// test_shards_faiss.cpp: FAISS's IndexBinaryShards over our accelerated indexes gives the answers of one
// index of all codes. In C++ because FAISS's C API has no shards of binary indexes.
#include "lbh_faiss.h"

#include <criterion/criterion.h>
#include <memory>
#include <string>
#include <vector>

#include <faiss/IndexBinary.h>
#include <faiss/IndexShards.h>

namespace
{

constexpr int size = 8, n = 9000, nq = 40, k = 12, shards = 3;

std::vector<uint8_t> codes(int count, unsigned seed)
{
    std::vector<uint8_t> c(static_cast<size_t>(count * size));
    for (size_t i = 0; i < c.size(); i++) {
        seed = seed * 1664525 + 1013904223;
        c[i] = static_cast<uint8_t>(seed >> 24 & seed >> 16);
    }
    return c;
}

const std::vector<uint8_t> base = codes(n, 1), query = codes(nq, 2);

void ok(int rc)
{
    cr_assert_eq(rc, LBH_OK, "%s", lbh_last_error());
}

// Of one trained index, so that lists are the same in all shards.
std::unique_ptr<faiss::IndexBinary> filled(const char *factory, int first, int count,
                                           const int64_t *ids)
{
    FaissIndexBinary *index = nullptr;
    ok(lbh_index_new(&index, size, factory));
    ok(lbh_index_train_codes(index, size, n, base.data()));
    ok(lbh_index_add_codes(index, size, count, base.data() + first * size, ids));
    if (std::string(factory).find("BIVF") != std::string::npos)
        ok(lbh_index_set(index, "nprobe=5"));
    ok(lbh_index_accelerate(&index));
    cr_assert(lbh_index_is_accelerated(index));
    return std::unique_ptr<faiss::IndexBinary>(reinterpret_cast<faiss::IndexBinary *>(index));
}

struct Answers {
    std::vector<int32_t> distances = std::vector<int32_t>(nq * k);
    std::vector<int64_t> labels = std::vector<int64_t>(nq * k);
};

// own_ids: the shards' codes have the ids of the whole, else places, which FAISS counts on.
void compare(const char *factory, bool own_ids, bool threaded)
{
    std::vector<std::unique_ptr<faiss::IndexBinary>> parts;
    faiss::IndexBinaryShards all(size * 8, threaded, !own_ids);
    for (int s = 0; s < shards; s++) {
        int first = n * s / shards, count = n * (s + 1) / shards - first;
        std::vector<int64_t> ids;
        for (int i = 0; i < count; i++)
            ids.push_back(first + i);
        parts.push_back(filled(factory, first, count, own_ids ? ids.data() : nullptr));
        all.add_shard(parts.back().get());
    }
    auto whole = filled(factory, 0, n, nullptr);
    Answers one, many;
    whole->search(nq, query.data(), k, one.distances.data(), one.labels.data());
    all.search(nq, query.data(), k, many.distances.data(), many.labels.data());
    cr_assert(one.distances == many.distances, "%s: distances", factory);
    // FAISS merges by distance alone: which of equally near codes it keeps is its affair.
    for (int q = 0; q < nq; q++)
        for (int i = 0; i < k; i++) {
            int distance = 0;
            const uint8_t *code = base.data() + many.labels[q * k + i] * size;
            for (int b = 0; b < size; b++)
                distance += __builtin_popcount(code[b] ^ query[static_cast<size_t>(q * size + b)]);
            cr_assert_eq(distance, many.distances[q * k + i], "%s: the code of an id", factory);
            for (int j = 0; j < i; j++)
                cr_assert_neq(many.labels[q * k + i], many.labels[q * k + j], "%s: twice", factory);
        }
    int nearer = 0;
    for (int q = 0; q < nq; q++)
        for (int i = 0; i < k; i++)
            if (one.distances[q * k + i] < one.distances[q * k + k - 1]) {
                bool found = false;
                for (int j = 0; j < k; j++)
                    found |= many.labels[q * k + j] == one.labels[q * k + i];
                cr_assert(found, "%s: an answer nearer than the last is missing", factory);
                nearer++;
            }
    cr_assert_gt(nearer, nq, "there are answers to compare");
}

} // namespace

Test(shards, flat)
{
    compare("BFlat", false, false);
    compare("BFlat", false, true);
    compare("IDMap,BFlat", true, false);
}

Test(shards, ivf)
{
    compare("BIVF30", true, false);
    compare("BIVF30", true, true);
    compare("IDMap,BIVF30", true, true);
}
