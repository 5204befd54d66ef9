"""A tiny MNIST of made-up idx files, and a TFDS data directory of each test's own."""

import dataclasses
import hashlib

import numpy as np
import pytest

from lib.data import catalogue, idx
from tests.publisher import full_disk, served  # noqa: F401


@pytest.fixture
def tfds_dir(tmp_path, monkeypatch):
    folder = tmp_path / "tfds"
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def tiny_files() -> dict[str, bytes]:
    """30 + 10 images of noise; each image's first pixel is its place in the file."""
    rng = np.random.default_rng(0)
    files = {}
    for prefix, size in (("train", 30), ("t10k", 10)):
        images = rng.integers(0, 256, (size, 28, 28), dtype=np.uint8)
        images[:, 0, 0] = np.arange(size)
        files[f"{prefix}-images-idx3-ubyte"] = idx.encode(images)
        files[f"{prefix}-labels-idx1-ubyte"] = idx.encode(np.arange(size, dtype=np.uint8) % 10)
    return files


@pytest.fixture
def tiny(tiny_files, monkeypatch) -> catalogue.Entry:
    """Stands in for "mnist", with checksums of its own."""
    entry = dataclasses.replace(
        catalogue.find("mnist"),
        sizes={"train": 30, "test": 10},
        files={
            name: catalogue.File(sha256=hashlib.sha256(data).hexdigest())
            for name, data in tiny_files.items()
        },
        fingerprints={},
    )
    monkeypatch.setitem(catalogue.ENTRIES, "mnist", entry)
    return entry


@pytest.fixture
def folder(tmp_path, tiny_files):
    """A --data-dir that holds the tiny MNIST."""
    path = tmp_path / "given"
    path.mkdir()
    for name, data in tiny_files.items():
        (path / name).write_bytes(data)
    return path
