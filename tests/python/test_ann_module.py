#!/usr/bin/env python3
"""test_ann_module.py DIRECTORY: scripts/ann_benchmarks/lbh in DIRECTORY (the scripts), as the
runner of ann-benchmarks uses it: behind a symbolic link among its algorithms, built from
config.yml, queried one by one and in a batch. Exit code 77 without yaml."""
import importlib
import itertools
import os
import sys
import tempfile
import types

scripts = os.path.abspath(sys.argv[1])
try:
    import faiss_lbh
    import numpy as np
    import yaml
except ImportError as error:
    print(error)
    sys.exit(77)

N, NQ, D, K = 1500, 20, 16, 10
rng = np.random.default_rng(3)


def make_package(directory):
    """What module.py imports of ann-benchmarks."""
    base = os.path.join(directory, "ann_benchmarks", "algorithms", "base")
    os.makedirs(base)
    for path in base, os.path.dirname(base), os.path.dirname(os.path.dirname(base)):
        open(os.path.join(path, "__init__.py"), "w").close()
    with open(os.path.join(base, "module.py"), "w") as f:
        f.write("class BaseANN:\n"
                "    def get_additional(self):\n        return {}\n"
                "    def done(self):\n        pass\n")
    os.symlink(os.path.join(scripts, "ann_benchmarks", "lbh"),
               os.path.join(os.path.dirname(base), "lbh"))
    sys.path.insert(0, directory)


def product(arguments):
    return [list(x) for x in itertools.product(*[a if isinstance(a, list) else [a]
                                                 for a in arguments])]


def first_and_last(x):
    return x if len(x) < 2 else [x[0], x[-1]]


def definitions(config, point_type, metric):
    """(algorithm, constructor, arguments, groups of query arguments), a pair a run group."""
    for point, metrics in config.items():
        for name, algorithms in metrics.items():
            if point != point_type or name not in ("any", metric):
                continue
            for a in algorithms:
                assert a["docker_tag"] == "ann-benchmarks-lbh" and not a["disabled"]
                assert a["module"] == "ann_benchmarks.algorithms.lbh"
                for group in a["run_groups"].values():
                    base = [metric if x == "@metric" else x for x in a["base_args"]]
                    for arguments in product(group["args"])[:1]:
                        yield (a["name"], a["constructor"], base + arguments,
                               first_and_last(product(group.get("query_args", []))))


def true_distances(metric, train, test):
    if metric == "hamming":
        if train.dtype == np.uint8:
            train, test = (np.unpackbits(x, axis=1) for x in (train, test))
        return (test[:, None] != train[None]).mean(2)
    train, test = train.astype(np.float64), test.astype(np.float64)
    if metric == "ip":
        return -(test @ train.T)
    if metric in ("angular", "cosine"):
        train, test = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test))
        return 1 - test @ train.T
    return np.sqrt(((test[:, None] - train[None]) ** 2).sum(2))


def recall(ids, distances):
    """As ann-benchmarks counts it; checks what its runner wants of answers."""
    hits = 0
    for q, row in enumerate(ids):
        row = [int(i) for i in row]
        assert len(row) == len(set(row)) <= K and all(0 <= i < N for i in row), row
        hits += (distances[q][row] <= np.sort(distances[q])[K - 1] + 1e-3).sum()
    return hits / NQ / K


def train_briefly(module):
    """As config.yml has it, but for the steps of sgh: what is tested is the module."""
    def encoder(method, *arguments, **options):
        return faiss_lbh.Encoder(method, *arguments, **{"steps": 500, **options} if method == "sgh" else options)
    encoder.load = faiss_lbh.Encoder.load
    module.faiss_lbh = types.SimpleNamespace(**{**vars(faiss_lbh), "Encoder": encoder})


def run(config, point_type, metric, train, test):
    distances, algorithms = true_distances(metric, train, test), set()
    for algorithm, constructor, arguments, groups in definitions(config, point_type, metric):
        module = importlib.import_module("ann_benchmarks.algorithms.lbh.module")
        train_briefly(module)
        algo = getattr(module, constructor)(*arguments)
        before = algo.get_memory_usage()
        algo.fit(train.copy())
        assert algo.get_memory_usage() > before
        names, best = set(), 0
        for group in groups:
            if group:
                algo.set_query_arguments(*group)
            names.add(str(algo))
            ids = [algo.query(v, K) for v in test]
            algo.batch_query(test, K)
            assert all((a == b).all() for a, b in zip(ids, algo.get_batch_results()))
            best = max(best, recall(ids, distances))
        assert len(names) == len(groups), names
        # Without the vectors the codes alone must rank the candidates.
        assert best > (0.1 if "" in arguments else 0.9), (algorithm, arguments, best)
        assert isinstance(algo.get_additional(), dict)
        algo.done()
        algorithms.add(algorithm)
        print(f"{point_type} {metric}: {str(algo)}: recall {best:.3f}")
    return algorithms


def main():
    with open(os.path.join(scripts, "ann_benchmarks", "lbh", "config.yml")) as f:
        config = yaml.safe_load(f)
    centres = 3 * rng.standard_normal((10, D))
    x = centres[rng.integers(10, size=N + NQ)] + rng.standard_normal((N + NQ, D))
    found = run(config, "float", "euclidean", x[:N], x[N:])  # float64, as sklearn makes them
    # The first of 11 groups of three algorithms: flat and margins have the same encoder.
    assert len(os.listdir(os.environ["LBH_ENCODERS"])) == 8
    x = x.astype(np.float32)
    assert {name.split("-")[1] for name in found} <= set(faiss_lbh.methods())
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    quick = {"float": {"any": [a for a in config["float"]["any"] if a["name"] == "lbh-lsh"]}}
    for metric, y in ("angular", x), ("cosine", x), ("normalized", unit), ("ip", x):
        run(quick, "float", metric, y[:N], y[N:])
    bits = rng.random((N + NQ, 40)) < 0.5
    assert run(config, "bit", "hamming", bits[:N], bits[N:]) == {"lbh-bits"}
    packed = np.packbits(bits, axis=1)
    assert run(config, "bit", "hamming", packed[:N], packed[N:]) == {"lbh-bits"}
    module = importlib.import_module("ann_benchmarks.algorithms.lbh.module")
    for wrong in (lambda: module.LBH("jaccard", "ITQ", 64, "BFlat"),
                  lambda: module.LBHBits("euclidean", "BFlat")):
        try:
            wrong()
            raise AssertionError("a distance that there is not was taken")
        except NotImplementedError:
            pass
    # Few answers: -1, which the runner would take for the last row, is never among them.
    algo = module.LBH("euclidean", "ITQ", 64, "BHash16")
    algo.fit(x[:N])
    algo.set_query_arguments(1, 0)
    assert any(len(algo.query(v, K)) < K for v in x[N:])
    assert all((algo.query(v, K) >= 0).all() for v in x[N:])


with tempfile.TemporaryDirectory() as directory:
    os.environ["LBH_ENCODERS"] = os.path.join(directory, "encoders")
    make_package(directory)
    main()
