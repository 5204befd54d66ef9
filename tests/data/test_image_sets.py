import dataclasses
import hashlib
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from lib.base.errors import UserError
from lib.data import (
    DataNotFound,
    Images,
    catalogue,
    fetch,
    load,
    places,
    prepared,
    readers,
    store,
)
from lib.data.dataset import LazyImages, fingerprint

SIZES = {"b": (6, 9, 3), "a": (8, 5, 3), "file": (7, 7), "t10": (5, 6, 3), "t2": (4, 4)}


@pytest.fixture
def pixels() -> dict[str, np.ndarray]:
    """Five images of noise; one has the name that `np.savez` has for something else."""
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 256, size, dtype=np.uint8) for name, size in SIZES.items()}


@pytest.fixture
def given(tmp_path, pixels):
    """A --data-dir that holds them as Set5."""
    folder = tmp_path / "given" / "nested" / "set5"
    folder.mkdir(parents=True)
    for index, (name, array) in enumerate(pixels.items()):
        Image.fromarray(array).save(folder / f"{name}.{'bmp' if index % 2 else 'png'}")
    return tmp_path / "given"


@pytest.fixture
def tiny5(monkeypatch):
    """Set5, without the fingerprint of the real one."""
    entry = dataclasses.replace(catalogue.find("set5"), usual={})
    monkeypatch.setitem(catalogue.ENTRIES, "set5", entry)
    return entry


def check(arrays, pixels):
    assert list(arrays) == sorted(pixels)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, pixels[name], strict=True)
        assert not array.flags.writeable


def test_a_folder_becomes_arrays_by_name(tiny5, given, pixels, tfds_dir, capfd):
    test = load("set5", "test", data_dir=given)
    check(test.arrays, pixels)
    assert isinstance(test, Images) and len(test) == 5
    assert test.fingerprint == fingerprint(pixels)
    assert test.describe() == {
        "name": "set5",
        "split": "test",
        "fingerprint": test.fingerprint,
        "real": True,
    }
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and f"from --data-dir {given}" in err


def test_there_is_one_copy_on_disk(tiny5, given, pixels, tfds_dir):
    load("set5", "test", data_dir=given)
    (kept,) = (path for path in tfds_dir.rglob("*") if path.is_file() and path.stat().st_size)
    assert kept.parent == tfds_dir / "arrays/set5/1.0.0" and kept.suffix == ".npz"
    assert kept.stat().st_size < sum(array.nbytes for array in pixels.values()) + 5 * 400


def test_slices_are_of_the_names_in_order(tiny5, given, pixels, tfds_dir):
    part = load("set5", "test[1:3]", data_dir=given)
    check(part.arrays, {name: pixels[name] for name in sorted(pixels)[1:3]})
    assert part.fingerprint == fingerprint(part.arrays)
    assert list(load("set5", "test[-40%:]").arrays) == sorted(pixels)[3:]


def test_the_second_load_reads_only_what_was_kept(
    tiny5, given, pixels, tfds_dir, capfd, monkeypatch
):
    load("set5", "test", data_dir=given)
    capfd.readouterr()
    monkeypatch.setattr(places, "gather", None)
    check(load("set5", "test").arrays, pixels)
    assert capfd.readouterr() == ("", "")


def test_kept_arrays_that_are_damaged_are_rebuilt(tiny5, given, pixels, tfds_dir):
    load("set5", "test", data_dir=given)
    (kept,) = tfds_dir.rglob("*.npz")
    sound = kept.read_bytes()
    kept.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(DataNotFound, match="--data-dir: not given"):  # never used, half as it is
        load("set5", "test")
    check(load("set5", "test", data_dir=given).arrays, pixels)
    check(load("set5", "test").arrays, pixels)
    assert kept.read_bytes() == sound


def test_a_prepared_dataset_may_be_given(tiny5, given, pixels, tfds_dir, tmp_path, monkeypatch):
    tfds_form(tiny5, given, tmp_path / "theirs")
    check(load("set5", "test", data_dir=tmp_path / "theirs").arrays, pixels)
    check(load("set5", "test").arrays, pixels)


def tfds_form(entry, given, root):
    """As TFDS keeps photographs."""
    prepared.write(entry, readers.image_folders(entry, given), root)


def test_another_copy_is_used_and_said_to_be(given, pixels, tfds_dir, capfd):
    for _ in range(2):
        test = load("set5", "test", data_dir=given)
        last = capfd.readouterr().err.splitlines()[-1]
        assert last.startswith("set5: test is not the copy") and test.fingerprint in last
    check(test.arrays, pixels)


@pytest.mark.parametrize("harm", ["truncated", "empty", "text"])
def test_a_broken_file_is_named_and_nothing_prepared(tiny5, given, tfds_dir, harm):
    path = given / "nested" / "set5" / "t10.bmp"
    data = path.read_bytes()
    path.write_bytes({"truncated": data[:-40], "empty": b"", "text": b"<html>"}[harm])
    with pytest.raises(UserError, match="is not a sound image") as caught:
        load("set5", "test", data_dir=given)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert store.kept(tiny5, "test", tfds_dir) is None
    path.write_bytes(data)
    assert len(load("set5", "test", data_dir=given)) == 5


def test_a_folder_with_too_few_is_an_error(tiny5, given, tfds_dir):
    (given / "nested" / "set5" / "a.bmp").unlink()
    with pytest.raises(UserError, match="set5 has 4 images, not 5") as caught:
        load("set5", "test", data_dir=given)
    assert not isinstance(caught.value, DataNotFound)


def test_of_two_folders_the_one_with_the_right_count_is_taken(tiny5, given, pixels, tfds_dir):
    (given / "Set5").mkdir()
    Image.new("L", (3, 3)).save(given / "Set5" / "a.png")
    check(load("set5", "test", data_dir=given).arrays, pixels)


@pytest.mark.parametrize(
    "name, split, by_hand",
    [
        ("t91", "train", "Put T91 (a folder of 91 images, or its .zip) into a folder"),
        ("bsd200", "train", "Put BSDS200 (a folder of 200 images, or its .zip) into a folder"),
        ("set14", "test", "Put Set14 (a folder of 14 images, or its .zip) into a folder"),
        ("bsd100", "test", "Put BSD100 (a folder of 100 images, or its .zip) into a folder"),
        ("urban100", "test", "Put Urban100 (a folder of 100 images, or its .zip) into a folder"),
    ],
)
def test_absent_it_says_which_folder_of_how_many(tfds_dir, tmp_path, name, split, by_hand):
    for options, reason in (({}, "--data-dir: not given"), ({"data_dir": tmp_path}, "no folder")):
        with pytest.raises(DataNotFound) as caught:
            load(name, split, **options)
        first, prepared, tried, last = str(caught.value).splitlines()
        assert first.startswith(f"{name}: not found") and "not prepared there" in prepared
        assert reason in tried and by_hand in last and "--data-dir FOLDER" in last
    assert not (tfds_dir / name).exists()


def test_a_damaged_prepared_image_is_named(tiny5, given, tfds_dir):
    tfds_form(tiny5, given, tfds_dir)
    _flip_pixels(tfds_dir / "set5" / "1.0.0")
    with pytest.raises(UserError, match="set5/1.0.0 is damaged .*: delete it and run") as caught:
        load("set5", "test")
    assert "\n" not in str(caught.value)


def _flip_pixels(prepared):
    (record,) = prepared.glob("*array_record*")
    data = bytearray(record.read_bytes())
    at = data.index(b"IDAT") + 10
    data[at] ^= 1
    record.write_bytes(data)


# The photographs that installed packages carry.


def test_photographs_are_what_their_packages_say(tfds_dir):
    sets = {split: load("photographs", split) for split in ("train", "test")}
    assert set(sets["test"].arrays) == {"astronaut", "camera", "chelsea", "china", "coffee"}
    assert len(sets["train"]) == 13 and not set(sets["train"].arrays) & set(sets["test"].arrays)
    for split, dataset in sets.items():
        assert dataset.fingerprint == catalogue.find("photographs").usual[split]

    skimage_data = pytest.importorskip("skimage.data")
    together = {name: array for dataset in sets.values() for name, array in dataset.arrays.items()}
    for name in ("astronaut", "camera", "chelsea", "coffee", "brick", "rocket", "moon", "ihc"):
        theirs = getattr(skimage_data, {"ihc": "immunohistochemistry"}.get(name, name))()
        np.testing.assert_array_equal(together[name], theirs, strict=True)
    from sklearn.datasets import load_sample_image

    for name in ("china", "flower"):
        np.testing.assert_array_equal(together[name], load_sample_image(f"{name}.jpg"))


def test_photographs_import_neither_package(tfds_dir):
    program = (
        "from lib.data import load; import sys; load('photographs', 'test');"
        "print({'skimage', 'sklearn', 'jax', 'tensorflow'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_photographs_of_another_version_are_not_used(tfds_dir, monkeypatch):
    def with_file(name):
        files = {name: catalogue.File(sha256="0" * 64, split="test")}
        entry = dataclasses.replace(catalogue.find("photographs"), files=files)
        monkeypatch.setitem(catalogue.ENTRIES, "photographs", entry)

    with_file("skimage/data/astronaut.png")
    with pytest.raises(DataNotFound, match="astronaut.png: sha256 should be 0000"):
        load("photographs", "test")
    with_file("no_such_package/data/a.png")
    with pytest.raises(DataNotFound, match="no_such_package is not installed"):
        load("photographs", "test")


# The real sets, where somebody has them.


@pytest.mark.parametrize("name", ["t91", "bsd200", "set5", "set14", "bsd100", "urban100"])
def test_the_real_sets_if_their_folders_are_here(name, tfds_dir, capfd):
    folder = os.environ.get("DEEP_MORNING_DATA")
    if not folder:
        pytest.skip("DEEP_MORNING_DATA names no folder of image sets")
    entry = catalogue.find(name)
    ((split, size),) = entry.sizes.items()
    try:
        dataset = load(name, split, data_dir=folder)
    except DataNotFound:
        pytest.skip(f"no {entry.names[split][0]} in {folder}")
    assert len(dataset) == size
    for array in dataset.arrays.values():
        assert array.dtype == np.uint8 and array.ndim in (2, 3) and min(array.shape[:2]) > 50
    other = "not the copy" in capfd.readouterr().err
    assert other == (dataset.fingerprint != entry.usual.get(split, dataset.fingerprint))


# Figure 2 of the style paper, in small: images served one by one, known by their names.


@pytest.fixture
def style_images(served, pixels, monkeypatch):
    """Stand-ins, and the folder behind the address."""
    folder, address = served
    real, files = catalogue.find("style_images"), {}
    for (file, about), array in zip(real.files.items(), pixels.values(), strict=True):
        Image.fromarray(array).save(folder / file, "png")  # whatever its name says
        files[file] = as_published(folder / file, about.split)
    entry = dataclasses.replace(real, files=files, address=address, usual={})
    monkeypatch.setitem(catalogue.ENTRIES, "style_images", entry)
    return folder


def as_published(path, split):
    data = path.read_bytes()
    checksum = hashlib.sha256(data).hexdigest()
    return catalogue.File(sha256=checksum, size=len(data), split=split)


def by_name(pixels):
    names = (file.removesuffix(".jpg") for file in catalogue.find("style_images").files)
    return dict(zip(names, pixels.values(), strict=True))


def check_style_images(pixels, **options):
    wanted = by_name(pixels)
    check(load("style_images", "content", **options).arrays, chosen(wanted, "tubingen"))
    others = set(wanted) - {"tubingen"}
    check(load("style_images", "style", **options).arrays, chosen(wanted, *others))


def test_style_images_are_downloaded_verified_and_split(style_images, pixels, tfds_dir, capfd):
    check_style_images(pixels)
    err = capfd.readouterr().err
    assert (
        err.count("\n") == 2 and "downloading tubingen.jpg, shipwreck.jpg" in err and "MB)" in err
    )
    assert {path.name for path in (tfds_dir / "downloads/style_images").iterdir()} == set(
        catalogue.find("style_images").files
    )


@pytest.mark.parametrize("below", ["", "style", "style_images", "a/examples/inputs"])
def test_style_images_from_a_folder(style_images, pixels, tfds_dir, tmp_path, below, monkeypatch):
    monkeypatch.setattr(fetch, "probe", None)  # nothing is asked of the network
    place = tmp_path / "given" / below
    place.mkdir(parents=True)
    for path in style_images.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    (place / "another.jpg").write_bytes(b"not ours")
    check_style_images(pixels, data_dir=tmp_path / "given")


def test_a_style_image_that_is_missing_or_another_is_named(style_images, tfds_dir):
    path = style_images / "the_scream.jpg"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(UserError, match="the_scream.jpg is damaged or another file") as caught:
        load("style_images", "style", data_dir=style_images)
    assert hashlib.sha256(data).hexdigest() in str(caught.value)
    path.unlink()
    with pytest.raises(UserError, match="lacks the_scream.jpg") as caught:
        load("style_images", "style", data_dir=style_images)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, DataNotFound)


def test_absent_style_images_say_which_files_from_where(tfds_dir, tmp_path, monkeypatch):
    def unreachable(url):
        raise places.Unavailable("no route")

    monkeypatch.setattr(fetch, "probe", unreachable)
    with pytest.raises(DataNotFound) as caught:
        load("style_images", "style", data_dir=tmp_path)
    first, prepared, given, publisher, by_hand = str(caught.value).splitlines()
    assert "holds no tubingen.jpg" in given and "no route" in publisher
    assert (
        "seated-nude.jpg (from https://raw.githubusercontent.com/jcjohnson/neural-style/" in by_hand
    )


def test_the_real_style_images_if_they_are_here(tfds_dir, capfd):
    folder = os.environ.get("DEEP_MORNING_DATA")
    if not folder:
        pytest.skip("DEEP_MORNING_DATA names no folder of image sets")
    try:
        style = load("style_images", "style", data_dir=folder)
    except DataNotFound:
        pytest.skip(f"no style images in {folder}")
    assert {name: array.shape for name, array in style.arrays.items()} == {
        "seated-nude": (845, 650, 3),
        "shipwreck": (662, 960, 3),
        "starry_night": (640, 1024, 3),
        "the_scream": (1528, 1200, 3),
    }
    assert "not the copy" not in capfd.readouterr().err


def test_every_style_image_is_served_from_one_commit():
    entry = catalogue.find("style_images")
    assert re.search(r"/neural-style/[0-9a-f]{40}/", entry.address)
    for name, file in entry.files.items():
        assert entry.url(name) == f"{entry.address}/{name}"
        assert len(file.sha256) == 64 and file.size > 0


# DIV2K, in small: two zips and an address.


@pytest.fixture
def div2k(served, pixels, monkeypatch):
    folder, address = served
    names = {"train": ["b", "a", "t10"], "validation": ["file", "t2"]}
    real, files = catalogue.find("div2k"), {}
    for file, about in real.files.items():
        stem = file.removesuffix(".zip")
        with zipfile.ZipFile(folder / file, "w") as archive:
            for name in names[about.split]:
                Image.fromarray(pixels[name]).save(folder / "image.png")
                archive.write(folder / "image.png", f"{stem}/{name}.png")
        files[file] = as_published(folder / file, about.split)
    sizes = {"train": 3, "validation": 2}
    entry = dataclasses.replace(real, sizes=sizes, files=files, address=address)
    monkeypatch.setitem(catalogue.ENTRIES, "div2k", entry)
    return folder


def chosen(pixels, *names):
    return {name: pixels[name] for name in names}


def test_div2k_is_downloaded_verified_and_decoded_when_asked_for(
    div2k, pixels, tfds_dir, capfd, monkeypatch
):
    train = load("div2k")
    assert isinstance(train.arrays, LazyImages) and len(train) == 3
    check(train.arrays, chosen(pixels, "a", "b", "t10"))
    err = capfd.readouterr().err
    assert err.count("\n") == 2 and "downloading DIV2K_train_HR.zip, DIV2K_valid_HR.zip" in err
    assert not list(tfds_dir.rglob("*.npz")) and not list(tfds_dir.rglob("*.part"))

    monkeypatch.setattr(places, "gather", None)
    part = load("div2k", "train[1:]")
    check(part.arrays, chosen(pixels, "b", "t10"))
    assert part.fingerprint != train.fingerprint == load("div2k").fingerprint
    check(load("div2k", "validation").arrays, chosen(pixels, "file", "t2"))
    with pytest.raises(KeyError):
        part.arrays["a"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("unpacked", [False, True])
def test_div2k_from_a_folder(div2k, pixels, tfds_dir, unpacked, monkeypatch):
    monkeypatch.setattr(fetch, "probe", None)  # nothing is asked of the network
    if unpacked:
        for path in div2k.glob("*.zip"):
            zipfile.ZipFile(path).extractall(div2k)
            path.unlink()
    check(load("div2k", data_dir=div2k).arrays, chosen(pixels, "a", "b", "t10"))


def test_div2k_in_part_is_said_to_be(div2k, tfds_dir):
    (div2k / "DIV2K_valid_HR.zip").unlink()
    with pytest.raises(UserError, match="lacks DIV2K_valid_HR"):
        load("div2k", data_dir=div2k)


@pytest.mark.parametrize(
    "harm, reason",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "sha256 should be"),
        (lambda path: path.unlink(), "HTTP status 404"),
    ],
)
def test_a_download_gone_wrong_leaves_nothing_and_what_was_sound_stays(
    div2k, pixels, tfds_dir, harm, reason
):
    path = div2k / "DIV2K_valid_HR.zip"
    data = path.read_bytes()
    harm(path)
    with pytest.raises(DataNotFound, match=reason):
        load("div2k")
    downloads = tfds_dir / "downloads"
    assert [path.name for path in downloads.iterdir()] == ["DIV2K_train_HR.zip"]
    path.write_bytes(data)
    (div2k / "DIV2K_train_HR.zip").unlink()  # not asked for again
    check(load("div2k").arrays, chosen(pixels, "a", "b", "t10"))


def test_a_full_disk_while_downloading_is_one_line(div2k, tfds_dir, full_disk):
    with pytest.raises(UserError, match="cannot write to .*: No space left on device; set TFDS"):
        load("div2k")
    assert not list((tfds_dir / "downloads").iterdir())


def test_a_set_larger_than_memory_is_prepared_too(div2k, pixels, tfds_dir, monkeypatch):
    # Beyond its buffer, TFDS's shuffler would ask for TensorFlow: nothing goes through it.
    from tensorflow_datasets.core import shuffle

    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 0)
    check(load("div2k").arrays, chosen(pixels, "a", "b", "t10"))


def test_a_damaged_image_is_named_when_it_is_asked_for(div2k, tfds_dir):
    load("div2k")
    prepared = tfds_dir / "div2k" / "hr" / "2.0.0"
    (validation,) = prepared.glob("*validation*array_record*")
    validation.unlink()
    _flip_pixels(prepared)
    with pytest.raises(UserError, match="div2k/hr/2.0.0 is damaged .*: delete it and run"):
        dict(load("div2k").arrays)
