"""Files by their names in a folder or a tar, gzipped or not. Nothing is unpacked."""
import contextlib
import fnmatch
import gzip
import os
import tarfile

from vector_out import Bad, reading


class Archive:
    """A folder or a tar (.tar .tar.gz .tgz), whose files are found by the last part of their names."""

    def __init__(self, path):
        self.path, self.tar = path, None
        if os.path.isdir(path):
            self.names = {}
            for folder, _, files in os.walk(path):
                for name in files:
                    self._add(name, os.path.join(folder, name))
            return
        if not os.path.exists(path):
            raise Bad(f"{path}: no such file or folder")
        self.names = {}
        with reading(path):
            if not tarfile.is_tarfile(path):
                raise Bad(f"{path}: neither a folder nor a tar")
            self.tar = tarfile.open(path)
            for member in self.tar:
                if member.isfile():
                    self._add(os.path.basename(member.name), member)

    def _add(self, name, where):
        if not name.startswith("._"):  # what macOS leaves in archives
            self.names.setdefault(name, []).append(where)

    def find(self, *patterns, wanted=True):
        """The name of the one file that matches the first pattern that any matches."""
        for pattern in patterns:
            found = [n for n in self.names if fnmatch.fnmatch(n.lower(), pattern.lower())]
            if len(found) > 1 or (found and len(self.names[found[0]]) > 1):
                raise Bad(f"{self.path}: several files are called {pattern}")
            if found:
                return found[0]
        if wanted:
            raise Bad(f"{self.path}: there is no {' or '.join(patterns)}")
        return None

    @contextlib.contextmanager
    def open(self, name):
        """The bytes of a file, not packed any more; errors are said of it."""
        where = self.names[name][0]
        with reading(f"{self.path}: {name}" if self.tar else where):
            file = self.tar.extractfile(where) if self.tar else open(where, "rb")
            with file, (gzip.open(file) if name.endswith(".gz") else file) as plain:
                yield plain
