"""A virtual environment with the newest faiss-cpu (or what else is asked for) of PyPI, made on the first
use with pip as it is configured on the machine."""
import os
import subprocess
import sys
import venv

NEEDS = ["faiss-cpu>=1.11", "numpy"]


def python(program, directory, needs=NEEDS, name="rivals-venv"):
    """The Python of the virtual environment, made if it is not there; None if it cannot be."""
    what = needs[0].split(">")[0]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    directory = directory or os.path.join(cache, "faiss-lbh", name)
    python, ready = os.path.join(directory, "bin", "python"), os.path.join(directory, "ready")
    if os.path.exists(ready):
        return python
    print(f"{program}: making {directory} with {what}", file=sys.stderr)
    try:
        venv.create(directory, with_pip=True, clear=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", "--no-compile", "--retries", "1",
                               "--timeout", "15", "--disable-pip-version-check", *needs],
                              capture_output=True, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{program}: no virtual environment: {error}", file=sys.stderr)
        return None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        print(f"{program}: skipped, as pip cannot install {what}: {reason}", file=sys.stderr)
        return None
    open(ready, "w").close()
    return python
