"""Cells one after the other: each index in a process of its own, with limits of time and memory;
results appended line by line."""
import datetime
import fcntl
import glob
import hashlib
import json
import multiprocessing
import os
import resource
import shlex
import subprocess
import sys
import time

import numpy as np

import cell
import indexes


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


# ---- The plan ----------------------------------------------------------------------------------

class Refused(Exception):
    """Bad input; the text says what to do."""


def plan_of(args, root):
    """What `lbh bench --plan` says."""
    built = os.path.join(root, "build", "lbh")
    lbh = args.lbh or (built if os.path.exists(built) else "lbh")
    command = [lbh, "bench", "--plan", "--out", args.out]
    for name in ("preset", "data", "threads"):
        if getattr(args, name):
            command += ["--" + name, str(getattr(args, name))]
    command += ["--quick"] if args.quick else []
    command += ["--", args.spec] if args.spec else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Refused(f"{lbh}: {error.strerror} (--lbh)") from error
    if done.returncode:
        raise Refused(done.stderr.strip())
    sys.stderr.write(done.stderr)  # what is not there or left out, and why
    return json.loads(done.stdout)


class Data:
    """base, query, train: float32 rows; own: row of base that each query is, or None; near: true
    neighbours of the queries, sample_near: more of those of the sample; or labels, as rows of
    classes from start[i] to start[i + 1]."""

    def __init__(self, said):
        self.name, self.metric = said["name"], said["metric"]
        for part in ("base", "query", "train"):
            setattr(self, part, np.load(said[part]) if part in said else None)
        for part in ("own", "base_start", "base_class", "query_start", "query_class"):
            setattr(self, part, np.load(said[part]).reshape(-1) if part in said else None)
        self.train = self.base if self.train is None else self.train
        for part in ("near", "sample_near"):
            rows = np.fromfile(said[part], np.int32) if part in said else None
            setattr(self, part, None if rows is None else rows.reshape(-1, rows[0] + 1)[:, 1:])

    def rows(self, x, hamming):
        """Of unit length where the metric is the cosine, which codes do without."""
        if self.metric != "cosine" or hamming:
            return x.copy()
        return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-30)


def variants(group):
    """The group, or four for RaBitQ: what is added to names, options, and the group."""
    first = group["cells"][0]
    if first["method"] != "rabitq":
        yield "", "", group
        return
    for bits, fast, name in indexes.VARIANTS:
        factory = indexes.rabitq(first["d"], first["nbits"], bits, fast)
        yield name, f"bits={bits}" + ",fastscan=1" * fast, dict(group, factory=factory, hamming=False)


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
        import faiss  # for all children; it must not work before they are forked
        self.plan, self.args, self.faiss = plan_of(args, root), args, faiss.__version__
        self.out, self.failures = os.path.join(args.out, "rivals.jsonl"), 0
        self.command = shlex.join(["scripts/rivals.py", *(a for a in sys.argv[1:] if a != "--inside")])

    def line(self, cell_line, name, options):
        """The line that lbh would write, as one of this FAISS."""
        known = [cell_line["key"], self.faiss, name]
        options = ",".join(filter(None, (options, cell_line["options"])))
        now = datetime.datetime.now(datetime.timezone.utc)
        return dict(cell_line, faiss=self.faiss, command=self.command, options=options,
                    key=hashlib.blake2b(json.dumps(known).encode(), digest_size=8).hexdigest(),
                    label=f"{cell_line['label']}{name} {self.faiss}",
                    date=now.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def groups(self):
        """(data set, group, its lines) that are not measured yet."""
        done = finished(self.args.out)
        for group in self.plan["groups"]:
            for name, options, one in variants(group):
                cells = [self.line(c, name, options) for c in one["cells"]]
                cells = [c for c in cells if c["key"] not in done]
                wanted = not self.args.methods or cells and \
                    cells[0]["method"] in self.args.methods.split(",")
                if cells and wanted:
                    yield group["data"], one, cells

    def run_group(self, data, group, cells):
        def work():
            yield from cell.measure(cells, group, data, self.plan)
        left = list(cells)
        for status, value in in_child(work, int(self.plan["threads"]),
                                      int(self.plan["memory_limit"]), self.plan["time_limit"]):
            if status == "end":
                return
            for line in left[:1] if status == "ok" else left:
                line = dict(line, status=status, **(value if status == "ok" else {"error": value}))
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
        start, count, at, data = time.time(), 0, None, None
        for which, group, cells in self.groups():
            data = data if which == at else Data(self.plan["data"][which])
            at = which
            self.run_group(data, group, cells)
            count += len(cells)
        print(f"rivals.py: {count} cells in {time.time() - start:.0f} s, {self.failures} failed; "
              f"{self.out}", file=sys.stderr)
        return 1 if self.failures else 0
