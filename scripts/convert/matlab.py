"""Matrices of MATLAB's files. Version 5 (scipy) is read whole, a variable at a time; version 7.3, which is HDF5, in
blocks."""
import os

import numpy as np

from vector_out import Bad, reading

PARTS = ("base", "query", "base_labels", "query_labels")


def load(file, names=None):
    """{name: array} of a file of version 5."""
    try:
        import scipy.io
    except ImportError:
        raise Bad("MATLAB's files need Python's scipy: apt install python3-scipy") from None
    return {k: v for k, v in scipy.io.loadmat(file, variable_names=names).items() if not k.startswith("__")}


class Matrix:
    """A variable as MATLAB sees it: shape and blocks of rows, or of columns."""

    def __init__(self, array, turned):
        self.array, self.turned = array, turned  # HDF5 has a matrix's columns as rows
        self.shape = array.shape[::-1] if turned else array.shape

    def block(self, start, stop, columns):
        part = self.array[start:stop] if columns == self.turned else self.array[:, start:stop]
        return np.asarray(part) if columns == self.turned else np.asarray(part).T


def variable(path, name):
    with reading(path):
        with open(path, "rb") as file:
            head = file.read(128)
        if head[:10] == b"MATLAB 7.3" or head[:4] == b"\x89HDF":
            try:
                import h5py
            except ImportError:
                raise Bad("MATLAB's files of version 7.3 need Python's h5py: apt install python3-h5py") from None
            found = h5py.File(path, "r")  # stays open as long as its variable
            array, turned = found.get(name), True
            if array is not None and not isinstance(array, h5py.Dataset):
                raise Bad(f"{path}: {name} is no matrix")
        else:
            found, turned = load(path, [name]), False
            array = found.get(name)
            if array is None:
                found = load(path)
        if array is None:
            raise Bad(f"{path}: there is no variable {name}; it has {', '.join(k for k in found if k[0] != '#')}")
        if array.ndim != 2 or array.dtype.kind not in "fiub":
            raise Bad(f"{path}: {name} is no matrix of numbers")
        return Matrix(array, turned)


def labels(matrix, path, name):
    """One class a row as an array, or a matrix of 0 and 1 (or -1 and 1), to be turned to the rows."""
    x = np.asarray(matrix.block(0, matrix.shape[0], False))
    if (x != np.floor(x)).any():
        raise Bad(f"{path}: {name} has numbers that are no labels")
    return x.reshape(-1, 1) if 1 in x.shape else x


def place(args, part):
    """FILE and VARIABLE."""
    file, found, name = (getattr(args, part) or "").rpartition(":")
    return (file if found else args.source), name


def rows(args, out, part):
    path, name = place(args, part)
    x = variable(path, name)
    y, columns = None, args.transpose
    if getattr(args, part + "_labels"):
        where = place(args, part + "_labels")
        y = labels(variable(*where), *where)
        if y.shape[1] > 1 and y.shape[0] not in x.shape and y.shape[1] in x.shape:
            y = y.T
        if len(y) not in x.shape:
            raise Bad(f"{path}: {name} is {x.shape[0]} x {x.shape[1]}, its labels {where[1]} are of {len(y)} rows")
        if x.shape[0] != x.shape[1]:
            columns = len(y) != x.shape[0]
    n, d = x.shape[::-1] if columns else x.shape
    step = max(1, (64 << 20) // (8 * d))
    with reading(path):
        for at in range(0, n, step):
            out.add(part + ".fvecs", x.block(at, min(n, at + step), columns).astype("<f4"))
    if y is not None and y.shape[1] == 1:
        out.add(part + "_labels.ivecs", y.astype(int))
    elif y is not None:
        if not (np.isin(y, (0, 1)).all() or np.isin(y, (-1, 1)).all()):
            raise Bad(f"{path}: labels of several columns must be 0 and 1, or -1 and 1")
        out.add(part + "_labels.u8bin", (y > 0).astype("u1"))
    print(f"{os.path.basename(path)}: {part}: {n} rows of {d}, the {'columns' if columns else 'rows'} of {name}")


def convert(args, out):
    for part in "base", "query":
        if getattr(args, part):
            rows(args, out, part)
        elif getattr(args, part + "_labels"):
            raise Bad(f"--{part}-labels without --{part}")
    if len({f.d for name, f in out.files.items() if "labels" not in name}) > 1:
        raise Bad(f"{args.source}: base and query have different dimensions")
