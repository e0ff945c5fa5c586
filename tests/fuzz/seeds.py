"""seeds.py SEEDS DIRECTORY: small good inputs for every fuzz target, DIRECTORY/TARGET/*.

SEEDS is the program fuzz_seeds, which writes what the library writes; the rest is made here, by
hand, so that it depends on nothing. HDF5 sets need h5py and are left out without it.
"""
import gzip
import os
import struct
import subprocess
import sys


def put(target, name, data):
    os.makedirs(os.path.join(directory, target), exist_ok=True)
    with open(os.path.join(directory, target, name), "wb") as file:
        file.write(data)


def floats(n, d):
    return b"".join(struct.pack("<f", (7 * i % 23) / 4 - 1) for i in range(n * d))


def ints(n, d, form="<i", top=100):
    return b"".join(struct.pack(form, 13 * i % top) for i in range(n * d))


def prefixed(n, d, rows):
    size = len(rows) // n
    return b"".join(struct.pack("<i", d) + rows[i * size:(i + 1) * size] for i in range(n))


def numpy_file(descr, shape, data, version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117 if version == 1 else 115) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def npy_types():
    for descr, form in (("<i4", "<i"), ("<i8", "<q"), ("|u1", "B"), ("|i1", "b"), ("|b1", "B"),
                        ("<f4", "<f"), ("<f8", "<d")):
        yield descr.strip("<|"), numpy_file(descr, (6, 3), ints(6, 3, form, 2))


def vectors():
    matrices = [floats(5, 4), ints(5, 4, "B"), ints(5, 4)]
    for kind, name in enumerate(("fvecs", "bvecs", "ivecs")):
        put("vecs", name, bytes([kind]) + prefixed(5, 4, matrices[kind]))
    for kind, rows in enumerate((*matrices, ints(5, 4, "b"))):
        for part in 0, 1:
            put("bigann", f"{kind}{part}",
                bytes([2 * kind + part]) + struct.pack("<II", 5, 4) + rows)
    put("bigann", "distances", bytes([4]) + struct.pack("<II", 5, 4) + ints(5, 4) + floats(5, 4))
    for name, data in npy_types():
        put("npy", name, data)
    put("npy", "version2", numpy_file("<f4", (2, 3), floats(2, 3), 2))
    put("npy", "column", numpy_file("<f4", "(6,)", floats(6, 1)))


def idx():
    for code, form in (8, "B"), (9, "b"), (12, ">i"), (13, ">f"), (14, ">d"):
        data = bytes([0, 0, code, 3]) + struct.pack(">III", 4, 3, 2) + ints(4, 6, form)
        put("idx", f"{code}", data)
        put("idx", f"{code}.gz", gzip.compress(data, mtime=0))


def bins():
    image = bytes(range(256)) * 12
    for kind, name in enumerate(("whole", "images", "labels")):
        put("bin", f"cifar10-{name}", bytes([kind, 3]) + image)
    put("bin", "cifar100", bytes([3, 11, 57]) + image)
    truth = struct.pack("<II", 3, 2) + ints(3, 2) + floats(3, 2)
    for kind in 0, 4, 5:
        put("bin", f"truth{kind}", bytes([kind]) + truth)
    put("bin", "range", bytes([0]) + struct.pack("<IIIII", 3, 2, 1, 0, 1) + bytes(16))
    words = b"".join(w + b" " + floats(1, 4) + b"\n" for w in (b"a", b"word", b"\xc3\xa9"))
    put("bin", "word2vec", bytes([0]) + b"3 4\n" + words)


def texts():
    put("words", "word2vec", b"3 2\nthe 0.5 -1\nof 1e-3 +2\nand 3 .25\n")
    put("words", "glove", b"the 0.5 -1\nof 1 2\n. . . 3 4\n")
    put("words", "blanks", b"a\t1 2\r\nb  3   4 \r\n\nc 5 6")
    csv = [b"label,x\ncat,1\ndog|cat,2\n,3\n", b"a,b,c\n0,1,0\n1,1,0\n", b"3\n1|2\n-1\n7\n",
           b'"label"\n"a ""b"""\n"two\nlines"\n', b"0,1\n1,0\n", b"\xef\xbb\xbfclass\n1.0\n+2\n"]
    svm = [b"1 1:0.5 3:2\n-1 2:1\n", b"3 5 2\n0,1 1:1\n1 2:2\n 3:1 # none\n", b"# c\na,b 1:2\nc\n"]
    for i, text in enumerate(csv):
        put("labels", f"csv{i}", bytes([0]) + text)
        put("labels", f"tsv{i}", bytes([6]) + text.replace(b",", b"\t"))
    put("labels", "part", bytes([1]) + csv[2])
    for i, text in enumerate(svm):
        put("labels", f"svm{i}", bytes([4]) + text)
    for name, data in npy_types():
        put("labels", f"npy-{name}", bytes([10]) + data)
    put("labels", "ivecs", bytes([12]) + prefixed(5, 3, ints(5, 3)))
    put("labels", "u8bin", bytes([14]) + struct.pack("<II", 6, 2) + ints(6, 2, "B", 2))


def rows_of_ids():
    lists = ints(4, 3)
    for own in 0, 1:
        put("truth", f"ivecs{own}", bytes([0, own]) + prefixed(4, 3, lists))
        put("truth", f"ibin{own}", bytes([1, own]) + struct.pack("<II", 4, 3) + lists)
        put("truth", f"npy{own}", bytes([2, own]) + numpy_file("<i4", (4, 3), lists))
        put("truth", f"bin{own}",
            bytes([3, own]) + struct.pack("<II", 4, 3) + lists + floats(4, 3))
    put("truth", "column", bytes([2, 0]) + numpy_file("<i8", "(4,)", ints(4, 1, "<q", 4)))
    for order in 0, 1:
        put("codes", f"u8bin{order}", bytes([order]) + struct.pack("<II", 5, 4) + ints(5, 4, "B"))
        put("codes", f"bvecs{order}", bytes([2 + order]) + prefixed(5, 4, ints(5, 4, "B")))
        put("codes", f"npy{order}", bytes([4 + order]) + numpy_file("|u1", (5, 4), bytes(20)))


def strings():
    for kind, text in enumerate((b"base.fvecs@10:20", b"n=50,d=8,clusters=3,decay=0.5,part=query",
                                 b"queries-per-class=100,train-per-class=500,classes=5,seed=1",
                                 b"-3", b"1.5e0")):
        put("specs", str(kind), bytes([kind]) + text)
    for i, text in enumerate((b"BFlat", b"BIVF1024_HNSW32", b"IDMap2,BHNSW32", b"BHash4x16",
                              b"SGH64,BFlat", b"IDMap2,SGH64(steps=5000,seed=7),BIVF1024,RFlat",
                              b"itq-cca128,BHash16,RSQ8", b"BHash20,IDMap")):
        put("factories", str(i), bytes([8]) + text)
    params = (b"use_heap=1", b"nprobe=2,max_codes=10", b"quantizer_efSearch=16,nprobe=1",
              b"efSearch=64,efConstruction=40", b"nflip=2", b"nflip=1",
              b"rescore=float,k_factor=2.5,margin_factor=4,nprobe=2")
    for kind, text in enumerate(params):
        put("search_params", str(kind), bytes([kind]) + text)
    options = (b"", b"nlist=2,nprobe=2", b"nlist=2,metric=ip,norms=byte,refine=3")
    for kind in range(6):
        put("export_options", str(kind), bytes([kind]) + options[kind % 3])
    for method in range(32):
        put("encoder_options", str(method), bytes([method]) + b"seed=7,time_limit=2.5,steps=100")
        put("encoder_options", f"p{method}", bytes([method]) + b"preset=paper,metric=ip,batch=64")
    put("notes", "two", b"classes\n[\"a\",\"b\"]\1split\nseed=1")
    for kind, (descr, size) in enumerate((("<f4", 4), ("<i8", 8), ("|u1", 1))):
        array = numpy_file(descr, "(4, 3)", bytes(12 * size))
        put("npy_file", str(kind), bytes([kind, 4, 3]) + array)


def results():
    presets = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench/presets")
    for name in sorted(os.listdir(presets)):
        with open(os.path.join(presets, name), "rb") as file:
            put("bench_spec", name, file.read())
    head = b'{"format":"lbh-bench 1","key":'
    for i, text in enumerate((head + b'"a","ok":true,"recall":0.5}\n' + head + b'"a","ok":false}\n',
                              head + b'"b","error":"x"}\n' + head + b'"c","x":[1,{"y":null}]}\nno\n',
                              b'{"format":"lbh-bench 2"}\n' + head)):
        put("result_lines", str(i), text)


def dictionaries():
    """Words of the small languages, one a line, as libFuzzer reads them."""
    numbers = "0 1 -1 2147483647 2147483648 9223372036854775807 1e400 nan inf 0x1p-1 .5 +3"
    words = {
        "labels": numbers + " label labels class target category , | : # \\x0a \\x22",
        "words": numbers + " \\x0a \\x09",
        "npy": "descr fortran_order shape True False ' ( ) , { } <f4 <f8 |u1 |b1 <i8 >f4",
        "specs": numbers + " @ : n= d= queries= learn= clusters= seed= decay= part= base query"
                 " queries-per-class= train-per-class= classes= ,",
        "factories": numbers + " BFlat BIVF BHNSW BHash _HNSW x IDMap, IDMap2, ,IDMap RFlat RSQ8"
                     " sgh itq lsh itq-cca ( ) = ,",
        "search_params": numbers + " nprobe= max_codes= use_heap= efSearch= efConstruction= nflip="
                         " quantizer_ rescore= none margin decoder float k_factor= margin_factor= ,",
        "export_options": numbers + " nlist= nprobe= metric= norms= refine= l2 ip none byte float ,",
        "pipeline_manifest": numbers + " metric parameters generation file lbh faiss vectors.npy"
                             " scale.npy ids.npy end \\x0a",
        "bench_spec": numbers + " [bench] [data [method [published ] = : # ; k at map_k map_at answers"
                      " nbits seeds repeats threads time_limit memory_limit rescore index search base"
                      " queries query_ids labels query_labels train train_labels split split_seed"
                      " limit metric image options refine label source what hamming float all \\x0a",
        "result_lines": numbers + " format lbh-bench key error { } [ ] : , null true \\\\u0000"
                        " \\x22 \\x0a",
    }
    for name, text in words.items():
        with open(os.path.join(directory, name + ".dict"), "w", encoding="ascii") as file:
            file.writelines(f'"{word}"\n' for word in text.split())


def hdf5():
    try:
        import h5py
        import numpy
    except ImportError:
        print("seeds.py: no h5py: no seeds of HDF5 sets")
        return
    kinds = ((0, "<f4", "angular"), (0, "<f8", "euclidean"), (2, "?", "hamming"), (1, "<i4", ""))
    for i, (part, kind, distance) in enumerate(kinds):
        for packed in False, True:
            path = os.path.join(directory, "set.hdf5")
            with h5py.File(path, "w") as file:
                file.attrs["distance"] = distance
                file.attrs["type"] = "dense"
                rows = numpy.arange(24).reshape(6, 4).astype(kind)
                extra = {"chunks": (3, 4), "compression": "gzip"} if packed else {}
                for name in "train", "neighbors":
                    file.create_dataset(name, data=rows, **extra)
            with open(path, "rb") as file:
                put("hdf5", f"{i}{'z' if packed else ''}", bytes([part]) + file.read())
            os.remove(path)


program, directory = sys.argv[1:3]
subprocess.run([program, directory], check=True)
for make in vectors, idx, bins, texts, rows_of_ids, strings, results, dictionaries, hdf5:
    make()
