import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from lib.base.errors import UserError
from lib.data import DataNotFound, catalogue, idx, images, load, places, prepared, store
from lib.data.dataset import fingerprint


def run(program: str, **kwargs) -> subprocess.Popen:
    """Starts Python on `program` as somebody else would: another process, this folder."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **kwargs,
    )


def test_importing_costs_no_heavy_package():
    program = "import lib.data, sys; print(*(n for n in sys.modules if '.' not in n))"
    loaded = run(program).communicate()[0].split()
    assert "numpy" in loaded
    assert not {"jax", "tensorflow_datasets", "sklearn", "PIL"} & set(loaded)


def test_prepares_through_tfds_what_the_files_hold(tiny, tiny_files, folder, tfds_dir, capfd):
    train = load("mnist", data_dir=folder)
    images, labels = train.arrays["image"], train.arrays["label"]
    assert (images.shape, images.dtype) == ((30, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((30,), np.int32)
    assert train.real and train.fingerprint == fingerprint(train.arrays)
    # TFDS shuffles; the first pixel is the index.
    order = images[:, 0, 0]
    assert sorted(order) == list(range(30)) and list(order) != list(range(30))
    given = idx.splits(tiny_files)["train"]
    np.testing.assert_array_equal(images, given["image"][order])
    np.testing.assert_array_equal(labels, given["label"][order])

    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and f"from --data-dir {folder}" in err
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0

    import tensorflow_datasets as tfds

    source = tfds.builder_from_directory(tfds_dir / "mnist" / "3.0.1").as_data_source("train")
    np.testing.assert_array_equal(images, np.stack([x["image"][..., 0] for x in source]))


def test_slices_are_of_the_same_order(tiny, folder, tfds_dir):
    whole = load("mnist", "train", data_dir=folder)
    part = load("mnist", "train[10:20]")
    np.testing.assert_array_equal(part.arrays["image"], whole.arrays["image"][10:20])
    assert len(part) == 10 and part.fingerprint != whole.fingerprint
    assert len(load("mnist", "test")) == 10


def test_the_second_load_reads_only_what_was_kept(tiny, folder, tfds_dir, capfd, monkeypatch):
    first = load("mnist", data_dir=folder)
    capfd.readouterr()
    monkeypatch.setattr(store, "materialise", None)
    assert load("mnist").fingerprint == first.fingerprint
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_is_passed_over_for_what_was_prepared_before_is_named_once(
    tiny, folder, tfds_dir, tmp_path, capfd
):
    first = load("mnist", data_dir=folder)
    assert "not looked at" not in capfd.readouterr().err
    (tmp_path / "other").mkdir()
    again = [load("mnist", split, data_dir=tmp_path / "other") for split in ("train", "test")]
    assert again[0].fingerprint == first.fingerprint
    said = (
        f"mnist: prepared in {tfds_dir / 'mnist' / '3.0.1'} before, so {tmp_path / 'other'} is not"
    )
    err = capfd.readouterr().err
    assert err.startswith(said) and err.count("\n") == 1
    load("digits", data_dir=tmp_path / "other")  # comes with a package: no folder was ever asked
    load("digits", data_dir=tmp_path / "other")
    assert "not looked at" not in capfd.readouterr().err


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "foreign"])
def test_kept_arrays_that_are_damaged_are_rebuilt(tiny, folder, tfds_dir, harm, capfd):
    first = load("mnist", data_dir=folder)
    (kept,) = (tfds_dir / "mnist" / "3.0.1" / "arrays").glob("train-*.npz")
    data = kept.read_bytes()
    if harm == "foreign":  # sound, but other data under this name
        np.savez(kept, **{**first.arrays, "label": first.arrays["label"][::-1]})
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        kept.write_bytes({"flip": flipped, "truncate": data[:middle], "empty": b""}[harm])
    capfd.readouterr()
    again = load("mnist")
    assert again.fingerprint == first.fingerprint
    assert kept.read_bytes() == data
    assert capfd.readouterr() == ("", "")


def test_a_known_fingerprint_is_held_to(tiny, folder, tfds_dir, monkeypatch):
    load("mnist", data_dir=folder)
    tiny.fingerprints["train"] = "0" * 16
    with pytest.raises(UserError, match="fingerprint should be 0000000000000000, is"):
        load("mnist")


def test_a_damaged_prepared_dataset_is_named(tiny, folder, tfds_dir):
    load("mnist", "test", data_dir=folder)
    prepared = tfds_dir / "mnist" / "3.0.1"
    (record,) = prepared.glob("*train*array_record*")
    record.write_bytes(record.read_bytes()[:1000])
    with pytest.raises(UserError, match="is damaged .*delete it and run again") as caught:
        load("mnist", "train")
    assert str(prepared) in str(caught.value) and "\n" not in str(caught.value)


def test_a_dataset_prepared_for_tensorflow_is_said_to_be(tiny, folder, tfds_dir):
    load("mnist", "test", data_dir=folder)
    info = tfds_dir / "mnist" / "3.0.1" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(UserError, match="only TensorFlow reads"):
        load("mnist", "train")


@pytest.mark.parametrize("content", ["[]", "null", "7", '"words"', "{", "[" * 100_000])
def test_a_prepared_dataset_whose_description_is_damaged(content, tiny, folder, tfds_dir):
    load("mnist", "test", data_dir=folder)
    (tfds_dir / "mnist" / "3.0.1" / "dataset_info.json").write_text(content)
    with pytest.raises(UserError, match="is damaged .*delete it and run again") as caught:
        load("mnist", "train")
    assert "\n" not in str(caught.value)


def test_data_dir_may_hold_a_prepared_dataset(tiny, folder, tfds_dir, tmp_path, monkeypatch, capfd):
    first = load("mnist", data_dir=folder)
    capfd.readouterr()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "another"))
    assert load("mnist", data_dir=tfds_dir).fingerprint == first.fingerprint
    assert "copying" in capfd.readouterr().err
    assert load("mnist").fingerprint == first.fingerprint


def test_an_interrupted_preparation_leaves_nothing_usable(tiny, folder, tfds_dir, monkeypatch):
    real, calls = images.png, []

    def interrupted(image):
        calls.append(1)
        if len(calls) > 20:
            raise KeyboardInterrupt
        return real(image)

    monkeypatch.setattr(images, "png", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("mnist", data_dir=folder)
    assert not store.prepared(tiny, tfds_dir) and store.cached(tiny, "train", tfds_dir) is None
    monkeypatch.setattr(images, "png", real)
    assert len(load("mnist", data_dir=folder)) == 30


# Digits made up on the spot: scikit-learn takes seconds to import.
_QUICK_DIGITS = """
import dataclasses, os, signal
import numpy as np
from lib.data import catalogue, images, load, places
entry = dataclasses.replace(catalogue.DIGITS, sizes={"train": 40}, fingerprints={})
catalogue.ENTRIES["digits"] = entry
made_up = {"image": np.zeros((40, 8, 8), np.uint8), "label": np.arange(40, dtype=np.uint8) % 10}
places.from_scikit_learn = lambda: {"train": made_up}
real, calls = images.png, []
def png(image):
    calls.append(1)
    if len(calls) == KILL_AT: os.kill(os.getpid(), signal.SIGKILL)
    return real(image)
images.png = png
print(load("digits").fingerprint)
"""


def test_killed_while_preparing_then_two_at_once(tfds_dir):
    killed = run(_QUICK_DIGITS.replace("KILL_AT", "30"))
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert (tfds_dir / "digits").exists() and not store.prepared(catalogue.DIGITS, tfds_dir)

    both = [run(_QUICK_DIGITS.replace("KILL_AT", "-1")) for _ in range(2)]
    results = [process.communicate() for process in both]
    assert results[0][0] == results[1][0] != ""
    assert sum("preparing from" in err for _, err in results) == 1


def test_digits_are_scikit_learns(tfds_dir):
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    train, test = load("digits"), load("digits", "test")
    assert len(train) == 1437 and len(test) == 360
    for part, rows in ((train, slice(0, 1437)), (test, slice(1437, None))):
        pixels = part.arrays["image"]
        assert pixels.shape[1:] == (8, 8) and pixels.dtype == np.uint8
        assert pixels.min() == 0 and pixels.max() == 255
        assert part.fingerprint == catalogue.DIGITS.fingerprints[part.split]
        # The same examples, whatever the order: 255 / 16 keeps the 17 levels apart.
        levels = np.rint(pixels.reshape(-1, 64) / 255 * 16).astype(int)
        ours = np.column_stack([levels, part.arrays["label"]])
        theirs = np.column_stack([images[rows].astype(int), labels[rows]])
        assert sorted(map(tuple, ours)) == sorted(map(tuple, theirs))


def test_a_data_directory_that_cannot_be_written_is_one_line(tiny, folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(UserError, match="cannot write to .*set TFDS_DATA_DIR") as caught:
        load("mnist", data_dir=folder)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line(tiny, folder, tfds_dir, monkeypatch):
    class Full:
        def __init__(self, path, options):
            pass

        def write(self, data):
            raise RuntimeError("write() failed: No space left on device; writing /x")

        def close(self):
            pass

    monkeypatch.setattr(prepared.array_record_module, "ArrayRecordWriter", Full)
    with pytest.raises(UserError, match="cannot write to .*: No space left on device; set TFDS"):
        load("mnist", data_dir=folder)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("cifar", {}, "no dataset 'cifar', only bsd100, .*, mnist"),
        ("mnist", {"split": "valid"}, "there is no 'valid', only train"),
        ("mnist", {"data_dir": "/no/such/folder"}, "--data-dir /no/such/folder: there is no such"),
    ],
)
def test_a_request_that_cannot_be_met(tfds_dir, name, options, message):
    with pytest.raises(UserError, match=message) as caught:
        load(name, **options)
    assert caught.value.code == 2


def test_nothing_is_made_up_when_nothing_is_found(tiny, tfds_dir, tmp_path, monkeypatch):
    def nothing(*args):
        raise places.Unavailable("closed")

    monkeypatch.setattr(places, "from_publisher", nothing)
    monkeypatch.setattr(places, "from_package", nothing)
    with pytest.raises(DataNotFound, match="mnist: not found"):
        load("mnist", data_dir=tmp_path)
    assert not store.prepared(tiny, tfds_dir)


def test_versions_are_the_official_builders():
    import tensorflow_datasets as tfds

    def official(name):
        return {str(config.version) for config in tfds.builder_cls(name).BUILDER_CONFIGS}

    for name in ("mnist", "fashion_mnist", "cifar10", "celeb_a"):
        assert str(tfds.builder_cls(name).VERSION) == catalogue.find(name).version
    for name in ("div2k", "coco_captions", "wmt14_translate"):
        assert official(name) == {catalogue.find(name).version}


def test_features_and_files_are_those_of_the_official_builder(tiny, folder, tfds_dir):
    """What is prepared here, TFDS's own "mnist" takes for its own."""
    import tensorflow_datasets as tfds

    ours = load("mnist", data_dir=folder).arrays
    official = tfds.builder("mnist", data_dir=tfds_dir, file_format="array_record")
    assert official.is_prepared()
    source = official.as_data_source("train")
    np.testing.assert_array_equal(ours["image"], np.stack([x["image"][..., 0] for x in source]))
    np.testing.assert_array_equal(ours["label"], [x["label"] for x in source])


def test_png_is_what_pillow_reads():
    from io import BytesIO

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (5, 9), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(images.png(image)))), image)


def test_real_mnist_if_it_is_prepared_here():
    root = store.root()
    if not (catalogue.MNIST.location(root) / "arrays").is_dir():
        pytest.skip(f"no MNIST in {root} yet: the first run of an experiment on it prepares it")
    for split, size in catalogue.MNIST.sizes.items():
        dataset = load("mnist", split)
        assert len(dataset) == size and dataset.arrays["image"].shape == (size, 28, 28)
        assert dataset.fingerprint == catalogue.MNIST.fingerprints[split]
        assert set(np.unique(dataset.arrays["label"])) == set(range(10))
