"""What people have on disk: each tool's names for the same files; and what is said of what comes close."""

import dataclasses
import gzip
import zipfile

import numpy as np
import pytest
from PIL import Image

from lib.base.errors import UserError
from lib.data import DataNotFound, catalogue, fetch, idx, load, package, places

KAGGLE = {
    "train-images-idx3-ubyte": "train-images.idx3-ubyte",
    "train-labels-idx1-ubyte": "train-labels.idx1-ubyte",
    "t10k-images-idx3-ubyte": "t10k-images.idx3-ubyte",
    "t10k-labels-idx1-ubyte": "t10k-labels.idx1-ubyte",
}


def written(folder, files, name="{}", change=bytes):
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        path = folder / name.format(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change(data))


LAYOUTS = {
    "Kaggle's dotted names": lambda f, files: written(
        f, {KAGGLE[name]: data for name, data in files.items()}
    ),
    "Kaggle's, each in a folder of its name": lambda f, files: written(f, files, "{0}/{0}"),
    "Kaggle's dotted names, gzipped": lambda f, files: written(
        f, {KAGGLE[name]: data for name, data in files.items()}, "{}.gz", gzip.compress
    ),
    "torchvision's": lambda f, files: written(f / "MNIST/raw", files),
    "torchvision's, zipped and unzipped": lambda f, files: (
        written(f / "MNIST/raw", files),
        written(f / "MNIST/raw", files, "{}.gz", gzip.compress),
    ),
    "the folder above torchvision's": lambda f, files: written(f / "data/MNIST/raw", files),
    "torchvision's folder itself": lambda f, files: written(f / "raw", files),
    "raw files called .gz": lambda f, files: written(f, files, "{}.gz"),
    "zipped files without .gz": lambda f, files: written(f, files, "{}", gzip.compress),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mnist_is_found_as(layout, tiny, tiny_files, tfds_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "probe", None)  # nothing is asked of the network
    LAYOUTS[layout](tmp_path / "given", tiny_files)
    arrays = load("mnist", data_dir=tmp_path / "given").arrays
    order = arrays["image"][:, 0, 0]
    expected = idx.splits(tiny_files)["train"]
    np.testing.assert_array_equal(arrays["image"], expected["image"][order])
    np.testing.assert_array_equal(arrays["label"], expected["label"][order])


def test_of_torchvisions_two_sets_each_finds_its_own(tiny, tiny_files, tmp_path):
    """The files have the same names."""
    other = {name: data[:-1] + bytes([data[-1] ^ 1]) for name, data in tiny_files.items()}
    written(tmp_path / "FashionMNIST/raw", other)
    written(tmp_path / "MNIST/raw", tiny_files)
    splits = places.from_folder(tiny, tmp_path)
    np.testing.assert_array_equal(splits["test"]["label"], idx.splits(tiny_files)["test"]["label"])


def test_a_dotted_file_that_is_damaged_is_named(tiny, tiny_files, tmp_path):
    written(tmp_path, {KAGGLE[name]: data for name, data in tiny_files.items()})
    path = tmp_path / "t10k-images.idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{path} is damaged or another file"):
        places.from_folder(tiny, tmp_path)


# Super-resolution's sets.


@pytest.fixture
def five(monkeypatch):
    """Set5, of noise: name -> pixels."""
    rng = np.random.default_rng(0)
    entry = dataclasses.replace(catalogue.find("set5"), usual={})
    monkeypatch.setitem(catalogue.ENTRIES, "set5", entry)
    return {name: rng.integers(0, 256, (6, 6, 3), np.uint8) for name in "abcde"}


def saved(folder, pictures, name="{}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for image, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name.format(image))


@pytest.mark.parametrize(
    "folder, name",
    [
        ("Set5", "{}.png"),
        ("Set5", "{}.bmp"),
        ("Set5/HR", "{}.png"),
        ("Set5/original", "{}.png"),
        ("Set5/GTmod12", "{}.png"),
        ("Set5/GTmod4", "{}.bmp"),
        ("Set5/image", "{}.png"),
        ("benchmark/Set5/HR", "{}.png"),
        ("SR/set5/Original", "{}.bmp"),
        ("Set5/image_SRF_4", "img_{}_SRF_4_HR.png"),
    ],
)
def test_set5_is_found_as(folder, name, five, tfds_dir, tmp_path):
    saved(tmp_path / folder, five, name)
    arrays = load("set5", "test", data_dir=tmp_path).arrays
    for pixels, array in zip(five.values(), arrays.values(), strict=True):
        np.testing.assert_array_equal(array, pixels, strict=True)


def test_the_truth_is_taken_not_the_copies_made_of_it(five, tfds_dir, tmp_path):
    small = {name: pixels[::2, ::2] for name, pixels in five.items()}
    saved(tmp_path / "Set5/LR_bicubic/X2", small, "{}x2.png")
    saved(tmp_path / "Set5/LRbicx2", small)
    saved(tmp_path / "Set5/image_SRF_2", small, "img_{}_SRF_2_LR.png")
    saved(tmp_path / "Set5/image_SRF_2", five, "img_{}_SRF_2_HR.png")
    saved(tmp_path / "Set5/GTmod12", five)
    arrays = load("set5", "test", data_dir=tmp_path).arrays
    assert list(arrays) == list("abcde")
    assert {array.shape for array in arrays.values()} == {(6, 6, 3)}


# What comes close.


@pytest.fixture
def offline(monkeypatch):
    def unreachable(url):
        raise fetch.Unavailable("no route")

    def no_index(source, started):
        raise fetch.Unavailable("no answer")

    monkeypatch.setattr(fetch, "probe", unreachable)
    monkeypatch.setattr(package, "fetch", no_index)


@pytest.mark.parametrize(
    "name, split, close, wanted",
    [
        ("mnist", "train", "mnist.npz", "train-images-idx3-ubyte"),
        ("mnist", "train", "MNIST/processed/training.pt", "train-images-idx3-ubyte"),
        ("mnist", "train", "train-images.idx", "train-images-idx3-ubyte"),
        ("set5", "test", "Set5_GT/a.mat", "Set5"),
        ("set14", "test", "sets/Set14.rar", "Set14"),
        ("multi30k", "train", "multi30k/dataset.json", "train.en"),
    ],
)
def test_something_close_is_named_with_what_was_looked_for(
    name, split, close, wanted, offline, tfds_dir, tmp_path, capfd
):
    path = tmp_path / "given" / close
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with pytest.raises(DataNotFound) as caught:
        load(name, split, data_dir=tmp_path / "given")
    (line,) = [line for line in str(caught.value).splitlines() if "--data-dir /" in line]
    assert close.split("/")[0] in line.split("close is there")[1] and wanted in line
    # Said before anything is downloaded, too.
    assert line.strip() in capfd.readouterr().err


def test_nothing_close_is_passed_over_in_silence(offline, tfds_dir, tmp_path, capfd):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(DataNotFound) as caught:
        load("set5", "test", data_dir=tmp_path)
    assert "something close" not in str(caught.value) and capfd.readouterr().err == ""


def test_a_zip_of_a_set_is_found_below(five, tfds_dir, tmp_path):
    saved(tmp_path / "unpacked", five)
    with zipfile.ZipFile(tmp_path / "Set5.zip", "w") as archive:
        for path in (tmp_path / "unpacked").iterdir():
            archive.write(path, f"Set5/HR/{path.name}")
    assert len(load("set5", "test", data_dir=tmp_path)) == 5
