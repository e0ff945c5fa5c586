"""Pictures with their labels, whatever they are kept in: count, one by one, labels as what lbh reads."""
import os

import numpy as np

import pictures
from archive import Archive
from vector_out import Bad, reading

ENDS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
OUT = (".fbin", ".npy", ".fvecs")


class Files:
    """Paths of picture files."""

    def __init__(self, name, paths, labels=None, classes=None):
        self.name, self.paths, self.labels, self.classes = name, paths, labels, classes
        if not paths:
            raise Bad(f"{name}: no pictures")
        try:
            import PIL.Image
        except ImportError:
            raise Bad("picture files need Python's Pillow: pip install pillow") from None
        self.image = PIL.Image

    def __len__(self):
        return len(self.paths)

    def told(self):
        return "\n".join(self.paths)

    def path(self, i):
        return self.paths[i]

    def get(self, i, size, resize):
        with reading(self.paths[i]), self.image.open(self.paths[i]) as image:
            image.draft("RGB", (2 * (resize or size),) * 2)  # JPEGs of many pixels are read at a part of their size
            return square(self.image, image.convert("RGB"), size, resize)


class Pixels:
    """An array of bytes, N x HEIGHT x WIDTH x (1 or 3)."""

    def __init__(self, name, x, labels=None):
        self.name, self.x, self.labels, self.classes, self.image = name, x, labels, None, None
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[3] not in (1, 3) or not x.size:
            raise Bad(f"{name}: {x.shape} of {x.dtype}; bytes, N x HEIGHT x WIDTH (x 3), are wanted")

    def __len__(self):
        return len(self.x)

    def told(self):
        return f"{self.x.shape} {hash_of(self.x)}"

    def path(self, i):
        return f"{self.name}: picture {i}"

    def get(self, i, size, resize):
        x = np.broadcast_to(self.x[i], self.x.shape[1:3] + (3,))
        if x.shape[:2] == (size, size):
            return x
        if self.image is None:
            try:
                import PIL.Image
            except ImportError:
                raise Bad(f"to scale {x.shape[0]} x {x.shape[1]} to {size} needs Python's Pillow: pip install pillow") from None
            self.image = PIL.Image
        return square(self.image, self.image.fromarray(np.ascontiguousarray(x)), size, resize)


def hash_of(x):
    import hashlib
    sample = x[np.linspace(0, len(x) - 1, min(len(x), 1000)).astype(int)]
    return hashlib.sha256(np.ascontiguousarray(sample).tobytes()).hexdigest()


def square(pil, image, size, resize):
    """The middle, SIZE x SIZE, of the picture whose shorter side is scaled to RESIZE."""
    resize = size * 8 // 7 if resize is None else resize
    if resize == 0:
        return np.asarray(image.resize((size, size), pil.BILINEAR))
    if resize < size:
        raise Bad(f"--resize {resize} is less than the network's {size}")
    w, h = image.size
    scale = resize / min(w, h)
    w, h = max(size, round(w * scale)), max(size, round(h * scale))
    left, top = (w - size) // 2, (h - size) // 2
    return np.asarray(image.resize((w, h), pil.BILINEAR).crop((left, top, left + size, top + size)))


def by_class(folder):
    """Folders of pictures: classes in the order of their names."""
    classes = sorted(n for n in os.listdir(folder) if os.path.isdir(os.path.join(folder, n)))
    paths, labels = [], []
    for c, name in enumerate(classes):
        found = sorted(n for n in os.listdir(os.path.join(folder, name)) if n.lower().endswith(ENDS))
        paths += [os.path.abspath(os.path.join(folder, name, n)) for n in found]
        labels += [c] * len(found)
    if not classes:
        flat = sorted(n for n in os.listdir(folder) if n.lower().endswith(ENDS))
        return Files(folder, [os.path.abspath(os.path.join(folder, n)) for n in flat])
    return Files(folder, paths, np.array(labels)[:, None], classes)


def listed(path):
    """Lines of path, tab (or blanks), labels: one number is a class; several are a 0 or 1 for each class."""
    paths, labels = [], []
    with reading(path), open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            name, tab, rest = line.rstrip("\n").partition("\t")
            words = rest.split() if tab else line.split()[1:]
            name = name if tab else line.split()[0]
            if not all(w.isdigit() for w in words) or (labels and len(words) != len(labels[0])):
                raise Bad(f"{path}: line {number}: {len(words)} labels where the first line has "
                          f"{len(labels[0]) if labels else 'others'}, or one is no number")
            paths.append(os.path.join(os.path.dirname(os.path.abspath(path)), name))
            labels.append([int(w) for w in words])
    y = np.array(labels) if labels and labels[0] else None
    if y is not None and y.shape[1] > 1 and y.max() > 1:
        raise Bad(f"{path}: several labels a line must be 0 or 1, one for each class")
    return Files(path, paths, y)


def planes(x, shape, path):
    """Rows of bytes as pictures; CIFAR's rows are three planes."""
    known = {784: (28, 28, 1), 3072: (32, 32, 3)}
    if shape:
        try:
            h, w, c = (int(n) for n in shape.split("x"))
        except ValueError:
            raise Bad(f"--pixels {shape}: HEIGHTxWIDTHxCHANNELS, please") from None
    elif x.shape[1] in known:
        h, w, c = known[x.shape[1]]
    else:
        raise Bad(f"{path}: rows of {x.shape[1]} bytes: --pixels HEIGHTxWIDTHxCHANNELS")
    if h * w * c != x.shape[1]:
        raise Bad(f"{path}: rows have {x.shape[1]} bytes, not {h} x {w} x {c}")
    return x.reshape(-1, c, h, w).transpose(0, 2, 3, 1)


def vectors(path, shape):
    with reading(path):
        raw = np.memmap(path, "u1", "r")
        d = int(raw[:4].view("<i4")[0])
        if d < 1 or raw.size % (4 + d) or (raw.reshape(-1, 4 + d)[:, :4] != raw[:4]).any():
            raise Bad(f"{path}: no rows of {d} bytes")
        x = raw.reshape(-1, 4 + d)[:, 4:]
    return Pixels(path, planes(x, shape, path), beside(path, len(x)))


def beside(path, n):
    """Labels in NAME_labels.ivecs, as scripts/convert.py writes them; None if there are none."""
    where = path.rsplit(".", 1)[0] + "_labels.ivecs"
    if not os.path.exists(where):
        return None
    with reading(where):
        raw = np.fromfile(where, "<i4")
        y = raw.reshape(-1, 1 + int(raw[0]))[:, 1:]
        if len(y) != n:
            raise Bad(f"{where}: {len(y)} labels of {n} pictures")
    return y


def idx(path):
    folder, name = os.path.split(path)
    archive = Archive(folder or ".")
    x = pictures.idx(archive, name)
    side = name.replace("images", "labels").replace("idx3", "idx1")
    y = pictures.idx(archive, side) if side != name and side in archive.names else None
    if y is not None and len(y) != len(x):
        raise Bad(f"{path}: {len(x)} pictures and {len(y)} labels")
    return Pixels(path, planes(x, None, path), y)


def array(path):
    with reading(path):
        x = np.load(path, mmap_mode="r")
        x = x[..., None] if x.ndim == 3 else x
        if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 3):
            x = x.transpose(0, 2, 3, 1)
    return Pixels(path, x, beside(path, len(x)))


def source(path, args):
    if os.path.isdir(path):
        return by_class(path)
    if not os.path.exists(path):
        raise Bad(f"{path}: no such file or folder")
    if path.endswith((".list", ".txt")):
        return listed(path)
    if path.endswith(".bvecs"):
        return vectors(path, args.pixels)
    if path.endswith(".npy"):
        return array(path)
    if "ubyte" in os.path.basename(path):
        return idx(path)
    raise Bad(f"{path}: pictures are folders, .list .txt .bvecs .npy, idx (-ubyte) or CIFAR-10's .tar.gz")


def cifar(path):
    """[(part, pictures)] of CIFAR-10 as it is published; None: something else."""
    if not os.path.isdir(path) and not path.endswith((".tar.gz", ".tgz", ".tar")):
        return None
    archive = Archive(path)
    end = next((e for e in ("", ".mat", ".bin") if "test_batch" + e in archive.names), None)
    if end is None:
        return None
    found = [pictures.batch(archive, archive.find(f"data_batch_{i}{end}")) for i in range(1, 6)]
    both = [np.concatenate(part) for part in zip(*found)], pictures.batch(archive, "test_batch" + end)
    return [(part, Pixels(f"{path}: {part}", planes(x, None, path), y[:, None]))
            for part, (x, y) in zip(("base", "query"), both)]


def parts(args):
    """[(pictures, file of features)]"""
    args.features = args.features.rstrip("/")
    one = args.features.endswith(OUT)
    found = cifar(args.pictures)
    if found is None and os.path.isdir(args.pictures):
        ends = (".list", ".bvecs", ".npy")
        found = [(part, source(p, args)) for part in ("base", "query") for p in
                 [os.path.join(args.pictures, part + e) for e in ends] if os.path.exists(p)]
    if one and not found:
        return [(source(args.pictures, args), args.features)]
    if one:
        raise Bad(f"{args.pictures} has {' and '.join(p for p, _ in found)}: FEATURES is a folder then")
    if os.path.splitext(args.features)[1]:
        raise Bad(f"{args.features}: features are {' '.join(OUT)}, or a folder for a set")
    found = found or [("base", source(args.pictures, args))]
    return [(pictures_, os.path.join(args.features, part + ".fbin")) for part, pictures_ in found]
