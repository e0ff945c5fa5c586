"""The examples of the documentation: each public name has one that runs."""
import doctest
import importlib
import inspect
import pkgutil
import unittest

import faiss_lbh
from common import torch


def load_tests(loader, tests, pattern):
    for info in pkgutil.iter_modules(faiss_lbh.__path__):
        if not info.name.startswith(("lib", "_callbacks")) and (info.name != "torch" or torch):
            tests.addTests(doctest.DocTestSuite(importlib.import_module("faiss_lbh." + info.name)))
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
