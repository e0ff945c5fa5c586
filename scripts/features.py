#!/usr/bin/env python3
"""Pictures to features by any network in ONNX's form, as files that lbh reads.

    scripts/features.py --model vgg16.onnx --layer NAME data/cifar10 data/cifar10-vgg16
    scripts/features.py --model vgg16.onnx --layer NAME data/nuswide/base.list data/nuswide-fc7/base.fbin

PICTURES is a folder with a folder of pictures for each class; a list (a line a picture: path, tab, and a class or a 0 or
1 for each class); CIFAR-10 (its folder or .tar.gz); pixels (.npy, idx of MNIST, .bvecs with --pixels HEIGHTxWIDTHxCHANNELS);
or a folder of a set with base and query as pixels or lists (data/cifar10), of which both are done. FEATURES is a file
(.fbin .npy .fvecs), with NAME_labels beside it; or, for a set, its folder.

Rows are written as they come. An interrupted run goes on where it was, if it is started again with the same model,
options and pictures. `--names` lists what a model has to take features from.

Needs Python's onnxruntime (PyPI) and numpy; Pillow for picture files; onnx (PyPI) for a layer that is no output of the
model. Exit codes: 0, 1 (bad input), 2 (usage), 130 (interrupted)."""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "convert"))
try:
    import network
    import picture_rows
    from feature_run import extract
    from vector_out import Bad
except ImportError as error:
    sys.exit(f"features.py: Python has no {error.name}: pip install {error.name}")

# What networks want to see, by the programs that trained them: (mean, deviation, of pixels in 0..1 or 0..255, order).
PIXELS = {"torch": ((.485, .456, .406), (.229, .224, .225), 1, "rgb"),
          "tensorflow": ((.5, .5, .5), (.5, .5, .5), 1, "rgb"),
          "caffe": ((103.939, 116.779, 123.68), (1, 1, 1), 255, "bgr"),
          "unit": ((0,), (1,), 1, "rgb"), "raw": ((0,), (1,), 255, "rgb")}


def numbers(text):
    return tuple(float(t) for t in text.split(","))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="FILE", help="the network, .onnx")
    parser.add_argument("--layer", metavar="NAME", help="output or inner tensor to take (the model's only output)")
    parser.add_argument("--names", action="store_true", help="list inputs, outputs and inner tensors, do nothing")
    parser.add_argument("pictures", nargs="?", metavar="PICTURES")
    parser.add_argument("features", nargs="?", metavar="FEATURES")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="pictures at a time (32)")
    parser.add_argument("--size", type=int, metavar="N", help="side of the square that the network sees (the model's, or 224)")
    parser.add_argument("--resize", type=int, metavar="N",
                        help="first scale the shorter side to N, then cut the middle (8/7 of --size); 0: scale to the "
                             "square, without regard to proportions")
    parser.add_argument("--pixel-values", default="torch", choices=PIXELS, dest="like",
                        help="torch: ImageNet's mean and deviation (default); tensorflow: -1..1; caffe: BGR, 0..255 less "
                             "the mean; unit: 0..1; raw: 0..255")
    parser.add_argument("--mean", type=numbers, metavar="R,G,B", help="instead, in the units and order of --pixel-values")
    parser.add_argument("--std", type=numbers, metavar="R,G,B")
    parser.add_argument("--channels-last", action="store_true", help="the input is N x H x W x C (as the model says)")
    parser.add_argument("--pool", choices=("average", "flatten"),
                        help="of a layer that is a map: mean over places (average), or all numbers")
    parser.add_argument("--pixels", metavar="HxWxC", help="shape of .bvecs rows (28x28x1, 32x32x3 by their length)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="(all cores)")
    parser.add_argument("--skip-unreadable", action="store_true",
                        help="leave out pictures that cannot be read, and their labels; NAME_skipped.txt lists them")
    parser.add_argument("--force", action="store_true", help="replace what is there, begin anew")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    args = parser.parse_args()
    if not args.names and not args.features:
        parser.error("PICTURES and FEATURES, please")
    if args.batch < 1 or (args.size or 1) < 1 or (args.resize or 0) < 0 or args.threads < 0:
        parser.error("--batch, --size, --resize and --threads count")
    mean, std, args.scale, args.order = PIXELS[args.like]
    args.mean, args.std = args.mean or mean, args.std or std
    if {len(args.mean), len(args.std)} - {1, 3} or 0 in args.std:
        parser.error("--mean and --std are one number or three, and --std is not 0")
    return args


def main():
    args = arguments()
    try:
        if args.names:
            print("\n".join(network.names(args.model)))
            return 0
        net = network.Network(args)
        for pictures, features in picture_rows.parts(args):
            extract(args, net, pictures, features)
    except (Bad, OSError) as problem:
        print(f"features.py: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("features.py: interrupted; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
