"""Pictures and labels by the lists of NUS-WIDE and ImageNet: labels for lbh, and NAME.list for scripts/features.py,
a line a picture: its path, a tab, and its class or a 0 or 1 for each class."""
import glob
import os

import numpy as np

import matlab
from vector_out import Bad, reading


def lines(path):
    with reading(path), open(path, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line.strip()]


def nuswide(args, out):
    folder = args.source
    names = [n.strip().replace("\\", "/") for n in lines(os.path.join(folder, "ImageList", "Imagelist.txt"))]
    files = sorted(glob.glob(os.path.join(glob.escape(folder), "Groundtruth", "AllLabels", "Labels_*.txt")))
    if not files:
        raise Bad(f"{folder}: there is no Groundtruth/AllLabels/Labels_*.txt")
    if args.top < 0 or args.top > len(files):
        raise Bad(f"--top {args.top}: there are {len(files)} concepts")
    y = np.empty((len(names), len(files)), "u1")
    for c, path in enumerate(files):
        text = [t.strip() for t in lines(path)]
        if len(text) != len(names):
            raise Bad(f"{path}: {len(text)} lines for {len(names)} pictures")
        if not set(text) <= {"0", "1"}:
            raise Bad(f"{path}: a line is neither 0 nor 1")
        y[:, c] = [t == "1" for t in text]
    concepts = np.arange(len(files))
    if args.top:
        concepts = np.sort(np.argsort(-y.sum(0, dtype=int), kind="stable")[:args.top])
        keep = np.flatnonzero(y[:, concepts].any(1))
        y, names = y[np.ix_(keep, concepts)], [names[i] for i in keep]
    root = os.path.abspath(os.path.join(folder, "Flickr"))
    out.text("base.list", [f"{root}/{n}\t{' '.join(map(str, row))}" for n, row in zip(names, y)])
    out.text("classes.txt", [os.path.basename(files[c])[len("Labels_"):-len(".txt")] for c in concepts])
    out.add("base_labels.u8bin", y)


def jpegs(folder):
    found = sorted(n for n in os.listdir(folder) if n.lower().endswith((".jpeg", ".jpg", ".png")))
    return [os.path.join(folder, n) for n in found]


def validation(folder):
    """{WNID: paths} of the pictures for validation, in folders by class, or flat by the list of the development kit."""
    val = os.path.abspath(os.path.join(folder, "val"))
    with reading(val):
        inside = [n for n in sorted(os.listdir(val)) if os.path.isdir(os.path.join(val, n))]
    if inside:
        return {n: jpegs(os.path.join(val, n)) for n in inside}
    kit = os.path.join(folder, "ILSVRC2012_devkit_t12", "data")
    truth = lines(os.path.join(kit, "ILSVRC2012_validation_ground_truth.txt"))
    meta = os.path.join(kit, "meta.mat")
    with reading(meta):
        synsets = matlab.load(meta)["synsets"].reshape(-1)
        wnid = {int(s["ILSVRC2012_ID"].item()): str(s["WNID"].item()) for s in synsets}
    found, pictures = {}, jpegs(val)
    if len(pictures) != len(truth):
        raise Bad(f"{val}: {len(pictures)} pictures, {len(truth)} lines in ILSVRC2012_validation_ground_truth.txt")
    for path, number in zip(pictures, truth):  # their names end with the number of the line
        if not number.strip().isdigit() or int(number) not in wnid:
            raise Bad(f"{kit}: class '{number.strip()[:40]}' is not in meta.mat")
        found.setdefault(wnid[int(number)], []).append(path)
    return found


def imagenet(args, out):
    train = os.path.abspath(os.path.join(args.source, "train"))
    with reading(train):
        wnids = sorted(n for n in os.listdir(train) if os.path.isdir(os.path.join(train, n)))
    if not 0 < args.classes <= len(wnids):
        raise Bad(f"{train}: {args.classes} classes cannot be drawn from {len(wnids)} folders")
    chosen = sorted(np.random.default_rng(args.seed).choice(wnids, args.classes, replace=False).tolist())
    val = validation(args.source)
    for part, pictures in ("base", lambda w: jpegs(os.path.join(train, w))), ("query", lambda w: val.get(w, [])):
        text, y = [], []
        for c, w in enumerate(chosen):
            found = pictures(w)
            if not found:
                raise Bad(f"{args.source}: no pictures of {w} for {part}")
            text += [f"{p}\t{c}" for p in found]
            y += [c] * len(found)
        out.text(part + ".list", text)
        out.add(part + "_labels.ivecs", np.array(y))
    out.text("classes.txt", chosen)
