"""The examples of the documentation: each public name has one that runs. Those that are skipped need a server, which an
example cannot start: PostgreSQL, Milvus, or Spark with its Java. tests/python/engines makes the same calls to
servers that it starts (to Milvus, which has none to install, only their arguments are tested)."""
import ast
import doctest
import importlib.util
import inspect
import pkgutil
import unittest

import faiss_lbh


# Modules that import what they are for when it is called for: their examples want it.
NEEDED = {"faiss_lbh.stores.sqlite": "sqlite_vec", "faiss_lbh.stores.usearch": "usearch"}


def modules():
    """Those that can be imported."""
    for info in pkgutil.walk_packages(faiss_lbh.__path__, "faiss_lbh.", onerror=lambda name: None):
        if info.name.startswith(("faiss_lbh.lib", "faiss_lbh._callbacks")):
            continue
        if info.name in NEEDED and not importlib.util.find_spec(NEEDED[info.name]):
            continue
        try:
            yield importlib.import_module(info.name)
        except ModuleNotFoundError as error:  # what a module is for need not be there
            assert not error.name.startswith("faiss_lbh"), error
    yield faiss_lbh


def running(test):
    """The sources of the examples that are run."""
    return [example.source for example in test.examples if not example.options.get(doctest.SKIP)]


def is_here(test):
    """Whether what its examples import is installed."""
    nodes = [node for source in running(test) for node in ast.walk(ast.parse(source))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    return all(importlib.util.find_spec(name.partition(".")[0]) for name in names)


def examples():
    """All, by the name of what they are of. Classes say that they are of faiss_lbh, their methods of the module
    that they are in, so that doctest would find the methods in neither."""
    finder = doctest.DocTestFinder()
    found = [test for module in modules() for test in finder.find(module)]
    for name in faiss_lbh.__all__:
        if inspect.isclass(getattr(faiss_lbh, name)):
            found += finder.find(getattr(faiss_lbh, name), f"faiss_lbh.{name}", module=False)
    return {test.name: test for test in found if test.examples}


def load_tests(loader, tests, pattern):
    tests.addTests(doctest.DocTestCase(test) for test in examples().values() if is_here(test))
    return tests


class Examples(unittest.TestCase):
    def test_each_public_name_has_one(self):
        """Each name one of its own; each member of a class is in one, there or elsewhere."""
        sources = "".join(source for test in examples().values() for source in running(test))
        for module in modules():
            for name in module.__all__ if module.__name__ in ("faiss_lbh", "faiss_lbh.torch") else ():
                thing = getattr(module, name)
                own = doctest.DocTestFinder(recurse=False).find(thing, name, module=False)
                self.assertTrue(inspect.getdoc(thing), name)
                if name != "AcceleratedIndex":  # made by accelerate()
                    self.assertTrue(running(own[0]), f"{name} has no example")
                for member in vars(thing) if inspect.isclass(thing) else ():
                    if not member.startswith("_") and member != "forward":  # PyTorch calls that
                        self.assertRegex(sources, rf"\.{member}\b", f"{name}.{member}")


if __name__ == "__main__":
    unittest.main()
