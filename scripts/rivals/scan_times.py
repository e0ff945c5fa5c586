"""scan_times.py TASK: one side of scripts/speed.py: the time of a Hamming search, on its standard
output. Both sides make the same codes of the same seed, or load the same index, which side "build"
has written."""
import ctypes
import json
import mmap
import os
import sys
import time

import numpy as np

MADV_NOHUGEPAGE, MADV_HUGEPAGE, MADV_COLLAPSE, HUGE = 15, 14, 25, 2 << 20


def random_codes(seed, n, size):
    return np.random.default_rng(seed).integers(0, 256, (n, size), dtype=np.uint8)


def in_pages(codes, pages):
    """A copy: numpy asks for huge pages here and there, or the machine gives them to all."""
    memory = mmap.mmap(-1, codes.nbytes + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(MADV_HUGEPAGE if pages == "huge" else MADV_NOHUGEPAGE)
    moved = np.frombuffer(memory, dtype=np.uint8)[:codes.nbytes].reshape(codes.shape)
    moved[:] = codes
    return moved


def collapse(address, size):
    """Makes pages that are there already huge ones, as far as they are whole."""
    begin = (address + HUGE - 1) // HUGE * HUGE
    end = (address + size) // HUGE * HUGE
    if begin < end:
        for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):
            ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), advice)


def our_library(task, name):
    library = ctypes.CDLL(os.path.join(task["build"], name))
    ctypes.CDLL("libgomp.so.1").omp_set_num_threads(task["threads"])
    return library


def ours(task, codes, queries, k):
    library = our_library(task, "plugin/liblbh.so")
    search = library.lbh_hamming_search
    search.argtypes = [ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p,
                       ctypes.c_size_t, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    library.lbh_isa.restype = ctypes.c_char_p
    codes = in_pages(codes, task["pages"])
    distances = np.empty((len(queries), k), np.int32)
    labels = np.empty((len(queries), k), np.int64)
    call = (len(queries), queries.ctypes.data, len(codes), codes.ctypes.data, codes.shape[1], k,
            distances.ctypes.data, labels.ctypes.data)
    alive = codes, labels  # the call has addresses only

    def run(alive=alive):
        if search(*call):
            sys.exit("lbh_hamming_search failed")
        return distances
    return [run], f"liblbh ({library.lbh_isa().decode()})"


def faiss(task, codes, queries, k):
    import faiss
    faiss.omp_set_num_threads(task["threads"])
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    if task["pages"] == "huge":
        collapse(int(index.xb.data()), codes.nbytes)

    def mode(heap):
        def run():
            index.use_heap = heap
            return index.search(queries, k)[0]
        return run
    options = faiss.get_compile_options().strip()
    return [mode(True), mode(False)], f"FAISS {faiss.__version__} ({options})"


# ---- The same index, written by FAISS ------------------------------------------------------------

def build(task, codes):
    import faiss
    index = faiss.index_binary_factory(8 * codes.shape[1], task["index"])
    index.train(codes[:task["train"]])
    index.add(codes)
    faiss.write_index_binary(index, task["file"])


def index_ours(task, queries, k):
    library = our_library(task, "c_api/liblbh_faiss.so")
    index = ctypes.c_void_p()
    failed = library.lbh_index_load(ctypes.byref(index), task["file"].encode())
    failed = failed or library.lbh_index_accelerate(ctypes.byref(index))
    failed = failed or library.lbh_index_set(index, task["set"].encode())
    if failed:
        sys.exit("liblbh_faiss does not take the index")
    search = library.lbh_index_search_codes
    search.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, ctypes.c_void_p,
                       ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    distances = np.empty((len(queries), k), np.int32)
    labels = np.empty((len(queries), k), np.int64)
    call = (index, queries.shape[1], len(queries), queries.ctypes.data, k, distances.ctypes.data,
            labels.ctypes.data)

    def run(alive=(queries, labels)):
        if search(*call):
            sys.exit("lbh_index_search_codes failed")
        return distances
    return [run], "liblbh_faiss"


def index_faiss(task, queries, k):
    import faiss
    faiss.omp_set_num_threads(task["threads"])
    index = faiss.read_index_binary(task["file"])
    for assignment in filter(None, task["set"].split(",")):
        name, value = assignment.split("=")
        setattr(index if hasattr(index, name) else index.hnsw, name, int(value))
    return [lambda: index.search(queries, k)[0]], f"FAISS {faiss.__version__}"


def best_time(run):
    """Seconds of the best of three times some calls, a few milliseconds each."""
    began = time.perf_counter()
    run()
    calls = max(1, int(0.003 / (time.perf_counter() - began)))
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(calls):
            run()
        best = min(best, (time.perf_counter() - began) / calls)
    return best


def main():
    task = json.loads(sys.argv[1])
    bits, n, nq, k = task["cell"]
    codes, queries = random_codes(1, n, bits // 8), random_codes(2, nq, bits // 8)
    if task["side"] == "build":
        return build(task, codes)
    if task["index"]:
        sides = {"ours": index_ours, "faiss": index_faiss}
        runs, version = sides[task["side"]](task, queries, k)
    else:
        runs, version = {"ours": ours, "faiss": faiss}[task["side"]](task, codes, queries, k)
    total = int(np.minimum(runs[0](), bits + 1).sum())  # of distances, as a check
    seconds = min(best_time(run) for run in runs)
    print(json.dumps({"seconds": seconds, "build": version, "sum": total}))


main()
