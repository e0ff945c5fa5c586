"""test_replay.py FUZZ_REPLAY FUZZ_SEEDS: every fuzz target returns from every input that once made it
fail (regressions/), and from the seeds of the fuzzer and each of them cut short or with a byte
changed. Fuzzing itself is scripts/fuzz.sh."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def damage(directory):
    """Beside each seed one that ends early and one with a changed byte, at places that the names
    give."""
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            data = file.read()
        place = sum(name.encode()) * 7919 % max(len(data), 1)
        changed = bytearray(data)
        if changed:
            changed[place] ^= 0x81
        for kind, bad in ("short", data[:place]), ("changed", bytes(changed)):
            with open(os.path.join(directory, f"{name}.{kind}"), "wb") as file:
                file.write(bad)


def main():
    replay, seeds = sys.argv[1:3]
    targets = subprocess.run([replay, "--list"], capture_output=True, text=True,
                             check=True).stdout.split()
    failed = []
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([sys.executable, os.path.join(HERE, "seeds.py"), seeds, made], check=True)
        for target in targets:
            inputs = [os.path.join(d, target) for d in (os.path.join(HERE, "regressions"), made)]
            inputs = [d for d in inputs if os.path.isdir(d)]
            if os.path.join(made, target) in inputs:
                damage(os.path.join(made, target))
            if not inputs: # without h5py there are no seeds of HDF5 sets
                print(f"{target}: no inputs")
                continue
            if subprocess.run([replay, target, *inputs], check=False).returncode:
                failed.append(target)
    print(f"{len(targets)} targets, failed: {', '.join(failed) or 'none'}")
    return 1 if failed or not targets else 0


if __name__ == "__main__":
    sys.exit(main())
