#!/usr/bin/env python3
"""test_export.py LBH [PATH | --newest SCRIPTS VENV]: stock Python FAISS reads the files of `lbh export`
and finds in them the codes of `lbh encode`, and searches them with float queries at the distances of
`lbh search`. PATH: a directory with another FAISS to use. --newest: PyPI's newest, in that virtual
environment, as SCRIPTS/rivals makes it. Exit code 77 without FAISS."""
import os
import socket
import subprocess
import sys
import tempfile
import time

lbh = os.path.abspath(sys.argv[1])
if sys.argv[2:3] == ["--newest"]:
    sys.path[:0] = [os.path.join(sys.argv[3], "rivals")]
    import environment
    newest = environment.python("test_export.py", sys.argv[4])
    if not newest:
        sys.exit(77)
    os.execv(newest, [newest, os.path.abspath(__file__), lbh])
sys.path[:0] = sys.argv[2:]
try:
    import faiss
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

N, NQ, D, K = 2000, 50, 40, 10


def run(*args):
    subprocess.run([lbh, *args], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "OMP_WAIT_POLICY": "passive"})


def refused(words, *args):
    done = subprocess.run([lbh, *args], capture_output=True, text=True)
    assert done.returncode in (1, 2), args
    assert words in done.stderr and done.stderr.count("\n") == 1, done.stderr


def train(name, *options):
    run("train", "--nbits", "64", "--base", "base.npy", "-o", name, "-q", *options)


def encode(model, vectors, *options):
    run("encode", "--model", model, "--input", vectors, "-o", "codes.npy", "-q", *options)
    return np.load("codes.npy")


def export(model, *options):
    run("export", "--model", model, "-o", "x.faiss", "-q", *options)
    return faiss.read_index("x.faiss")


def hamming(a, b):
    return np.unpackbits(a[:, None] ^ b[None], axis=2).sum(2)


def check_nearest(distances, ids, all_distances, tolerance=0):
    """Each distance belongs to its id, and all of them are the K smallest."""
    for q, row in enumerate(all_distances):
        assert len(set(ids[q])) == len(ids[q])
        assert np.abs(row[ids[q]] - distances[q]).max() <= tolerance, (row[ids[q]], distances[q])
        assert np.abs(np.sort(row)[:len(ids[q])] - np.sort(distances[q])).max() <= tolerance


def list_codes(ivf):
    """Codes by id, out of the inverted lists."""
    codes = np.zeros((ivf.ntotal, ivf.code_size), np.uint8)
    for i in range(ivf.nlist):
        n = ivf.invlists.list_size(i)
        if n:
            ids = faiss.rev_swig_ptr(ivf.invlists.get_ids(i), n)
            codes[ids] = faiss.rev_swig_ptr(ivf.invlists.get_codes(i), n * ivf.code_size
                                            ).reshape(n, -1)
    return codes


def lsh_codes(index, n):
    lsh = faiss.downcast_index(index.index)
    return faiss.vector_to_array(lsh.codes).reshape(n, -1)


def same_bits(theirs, ours, what):
    """FAISS's BLAS may round a value that is all but 0 to the other side."""
    wrong = int(np.unpackbits(theirs ^ ours).sum())
    print(f"{what}: {wrong} of {8 * ours.size} bits differ")
    assert wrong <= ours.size * 8 * 1e-5, what


def test_lsh(model, base, query, codes, query_codes):
    empty = export(model, "--format", "faiss-lsh")
    assert empty.ntotal == 0 and empty.d == D
    same_bits(empty.sa_encode(base), codes, "sa_encode")
    full = export(model, "--format", "faiss-lsh", "--base", "base.npy")
    assert (lsh_codes(full, N) == codes).all()
    check_nearest(*full.search(query, K), hamming(query_codes, codes))
    empty.add(base)
    same_bits(lsh_codes(empty, N), codes, "add")
    zero = np.zeros((1, D), np.float32)  # z = b, which is 0 for some encoders: then the bit is 1
    np.save("zero.npy", zero)
    assert (empty.sa_encode(zero) == encode(model, "zero.npy")).all()

    mapped = faiss.IndexIDMap2(export(model, "--format", "faiss-lsh"))
    mapped.add_with_ids(base, np.arange(N) + 7000000000)
    distances, ids = mapped.search(query, K)
    check_nearest(distances, ids - 7000000000, hamming(query_codes, codes))
    refine = faiss.IndexRefineFlat(full, faiss.swig_ptr(base))
    refine.k_factor = 60
    distances, ids = refine.search(query, K)
    exact = ((query[:, None] - base[None]) ** 2).sum(2)
    check = np.take_along_axis(exact, ids, 1)
    assert np.allclose(check, distances, rtol=1e-3, atol=1e-3)
    truth = np.argsort(exact, axis=1)[:, :K]
    recall = np.mean([len(set(t) & set(f)) / K for t, f in zip(truth, ids)])
    assert recall > 0.9, recall
    shards = faiss.IndexShards(D, False, True)
    halves = [export(model, "--format", "faiss-lsh") for _ in range(2)]
    for half, part in zip(halves, (base[:N // 2], base[N // 2:])):
        half.add(part)
        shards.add_shard(half)
    check_nearest(*shards.search(query, K), hamming(query_codes, codes))
    faiss.write_index(full, "again.faiss")
    check_nearest(*faiss.read_index("again.faiss").search(query, K), hamming(query_codes, codes))


def test_ivf(model, base, query, codes, query_codes):
    index = export(model, "--format", "faiss-ivf", "--base", "base.npy", "--set",
                   "nlist=16,nprobe=3")
    ivf = faiss.extract_index_ivf(index)
    assert ivf.nprobe == 3 and ivf.nlist == 16
    assert (list_codes(ivf) == codes).all()
    distances, ids = index.search(query, K)
    exact = hamming(query_codes, codes)
    assert (np.take_along_axis(exact, ids, 1) == distances).all()
    faiss.ParameterSpace().set_index_parameter(index, "nprobe", 16)
    check_nearest(*index.search(query, K), exact)
    lims, distances, ids = index.range_search(query, 12.0)
    assert (np.diff(lims) == (exact < 12).sum(1)).all()
    for q in range(NQ):
        assert (exact[q][ids[lims[q]:lims[q + 1]]] == distances[lims[q]:lims[q + 1]]).all()
    same_bits(ivf.sa_encode(base)[:, -8:], codes, "ivf sa_encode")  # the list's number is in front
    index.add(base[:100])
    assert index.ntotal == N + 100
    same_bits(list_codes(ivf)[N:], codes[:100], "ivf add")
    index.remove_ids(np.arange(N, N + 100))
    check_nearest(*index.search(query, K), exact)
    # a tool for IVF indexes of FAISS's contrib
    from faiss.contrib import ivf_tools
    _, lists = ivf.quantizer.search(query, 16)
    check_nearest(*ivf_tools.search_preassigned(ivf, query, K, lists), exact)


# What RPC of FAISS's contrib unpickles are arrays as old NumPy calls them; newer ones have another name.
SERVER = """
import sys, faiss
from faiss.contrib import client_server, rpc
getattr(rpc, "safe_modules", set()).update({"numpy._core.multiarray", "numpy._core.numeric"})
if len(sys.argv) > 2:
    client_server.run_index_server(faiss.read_index(sys.argv[1]), int(sys.argv[2]))
"""


def served(files, search):
    """What `search` finds by FAISS's client, each file in a server of its own."""
    exec(SERVER)
    from faiss.contrib import client_server
    ports = []
    for _ in files:
        with socket.socket() as free:
            free.bind(("", 0))
            ports.append(free.getsockname()[1])
    servers = [subprocess.Popen([sys.executable, "-c", SERVER, name, str(port)], stderr=subprocess.DEVNULL,
                                env={**os.environ, "OMP_NUM_THREADS": "1"}) for name, port in zip(files, ports)]
    try:
        for attempt in range(200):
            try:
                client = client_server.ClientIndex([("localhost", port) for port in ports])
                break
            except ConnectionRefusedError:
                assert attempt < 199 and not any(s.poll() for s in servers)
                time.sleep(.1)
        return search(client)
    finally:
        for server in servers:
            server.kill()
            server.wait()


def merged(trained, files):
    """FAISS's merge_ondisk of the files into the index without rows."""
    from faiss.contrib import ondisk
    index = faiss.read_index(trained)
    ondisk.merge_ondisk(index, files, "merged.ivfdata")
    faiss.write_index(index, "merged.faiss")
    return faiss.read_index("merged.faiss")


def test_distributed(model, base, query, codes, exact):
    """Parts of one trained index, as FAISS's scripts for many machines take them."""
    files = [f"x.faiss.{i}" for i in range(3)]
    whole = export(model, "--format", "faiss-ivf", "--base", "base.npy", "--set", "nlist=16,nprobe=16")
    trained = export(model, "--format", "faiss-ivf", "--base", "base.npy", "--set", "nlist=16,nprobe=16,shards=3")
    assert trained.is_trained and trained.ntotal == 0 and trained.nprobe == 16
    parts = [faiss.read_index(name) for name in files]
    assert [p.ntotal for p in parts] == [666, 667, 667], [p.ntotal for p in parts]
    both = merged("x.faiss", files)
    assert both.ntotal == N and (list_codes(both) == codes).all()
    check_nearest(*both.search(query, K), exact)
    both.nprobe = whole.nprobe = 2
    found = [np.sort(index.search(query, K)[0]) for index in (both, whole)]
    assert (found[0] == found[1]).all()
    # FAISS fills the index without rows by itself, as its make_index_vslice.py does.
    trained.add_with_ids(base[:100], np.arange(5000, 5100))
    assert (np.sort(np.hstack([faiss.rev_swig_ptr(trained.invlists.get_ids(i), trained.invlists.list_size(i))
                               for i in range(16) if trained.invlists.list_size(i)])) == np.arange(5000, 5100)).all()
    # Searched where they are: each server has a part, the client merges.
    def search(client):
        assert client.ntotal == N
        client.set_nprobe(16)
        return client.search(query, K)
    check_nearest(*served(files, search), exact)
    # Binary indexes are not for these scripts: contrib reads float ones.
    run("build", "--model", model, "--base", "base.npy", "--index", "BIVF16", "-o", "binary.faiss", "-q")
    try:
        merged("x.faiss", ["binary.faiss"])
        raise AssertionError("merge_ondisk takes binary indexes: docs/scale.md says that it does not")
    except RuntimeError as error:
        assert "not recognized" in str(error), error


def test_binary_shards(model, query_codes, exact):
    """Binary parts of one trained index: `lbh build --trained`; FAISS searches them together, merges them, and puts their
    lists on the disk."""
    run("build", "--model", model, "--base", "base.npy", "--index", "BIVF16", "-o", "whole.faiss", "-q")
    index = faiss.read_index_binary("whole.faiss")
    index.reset()
    faiss.write_index_binary(index, "trained.faiss")
    parts = []
    for first, last in (0, 700), (700, N):
        run("build", "--model", model, "--base", f"base.npy@{first}:{last}", "--trained", "trained.faiss",
            "--first-id", str(first), "-o", "part.faiss", "-q")
        parts.append(faiss.read_index_binary("part.faiss"))
    shards = faiss.IndexBinaryShards(8 * query_codes.shape[1], False, False)
    for part in parts:
        part.nprobe = 16
        shards.add_shard(part)
    check_nearest(*shards.search(query_codes, K), exact)
    lists = faiss.OnDiskInvertedLists(16, query_codes.shape[1], "binary.ivfdata")
    sources = faiss.InvertedListsPtrVector()
    for part in parts:
        sources.push_back(part.invlists)
    merge = getattr(lists, "merge_from_multiple", lists.merge_from)  # as contrib.ondisk does it with float indexes
    index.ntotal = merge(sources.data(), sources.size())
    index.replace_invlists(lists)
    faiss.write_index_binary(index, "ondisk.faiss")
    index = faiss.read_index_binary("ondisk.faiss")
    index.nprobe = 16
    assert index.ntotal == N
    check_nearest(*index.search(query_codes, K), exact)
    if faiss.__version__ != "1.7.3":  # there it compares pointers' types, and refuses
        parts[0].merge_from(parts[1], 0)
        assert parts[0].ntotal == N
        check_nearest(*parts[0].search(query_codes, K), exact)
    refused("has 1300 codes", "build", "--model", model, "--base", "base.npy", "--trained", "part.faiss", "-o", "no.faiss")
    refused("not both", "build", "--model", model, "--base", "base.npy", "--trained", "trained.faiss",
            "--index", "BFlat", "-o", "no.faiss")


def scores(query, rebuilt, metric):
    if metric == "ip":
        return -(query @ rebuilt.T)
    return ((query[:, None] - rebuilt[None]) ** 2).sum(2)


def test_aq(model, base, query, codes, metric):
    run("encode", "--model", model, "--input", "base.npy", "-o", "codes.npy", "-q")
    run("decode", "--model", model, "--codes", "codes.npy", "-o", "rebuilt.npy", "-q")
    rebuilt = np.load("rebuilt.npy")
    expected = scores(query, rebuilt, metric)
    sign = -1 if metric == "ip" else 1
    scale = float(np.abs(expected).max())
    for norms, more in ("none", 0), ("float", 4), ("byte", 1):
        if metric == "ip" and more:
            refused("inner products need none", "export", "--model", model, "--format", "faiss-aq",
                    "--base", "base.npy", "--set", "metric=ip,norms=" + norms, "-o", "x.faiss")
            continue
        options = ["--format", "faiss-aq", "--base", "base.npy", "--set",
                   f"metric={metric},norms={norms}"]
        index = export(model, *options)
        assert index.ntotal == N and index.sa_code_size() == 8 + more
        stored = faiss.vector_to_array(index.codes).reshape(N, -1)
        assert (stored[:, :8] == codes).all()
        assert np.allclose(index.sa_decode(stored), rebuilt, rtol=1e-4, atol=1e-4 * scale ** 0.5)
        step = 0.0 if norms != "byte" else np.ptp((rebuilt ** 2).sum(1)) / 256
        distances, ids = index.search(query, K)
        check_nearest(sign * distances, ids, expected, 1e-4 * scale + step)
        lists = export(model, *options[:-1], options[-1] + ",nlist=16,nprobe=16")
        ivf = faiss.extract_index_ivf(lists)
        assert (list_codes(ivf)[:, :8] == codes).all()
        distances, ids = lists.search(query, K)
        check_nearest(sign * distances, ids, expected, 1e-4 * scale + step)
        if norms == "float":
            export(model, *options[:-1], options[-1] + ",nlist=16,nprobe=16,shards=2")
            distances, ids = merged("x.faiss", ["x.faiss.0", "x.faiss.1"]).search(query, K)
            check_nearest(distances, ids, expected, 1e-4 * scale)
        if norms == "byte":
            continue
        # FAISS encodes more rows by its own search, towards the same decoder
        index.add(base[:20])
        assert index.ntotal == N + 20
        error = ((index.reconstruct_n(N, 20) - base[:20]) ** 2).sum()
        ours = ((rebuilt[:20] - base[:20]) ** 2).sum()
        print(f"FAISS's own codes rebuild with {error / ours:.3f} of our error")
        assert error < 1.3 * ours


def test_byte_tables(base, query):
    """Codebooks are the tables; codes and tables learned together are searched for."""
    for options in "rebuild=tables,steps=300,mips=linear", "rebuild=tables,score=decoder,alternations=8":
        for metric in "l2", "ip":
            train("t.lbh", "--method", "sgh", "--metric", metric, "--set", options)
            test_aq("t.lbh", base, query, encode("t.lbh", "base.npy"), metric)
    train("c.lbh", "--method", "sgh", "--metric", "cosine", "--set", "rebuild=tables,score=decoder")
    refused("does not divide by the length", "export", "--model", "c.lbh", "--format", "faiss-aq",
            "--base", "base.npy", "-o", "x.faiss")
    unit = base / np.linalg.norm(base, axis=1)[:, None]
    np.save("base.npy", unit)
    test_aq("c.lbh", unit, query, encode("c.lbh", "base.npy"), "ip")
    np.save("base.npy", base)


def test_asymmetric(base, query):
    """Items' codes are searched for, queries are signs of a linear map of q / ||q||."""
    train("ip.lbh", "--method", "sgh", "--metric", "ip", "--set", "steps=300,alternations=5",
          "--set", "mips=searched")
    codes, query_codes = encode("ip.lbh", "base.npy"), encode("ip.lbh", "query.npy", "--queries")
    assert (codes[:NQ] != encode("ip.lbh", "base.npy@0:50", "--queries")).any()
    for options in [["faiss-lsh"], ["faiss-ivf", "--set", "nlist=8,nprobe=8"]]:
        refused("base", "export", "--model", "ip.lbh", "--format", *options, "-o", "x.faiss")
        index = export("ip.lbh", "--format", *options, "--base", "base.npy")
        distances, ids = index.search(query, K)
        check_nearest(distances, ids, hamming(query_codes, codes), 0)
    test_aq("ip.lbh", base, query, codes, "ip")


def test_odd_bits(base, query):
    """A last byte that is not full."""
    run("train", "--method", "itq", "--nbits", "20", "--base", "base.npy", "-o", "odd.lbh", "-q")
    codes, query_codes = encode("odd.lbh", "base.npy"), encode("odd.lbh", "query.npy")
    assert codes.shape == (N, 3)
    exact = hamming(query_codes, codes)
    index = export("odd.lbh", "--format", "faiss-lsh", "--base", "base.npy")
    check_nearest(*index.search(query, K), exact)
    index = export("odd.lbh", "--format", "faiss-ivf", "--base", "base.npy", "--set",
                   "nlist=8,nprobe=8")
    check_nearest(*index.search(query, K), exact)
    index = export("odd.lbh", "--format", "faiss-aq", "--base", "base.npy")
    assert index.sa_code_size() == 4  # a byte for the norm
    assert (faiss.vector_to_array(index.codes).reshape(N, 4)[:, :3] == codes).all()
    assert export("odd.lbh", "--format", "faiss-aq").sa_code_size() == 7


def test_refusals():
    train("net.lbh", "--method", "jmlh-vae", "--set", "steps=20")
    for form in "faiss-lsh", "faiss-ivf":
        refused("one linear map", "export", "--model", "net.lbh", "--format", form, "--base",
                "base.npy", "-o", "never.faiss")
    train("lsh.lbh", "--method", "lsh")
    refused("decoder", "export", "--model", "lsh.lbh", "--format", "faiss-aq", "-o", "never.faiss")
    refused("give some", "export", "--model", "lsh.lbh", "--format", "faiss-ivf", "-o",
            "never.faiss")
    refused("no option", "export", "--model", "lsh.lbh", "--format", "faiss-lsh", "--set",
            "nlist=3", "-o", "never.faiss")
    refused("within 1", "export", "--model", "lsh.lbh", "--format", "faiss-ivf", "--set", "nlist=0",
            "-o", "never.faiss")
    refused("none of", "export", "--model", "lsh.lbh", "--format", "faiss", "-o", "never.faiss")
    refused("give nlist", "export", "--model", "m.lbh", "--format", "faiss-aq", "--base", "base.npy", "--set",
            "shards=2", "-o", "never.faiss")
    refused("norms=float", "export", "--model", "m.lbh", "--format", "faiss-aq", "--base", "base.npy", "--set",
            "nlist=4,shards=2,norms=byte", "-o", "never.faiss")
    np.save("narrow.npy", np.zeros((50, 3), np.float32))
    refused("dimension", "export", "--model", "lsh.lbh", "--format", "faiss-lsh", "--base",
            "narrow.npy", "-o", "never.faiss")
    assert not os.path.exists("never.faiss")


print("FAISS", faiss.__version__)
with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    rng = np.random.default_rng(3)
    scales = np.arange(1, D + 1) ** -0.5
    everything = (rng.normal(size=(N + NQ, D)) * scales + 0.2).astype(np.float32)
    base, query = everything[:N].copy(), everything[N:].copy()
    np.save("base.npy", base)
    np.save("query.npy", query)
    for method in "itq", "sgh", "lsh":
        steps = ["--set", "steps=300"] if method == "sgh" else []
        train("m.lbh", "--method", method, *steps)
        codes, query_codes = encode("m.lbh", "base.npy"), encode("m.lbh", "query.npy", "--queries")
        test_lsh("m.lbh", base, query, codes, query_codes)
        test_ivf("m.lbh", base, query, codes, query_codes)
        if method == "itq":
            test_distributed("m.lbh", base, query, codes, hamming(query_codes, codes))
            test_binary_shards("m.lbh", query_codes, hamming(query_codes, codes))
        if method == "sgh":
            for metric in "l2", "ip":
                test_aq("m.lbh", base, query, codes, metric)
    test_byte_tables(base, query)
    test_asymmetric(base, query)
    test_odd_bits(base, query)
    test_refusals()
print("ok")
