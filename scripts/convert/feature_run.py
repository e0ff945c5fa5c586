"""Features of all pictures into one file, a batch at a time, so that an interrupted run can go on."""
import contextlib
import hashlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vector_out import Bad, VectorFile, same_rows


def settings(args, net, source):
    """What must be the same for a run to go on."""
    with open(args.model, "rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(file.read()).hexdigest()
    return {"model": model, "layer": net.layer, "pool": args.pool, "size": net.size, "resize": args.resize,
            "mean": [float(m) for m in net.mean], "std": [float(s) for s in net.std], "scale": float(net.scale),
            "bgr": net.bgr, "last": net.last, "skip": args.skip_unreadable, "pictures": len(source),
            "source": hashlib.sha256(source.told().encode()).hexdigest()}


class State:
    """PATH.part.json: settings, pictures done, those left out; written anew after each batch."""

    def __init__(self, path, wanted, force):
        self.path, self.wanted, self.done, self.d, self.skipped = path + ".part.json", wanted, 0, None, []
        if force or not os.path.exists(self.path) or not os.path.exists(path + ".part"):
            return
        with open(self.path, encoding="utf-8") as file:
            try:
                was = json.load(file)
                same, self.done, self.d, self.skipped = was["settings"] == wanted, was["done"], was["d"], was["skipped"]
            except (ValueError, KeyError, TypeError):
                raise Bad(f"{self.path} is damaged; --force begins anew") from None
        if not same:
            raise Bad(f"{path}.part is of another model, other options or pictures; --force begins anew")

    def keep(self):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump({"settings": self.wanted, "done": self.done, "d": self.d, "skipped": self.skipped}, file)
        os.replace(self.path + ".new", self.path)


def beside(path, text):
    return path.rsplit(".", 1)[0] + text


def check_names(args, path, source):
    y = source.labels
    labels = None if y is None else beside(path, "_labels.ivecs" if y.shape[1] == 1 else "_labels.u8bin")
    for name in [path] + ([labels] if labels else []):
        there = [name] if os.path.exists(name) else same_rows(name)
        if there and not args.force:
            raise Bad(f"{there[0]} is there already; --force replaces it")
    return labels


def readable(args, source, state, net, at, stop, pool):
    """Pictures at..stop-1 as arrays, those that can be read."""
    jobs = [pool.submit(source.get, i, net.size, args.resize) for i in range(at, stop)]
    found = []
    for i, job in zip(range(at, stop), jobs):
        try:
            found.append(job.result())
        except (Bad, OSError) as problem:
            if not args.skip_unreadable:
                raise Bad(f"{problem} (--skip-unreadable leaves such pictures out)") from None
            state.skipped.append(i)
    return found


def run(args, net, source, path, state):
    file = VectorFile(path, state.d, state.done - len(state.skipped)) if state.done and state.d else None
    began, first, told = time.time(), state.done, 0
    with ThreadPoolExecutor(args.threads or os.cpu_count()) as pool:
        try:
            while state.done < len(source):
                stop = min(len(source), state.done + args.batch)
                found = readable(args, source, state, net, state.done, stop, pool)
                if found:
                    y = net.rows(found)
                    if file is None:
                        file, state.d = VectorFile(path, y.shape[1]), y.shape[1]
                    file.add(y)
                    file.sync()
                state.done = stop
                state.keep()
                if not args.quiet and (time.time() - told > 1 or stop == len(source)):
                    told, rate = time.time(), (stop - first) / max(1e-9, time.time() - began)
                    left = (len(source) - stop) / max(1e-9, rate)
                    start, end = ("\r", "" if stop < len(source) else "\n") if sys.stderr.isatty() else ("", "\n")
                    print(f"{start}{source.name}: {stop} of {len(source)} pictures, {rate:.3g} a second, "
                          f"{left:.0f} s left", file=sys.stderr, end=end)
            if file is None or not file.rows:
                raise Bad(f"{source.name}: no picture could be read")
            file.finish()
        finally:
            if file:
                file.file.close()
    return file


def extract(args, net, source, path):
    labels = check_names(args, path, source)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    state = State(path, settings(args, net, source), args.force)
    file = run(args, net, source, path, state)
    extra = {}
    if labels:
        y = np.delete(source.labels, state.skipped, 0)
        out = VectorFile(labels, y.shape[1])
        out.add(y)
        out.finish()
        extra[out.part] = labels
    texts = {beside(path, "_classes.txt"): source.classes or [],
             beside(path, "_skipped.txt"): [source.path(i) for i in state.skipped]}
    for name, lines in texts.items():
        if lines:
            with open(name + ".part", "w", encoding="utf-8") as text:
                text.writelines(line + "\n" for line in lines)
            extra[name + ".part"] = name
    for part, name in {**extra, file.part: path}.items():  # the features last: with them the set is whole
        for old in same_rows(name):
            os.unlink(old)
        os.replace(part, name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(state.path)
    kept = f", {len(state.skipped)} left out" if state.skipped else ""
    print(f"{path}: {file.rows} rows of {file.d}{kept}" + (f"; {labels}" if labels else "; no labels"))
