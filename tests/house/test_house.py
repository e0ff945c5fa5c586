"""test_house.py BORDERS|CIRCLES|NAMES SOURCE BUILD CC: whether the rooms are what docs/architecture.md says.

BORDERS  a file that includes a header of a room which its own may not see does not compile
CIRCLES  no two rooms, and no two files, need each other (by the symbols of their objects)
NAMES    no two files have one name; includes are plain names; C++ is in c_api/gap/ only
"""
import os
import re
import subprocess
import sys

SEES = "rooms.txt"  # written by CMake: a line `folder include-directory ...` for each room


def rooms(build):
    """{folder: the folders whose headers it sees}, as the build has them."""
    seen = {}
    for line in open(os.path.join(build, SEES), encoding="utf-8"):
        folder, *directories = line.split()
        seen[folder] = directories
    return seen


def headers(folder):
    return sorted(f for f in os.listdir(folder) if f.endswith((".h", ".hpp")))


def borders(_, build, cc):
    """One translation unit a room, which asks for every header of the tree."""
    bad, tried = [], 0
    seen = rooms(build)
    for room, directories in seen.items():
        lines = []
        for other in seen:
            wanted = other in directories
            for name in headers(other):
                lines.append(f'#if {"!" if wanted else ""}__has_include("{name}")\n'
                             f'#error "{room} {"does not see" if wanted else "sees"} {name} of {other}"\n#endif')
                tried += not wanted
        run = subprocess.run([cc, "-fsyntax-only", "-x", "c", *["-I" + d for d in directories], "-"],
                             text=True, input="\n".join(lines) + "\n", capture_output=True, check=False)
        bad += re.findall(r'#error "(.*)"', run.stderr)
        if run.returncode and not bad:
            bad.append(run.stderr)
    print(f"{tried} breaches tried")
    return bad if tried else ["no breach was tried"]


def symbols(build):
    """({object: symbols it defines}, {object: symbols it needs}), of the rooms' objects. An object is
    called by its path in the source tree."""
    paths = {}
    for path in open(os.path.join(build, "room_objects.txt"), encoding="utf-8").read().split():
        top, rest = os.path.relpath(path, build).split("/CMakeFiles/")
        paths[path] = top + "/" + rest.split(".dir/", 1)[1][:-2]
    if not paths:
        return {}, {}
    out = subprocess.run(["nm", "-A", *paths], capture_output=True, text=True, check=True).stdout
    defines, needs = {n: set() for n in paths.values()}, {n: set() for n in paths.values()}
    for line in out.splitlines():
        path, words = line.split(":", 1)
        kind, symbol = words.split()[-2:]
        if kind in "TDBR":
            defines[paths[path]].add(symbol)
        elif kind == "U":
            needs[paths[path]].add(symbol)
    return defines, needs


def circles_of(edges):
    """Groups of nodes that reach each other (Tarjan, SIAM J. Comput. 1, 1972)."""
    sys.setrecursionlimit(10000)
    index, low, stack, groups = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in list(edges):
        if node not in index:
            visit(node)
    return groups


def circles(_, build, __):
    defines, needs = symbols(build)
    if not defines:
        return ["no objects in " + build]
    home = {}
    for name, found in defines.items():
        for symbol in found:
            home.setdefault(symbol, name)
    files = {name: {home[s] for s in wanted if home.get(s, name) != name}
             for name, wanted in needs.items()}
    folder = os.path.dirname
    between = {}
    for name, others in files.items():
        between.setdefault(folder(name), set()).update(
            folder(o) for o in others if folder(o) != folder(name))
    return ["files need each other: " + " ".join(g) for g in circles_of(files)] + \
        ["rooms need each other: " + " ".join(g) for g in circles_of(between)]


def names(source, *_):
    bad, first = [], {}
    out = subprocess.run(["git", "-C", source, "ls-files"], capture_output=True, text=True, check=False)
    files = out.stdout.split() or [
        os.path.relpath(os.path.join(d, f), source) for d, dirs, fs in os.walk(source) for f in fs
        if "/build" not in d and "/.git" not in d]
    for path in files:
        name = os.path.basename(path)
        if name not in ("CMakeLists.txt", "README.md", "__init__.py") and first.setdefault(name, path) != path \
                and not path.startswith("tests/fuzz/regressions"):
            bad.append(f"{path} is called as {first[name]}")
        if not path.startswith(("plugin/", "c_api/", "bench/")):
            continue
        if path.endswith((".cpp", ".hpp")) and not path.startswith("c_api/gap/"):
            bad.append(f"{path}: C++ outside c_api/gap")
        if path.endswith((".c", ".h", ".cpp", ".hpp")):
            text = open(os.path.join(source, path), encoding="utf-8").read()
            bad += [f'{path}: includes "{i}": a plain name, please'
                    for i in re.findall(r'#\s*include\s*"([^"]*/[^"]*)"', text)]
    return bad


if __name__ == "__main__":
    errors = {"BORDERS": borders, "CIRCLES": circles, "NAMES": names}[sys.argv[1]](*sys.argv[2:])
    print("\n".join(errors))
    sys.exit(bool(errors))
