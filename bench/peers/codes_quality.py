#!/usr/bin/env python3
"""What codes find: codes_quality.py METHOD DATA DIRECTORY. The codes of lbh are DIRECTORY/base.npy and
query.npy, those of the peer are in codes.npz; 1,000 queries, ranked by Hamming distance. sgh and sigah:
recall 10@100, equally near codes by rising number; jmlh: mean average precision by labels."""
import json
import os
import sys

import numpy as np
import torch

import torch_peer as peer

QUERIES = 1000


def signs(codes):
    return torch.from_numpy(np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1)


def ranking(base, query):
    """Rows by rising distance of their codes: bits that agree count 1, others -1."""
    return torch.argsort(signs(query[:QUERIES]) @ -signs(base).T, dim=1, stable=True)


def recall(data, order):
    base, query = (peer.read_floats(os.path.join(data, f"{part}.bvecs")) for part in ("base", "query"))
    near = torch.cdist(query[:QUERIES], base).topk(10, largest=False).indices
    hits = (order[:, :100, None] == near[:, None, :]).any(1)
    return float(hits.float().mean())


def precision(data, order):
    base, query = (peer.read_labels(os.path.join(data, f"{part}_labels.ivecs")) for part in ("base", "query"))
    same = (base[order] == query[:QUERIES, None]).double()
    at = same.cumsum(1) / torch.arange(1, same.shape[1] + 1)
    return float(((at * same).sum(1) / same.sum(1)).mean())


def main():
    method, data, directory = sys.argv[1:4]
    measure = precision if method == "jmlh" else recall
    theirs = np.load(os.path.join(directory, "codes.npz"))
    ours = {part: np.load(os.path.join(directory, f"{part}.npy")) for part in ("base", "query")}
    print(json.dumps({"measure": "mAP by labels" if method == "jmlh" else "recall 10@100",
                      **{side: measure(data, ranking(codes["base"], codes["query"]))
                         for side, codes in (("ours", ours), ("torch", theirs))}}))


if __name__ == "__main__":
    main()
