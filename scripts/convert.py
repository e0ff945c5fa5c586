#!/usr/bin/env python3
"""Data sets from the form in which they are published to the files that lbh reads.

    scripts/convert.py texmex SOURCE DIRECTORY     *_base.fvecs or .bvecs, *_query, *_learn (gzipped, or in a tar, too)
    scripts/convert.py mnist SOURCE DIRECTORY      the four idx files (gzipped, too)
    scripts/convert.py cifar10 SOURCE DIRECTORY    CIFAR-10 for Python, for MATLAB or binary; a folder or its .tar.gz
    scripts/convert.py tiny FILE DIRECTORY         raw float32, 384 a row (tinygist80million.bin): a random sample
    scripts/convert.py mat FILE DIRECTORY --base VARIABLE ...       matrices of MATLAB files, of any version
    scripts/convert.py nuswide FOLDER DIRECTORY    NUS-WIDE's lists: labels, and base.list for scripts/features.py
    scripts/convert.py imagenet FOLDER DIRECTORY   ILSVRC2012: labels and lists of the pictures of some classes
    scripts/convert.py reuters SOURCE DIRECTORY    Reuters-21578: 256 numbers a text by latent semantic analysis

`scripts/get_data.sh --layout NAME` says what is wanted for which set. All files of a set appear when all are whole,
or none does. Exit codes: 0, 1 (what was given is damaged, or of another form), 2 (usage)."""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "convert"))
try:
    import image_lists
    import matlab
    import newswire
    import pictures
    import texmex
    from vector_out import Bad, Outputs
except ImportError as error:
    sys.exit(f"convert.py: Python has no {error.name} (Debian: apt install python3-{error.name})")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     epilog="scripts/get_data.sh --layout NAME has the command for each set.")
    sets = parser.add_subparsers(dest="form", required=True, metavar="FORM")

    def form(name, convert, what, source="SOURCE"):
        one = sets.add_parser(name, help=what, description=what)
        one.add_argument("source", metavar=source)
        one.add_argument("directory", metavar="DIRECTORY", help="of the set, as data/cifar10; made if need be")
        one.add_argument("--force", action="store_true", help="replace what is there")
        one.set_defaults(convert=convert)
        return one

    form("texmex", texmex.convert, "files of vectors by the names of TEXMEX, in a folder or a tar, gzipped or not")
    form("mnist", pictures.mnist, "MNIST's four idx files")
    form("cifar10", pictures.cifar10, "CIFAR-10 for Python, for MATLAB or binary")
    tiny = form("tiny", texmex.sample, "rows of raw float32", "FILE")
    tiny.add_argument("--dim", type=int, default=384, help="numbers a row (384)")
    tiny.add_argument("--rows", type=int, default=100000, help="rows drawn at random (100000)")
    tiny.add_argument("--seed", type=int, default=1)
    mat = form("mat", matlab.convert, "matrices of MATLAB files", "FILE")
    for part in matlab.PARTS:
        mat.add_argument("--" + part.replace("_", "-"), metavar="[FILE:]VARIABLE", required=part == "base")
    mat.add_argument("--transpose", action="store_true", help="a column is a row of the set (where labels do not tell)")
    nus = form("nuswide", image_lists.nuswide, "NUS-WIDE's lists of pictures and labels", "FOLDER")
    nus.add_argument("--top", type=int, default=21, metavar="N",
                     help="pictures of the N most frequent concepts (21); 0: all pictures, all concepts")
    net = form("imagenet", image_lists.imagenet, "ILSVRC2012's pictures of some classes", "FOLDER")
    net.add_argument("--classes", type=int, default=100, help="how many classes, drawn at random (100)")
    net.add_argument("--seed", type=int, default=1)
    words = form("reuters", newswire.convert, "Reuters-21578's reut2-*.sgm, in a folder or a tar")
    words.add_argument("--dim", type=int, default=256, help="numbers a text (256)")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        with Outputs(args.directory, args.force) as out:
            args.convert(args, out)
    except (Bad, OSError) as problem:
        print(f"convert.py: {problem}", file=sys.stderr)
        return 1
    print(f"{args.directory}: {' '.join(out.told)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
