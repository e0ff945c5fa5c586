"""Files of vectors that are written row by row, and sets of files that appear together or not at all."""
import contextlib
import os

import numpy as np

KINDS = {"fvecs": "<f4", "bvecs": "u1", "ivecs": "<i4", "fbin": "<f4", "u8bin": "u1", "ibin": "<i4", "npy": "<f4"}


class Bad(Exception):
    """What was given is damaged or of another form; the text is one line."""


@contextlib.contextmanager
def reading(path):
    """Whatever goes wrong inside is said of this file, in one line."""
    try:
        yield
    except (Bad, MemoryError):
        raise
    except Exception as error:  # each library for files has errors of its own
        if isinstance(error, FileNotFoundError) and error.filename not in (None, path):
            raise
        text = " ".join((error.strerror if isinstance(error, OSError) and error.strerror else str(error)).split())
        raise Bad(f"{path}: {text or type(error).__name__}") from None


class VectorFile:
    """PATH.part, of the kind that PATH's ending names, until finish() gives it its name. `rows` says how many
    rows are there; with go_on=R the first R of an unfinished file are kept."""

    def __init__(self, path, d, go_on=0):
        self.path, self.part, self.d, self.rows = path, path + ".part", int(d), go_on
        self.kind = path.rsplit(".", 1)[-1]
        if self.kind not in KINDS:
            raise Bad(f"{path}: not one of {' '.join('.' + k for k in KINDS)}")
        self.type = np.dtype(KINDS[self.kind])
        self.head = {"fbin": 8, "u8bin": 8, "ibin": 8, "npy": 128}.get(self.kind, 0)
        self.file = open(self.part, "r+b" if go_on else "wb")
        self.file.truncate(self.head + go_on * self.row_bytes())
        self.file.seek(0, os.SEEK_END)

    def row_bytes(self):
        return self.d * self.type.itemsize + (0 if self.head else 4)

    def add(self, x):
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.d:
            raise Bad(f"{self.path}: rows of {x.shape[1:]} numbers among rows of {self.d}")
        if self.type.kind == "f":
            x = x.astype(self.type)
            good = np.isfinite(x).all(1)
            if not good.all():
                raise Bad(f"{self.path}: row {self.rows + int(np.argmin(good))} would have NaN or infinity")
        elif (x != x.astype(self.type)).any():
            raise Bad(f"{self.path}: a number does not fit its type ({self.type.name})")
        x = np.ascontiguousarray(x, self.type)
        if not self.head:  # each row behind its dimension
            head = np.broadcast_to(np.array([self.d], "<i4").view("u1"), (len(x), 4))
            x = np.hstack([head, x.view("u1").reshape(len(x), -1)])
        self.file.write(x.tobytes())
        self.rows += len(x)

    def sync(self):
        self.file.flush()
        os.fsync(self.file.fileno())

    def finish(self):
        """All but the name."""
        if self.head:
            self.file.seek(0)
            if self.kind == "npy":
                text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (self.rows, self.d)
                self.file.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n")
            else:
                self.file.write(np.array([self.rows, self.d], "<u4").tobytes())
        self.sync()
        self.file.close()


def write(path, x, step=65536):
    """All rows of x (anything with a shape and slices) as one file, whole or not at all."""
    file = VectorFile(path, x.shape[1])
    try:
        for at in range(0, x.shape[0], step):
            file.add(x[at:at + step])
        file.finish()
        os.replace(file.part, path)
    except BaseException:
        file.file.close()
        os.unlink(file.part)
        raise


def same_rows(path):
    """Files of vectors of the same name and another kind: lbh would read one of them in its place."""
    stem, _, kind = path.rpartition(".")
    return [f"{stem}.{k}" for k in KINDS if kind in KINDS and k != kind and os.path.exists(f"{stem}.{k}")]


class Outputs:
    """The files of a set: given their names together at the end, or taken away."""

    def __init__(self, directory, force=False):
        self.directory, self.force, self.files, self.texts, self.told = directory, force, {}, {}, []

    def __enter__(self):
        return self

    def _path(self, name):
        os.makedirs(self.directory, exist_ok=True)
        path = os.path.join(self.directory, name)
        there = [path] if os.path.exists(path) else same_rows(path)
        if there and not self.force:
            raise Bad(f"{there[0]} is there already; --force replaces it")
        self.told.append(name)
        return path

    def vectors(self, name, d):
        self.files[name] = VectorFile(self._path(name), d)
        return self.files[name]

    def add(self, name, x):
        """Appends rows to the file of this name, which begins with the first of them."""
        x = np.asarray(x)
        x = x[:, None] if x.ndim == 1 else x
        (self.files.get(name) or self.vectors(name, x.shape[1])).add(x)

    def text(self, name, lines):
        path = self._path(name)
        self.texts[name] = path
        with open(path + ".part", "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())

    def __exit__(self, kind, value, trace):
        paths = [f.path for f in self.files.values()] + list(self.texts.values())
        try:
            if kind is None:
                for file in self.files.values():
                    if not file.rows:
                        raise Bad(f"{file.path}: no rows")
                    file.finish()
                for path in paths:
                    for old in same_rows(path) if self.force else ():
                        os.unlink(old)
                    os.replace(path + ".part", path)
        finally:
            for file in self.files.values():
                file.file.close()
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path + ".part")
