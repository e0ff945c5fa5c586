#!/usr/bin/python3
"""test_writes.py LBH FAIL_IO [--full]: disks that are full, slow to say so, or not to be written.

Every command of lbh that writes a file does so with each of its system calls failing in turn, with
the file allowed to grow up to one byte only, to two, ..., on a file system of a few pages, into
/dev/full, and in a directory that it may not write. It must then end with exit code 1 and one line
that says why, with the old file as it was, and no temporary file left. What ends with exit code 0
must have written the whole of it. --full: more calls and more sizes."""
import filecmp
import glob
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

LBH, FAIL_IO = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
FULL = '--full' in sys.argv
ENV = dict(os.environ, OMP_NUM_THREADS='1', LC_ALL='C', LBH_PYTHON='./python')
SET = 'synthetic:n=300,d=16,queries=20'
faults = survived = 0


def lbh(*args, env=None, limit=None, user=None, stdout=subprocess.PIPE):
    """Runs lbh; limit: bytes that a file may have."""
    def prepare():
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else the process would be killed
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if user is not None:
            os.setgid(user)
            os.setuid(user)
    # Another user may not reach the build: there is a copy.
    command = [LBH if user is None else './lbh.copy', *args]
    return subprocess.run(command, env=dict(ENV, **(env or {})), preexec_fn=prepare, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, restore_signals=False)


def ok(*args):
    done = lbh(*args)
    assert done.returncode == 0, (args, done.stderr)


# What lbh starts to draw: faults are for lbh alone, and the same job is drawn once.
PYTHON = """#!/bin/sh
unset LD_PRELOAD
job=$(mktemp)
trap 'rm -f "$job"' EXIT
cat >"$job"
known=../$(basename "$PWD").drawn.$(cksum <"$job" | tr ' ' .)
[ -s "$known" ] || /usr/bin/python3 "$1" <"$job" >"$known" || exit
cat "$known"
"""


def make_inputs():
    shutil.copy(LBH, 'lbh.copy')
    os.chmod('lbh.copy', 0o755)
    ok('train', '--method', 'itq', '--nbits', '32', '--base', SET, '-o', 'm.lbh')
    ok('train', '--method', 'lsh', '--nbits', '8', '--base', SET, '-o', 'old.lbh')
    ok('encode', '--model', 'm.lbh', '-i', SET, '-o', 'codes.npy')
    ok('build', '--model', 'm.lbh', '--base', SET, '-o', 'base.faiss')
    with open('bench.ini', 'w', encoding='ascii') as f:
        f.write('[bench]\nnbits = 16\nseeds = 1\nrepeats = 1\nk = 5\nat = 1 5\nmap_k = 5\n'
                'rescore = hamming\n[data small]\nbase = synthetic:n=300,d=16,queries=20\n'
                'metric = l2\n[method lsh]\n')
    ok('bench', 'bench.ini', '--out', 'results')
    with open('python', 'w', encoding='ascii') as f:
        f.write(PYTHON)
    os.chmod('python', 0o755)


# name, command, output (%s in it), whether two runs write the same bytes
SEARCH = ['search', '--model', 'm.lbh', '--index', 'base.faiss', '--query', SET]
WRITERS = [
    ('model', ['train', '--method', 'itq', '--nbits', '32', '--base', SET, '-o', 'out.lbh'],
     'out.lbh', True),
    ('model and checkpoint',
     ['train', '--method', 'sgh', '--set', 'steps=20', '--nbits', '16', '--base', SET,
      '--checkpoint', 'out.ckpt', '--checkpoint-every', '0', '-o', 'out.lbh'], 'out.lbh', True),
    ('codes, npy', ['encode', '--model', 'm.lbh', '-i', SET, '-o', 'out.npy'], 'out.npy', True),
    ('codes, bvecs', ['encode', '--model', 'm.lbh', '-i', SET, '-o', 'out.bvecs'], 'out.bvecs',
     True),
    ('vectors', ['decode', '--model', 'm.lbh', '--codes', 'codes.npy', '-o', 'out.fvecs'],
     'out.fvecs', True),
    ('index', ['build', '--model', 'm.lbh', '--base', SET, '--index', 'BIVF4', '-o', 'out.faiss'],
     'out.faiss', True),
    ('ids', [*SEARCH, '-o', 'out.ivecs'], 'out.ivecs', True),
    ('distances', [*SEARCH, '-o', 'ids.npy', '--distances', 'out.npy'], 'out.npy', True),
    ('export', ['export', '--model', 'm.lbh', '--format', 'faiss-lsh', '--base', SET, '-o',
                'out.faiss'], 'out.faiss', True),
    ('curve', ['curve', '--base', SET, '--samples', '2000', '--points', '2', '-b', '8', '-o',
               'out.svg'], 'out.svg', True),
    ('precision and recall', ['eval', '--model', 'm.lbh', '--base', SET, '--pr', 'out.svg',
                              '--map-k', '10'], 'out.svg', True),
    ('HDF5', ['eval', '--model', 'm.lbh', '--base', SET, '--map-k', '10', '--ann-benchmarks',
              'ann', '--ann-set', 'small'], 'ann/data/small.hdf5', False),
    ('page of results', ['report', 'results', '-o', 'out.html'], 'out.html', True),
    ('figure of results', ['report', 'results', '--figure', 'recall', '-o', 'out.svg'], 'out.svg',
     True),
]


class Writer:
    """One command in a directory of its own, and what is to be found there."""

    def __init__(self, name, args, output, same):
        self.name, self.args, self.output, self.same = name, args, output, same
        self.counts = {}

    def reset(self):
        """As before the first run: an old file under the name of the output."""
        for entry in os.listdir('.'):
            if entry not in KEPT:
                (shutil.rmtree if os.path.isdir(entry) else os.remove)(entry)
        if self.same:
            shutil.copy('old.lbh', self.output)

    def learn(self):
        self.reset()
        if self.same:
            os.remove(self.output)
        counts = tempfile.mktemp()
        done = lbh(*self.args, env={'LD_PRELOAD': FAIL_IO, 'FAIL_IO_COUNTS': counts})
        assert done.returncode == 0, (self.name, done.stderr)
        with open(counts, encoding='ascii') as f:
            self.counts = {line.split()[0]: int(line.split()[1]) for line in f}
        os.remove(counts)
        self.size = os.path.getsize(self.output)
        shutil.copy(self.output, REFERENCE)

    def check(self, what, done, must_fail=False):
        """After a run with a fault."""
        global faults, survived
        faults += 1
        where = f'{self.name}, {what}: exit code {done.returncode}, {done.stderr.strip()!r}'
        assert done.returncode in (0, 1), where
        assert not (must_fail and done.returncode == 0), where
        left = [f for _, _, files in os.walk('.') for f in files
                if f not in KEPT and f not in OUTPUTS]
        assert not [f for f in left if f.count('.') > 1], f'{where}; left over: {left}'
        if done.returncode == 0:
            survived += 1
            assert not self.same or filecmp.cmp(self.output, REFERENCE, False), where
            return
        lines = [l for l in done.stderr.strip().split('\n') if 'going on' not in l]
        assert len(lines) == 1 and lines[0].startswith('lbh: '), where
        if self.same:
            whole = any(filecmp.cmp(self.output, f, False) for f in ('old.lbh', REFERENCE))
            assert whole, where + '; the old file is damaged'

    def fail_calls(self):
        """Each call fails in turn; few are tried where a library makes many."""
        for call, n in self.counts.items():
            most = n if FULL else 4
            for nth in sorted({1, n, *range(1, min(n, most) + 1)} if n else ()):
                for error in ('ENOSPC', 'EIO') if FULL else (['ENOSPC', 'EIO'][nth % 2],):
                    self.reset()
                    done = lbh(*self.args, env={'LD_PRELOAD': FAIL_IO,
                                                'FAIL_IO': f'{call}:{nth}:{error}'})
                    self.check(f'{call} {nth} gives {error}', done, True)
            if call in ('write', 'pwrite') and n:
                self.reset()
                done = lbh(*self.args, env={'LD_PRELOAD': FAIL_IO, 'FAIL_IO': f'{call}:1:short'})
                self.check(f'{call} writes a part', done)

    def limit_sizes(self):
        """The last bytes find no room: short writes, then errors."""
        sizes = {0, 1, self.size // 2, self.size - 1}
        if FULL:
            sizes |= {64, 4095, 4096, 4097, *range(0, self.size, max(1, self.size // 40))}
        for limit in sorted(s for s in sizes if s < self.size):
            self.reset()
            self.check(f'files of at most {limit} bytes', lbh(*self.args, limit=limit), True)

    def full_device(self):
        if not self.same:
            return
        self.reset()
        os.remove(self.output)
        os.symlink('/dev/full', self.output)
        done = lbh(*self.args)
        assert done.returncode == 1 and 'No space left' in done.stderr or \
            'regular' in done.stderr, (self.name, done.stderr)
        assert os.path.islink(self.output)
        os.remove(self.output)

    def forbidden(self):
        """A directory that may not be written."""
        self.reset()
        root = os.getuid() == 0
        os.chmod('.', 0o555)
        try:
            done = lbh(*self.args, user=65534 if root else None)
        finally:
            os.chmod('.', 0o755)
        self.check('a directory that is read-only', done, True)
        assert 'Permission denied' in done.stderr, done.stderr


def small_disk(writers):
    """A file system of 64 kB, filled but for one page."""
    here = os.getcwd()
    disk = tempfile.mkdtemp()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=65536', 'none', disk],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        print('no small file system: mounting one is not allowed here')
        os.rmdir(disk)
        return 0
    count = 0
    try:
        for w in writers:
            if not w.same or w.size < 9000:
                continue
            w.reset()
            target = os.path.join(disk, os.path.basename(w.output))
            shutil.copy('old.lbh', target)
            with open(os.path.join(disk, 'filler'), 'wb') as f:
                f.write(bytes(65536 - 8192 - 4096))
            args = [target if a == w.output else a for a in w.args]
            done = lbh(*args)
            assert done.returncode == 1 and 'No space left' in done.stderr, (w.name, done.stderr)
            assert sorted(os.listdir(disk)) == sorted(['filler', os.path.basename(target)]), w.name
            assert filecmp.cmp(target, 'old.lbh', False), w.name
            os.remove(target)
            count += 1
    finally:
        os.chdir(here)
        subprocess.run(['umount', disk], check=True)
        os.rmdir(disk)
    return count


def bench_results():
    """lbh bench appends: whatever fails, in it or in its children, it goes on the next time."""
    bench = ['bench', 'bench.ini', '--out', 'again']
    runs = [{'env': {'LD_PRELOAD': FAIL_IO, 'FAIL_IO': f'{call}:{nth}:{error}'}}
            for call in ('open', 'write', 'fsync', 'rename', 'ftruncate', 'fflush', 'fclose')
            for nth in range(1, 9 if FULL else 2)
            for error in ('ENOSPC', 'EIO', 'short')[:3 if call == 'write' else 2 if FULL else 1]]
    runs += [{'limit': limit} for limit in (0, 1, 500, *range(1000, 4000, 100 if FULL else 1000))]
    for run in runs:
        shutil.rmtree('again', ignore_errors=True)
        done = lbh(*bench, **run)
        assert done.returncode in (0, 1), (run, done.stderr)
        assert done.returncode == 0 or 'lbh: ' in done.stderr, (run, done.stderr)
        ok(*bench, '--retry')
        with open('again/bench.jsonl', encoding='ascii') as f:
            cells = [json.loads(line) for line in f if line.endswith('\n')]
        assert [c['status'] for c in cells].count('ok') == 1, (run, cells)
    return len(runs)


def standard_output():
    """What is printed is written as well."""
    count = 0
    for args in (['methods'], ['info', 'm.lbh', '--json'], SEARCH, ['--help']):
        with open('/dev/full', 'w', encoding='ascii') as full:
            done = lbh(*args, stdout=full)
        assert done.returncode == 1, (args, done.returncode, done.stderr)
        count += 1
    return count


directory = tempfile.mkdtemp()
os.chmod(directory, 0o755)
REFERENCE = directory + '.reference'
OUTPUTS = {w[2].split('/')[-1] for w in WRITERS} | {'out.ckpt', 'ids.npy'}
os.chdir(directory)
try:
    make_inputs()
    KEPT = set(os.listdir('.'))
    chosen = [Writer(*w) for w in WRITERS]
    if 'without HDF5' in lbh('eval', '--model', 'm.lbh', '--base', SET, '--ann-benchmarks',
                             'ann').stderr:
        print('no HDF5 in this build')
        chosen = [w for w in chosen if w.same]
    for writer in chosen:
        writer.learn()
        writer.fail_calls()
        writer.limit_sizes()
        writer.full_device()
        writer.forbidden()
        print(f'{writer.name}: {faults} faults so far', flush=True)
    small = small_disk(chosen)
    printed = standard_output()
    interrupted = bench_results()
    print(f'{len(chosen)} writers, {faults} faults, {survived} of them with the file written whole '
          f'all the same; {small} on a full file system, {printed} outputs printed to a full '
          f'device; {interrupted} runs of lbh bench that could not write')
finally:
    os.chdir('/')
    shutil.rmtree(directory)
    for path in glob.glob(directory + '.*'):
        os.remove(path)
