"""faiss_lbh: learned binary hashing for FAISS.

Encoders that learn to turn vectors into short binary codes, and fast search by the codes.

>>> import faiss_lbh, numpy
>>> base = numpy.random.default_rng(1).normal(size=(2000, 32)).astype("float32")
>>> index = faiss_lbh.Index("SGH64(steps=300),BFlat,RFlat").train(base).add(base)
>>> distances, ids = index.search(base[:2], 10)
>>> ids[:, 0]
array([0, 1])

Codes are rows of ``uint8``, the first bit lowest. Numbers come as anything that NumPy takes: floats of any
size, bytes, memory-mapped arrays, tensors. Long calls can be interrupted (Ctrl-C), and leave objects as they
were. Objects can be pickled, and used after a fork.
"""
from __future__ import annotations

from . import _lib
from ._arrays import reverse_bits
from ._codes import AcceleratedIndex, HammingIndex, MultiIndexHash, accelerate
from ._encoder import Encoder, Notes, from_layers, from_linear, method_options, methods
from ._index import Index
from ._lib import (Cancelled, Error, FileError, InvalidArgument, NotTrained, OutOfMemory, get_num_threads,
                   set_num_threads)
from ._sentence import quantize, semantic_search

__all__ = [
    "AcceleratedIndex", "Cancelled", "Encoder", "Error", "FileError", "HammingIndex", "Index", "InvalidArgument",
    "MultiIndexHash", "NotTrained", "Notes", "OutOfMemory", "accelerate", "from_layers", "from_linear",
    "get_num_threads", "method_options", "methods", "quantize", "reverse_bits", "semantic_search",
    "set_num_threads", "show_config", "version"]


def version() -> str:
    """The version of the library.

    Returns
    -------
    str

    Examples
    --------
    >>> import faiss_lbh
    >>> faiss_lbh.version() == faiss_lbh.__version__
    True
    """
    return str(_lib.plugin.lbh_version().decode())


__version__ = version()

def show_config() -> None:
    """Prints what a report of a problem should have in it: versions, kernels, threads, libraries.

    Examples
    --------
    >>> import faiss_lbh
    >>> faiss_lbh.show_config()         # doctest: +ELLIPSIS
    faiss_lbh ...
    """
    import platform
    import numpy
    lib = _lib.plugin
    print(f"faiss_lbh {version()}, FAISS {_lib.faiss_library.lbh_faiss_version().decode()} inside")
    print(f"kernels   {lib.lbh_isa().decode()}")
    print(f"threads   {get_num_threads()}")
    print(f"library   {lib._name}")
    print(f"Python    {platform.python_version()}, NumPy {numpy.__version__}, {platform.platform()}")


for _name in __all__:  # as who imports them sees them
    if getattr(globals()[_name], "__module__", "").startswith("faiss_lbh."):
        globals()[_name].__module__ = "faiss_lbh"
