#!/usr/bin/python3
"""test_files.py LBH [--full]: files of no row, of one row, cut anywhere, and of many gigabytes.

Every format of vectors, in every command that reads vectors. A command either does what it is told
(and what it then writes has as many rows as it read), or ends with exit code 1 and one line. The
gigabytes are holes in files, of which the ends are written: rows beyond 2^31 bytes, and beyond 2^31
numbers, must be the rows that were put there. --full: cuts in more places, and training on 8 GB, too."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np

LBH = os.path.abspath(sys.argv[1])
FULL = '--full' in sys.argv
ENV = dict(os.environ, OMP_NUM_THREADS='1', LC_ALL='C')
D = 8
runs = refused = 0


def lbh(*args):
    return subprocess.run([LBH, *args], env=ENV, capture_output=True, text=True, check=False)


def vecs(x, kind):
    return b''.join(struct.pack('<i', x.shape[1]) + row.astype(kind).tobytes() for row in x)


def binary(x, kind):
    return struct.pack('<II', *x.shape) + x.astype(kind).tobytes()


def npy(x, kind):
    np.save('tmp.npy', x.astype(kind))
    with open('tmp.npy', 'rb') as f:
        return f.read()


FORMATS = {'fvecs': lambda x: vecs(x, '<f4'), 'bvecs': lambda x: vecs(x, 'u1'),
           'fbin': lambda x: binary(x, '<f4'), 'u8bin': lambda x: binary(x, 'u1'),
           'npy': lambda x: npy(x, '<f4')}


def commands(path):
    """What reads vectors; the output of the first one is looked at."""
    yield ['encode', '--model', 'm.lbh', '-i', path, '-o', 'out.npy']
    yield ['train', '--method', 'lsh', '--nbits', '8', '--base', path, '-o', 'out.lbh']
    yield ['train', '--method', 'itq', '--nbits', '8', '--base', path, '-o', 'out.lbh']
    yield ['build', '--model', 'm.lbh', '--base', path, '-o', 'out.faiss']
    yield ['build', '--model', 'm.lbh', '--base', path, '--index', 'BIVF4', '-o', 'out.faiss']
    yield ['search', '--model', 'm.lbh', '--index', 'i.faiss', '--query', path, '-o', 'out.npy']
    yield ['eval', '--model', 'm.lbh', '--base', path, '--query', 'good.fvecs', '--map-k', '10']
    yield ['eval', '--model', 'm.lbh', '--base', 'good.fvecs', '--query', path, '--map-k', '10']
    yield ['export', '--model', 'm.lbh', '--format', 'faiss-lsh', '--base', path, '-o', 'out.faiss']


def check(path, rows):
    """rows: how many there are; None: the file is damaged, and must be refused."""
    global runs, refused
    for args in commands(path):
        done = lbh(*args)
        where = f'lbh {" ".join(args)}: exit code {done.returncode}, {done.stderr.strip()!r}'
        runs += 1
        assert done.returncode in (0, 1), where
        if done.returncode == 1:
            refused += 1
            assert done.stderr.count('\n') == 1 and done.stderr.startswith('lbh: '), where
            assert not [f for f in os.listdir('.') if f.startswith('out.')], where
        else:
            assert rows is not None, where + ': a damaged file was taken'
            if args[0] in ('encode', 'search'):
                assert len(np.load('out.npy')) == rows, where
        assert rows is None or rows < 10 or done.returncode == 0, where
        for f in os.listdir('.'):
            if f.startswith('out.'):
                os.remove(f)


def small_files(x):
    for kind, write in FORMATS.items():
        whole = write(x[:20])
        for rows in (0, 1, 20):
            with open('some.' + kind, 'wb') as f:
                f.write(write(x[:rows]) if rows or 'vecs' not in kind else b'')
            check('some.' + kind, rows)
        cuts = (1, 3, 4, 7, 8, 11, len(whole) // 2 + 1, len(whole) - 1)
        for cut in cuts if FULL else cuts[4::3]:
            with open('some.' + kind, 'wb') as f:
                f.write(whole[:cut])
            check('some.' + kind, None)
        with open('some.' + kind, 'wb') as f:
            f.write(whole + b'\0')
        check('some.' + kind, None)


def sparse(name, head, n, row_size, rows):
    """A file of n rows, a hole but for its head and for `rows`, {number: bytes}."""
    with open(name, 'wb') as f:
        f.write(head)
        for i, data in rows.items():
            f.seek(len(head) + i * row_size)
            f.write(data)
        f.truncate(len(head) + n * row_size)
    st = os.stat(name)
    assert st.st_blocks * 512 < 1 << 24, 'this file system knows no holes'
    return st.st_size


def big_files(x):
    """The last rows of each, and two beyond the 2^31st byte and number, against a small file."""
    bytes_read = 0
    for kind, size, header in (('fbin', 4, 'II'), ('u8bin', 1, 'II'), ('npy', 4, ''),
                               ('fvecs', 4, 'v'), ('bvecs', 1, 'v')):
        each = D * size + (4 if header == 'v' else 0)
        n = (1 << 31) // D + 1000 if size == 1 else (1 << 31) // D + 7
        numbers = sorted({0, (1 << 31) // each + 1, n - 2, n - 1})
        part = x[:len(numbers)].round()
        data = {i: FORMATS[kind](part[j:j + 1])[-each:] for j, i in enumerate(numbers)}
        if header == 'II':
            head = struct.pack('<II', n, D)
        elif header == 'v':
            head = b''
        else:
            head = npy(part, '<f4')[:128].replace(b'(%d, %d)' % part.shape, b'(%d, %d)' % (n, D))
            head = head[:127].rstrip().ljust(127)[:127] + b'\n'
        bytes_read += sparse('big.' + kind, head, n, each, data)
        with open('part.' + kind, 'wb') as f:
            f.write(FORMATS[kind](part))
        done = lbh('encode', '--model', 'm.lbh', '-i', 'part.' + kind, '-o', 'w.npy')
        assert done.returncode == 0, (kind, done.stderr)
        want = np.load('w.npy')
        for j, i in enumerate(numbers):
            done = lbh('encode', '--model', 'm.lbh', '-i', f'big.{kind}@{i}:{i + 1}', '-o', 'g.npy')
            assert done.returncode == 0, (kind, i, done.stderr)
            assert (np.load('g.npy') == want[j]).all(), (kind, i)
        if header != 'v' and (FULL or size == 1):  # of the others, each row would need its head
            done = lbh('train', '--method', 'lsh', '--set', 'max_train=100', '--nbits', '8',
                       '--base', 'big.' + kind, '-o', 'big.lbh')
            assert done.returncode == 0, (kind, done.stderr)
        os.remove('big.' + kind)
    return bytes_read


directory = tempfile.mkdtemp()
os.chdir(directory)
try:
    X = np.random.default_rng(1).integers(0, 200, (200, D)).astype('f4')
    with open('good.fvecs', 'wb') as out:
        out.write(vecs(X, '<f4'))
    for setup in (['train', '--method', 'itq', '--nbits', '8', '--base', 'good.fvecs', '-o',
                   'm.lbh'],
                  ['build', '--model', 'm.lbh', '--base', 'good.fvecs', '-o', 'i.faiss']):
        made = lbh(*setup)
        assert made.returncode == 0, made.stderr
    small_files(X)
    total = big_files(X)
    print(f'{runs} commands read files of no row, of one, and damaged ones: {refused} refused in '
          f'one line; rows found in {total / 2**30:.0f} GB of files with holes')
finally:
    os.chdir('/')
    shutil.rmtree(directory)
