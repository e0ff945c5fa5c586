"""test_blocks.py SOURCE BUILD FAISS_ROOT [DOCUMENT...]: runs every code block of the documents.

The blocks of a document run in their order in one scratch directory, which holds

    base.fvecs query.fvecs   4000 and 50 rows of 128 floats, in clusters
    base.csv query.csv       the cluster of each row, by name
    scripts                  those of the source tree

and with the library installed into a scratch prefix, so that lbh, pkg-config and cc find it.

    sh      runs in bash; any failing command fails the block. `lbh train` is cut to a second,
            `lbh tune` to four and `lbh curve` to a few samples, whatever they say; `lbh bench` makes a
            tenth of the rows that a preset's copy asks for.
    c       with main(): saved as example.c, compiled with -Wall -Wextra -Werror and run
            with "method.h": an encoder: compiled into the registry of a library, trained and saved
            else: statements, run after n x d floats x, nq queries q and room for k = 10 answers
            were declared; every call of the library must return 0
    python  runs with `base`, `queries` (float32) and `labels` defined, names of earlier blocks kept

In c and python, sgh with all its steps is cut to 300 of them. Nothing else differs.

Blocks that import faiss are skipped where Python has none.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blocks as docs  # noqa: E402

try:
    import numpy as np
except ImportError:
    print("SKIP: Python's numpy is missing")
    sys.exit(77)

D, N, NQ, CLUSTERS = 128, 4000, 50, 4
SECONDS = 300  # a block that takes longer hangs
CFLAGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror"]

SHIM = """#!/bin/sh
case $1 in
train) exec {lbh} "$@" --time-limit 1 ;;
tune) exec {lbh} "$@" --time-limit 4 ;;
curve) exec {lbh} "$@" --samples 20000 ;;
bench) [ ! -f "$2" ] || sed -i 's/n=20000,d=64/n=2000,d=32/' "$2"; exec {lbh} "$@" ;;
*) exec {lbh} "$@" ;;
esac
"""

STATEMENTS = """#include <lbh_mih.h>
#include <lbh_pipeline.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    enum { n = 4000, d = 64, nq = 20, k = 10 };
    float *x = malloc(sizeof *x * n * d), *q = x, *distances = malloc(sizeof *distances * nq * k);
    int64_t *labels = malloc(sizeof *labels * nq * k);
    int32_t *hamming = malloc(sizeof *hamming * nq * k);
    for (int i = 0; i < n * d; i++)
        x[i] = (float)rand() / (float)RAND_MAX;
    (void)q, (void)distances, (void)labels, (void)hamming;
#line 1 "block"
    {
BLOCK    }
    return 0;
}
"""

# All steps of sgh, in the string of a pipeline and as an encoder, and a few.
STEPS = ((re.compile(r'"SGH(\d+)(?=[,"])'), r'"SGH\1(steps=300)'),
         (re.compile(r'Encoder\("sgh", (\d+)\)'), r'Encoder("sgh", \1, steps=300)'))

# Calls that a fragment makes, but for those that return nothing.
CALL = re.compile(r"^( *)(lbh_(?!\w*_free\b)\w+\(.*?\));", re.M | re.S)
CHECKED = r"""\1if (\2) { fprintf(stderr, "%s\\n", lbh_last_error()); return 1; }"""

TRY_ENCODER = """#include "lbh.h"
#include <stdio.h>

int main(void)
{
    enum { N = 500, D = 16, NBITS = 24 };
    static float x[N * D];
    static uint8_t codes[N * NBITS / 8], again[N * NBITS / 8];
    for (int i = 0; i < N * D; i++)
        x[i] = (float)((i * 7919) % 1000) / 1000;
    lbh_encoder *enc = NULL, *loaded = NULL;
    int rc = lbh_encoder_new(&enc, "NAME", D, NBITS) || lbh_encoder_train(enc, N, x) ||
             lbh_encoder_encode(enc, N, x, codes) || lbh_encoder_save(enc, "NAME.lbh") ||
             lbh_encoder_load(&loaded, "NAME.lbh") || lbh_encoder_encode(loaded, N, x, again);
    int ones = 0, bad = 0;
    for (int i = 0; i < N * NBITS / 8; i++) {
        ones += __builtin_popcount(codes[i]);
        bad += codes[i] != again[i];
    }
    if (rc)
        fprintf(stderr, "%s\\n", lbh_last_error());
    lbh_encoder_free(enc);
    lbh_encoder_free(loaded);
    return rc || bad || ones == 0 || ones == 8 * (int)sizeof codes;
}
"""

# Runs Python blocks, a JSON string a line, and answers each with what went wrong.
SESSION = """
import json, os, sys, traceback
import numpy as np
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what blocks print
data = np.load(".data.npz")
names = {k: data[k] for k in ("base", "queries", "labels")}
for line in sys.stdin:
    wrong = ""
    try:
        exec(compile(json.loads(line), "block", "exec"), names)
    except BaseException:
        wrong = traceback.format_exc()
    print(json.dumps(wrong), file=answers, flush=True)
"""


def run(command, cwd, env, text=None):
    return subprocess.run(command, cwd=cwd, env=env, input=text, text=True, timeout=SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def must(command, cwd, env, text=None):
    done = run(command, cwd, env, text)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(command)[:200]}\n"
                           f"{done.stdout[-3000:]}")
    return done.stdout


def write_fvecs(path, x):
    rows = np.empty((len(x), 1 + x.shape[1]), np.float32)
    rows[:, :1].view(np.int32)[:] = x.shape[1]
    rows[:, 1:] = x
    rows.tofile(path)


def make_data():
    random = np.random.default_rng(1)
    spectrum = (1 + np.arange(D)) ** -0.5
    centres = random.normal(size=(CLUSTERS, D)) * spectrum
    classes = random.integers(0, CLUSTERS, N + NQ)
    x = (centres[classes] + random.normal(size=(N + NQ, D)) * spectrum).astype(np.float32)
    return x[:N], x[N:], classes[:N], classes[N:]


def write_data(directory, data):
    base, queries, classes, query_classes = data
    write_fvecs(os.path.join(directory, "base.fvecs"), base)
    write_fvecs(os.path.join(directory, "query.fvecs"), queries)
    for name, of in ("base", classes), ("query", query_classes):
        with open(os.path.join(directory, name + ".csv"), "w", encoding="utf-8") as file:
            file.write("label\n" + "".join(f"class{c}\n" for c in of))
    np.savez(os.path.join(directory, ".data.npz"), base=base, queries=queries, labels=classes)


def install(build, prefix, faiss_root):
    """The library as users have it, and an environment that finds it."""
    env = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    must(["cmake", "--install", build, "--prefix", prefix], "/", env)
    places = {"lib": [], "pc": []}
    for directory, _, files in os.walk(prefix):
        if any(f.startswith("liblbh") for f in files):
            places["lib"].append(directory)
        for name in files:
            if name.endswith(".pc"):  # these name the prefix of the configuration
                places["pc"].append(directory)
                path = os.path.join(directory, name)
                with open(path, encoding="utf-8") as file:
                    lines = file.read().splitlines()
                fixed = {"prefix": prefix, "libdir": os.path.dirname(directory),
                         "includedir": os.path.join(prefix, "include")}
                with open(path, "w", encoding="utf-8") as file:
                    for line in lines:
                        key = line.split("=")[0]
                        file.write(f"{key}={fixed[key]}\n" if key in fixed else line + "\n")
    shim = os.path.join(prefix, "shim")
    os.mkdir(shim)
    with open(os.path.join(shim, "lbh"), "w", encoding="utf-8") as file:
        file.write(SHIM.format(lbh=os.path.join(prefix, "bin", "lbh")))
    os.chmod(os.path.join(shim, "lbh"), 0o755)
    libraries = os.pathsep.join(places["lib"] + [os.path.join(faiss_root, "lib")])
    return {**env, "PATH": shim + os.pathsep + env["PATH"], "LD_LIBRARY_PATH": libraries,
            "PKG_CONFIG_PATH": os.pathsep.join(set(places["pc"])),
            "LBH_LIBRARY": places["lib"][0], "MANPATH": os.path.join(prefix, "share", "man") + ":"}


def few_steps(text):
    for pattern, fewer in STEPS:
        text = pattern.sub(fewer, text)
    return text


class Runner:
    def __init__(self, source, build, faiss_root, scratch):
        self.source, self.sessions = source, {}  # running Pythons, by directory
        self.env = install(build, os.path.join(scratch, "prefix"), faiss_root)
        # The package comes from the tree, its libraries from the build: what pip would install.
        self.python_env = {**self.env, "PYTHONPATH": os.path.join(source, "scripts", "python", "src"),
                           "LBH_LIBRARY": build}
        self.has_faiss = run([sys.executable, "-c", "import faiss"], "/", self.env).returncode == 0
        self.flags = must(["pkg-config", "--cflags", "--libs", "lbh_faiss"], "/", self.env).split()

    def sh(self, block, here):
        must(["bash", "-euo", "pipefail", "-c", block.text], here, self.env)

    def c(self, block, here):
        if '"method.h"' in block.text:
            return self.encoder(block, here)
        text = few_steps(block.text)
        if "int main(" not in text:
            text = STATEMENTS.replace("BLOCK", CALL.sub(CHECKED, text))
        with open(os.path.join(here, "example.c"), "w", encoding="utf-8") as file:
            file.write(text)
        must(["cc", *CFLAGS, "example.c", "-o", "example.bin", *self.flags], here, self.env)
        return must(["./example.bin"], here, self.env)

    def encoder(self, block, here):
        """Files and registry line as CONTRIBUTING.md says, in front of the static library."""
        name = block.text.split('.name = "')[1].split('"')[0]
        with open(os.path.join(self.source, "plugin", "encoder", "registry.c"), encoding="utf-8") as file:
            registry = file.read().replace(
                "const lbh_method *const lbh_methods[] = {",
                f"extern const lbh_method lbh_method_{name};\n"
                f"const lbh_method *const lbh_methods[] = {{\n    &lbh_method_{name},", 1)
        for path, text in ((f"{name}.c", block.text), ("registry.c", registry),
                           ("try.c", TRY_ENCODER.replace("NAME", name))):
            with open(os.path.join(here, path), "w", encoding="utf-8") as file:
                file.write(text)
        libraries = must(["pkg-config", "--libs", "openblas", "libxxhash"], "/", self.env).split()
        rooms = [f"-I{self.source}/plugin/{room}"
                 for room in ("include", "system", "core", "method", "encoder")]
        must(["cc", *CFLAGS, *rooms, f"{name}.c", "registry.c", "try.c", "-o",
              "try.bin", f"-L{self.env['LBH_LIBRARY']}", "-l:liblbh.a", *libraries, "-llapacke",
              "-fopenmp", "-lm"], here, self.env)
        must(["./try.bin"], here, self.env)

    def python(self, block, here):
        if here not in self.sessions:
            with open(os.path.join(here, ".printed"), "w", encoding="utf-8") as printed:
                self.sessions[here] = subprocess.Popen(
                    [sys.executable, "-c", SESSION], cwd=here, env=self.python_env, text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed)
        session = self.sessions[here]
        watch = threading.Timer(SECONDS, session.kill)
        watch.start()
        try:
            session.stdin.write(json.dumps(few_steps(block.text)) + "\n")
            session.stdin.flush()
            answer = session.stdout.readline()
        except BrokenPipeError:
            answer = ""
        watch.cancel()
        wrong = json.loads(answer) if answer else f"Python ended, or took {SECONDS} s"
        if wrong:
            raise RuntimeError(wrong)

    def close(self):
        for session in self.sessions.values():
            session.stdin.close()
            session.stdout.close()
            session.wait()


def main():
    source, build, faiss_root = sys.argv[1:4]
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        if "-fsanitize" in file.read():
            print("SKIP: Python and programs built here cannot load a library with sanitizers")
            return 77
    chosen = sys.argv[4:] or docs.documents(source)
    data = make_data()
    counts = {"run": 0, "failed": 0, "not run": 0, "skipped": 0}
    with tempfile.TemporaryDirectory(prefix="lbh-docs-") as scratch:
        runner = Runner(source, build, faiss_root, scratch)
        for document in chosen:
            here = os.path.join(scratch, document.replace("/", "-"))
            os.mkdir(here)
            write_data(here, data)
            os.symlink(os.path.join(source, "scripts"), os.path.join(here, "scripts"))
            for block in docs.blocks(source, document):
                if block.reason:
                    outcome, note = "not run", ": " + block.reason
                elif "import faiss" in block.text and not runner.has_faiss:
                    outcome, note = "skipped", ": Python has no faiss"
                else:
                    outcome, note, start = "run", "", time.monotonic()
                    try:
                        getattr(runner, block.language)(block, here)
                    except (RuntimeError, subprocess.TimeoutExpired, IndexError) as error:
                        outcome, note = "failed", f": {error}"
                    note = f", {time.monotonic() - start:.1f} s{note}"
                counts[outcome] += 1
                print(f"{outcome:8s}{block}{note}", flush=True)
        runner.close()
    print(", ".join(f"{v} {k}" for k, v in counts.items()))
    return 1 if counts["failed"] or not counts["run"] else 0


if __name__ == "__main__":
    sys.exit(main())
