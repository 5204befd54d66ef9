import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from lib.base.errors import UserError
from lib.data import DataNotFound, catalogue, idx, images, load, places, store
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


@pytest.fixture
def official(tiny, folder, tmp_path, monkeypatch):
    """A data directory where TFDS's own builder has prepared the tiny MNIST."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.image_classification import mnist

    def given(manager, urls):
        return {
            key: folder / url.rpartition("/")[2].removesuffix(".gz") for key, url in urls.items()
        }

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", given)

    def pixels(path, count):
        return [images.png(image) for image in idx.decode(path.read_bytes())]

    def labels(path, count):
        return idx.decode(path.read_bytes()).astype(np.int64)

    # To read and to encode them itself it would ask for TensorFlow.
    monkeypatch.setattr(mnist, "_extract_mnist_images", pixels)
    monkeypatch.setattr(mnist, "_extract_mnist_labels", labels)
    monkeypatch.setattr(mnist, "_TRAIN_EXAMPLES", 30)
    monkeypatch.setattr(mnist, "_TEST_EXAMPLES", 10)
    root = tmp_path / "theirs"
    mnist.MNIST(data_dir=root, file_format="array_record").download_and_prepare()
    return root


def test_loads_what_the_files_hold(tiny, tiny_files, folder, tfds_dir, capfd):
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


def test_slices_are_of_the_same_order(tiny, folder, tfds_dir):
    whole = load("mnist", "train", data_dir=folder)
    part = load("mnist", "train[10:20]")
    np.testing.assert_array_equal(part.arrays["image"], whole.arrays["image"][10:20])
    assert len(part) == 10 and part.fingerprint != whole.fingerprint
    assert len(load("mnist", "test")) == 10


def test_the_second_load_reads_only_what_was_kept(tiny, folder, tfds_dir, capfd, monkeypatch):
    first = load("mnist", data_dir=folder)
    capfd.readouterr()
    monkeypatch.setattr(store, "prepared", None)
    monkeypatch.setattr(places, "gather", None)
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
    kept, other = tfds_dir / "arrays/mnist/3.0.1", tmp_path / "other"
    said = f"mnist: prepared in {kept} before, so {other} is not looked at"
    err = capfd.readouterr().err
    assert err.startswith(said) and err.count("\n") == 1
    load("digits", data_dir=tmp_path / "other")  # comes with a package: no folder was ever asked
    load("digits", data_dir=tmp_path / "other")
    assert "not looked at" not in capfd.readouterr().err


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "foreign"])
def test_kept_arrays_that_are_damaged_are_rebuilt(tiny, folder, tfds_dir, harm, capfd):
    first = load("mnist", data_dir=folder)
    (kept,) = (tfds_dir / "arrays/mnist/3.0.1").glob("train-*.npz")
    data = kept.read_bytes()
    if harm == "foreign":  # sound, but other data under this name
        np.savez(kept, **{**first.arrays, "label": first.arrays["label"][::-1]})
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        kept.write_bytes({"flip": flipped, "truncate": data[:middle], "empty": b""}[harm])
    capfd.readouterr()
    again = load("mnist", data_dir=folder)
    assert again.fingerprint == first.fingerprint
    assert kept.read_bytes() == data
    damaged, prepared = capfd.readouterr().err.splitlines()
    assert damaged == f"mnist: {kept} is damaged, and left out"
    assert "preparing from --data-dir" in prepared


def test_a_known_fingerprint_is_held_to(tiny, folder, tfds_dir, monkeypatch):
    load("mnist", data_dir=folder)
    tiny.fingerprints["train"] = "0" * 16
    with pytest.raises(UserError, match="fingerprint should be 0000000000000000, is"):
        load("mnist", data_dir=folder)


def test_a_damaged_prepared_dataset_is_named(tiny, official, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(official))
    prepared = official / "mnist" / "3.0.1"
    (record,) = prepared.glob("*train*array_record*")
    record.write_bytes(record.read_bytes()[:1000])
    with pytest.raises(UserError, match="is damaged .*delete it and run again") as caught:
        load("mnist", "train")
    assert str(prepared) in str(caught.value) and "\n" not in str(caught.value)


def test_a_dataset_prepared_for_tensorflow_is_said_to_be(tiny, official, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(official))
    info = official / "mnist" / "3.0.1" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(UserError, match="only TensorFlow reads"):
        load("mnist", "train")


@pytest.mark.parametrize("content", ["[]", "null", "7", '"words"', "{", "[" * 100_000])
def test_a_prepared_dataset_whose_description_is_damaged(content, tiny, tfds_dir):
    info = tfds_dir / "mnist/3.0.1/dataset_info.json"
    info.parent.mkdir(parents=True)
    info.write_text(content)
    with pytest.raises(UserError, match="is damaged .*delete it and run again") as caught:
        load("mnist", "train")
    assert "\n" not in str(caught.value)


def test_data_dir_may_hold_a_prepared_dataset(official, tfds_dir, capfd):
    first = load("mnist", data_dir=official)
    assert f"reading what TFDS has prepared in {official}" in capfd.readouterr().err
    assert load("mnist").fingerprint == first.fingerprint
    assert capfd.readouterr().err == ""


def test_what_tfds_prepared_needs_no_room_of_ours(official, tfds_dir, tmp_path, monkeypatch):
    """As where it is everybody's, and only its owner may write there."""
    (tmp_path / "file").write_text("")
    kept = load("mnist", data_dir=official)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "file" / "below"))
    assert load("mnist", data_dir=official).fingerprint == kept.fingerprint


def test_what_was_kept_beside_tfds_form_by_earlier_versions_is_read(
    tiny, folder, tfds_dir, monkeypatch
):
    first = load("mnist", data_dir=folder)
    earlier = tfds_dir / "mnist/3.0.1/arrays"
    earlier.parent.mkdir(parents=True)
    (tfds_dir / "arrays/mnist/3.0.1").rename(earlier)
    monkeypatch.setattr(places, "gather", None)
    assert load("mnist").fingerprint == first.fingerprint


def test_an_interrupted_preparation_leaves_nothing_usable(tiny, folder, tfds_dir, monkeypatch):
    real, calls = np.lib.format.write_array, []

    def interrupted(file, array, **options):
        calls.append(1)
        if len(calls) > 2:
            file.write(b"\x93NUM")
            raise KeyboardInterrupt
        return real(file, array, **options)

    monkeypatch.setattr(np.lib.format, "write_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("mnist", data_dir=folder)
    assert all(store.kept(tiny, split, tfds_dir) is None for split in tiny.sizes)
    assert not list(tfds_dir.rglob("*.npz"))
    monkeypatch.setattr(np.lib.format, "write_array", real)
    assert len(load("mnist", data_dir=folder)) == 30


# Digits made up on the spot.
_QUICK_DIGITS = """
import dataclasses, os, signal
import numpy as np
from lib.data import catalogue, load, readers
entry = dataclasses.replace(catalogue.find("digits"), sizes={"train": 40}, fingerprints={})
catalogue.ENTRIES["digits"] = entry
made_up = {"image": np.zeros((40, 8, 8), np.uint8), "label": np.arange(40, dtype=np.uint8) % 10}
readers.READERS["carried_digits"] = lambda entry: {"train": made_up}
real, calls = np.lib.format.write_array, []
def write_array(file, array, **options):
    calls.append(1)
    if len(calls) == KILL_AT: os.kill(os.getpid(), signal.SIGKILL)
    return real(file, array, **options)
np.lib.format.write_array = write_array
print(load("digits").fingerprint)
"""


def test_killed_while_preparing_then_two_at_once(tfds_dir):
    killed = run(_QUICK_DIGITS.replace("KILL_AT", "2"))
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert list((tfds_dir / "arrays/digits").iterdir())
    assert store.kept(catalogue.find("digits"), "train", tfds_dir) is None

    both = [run(_QUICK_DIGITS.replace("KILL_AT", "-1")) for _ in range(2)]
    results = [process.communicate() for process in both]
    assert results[0][0] == results[1][0] != ""
    assert sum("preparing from" in err for _, err in results) == 1
    assert [path.name for path in (tfds_dir / "arrays/digits").iterdir()] == ["1.0.0"]


def test_digits_are_scikit_learns(tfds_dir):
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    train, test = load("digits"), load("digits", "test")
    assert len(train) == 1437 and len(test) == 360
    for part, rows in ((train, slice(0, 1437)), (test, slice(1437, None))):
        pixels = part.arrays["image"]
        assert pixels.shape[1:] == (8, 8) and pixels.dtype == np.uint8
        assert pixels.min() == 0 and pixels.max() == 255
        assert part.fingerprint == catalogue.find("digits").fingerprints[part.split]
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
    def full(file, array, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(UserError, match="cannot write to .*: No space left on device; set TFDS"):
        load("mnist", data_dir=folder)
    assert not list(tfds_dir.rglob("*.npz"))


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
    assert not list(tfds_dir.rglob("*.npz"))


def test_versions_are_the_official_builders():
    import tensorflow_datasets as tfds

    def official(name):
        return {str(config.version) for config in tfds.builder_cls(name).BUILDER_CONFIGS}

    for name in ("mnist", "fashion_mnist", "cifar10", "celeb_a"):
        assert str(tfds.builder_cls(name).VERSION) == catalogue.find(name).version
    for name in ("div2k", "coco_captions", "wmt14_translate"):
        assert official(name) == {catalogue.find(name).version}


def test_the_official_builder_gives_the_same_in_the_same_order(
    official, folder, tfds_dir, tmp_path, monkeypatch
):
    """Whether TFDS has prepared a set or we read its files, records name one fingerprint."""
    import tensorflow_datasets as tfds

    ours = {split: load("mnist", split, data_dir=folder) for split in ("train", "test")}
    assert not tfds.builder(
        "mnist", data_dir=tfds_dir
    ).data_path.exists()  # TFDS would take it for its
    monkeypatch.setenv("TFDS_DATA_DIR", str(official))
    for split, dataset in ours.items():
        theirs = load("mnist", split)
        assert theirs.fingerprint == dataset.fingerprint
        source = tfds.builder("mnist", data_dir=official).as_data_source(split)
        pixels = np.stack([example["image"][..., 0] for example in source])
        np.testing.assert_array_equal(theirs.arrays["image"], pixels)
        np.testing.assert_array_equal(theirs.arrays["label"], [x["label"] for x in source])


def test_png_is_what_pillow_reads():
    from io import BytesIO

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (5, 9), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(images.png(image)))), image)


def test_real_mnist_if_it_is_prepared_here():
    root, mnist = store.root(), catalogue.find("mnist")
    if store.kept(mnist, "test", root) is None:
        pytest.skip(f"no MNIST in {root} yet: the first run of an experiment on it prepares it")
    for split, size in mnist.sizes.items():
        dataset = load("mnist", split)
        assert len(dataset) == size and dataset.arrays["image"].shape == (size, 28, 28)
        assert dataset.fingerprint == mnist.fingerprints[split]
        assert set(np.unique(dataset.arrays["label"])) == set(range(10))
