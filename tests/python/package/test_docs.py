"""The examples of the documentation: each public name has one that runs."""
import doctest
import importlib.util
import inspect
import pkgutil
import unittest

import faiss_lbh


# Modules that import what they are for when it is called for: their examples want it.
NEEDED = {"faiss_lbh.stores.sqlite": "sqlite_vec", "faiss_lbh.stores.usearch": "usearch"}


def load_tests(loader, tests, pattern):
    for info in pkgutil.walk_packages(faiss_lbh.__path__, "faiss_lbh.", onerror=lambda name: None):
        if info.name.startswith(("faiss_lbh.lib", "faiss_lbh._callbacks")):
            continue
        if info.name in NEEDED and not importlib.util.find_spec(NEEDED[info.name]):
            continue
        try:
            module = importlib.import_module(info.name)
        except ModuleNotFoundError as error:  # what a module is for need not be there
            assert not error.name.startswith("faiss_lbh"), error
            continue
        tests.addTests(doctest.DocTestSuite(module))
    tests.addTests(doctest.DocTestSuite(faiss_lbh))
    return tests


class Examples(unittest.TestCase):
    def test_each_public_name_has_one(self):
        finder = doctest.DocTestFinder()
        for name in faiss_lbh.__all__:
            thing = getattr(faiss_lbh, name)
            documented = [test for test in finder.find(thing, name) if test.examples]
            if name == "AcceleratedIndex":  # made by accelerate()
                continue
            self.assertTrue(documented, f"{name} has no example")
            self.assertTrue(inspect.getdoc(thing))


if __name__ == "__main__":
    unittest.main()
