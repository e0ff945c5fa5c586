"""Cells one after the other: each index in a process of its own, with limits of time and memory;
results appended line by line."""
import datetime
import fcntl
import glob
import hashlib
import json
import multiprocessing
import os
import platform
import resource
import shlex
import subprocess
import sys
import time

import numpy as np

import cell
import indexes
import metrics
import spec

FORMAT = "lbh-bench 1"


# ---- Result lines ------------------------------------------------------------------------------

def finished(directory):
    """Keys of the cells that are there and need not be tried again."""
    keys = set()
    for path in glob.glob(os.path.join(directory, "*.jsonl")):
        with open(path, "rb") as f:
            for line in f:
                try:
                    result = json.loads(line) if line.endswith(b"\n") else {}
                except ValueError:
                    continue
                if result.get("status") == "ok":
                    keys.add(result.get("key"))
    return keys


def append(path, result):
    """One write under a lock, on the disk before it returns; a line that a killed writer left
    without an end is cut off first."""
    line = json.dumps(result, allow_nan=False).encode() + b"\n"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        size = os.fstat(fd).st_size
        tail = os.pread(fd, min(size, 1 << 20), max(0, size - (1 << 20)))
        if tail and not tail.endswith(b"\n"):
            os.ftruncate(fd, size - len(tail) + tail.rfind(b"\n") + 1)
        os.write(fd, line)
        os.fsync(fd)
    finally:
        os.close(fd)


# ---- What lines share --------------------------------------------------------------------------

def _cpu():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        text = f.read()
    name = [line.partition(":")[2].strip() for line in text.splitlines()
            if line.startswith("model name")]
    flags = text.split()
    isa = next((i for i, flag in (("avx512", "avx512bw"), ("avx2", "avx2"), ("neon", "asimd"))
                if flag in flags), "scalar")
    return (name or [platform.processor() or platform.machine()])[0], isa


def _git(root):
    try:
        done = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"],
                              capture_output=True, text=True)
        return done.stdout.strip() or "unknown"
    except OSError:
        return "unknown"


def _library(root):
    """Version of the project, from its CMakeLists.txt."""
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as f:
        for line in f:
            words = line.replace("(", " ").replace(")", " ").split()
            if "VERSION" in words and "faiss-lbh" in words:
                return words[words.index("VERSION") + 1]
    return "unknown"


def _faiss_version():
    """Loads FAISS for all children to come; it must not work before they are forked, as OpenMP's
    threads do not live on in them."""
    import faiss
    return faiss.__version__


def _digest(parts):
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def _content(data):
    h = hashlib.blake2b(digest_size=8)
    arrays = [data.base, data.query, data.train, data.own, data.base_labels, data.query_labels]
    for array in arrays:
        h.update(b"-" if array is None else np.ascontiguousarray(array).view(np.uint8).data)
    return h.hexdigest()


# ---- Processes ---------------------------------------------------------------------------------

def _child(pipe, work, threads, memory):
    try:
        import faiss
        faiss.omp_set_num_threads(threads)
        with open("/proc/self/statm", encoding="ascii") as f:
            pages = int(f.read().split()[5])
        # the limit is on what the index takes; the data, shared with the parent, are there already
        resource.setrlimit(resource.RLIMIT_DATA,
                           (pages * resource.getpagesize() + memory * 2 ** 20,) * 2)
        for value in work():
            pipe.send(("ok", value))
        pipe.send(("end", None))
    except MemoryError as error:
        pipe.send(("memory", str(error) or "no memory"))
    except Exception as error:  # whatever it is, the other cells go on
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        pipe.send(("memory" if "bad_alloc" in text else "failed", text[-300:]))


def in_child(work, threads, memory, seconds):
    """Yields (status, value) of what work() yields in a forked process, "ok" and then "end", or
    what went wrong; `seconds` is for each value."""
    ours, theirs = multiprocessing.Pipe(False)
    child = multiprocessing.get_context("fork").Process(target=_child,
                                                        args=(theirs, work, threads, memory))
    child.start()
    theirs.close()
    try:
        while True:
            if not ours.poll(seconds):
                yield "timeout", f"more than {seconds:g} s"
                return
            try:
                status, value = ours.recv()
            except EOFError:
                child.join()
                yield "failed", f"the process ended with code {child.exitcode}"
                return
            yield status, value
            if status != "ok":
                return
    finally:
        child.kill()
        child.join()
        ours.close()


# ---- The whole ---------------------------------------------------------------------------------

class Run:
    def __init__(self, args, root):
        path = args.spec or os.path.join(root, "bench", "presets", args.preset + ".ini")
        try:
            with open(path, encoding="utf-8") as f:
                text = f.read()
        except OSError as error:
            raise spec.Refused(f"{path}: {error.strerror}") from error
        self.bench, self.data, self.methods = spec.read_spec(text, path)
        if args.quick:
            spec.make_quick(self.bench, self.data, self.methods)
        self.args, self.out = args, os.path.join(args.out, "rivals.jsonl")
        self.threads = args.threads or int(self.bench["threads"] or len(os.sched_getaffinity(0)))
        numbers = {key: [int(v) for v in self.bench[key].split()] for key in ("k", "at")}
        self.options = {**numbers, **{key: int(self.bench[key]) for key in
                                      ("map_k", "map_at", "map_queries", "answers", "repeats")}}
        self.faiss = _faiss_version()
        cpu, isa = _cpu()
        command = ["scripts/rivals.py", *(a for a in sys.argv[1:] if a != "--inside")]
        self.shared = {"preset": args.preset or "", "cpu": cpu, "isa": isa,
                       "threads": self.threads, "library": _library(root), "faiss": self.faiss,
                       "git": _git(root), "command": shlex.join(command)}
        self.failures = 0

    def groups(self, name, d):
        """Lists of cells that share an index."""
        wanted = self.args.methods.split(",") if self.args.methods else spec.RIVALS
        for ident, values in self.methods.items():
            method = ident.partition(":")[0]
            if method not in spec.RIVALS or method not in wanted:
                continue
            if "data" in values and name not in values["data"].split():
                continue
            get = {key: values.get(key, self.bench[key]) for key in ("nbits", "seeds", "rescore")}
            all_bits = [32 * d] if method == "flat" else [int(b) for b in get["nbits"].split()]
            most = spec.max_train(ident, values.get("options", ""))
            seed = int(get["seeds"].split()[0])  # more would be the same: FAISS's are fixed
            for nbits in all_bits:
                for bits, fast, suffix in indexes.VARIANTS.get(method, [(1, False, "")]):
                    label = f"{values.get('label', ident)}{suffix} {self.faiss}"
                    yield [{"method": method, "label": label, "nbits": nbits, "bits": bits,
                            "fast": fast, "seed": seed, "max_train": most, "rescore": mode}
                           for mode in cell.modes(method, get["rescore"])]

    def line(self, data, one, key, status, value):
        out = {"format": FORMAT, "type": "cell", "key": key, "status": status}
        if status != "ok":
            out["error"] = value
        options = [f"bits={one['bits']}"] if one["method"] == "rabitq" else []
        options += ["fastscan=1"] if one["fast"] else []
        options += [f"max_train={one['max_train']}"] if one["max_train"] else []
        out.update({"data": data.name, "n": len(data.base), "d": data.base.shape[1],
                    "nq": len(data.query), "metric": data.metric, "method": one["method"],
                    "label": one["label"], "nbits": one["nbits"],
                    "family": "ceiling" if one["method"] == "flat" else "rival",
                    "options": ",".join(options), "seed": one["seed"],
                    "rescore": one["rescore"]})
        if status == "ok":
            out.update(value)
        now = datetime.datetime.now(datetime.timezone.utc)
        out.update(self.shared, date=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return out

    def truth(self, data, content):
        if data.metric == "label":
            return None
        k = max([*self.options["k"], self.options["map_k"]])
        path = os.path.join(self.args.out, "truth", f"rivals-{content}-{data.metric}-{k}.npy")
        if not os.path.exists(path):
            def work():
                os.makedirs(os.path.dirname(path), exist_ok=True)
                part = f"{path}.{os.getpid()}.npy"
                np.save(part, metrics.true_neighbours(data, k))
                os.replace(part, path)
                yield True
            for status, value in in_child(work, self.threads, 1 << 20, 86400):
                if status not in ("ok", "end"):
                    raise spec.Refused(f"{data.name}: no ground truth: {value}")
        return np.load(path)

    def run_group(self, data, truth, cells):
        work = (lambda: cell.measure([c for c, _ in cells], data, truth, self.options))
        left = list(cells)
        for status, value in in_child(work, self.threads, int(float(self.bench["memory_limit"])),
                                      float(self.bench["time_limit"])):
            if status == "end":
                return
            for one, key in left[:1] if status == "ok" else left:
                line = self.line(data, one, key, status, value)
                append(self.out, line)
                self.tell(line)
                self.failures += status != "ok"
            left = left[1:]

    @staticmethod
    def tell(line):
        recall = line.get("recall") or []
        score = "  ".join(f"recall {r['k']}@{r['at'][-1]} {r['value'][-1]:.3f}" for r in recall)
        if line["status"] == "ok":
            text = f"{score}  {line['code_bytes']} bytes  {line['qps']:.0f} queries/s"
        else:
            text = f"{line['status']}: {line['error']}"
        print(f"{line['data']}  {line['label']}  {line['nbits']} bits  {line['rescore']}  {text}",
              file=sys.stderr)

    def run(self):
        os.makedirs(self.args.out, exist_ok=True)
        done, missing, count, start = finished(self.args.out), [], 0, time.time()
        for name, values in self.data.items():
            try:
                data = spec.Data(name, values, self.args.data)
            except spec.Refused as error:
                missing.append(name)
                print(f"rivals.py: [data {name}] is skipped: {error}", file=sys.stderr)
                continue
            content, truth = _content(data), None
            for group in self.groups(name, data.base.shape[1]):
                cells = [(one, _digest([content, data.metric, one, self.options, self.threads,
                                        self.shared["library"], self.faiss])) for one in group]
                cells = [(one, key) for one, key in cells if key not in done]
                if cells:
                    truth = self.truth(data, content) if truth is None else truth
                    self.run_group(data, truth, cells)
                    count += len(cells)
        print(f"rivals.py: {count} cells in {time.time() - start:.0f} s, {self.failures} failed; "
              f"{self.out}", file=sys.stderr)
        return 1 if self.failures or len(missing) == len(self.data) else 0


def run(args, root):
    return Run(args, root).run()
