#!/usr/bin/env python3
"""test_features.py LBH SOURCE DIRECTORY: scripts/features.py with a network made here, whose layers are computed again
with numpy: pictures of every kind, labels, what the network is shown, damaged pictures, a run that is killed and goes
on; then the commands of docs/usage.md. onnx and onnxruntime come from PyPI into DIRECTORY; exit code 77 where it cannot be
reached."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

if len(sys.argv) == 4:
    directory = os.path.abspath(sys.argv[3])
    python, ready = os.path.join(directory, "bin", "python"), os.path.join(directory, "ready")
    if not os.path.exists(ready):
        import venv
        venv.create(directory, with_pip=True, clear=True)
        pip = subprocess.run([python, "-m", "pip", "install", "-q", "--no-compile", "--retries", "1", "--timeout", "15", "numpy", "onnx",
                              "onnxruntime", "pillow"], capture_output=True, text=True)
        if pip.returncode:
            print("skipped: PyPI cannot be reached:", (pip.stderr.strip().splitlines() or ["?"])[-1])
            sys.exit(77)
        open(ready, "w").close()
    os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:3]])

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import made_sets as made  # noqa: E402

lbh, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
program = f"{source}/scripts/features.py"
home = tempfile.mkdtemp(prefix="lbh-test-")
os.chdir(home)
os.environ.update(OMP_WAIT_POLICY="passive", PATH=os.path.dirname(lbh) + os.pathsep + os.environ["PATH"])
SIDE, rng = 32, np.random.default_rng(3)
WEIGHTS = {"w": rng.normal(0, .3, (6, 3, 3, 3)), "a": rng.normal(0, .5, (6, 24)), "b": rng.normal(0, .1, 24),
           "c": rng.normal(0, .5, (24, 10))}


def network(path, batch="N", side=SIDE, last=False):
    """x -> convolution -> maps (ReLU) -> mean over places -> fc7 (ReLU) -> prob"""
    make, shape = helper.make_node, [batch, side, side, 3] if last else [batch, 3, side, side]
    nodes = [make("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])] if last else [make("Identity", ["x"], ["t"])]
    nodes += [make("Conv", ["t", "w"], ["conv"], kernel_shape=[3, 3]), make("Relu", ["conv"], ["maps"]),
              make("GlobalAveragePool", ["maps"], ["mean"]), make("Flatten", ["mean"], ["flat"]),
              make("MatMul", ["flat", "a"], ["mul"]), make("Add", ["mul", "b"], ["sum"]), make("Relu", ["sum"], ["fc7"]),
              make("MatMul", ["fc7", "c"], ["logits"]), make("Softmax", ["logits"], ["prob"])]
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("prob", TensorProto.FLOAT, [batch, 10])],
                              [numpy_helper.from_array(v.astype("f4"), k) for k, v in WEIGHTS.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def layers(pictures, mean=(.485, .456, .406), std=(.229, .224, .225), scale=1 / 255, bgr=False):
    """{layer: rows} by numpy of pictures N x H x W x 3"""
    x = pictures.astype(float) * scale
    x = ((x[..., ::-1] if bgr else x) - np.array(mean)) / np.array(std)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))  # n h w c 3 3
    maps = np.maximum(np.einsum("nhwcij,ocij->nohw", windows, WEIGHTS["w"], optimize=True), 0)
    fc7 = np.maximum(maps.mean((2, 3)) @ WEIGHTS["a"] + WEIGHTS["b"], 0)
    e = np.exp(fc7 @ WEIGHTS["c"])
    return {"maps": maps, "fc7": fc7, "prob": e / e.sum(1, keepdims=True)}


def features(*args, code=0):
    p = subprocess.run([sys.executable, program, "-q", *map(str, args)], capture_output=True, text=True)
    assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    assert not code or p.stderr.count("\n") == 1 and p.stderr.startswith("features.py: "), p.stderr
    return p.stdout if code == 0 else p.stderr


def fbin(path, kind="<f4"):
    data = open(path, "rb").read()
    n, d = struct.unpack("<II", data[:8])
    return np.frombuffer(data, kind, n * d, 8).reshape(n, d)


def ivecs(path):
    return np.fromfile(path, "<i4").reshape(-1, 2)[:, 1]


def near(path, wanted):
    x = np.load(path) if path.endswith(".npy") else fbin(path)
    wanted = wanted.reshape(len(wanted), -1)
    assert x.shape == wanted.shape and np.abs(x - wanted).max() < 1e-4 * np.abs(wanted).max(), path


for name in "alexnet.onnx", "vgg16.onnx":
    network(name)
x, y = made.pixels(1, 60, 3 * SIDE * SIDE)
chw = x.reshape(-1, 3, SIDE, SIDE)
hwc = np.ascontiguousarray(chw.transpose(0, 2, 3, 1))
truth = layers(hwc)

# ---- Layers by name; pixels as .npy in both orders, .bvecs; batches ---------------------------------
told = features("--model", "alexnet.onnx", "--names")
assert "input   x  ['N', 3, 32, 32]" in told and "output  prob" in told and "inner   fc7  of Relu" in told, told
np.save("hwc.npy", hwc)
np.save("chw.npy", chw)
made.put("p.bvecs", made.vecs(x))
for i, (pictures, out, batch) in enumerate((("hwc.npy", "o/a.fbin", 1), ("chw.npy", "o/b.npy", 7), ("p.bvecs", "o/c.fbin", 100))):
    features("--model", "alexnet.onnx", "--layer", "fc7", "--batch", batch, pictures, out)
    near(out, truth["fc7"])
features("--model", "alexnet.onnx", "hwc.npy", "o/prob.fbin")  # the only output
near("o/prob.fbin", truth["prob"])
text = features("--model", "alexnet.onnx", "--layer", "maps", "hwc.npy", "o/m.fbin", code=1)
assert "--pool average or flatten" in text, text
features("--model", "alexnet.onnx", "--layer", "maps", "--pool", "flatten", "hwc.npy", "o/m.fbin")
near("o/m.fbin", truth["maps"])
features("--model", "alexnet.onnx", "--layer", "maps", "--pool", "average", "hwc.npy", "o/mean.fbin")
near("o/mean.fbin", truth["maps"].mean((2, 3)))
# A model that takes 8 pictures at a time, and one with channels last, see the same.
network("fixed.onnx", batch=8)
network("last.onnx", last=True)
for model in "fixed", "last":
    features("--model", f"{model}.onnx", "--layer", "fc7", "hwc.npy", f"o/{model}.fbin")
    near(f"o/{model}.fbin", truth["fc7"])
# What it is shown.
features("--model", "alexnet.onnx", "--layer", "fc7", "--pixel-values", "caffe", "hwc.npy", "o/caffe.fbin")
near("o/caffe.fbin", layers(hwc, (103.939, 116.779, 123.68), 1, 1, True)["fc7"])
features("--model", "alexnet.onnx", "--layer", "fc7", "--pixel-values", "unit", "--mean", ".1,.2,.3", "--std", "2", "hwc.npy", "o/u.fbin")
near("o/u.fbin", layers(hwc, (.1, .2, .3), 2)["fc7"])

# ---- Picture files: folders by class, lists, scaling, damaged ones ----------------------------------
names = ["apple", "pear"]
for i in range(20):
    os.makedirs(f"fruit/{names[i % 2]}", exist_ok=True)
    Image.fromarray(hwc[i]).save(f"fruit/{names[i % 2]}/{i:02}.png")
order = [i for c in (0, 1) for i in range(20) if i % 2 == c]
features("--model", "alexnet.onnx", "--layer", "fc7", "--resize", SIDE, "fruit", "o/fruit.fbin")
near("o/fruit.fbin", truth["fc7"][order])
assert ivecs("o/fruit_labels.ivecs").tolist() == [i % 2 for i in order]
assert open("o/fruit_classes.txt").read().split() == names
# by default the shorter side becomes 8/7 of the network's, and the middle is seen; 0: without regard to proportions
wide = Image.fromarray(np.hstack([hwc[0], hwc[1]]))
os.mkdir("wide")
wide.save("wide/w.png")
features("--model", "alexnet.onnx", "--layer", "fc7", "wide", "o/wide.fbin")
cut = np.asarray(wide.resize((72, 36), Image.BILINEAR).crop((20, 2, 52, 34)))
near("o/wide.fbin", layers(cut[None])["fc7"])
features("--model", "alexnet.onnx", "--layer", "fc7", "--resize", 0, "wide", "o/squeezed.fbin")
near("o/squeezed.fbin", layers(np.asarray(wide.resize((32, 32), Image.BILINEAR))[None])["fc7"])
many = (rng.random((20, 5)) < .4).astype(int)
made.put("some.list", "".join(f"fruit/{names[i % 2]}/{i:02}.png\t{' '.join(map(str, many[i]))}\n" for i in range(20)).encode())
features("--model", "alexnet.onnx", "--layer", "fc7", "--resize", 32, "some.list", "o/some.fbin")
near("o/some.fbin", truth["fc7"][:20])
assert np.array_equal(fbin("o/some_labels.u8bin", "u1"), many)
made.put("fruit/pear/05.png", open("fruit/pear/05.png", "rb").read()[:100])
text = features("--model", "alexnet.onnx", "--layer", "fc7", "--resize", 32, "some.list", "o/left.fbin", code=1)
assert "05.png" in text and "--skip-unreadable" in text, text
features("--model", "alexnet.onnx", "--layer", "fc7", "--resize", 32, "--skip-unreadable", "--batch", 3, "some.list", "o/left.fbin")
keep = [i for i in range(20) if i != 5]
near("o/left.fbin", truth["fc7"][keep])
assert np.array_equal(fbin("o/left_labels.u8bin", "u1"), many[keep])
assert open("o/left_skipped.txt").read().strip().endswith("fruit/pear/05.png")
for bad, words in ("a.png 1\nb.png 0 1\n", "line 2"), ("a.png x\n", "line 1"), ("", "no pictures"), ("a.png 2 1\n", "0 or 1"):
    made.put("bad.list", bad.encode())
    assert words in features("--model", "alexnet.onnx", "bad.list", "o/bad.fbin", code=1)
made.put("no.onnx", b"hello")
features("--model", "no.onnx", "hwc.npy", "o/bad.fbin", code=1)
assert "no tensor 'fc9'" in features("--model", "alexnet.onnx", "--layer", "fc9", "hwc.npy", "o/bad.fbin", code=1)
assert "--force" in features("--model", "alexnet.onnx", "--layer", "fc7", "hwc.npy", "o/a.fbin", code=1)
assert not os.path.exists("o/bad.fbin")

# ---- Killed in the middle, then started again -------------------------------------------------------
np.save("more.npy", np.tile(hwc, (20, 1, 1, 1)))
command = [sys.executable, program, "-q", "--model", "alexnet.onnx", "--layer", "fc7", "--batch", "2", "more.npy", "o/more.fbin"]
p = subprocess.Popen(command, stderr=subprocess.DEVNULL)
until = time.time() + 300
while time.time() < until and p.poll() is None:
    try:
        if json.load(open("o/more.fbin.part.json"))["done"] >= 20:
            break
    except (FileNotFoundError, ValueError):
        pass
    time.sleep(.01)
assert p.poll() is None, "it was done before it could be killed"
p.send_signal(signal.SIGKILL)
p.wait()
done = json.load(open("o/more.fbin.part.json"))["done"]
assert 20 <= done < 1200 and not os.path.exists("o/more.fbin")
with open("o/more.fbin.part", "ab") as file:
    file.write(b"torn")
assert "other options" in features("--model", "alexnet.onnx", "--layer", "prob", "more.npy", "o/more.fbin", code=1)
part = open("o/more.fbin.part", "rb").read(8 + done * 96)
features(*command[3:-2], "more.npy", "o/more.fbin")
near("o/more.fbin", np.tile(truth["fc7"], (20, 1)))
assert open("o/more.fbin", "rb").read(8 + done * 96)[8:] == part[8:]  # the first rows were not made again
assert sorted(f for f in os.listdir("o") if ".part" in f) == []

# ---- The commands of scripts/get_data.sh --layout -----------------------------------------------------
shutil.copy("alexnet.onnx", "network.onnx")
for part, rows in ("nuswide/base", range(12)), ("imagenet100/base", range(8)), ("imagenet100/query", range(8, 20)):
    lines = [f"{os.getcwd()}/fruit/{names[i % 2]}/{i:02}.png\t" + ("0 1 1" if "nus" in part else str(i % 2)) for i in rows if i != 5]
    made.put(f"data/{part}.list", "\n".join(lines).encode())
for name in "nuswide-fc7", "imagenet100-fc7":
    text = subprocess.run([f"{source}/scripts/get_data.sh", "--layout", name], capture_output=True, text=True, check=True).stdout
    command = re.search(r"^    scripts/features.py (.*)$", text, re.M)[1].replace("NAME", "fc7")
    features(*command.split(), "--resize", 32)
near("data/nuswide-fc7/base.fbin", truth["fc7"][[i for i in range(12) if i != 5]])
assert (fbin("data/nuswide-fc7/base_labels.u8bin", "u1") == [0, 1, 1]).all()
near("data/imagenet100-fc7/query.fbin", truth["fc7"][8:20])
assert ivecs("data/imagenet100-fc7/query_labels.ivecs").tolist() == [i % 2 for i in range(8, 20)]

# ---- The commands of docs/usage.md -------------------------------------------------------------------
made.tar("cifar-10-python.tar.gz", {f"cifar-10-batches-py/{name}": made.python2_pickle(*batch, name)
                                    for name, batch in made.cifar_batches(each=1240).items()})
subprocess.run([sys.executable, f"{source}/scripts/convert.py", "cifar10", "cifar-10-python.tar.gz", "data/cifar10"], check=True)
features("--model", "alexnet.onnx", "--layer", "fc7", "cifar-10-python.tar.gz", "direct")
text = open(f"{source}/docs/usage.md", encoding="utf-8").read()
blocks = [b for b in re.findall(r"```sh\n(.*?)```", text, re.S) if "features.py" in b]
assert len(blocks) == 2 and all(b.replace("\\\n", "").count("\n") == 3 for b in blocks), blocks
for block in blocks:
    block = block.replace("scripts/features.py", f"{sys.executable} {program} -q")
    block = block.replace("--method sigah", "--method sigah --set steps=100")  # the program is tested, not the codes
    p = subprocess.run(["bash", "-euc", block], capture_output=True, text=True)
    assert p.returncode == 0, (block, p.stderr)
    print(p.stdout.strip().splitlines()[-1])
for part in "base", "query":
    assert open(f"direct/{part}.fbin", "rb").read() == open(f"data/cifar10-fc7/{part}.fbin", "rb").read()
    assert np.array_equal(ivecs(f"direct/{part}_labels.ivecs"), ivecs(f"data/cifar10/{part}_labels.ivecs"))
os.chdir("/")
shutil.rmtree(home)
print("ok")
