#!/usr/bin/env python3
"""read_in_python.py INDEX QUERIES CODE_SIZE K ANSWERS: searches an index file in stock Python FAISS.

QUERIES are raw codes. Writes to ANSWERS all int32 distances, then all int64 ids. Exit code 77 if
there is no Python FAISS here.
"""
import sys

try:
    import faiss
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

index_file, query_file, code_size, k, answer_file = sys.argv[1:]
index = faiss.read_index_binary(index_file)
queries = np.fromfile(query_file, dtype=np.uint8).reshape(-1, int(code_size))
assert index.d == 8 * int(code_size)
distances, ids = index.search(queries, int(k))
with open(answer_file, "wb") as f:
    f.write(distances.astype(np.int32).tobytes())
    f.write(ids.astype(np.int64).tobytes())
