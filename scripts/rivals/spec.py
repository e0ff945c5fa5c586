"""The specification of `lbh bench` (an INI file), and the vectors and labels that it names."""
import configparser
import glob
import gzip
import os

import numpy as np

RIVALS = ("faiss-lsh", "faiss-itq", "pq", "opq", "pqfs", "rabitq", "sq", "flat")
DEFAULTS = {"k": "10", "at": "1 2 5 10 20 50 100 200 500 1000", "map_k": "1000", "map_at": "0",
            "map_queries": "1000", "answers": "10",
            "nbits": "16 32 64 128", "seeds": "1", "repeats": "3", "threads": "",
            "time_limit": "600", "memory_limit": "8192", "rescore": "hamming"}


class Refused(Exception):
    """Bad input; the text says what to do."""


# ---- The file ----------------------------------------------------------------------------------

def read_spec(text, name):
    """Returns (bench, data, methods): dictionaries of texts by key; data and methods by name."""
    ini = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#", ";"),
                                    inline_comment_prefixes=(" #", " ;"), interpolation=None,
                                    default_section="")
    ini.optionxform = str
    try:
        ini.read_string(text, name)
    except configparser.Error as error:
        raise Refused(f"{name}: {error}".replace("\n", " ")) from error
    bench, data, methods = dict(DEFAULTS), {}, {}
    for section in ini.sections():
        kind, _, title = section.partition(" ")
        values = {key: " ".join(value.split()) for key, value in ini[section].items()}
        if kind == "bench":
            bench.update(values)
        elif kind == "data":
            if "base" not in values:
                raise Refused(f"{name}: [data {title}] has no key 'base'")
            data[title.strip()] = values
        elif kind == "method":
            methods[title.strip()] = values
    if not data or not methods:
        raise Refused(f"{name}: a specification has at least one [data NAME] and one [method NAME]")
    return bench, data, methods


def max_train(name, options):
    """The one option of FAISS's methods: rows at even distances to learn from; 0: all."""
    key, _, value = options.partition("=")
    if options and (key != "max_train" or not value.isdigit()):
        raise Refused(f"[method {name}] options = {options}: a method of FAISS has max_train=ROWS "
                      "and no other")
    return int(value or 0)


def make_quick(bench, data, methods):
    """As `lbh bench --quick`."""
    for values in [bench, *methods.values()]:
        if "nbits" in values:
            bits = values["nbits"].split()
            values["nbits"] = " ".join([b for b in bits if int(b) <= 64] or [min(bits, key=int)])
        if "seeds" in values:
            values["seeds"] = values["seeds"].split()[0]
    bench["repeats"] = "1"
    for values in data.values():
        values["limit"] = str(min(10000, int(values.get("limit", 10000))))
        values["max_queries"] = "1000"


# ---- Files of vectors --------------------------------------------------------------------------

def _texmex(path, dtype):
    size = np.dtype(dtype).itemsize
    d = int(np.fromfile(path, np.int32, 1)[0])
    rows = np.memmap(path, np.uint8, "r").reshape(-1, 4 + d * size)
    return rows[:, 4:].reshape(-1).view(dtype).reshape(-1, d) if size == 1 else \
        np.ascontiguousarray(rows[:, 4:]).view(dtype)


def _big_ann(path, dtype):
    n, d = np.fromfile(path, np.uint32, 2).astype(np.int64)
    return np.memmap(path, dtype, "r", offset=8, shape=(n, d))


def _idx(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        raw = f.read()
    rank = raw[3]
    shape = np.frombuffer(raw, ">i4", rank, 4)
    dtype = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[raw[2]]
    return np.frombuffer(raw, dtype, -1, 4 + 4 * rank).reshape(shape[0], -1)


def _hdf5(path):
    import h5py
    name, _, member = path.partition(":")
    with h5py.File(name, "r") as f:
        return np.array(f[member])


def read_rows(spec):
    """FILE or FILE@FROM:TO, as `lbh` names files; rows as they are in the file."""
    path, _, span = spec.partition("@")
    low = path.lower()
    name = path.partition(":")[0]
    if spec.startswith("synthetic:"):
        raise Refused("synthetic vectors are made by lbh; this program reads files")
    if not os.path.exists(name):
        raise Refused(f"{name}: no such file")
    if low.endswith(".npy"):
        rows = np.load(path, "r")
        rows = rows[:, None] if rows.ndim == 1 else rows
    elif low.partition(":")[0].endswith((".hdf5", ".h5")):
        rows = _hdf5(path)
    elif low.endswith((".fvecs", ".bvecs", ".ivecs")):
        rows = _texmex(path, {"f": np.float32, "b": np.uint8, "i": np.int32}[low[-5]])
    elif low.endswith((".fbin", ".u8bin", ".ibin", ".i8bin")):
        rows = _big_ann(path, {".fbin": np.float32, "u8bin": np.uint8, ".ibin": np.int32,
                               "i8bin": np.int8}[low[-5:]])
    elif low.endswith((".idx", "-ubyte", "-int", "-ubyte.gz", "-int.gz", ".idx.gz")):
        rows = _idx(path)
    else:
        raise Refused(f"{path}: not one of the formats that this program reads (.fvecs .bvecs "
                      ".ivecs .fbin .u8bin .i8bin .ibin .npy .hdf5 idx)")
    if span:
        first, _, last = span.partition(":")
        rows = rows[int(first or 0):int(last) if last else None]
    return rows


# ---- Data sets ---------------------------------------------------------------------------------

class Data:
    """base, query, train: float32 rows; own: row of base that each query is, or None; base_labels,
    query_labels: what is relevant by labels; files: what it was read from."""

    def __init__(self, name, values, directory):
        self.name, self.metric = name, values.get("metric", "l2")
        self.files = []
        known = self._known(values["base"], directory)
        base = self._file(known("base") or values["base"])
        limit = int(values.get("limit", len(base)))
        self.n_all, base = len(base), base[:limit]
        self.own = None
        self._queries(values, known, base, directory)
        self.base = self.train = self._float(base)
        train = values.get("train") or known("learn")
        if train and "limit" not in values:  # a quick look learns from what it searches
            self.train = self._float(self._file(train))
        self.base_labels = self.query_labels = None
        if self.metric == "label":
            self._labels(values, known, limit)

    def _known(self, text, directory):
        """A known name is a directory below that of --data, with files base.*, query.*, ..."""
        where = os.path.join(directory or "", text)
        is_known = bool(directory) and "/" not in text and os.path.isdir(where)
        if not is_known and not os.path.exists(text.partition("@")[0].partition(":")[0]) \
                and not text.startswith("synthetic:"):
            raise Refused(f"{text}: neither a file nor a directory in "
                          f"{directory or '--data (not given)'}")

        def find(part):
            found = sorted(glob.glob(os.path.join(where, part + ".*"))) if is_known else []
            return found[0] if found else None
        return find

    def _file(self, spec):
        self.files.append(spec)
        return read_rows(spec)

    @staticmethod
    def _float(rows):
        return np.ascontiguousarray(rows, np.float32)

    def _queries(self, values, known, base, directory):
        text = values.get("queries") or known("query")
        if "split" in values or (text or "").startswith("split:"):
            raise Refused("splits are drawn by lbh; give this program files of queries")
        if not text:
            raise Refused("it has no 'queries'")
        if text.startswith("self:"):
            count = int(text[5:])
            self.own = np.arange(min(count, len(base)))
            query = base[:count]
        else:
            query = self._file(text)
            ids = values.get("query_ids") or known("query_ids")
            if ids:
                self.own = np.array(self._file(ids)).reshape(-1).astype(np.int64)
        if self.own is not None:  # queries whose row was cut off have none to leave out
            self.own = np.where(self.own < len(base), self.own, -1)
        most = int(values.get("max_queries", len(query)))
        self.query = self._float(query[:most])
        self.own = None if self.own is None else self.own[:most]
        if self.query.shape[1] != base.shape[1]:
            raise Refused(f"queries have {self.query.shape[1]} dimensions, the base "
                          f"{base.shape[1]}")

    def _labels(self, values, known, limit):
        both = (values.get("labels") or known("base_labels"),
                values.get("query_labels") or known("query_labels"))
        if not all(both):
            raise Refused("metric = label wants labels and query_labels")
        base, query = (np.array(self._file(text)) for text in both)
        base, query = base[:limit], query[:len(self.query)]
        if base.shape[1] == 1:  # numbers of classes; else a 0/1 matrix
            classes = np.unique(base)
            base, query = base == classes, query == classes
        self.base_labels, self.query_labels = base.astype(np.float32), query.astype(np.float32)
