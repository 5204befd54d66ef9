"""Text, masks, boxes, captions: each reader on a small set made here; real ones where somebody has them."""

import dataclasses
import gzip
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from lib.base.errors import UserError
from lib.data import DataNotFound, catalogue, images, load, places, readers
from lib.data.dataset import LazyExamples, fingerprint

RNG = np.random.default_rng(0)


def smaller(monkeypatch, name, **changes):
    entry = dataclasses.replace(catalogue.find(name), **changes)
    monkeypatch.setitem(catalogue.ENTRIES, name, entry)
    return entry


# --- Lines -----------------------------------------------------------------------------------

ENGLISH = ("A dog .", " two  spaces\t", "", "the\u2028same line\x85 ", "end")
GERMAN = ("Ein Hund .", "leer", "zwei", "überall ß", "Ende")


@pytest.fixture
def two_languages(monkeypatch):
    return smaller(
        monkeypatch,
        "multi30k",
        languages=("en", "de"),
        sizes={"train": 5, "validation": 2, "test": 1},
        usual={},
    )


def write_lines(folder, english=ENGLISH, zipped=False, end="\n"):
    folder.mkdir(parents=True, exist_ok=True)
    for stem, rows in (("train", 5), ("val", 2), ("test_2016_flickr", 1)):
        for language, lines in (("en", english), ("de", GERMAN)):
            data = "".join(line + "\n" for line in lines[:rows]).removesuffix("\n") + end
            path = folder / f"{stem}.{language}{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(data.encode()) if zipped else data.encode())


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("below", ["", "task1/raw"])
def test_lines_stay_beside_their_translations(
    zipped, end, below, two_languages, tfds_dir, tmp_path, monkeypatch
):
    write_lines(tmp_path / "given" / below, zipped=zipped, end=end)
    train = load("multi30k", data_dir=tmp_path / "given")
    assert dict(train.arrays) == {"en": ENGLISH, "de": GERMAN}
    assert len(train) == 5 and train.example(3) == {"en": ENGLISH[3], "de": GERMAN[3]}
    monkeypatch.setattr(places, "gather", None)  # what was kept is read
    again = load("multi30k")
    assert dict(again.arrays) == dict(train.arrays) and again.fingerprint == train.fingerprint
    part = load("multi30k", "train[1:3]")
    assert dict(part.arrays) == {"en": ENGLISH[1:3], "de": GERMAN[1:3]}
    assert part.fingerprint == fingerprint(part.arrays) != train.fingerprint


@pytest.mark.parametrize(
    "harm, message",
    [
        (lambda f: (f / "val.de").unlink(), "lacks val.de"),
        (lambda f: (f / "train.de").write_text("one\n"), "train has {.*} lines"),
        (
            lambda f: (f / "train.de").write_bytes(b"x\n\xff\xfe\n" * 5),
            "train.de, line 2 is not UTF-8",
        ),
        (lambda f: (f / "train.de").write_bytes(gzip.compress(b"x\n" * 5)[:-9]), "is damaged"),
    ],
)
def test_a_text_that_is_not_whole_is_one_line(harm, message, two_languages, tfds_dir, tmp_path):
    write_lines(tmp_path / "given")
    harm(tmp_path / "given")
    with pytest.raises(UserError, match=message) as caught:
        load("multi30k", data_dir=tmp_path / "given")
    assert "\n" not in str(caught.value) and not isinstance(caught.value, DataNotFound)


def test_fewer_lines_than_published_are_said(two_languages, tfds_dir, tmp_path):
    write_lines(tmp_path)
    for language in ("en", "de"):
        (tmp_path / f"val.{language}").write_text("one\n")
    with pytest.raises(UserError, match="validation has 1 examples, not 2"):
        load("multi30k", data_dir=tmp_path)
    assert not list(tfds_dir.glob("arrays/multi30k/*"))


# --- Pairs -----------------------------------------------------------------------------------

PAIRS = "Go.\tVa !\tCC-BY by somebody\nHi.\tSalut !\tCC-BY\nRun!\tCours\u202f!\n"


@pytest.mark.parametrize("zipped", [False, True])
def test_pairs_are_columns_and_later_columns_are_left_out(zipped, tfds_dir, tmp_path, monkeypatch):
    smaller(monkeypatch, "tatoeba_fra_eng", sizes={"train": 3}, usual={})
    if zipped:
        with zipfile.ZipFile(tmp_path / "fra-eng.zip", "w") as archive:
            archive.writestr("_about.txt", "about")
            archive.writestr("fra.txt", PAIRS)
    else:
        (tmp_path / "fra.txt").write_text(PAIRS)
    assert dict(load("tatoeba_fra_eng", data_dir=tmp_path).arrays) == {
        "en": ("Go.", "Hi.", "Run!"),
        "fr": ("Va !", "Salut !", "Cours\u202f!"),
    }


def test_a_line_without_a_tab_is_named(tfds_dir, tmp_path):
    (tmp_path / "fra.txt").write_text("Go.\tVa !\nHi.\n")
    with pytest.raises(UserError, match="fra.txt, line 2 has no tab"):
        load("tatoeba_fra_eng", data_dir=tmp_path)


# --- Phrase tables ---------------------------------------------------------------------------

PHRASES = """\
le chien ||| the dog ||| 0.5 0.1 0.25 0.2 2.718
le chien ||| a dog ||| 1 0.1 0.75 0.2 ||| 0-0
"""


@pytest.mark.parametrize("name", ["phrase-table.0-0.gz", "phrase-table.0-0", "fr-en.phrase-table"])
def test_a_phrase_table_is_columns(name, tfds_dir, tmp_path, monkeypatch):
    smaller(monkeypatch, "moses_fr_en", sizes={"train": 2}, usual={})
    data = PHRASES.encode()
    (tmp_path / "de-en.phrase-table").write_text("not looked at")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert dict(load("moses_fr_en", data_dir=tmp_path).arrays) == {
        "fr": ("le chien",) * 2,
        "en": ("the dog", "a dog"),
        "scores": ("0.5 0.1 0.25 0.2 2.718", "1 0.1 0.75 0.2"),
    }


def test_a_phrase_table_that_is_none_is_one_line(tfds_dir, tmp_path, monkeypatch):
    smaller(monkeypatch, "moses_fr_en", sizes={"train": 2}, usual={})
    with pytest.raises(DataNotFound, match="holds no phrase-table.0-0"):
        load("moses_fr_en", data_dir=tmp_path)
    first, _ = PHRASES.splitlines()
    (tmp_path / "phrase-table.0-0").write_text(f"{first}\nle chien ||| a dog\n")
    with pytest.raises(UserError, match="line 2 is not source .* target ... scores") as said:
        load("moses_fr_en", data_dir=tmp_path)
    assert "\n" not in str(said.value)


# --- Masks -----------------------------------------------------------------------------------


def write_pictures(folder, names, size=(6, 8), form="png"):
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {name: RNG.integers(0, 256, (*size, 3), np.uint8) for name in names}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{name}.{form}")
    return pictures


@pytest.fixture
def camvid(monkeypatch, tmp_path):
    """`(images, masks)` by name of three splits, of one, two and one pictures."""
    smaller(monkeypatch, "camvid", sizes={"train": 2, "validation": 1, "test": 1})
    pictures, masks = {}, {}
    for split, names in (("train", ("b", "a")), ("val", ("c",)), ("test", ("d",))):
        pictures |= write_pictures(tmp_path / "CamVid" / split, names)
        folder = tmp_path / "CamVid" / f"{split}annot"
        folder.mkdir()
        for name in names:
            masks[name] = RNG.integers(0, 12, (6, 8), dtype=np.uint8)
            Image.fromarray(masks[name]).save(folder / f"{name}.png")
    return pictures, masks


def test_each_image_has_its_own_mask(camvid, tfds_dir, tmp_path):
    pictures, masks = camvid
    train = load("camvid", data_dir=tmp_path)
    assert isinstance(train.arrays, LazyExamples) and len(train) == 2
    for i, name in enumerate("ab"):
        example = train.arrays[i]
        assert example["name"] == name
        np.testing.assert_array_equal(example["image"], pictures[name], strict=True)
        np.testing.assert_array_equal(example["mask"], masks[name], strict=True)
    assert load("camvid", "train[1:]").arrays[0]["name"] == "b"
    assert (
        load("camvid", "train[1:]").fingerprint != train.fingerprint == load("camvid").fingerprint
    )
    assert len(load("camvid", "validation")) == len(load("camvid", "test")) == 1


def test_an_image_without_a_mask_is_named(camvid, tfds_dir, tmp_path):
    (tmp_path / "CamVid/trainannot/a.png").unlink()
    with pytest.raises(UserError, match="a is not in both of"):
        load("camvid", data_dir=tmp_path)


def test_a_mask_in_colours_is_refused(camvid, tfds_dir, tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "CamVid/trainannot/a.png")
    with pytest.raises(UserError, match="a.png is not a sound image: a mask of mode RGB"):
        load("camvid", data_dir=tmp_path)


# --- Boxes -----------------------------------------------------------------------------------

XML = """<annotation><size><width>8</width><height>6</height></size>
<object><name>dog</name><difficult>0</difficult>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
<bndbox><xmin>2</xmin><ymin>0</ymin><xmax>4</xmax><ymax>3</ymax></bndbox></object>
<object><name>person</name><difficult>1</difficult>
<bndbox><xmin>0</xmin><ymin>3</ymin><xmax>8</xmax><ymax>6</ymax></bndbox></object></annotation>"""


@pytest.fixture
def voc(monkeypatch, tmp_path):
    """VOCdevkit with three images; masks with a palette and contours of 255."""
    for name in ("voc2012", "voc2012_masks"):
        smaller(monkeypatch, name, sizes={"train": 2, "validation": 1})
    top = tmp_path / "VOCdevkit/VOC2012"
    pictures = write_pictures(top / "JPEGImages", ("1", "2", "3"), form="jpg")
    for kind in ("Main", "Segmentation"):
        (top / "ImageSets" / kind).mkdir(parents=True)
        (top / "ImageSets" / kind / "train.txt").write_text("1\n3\n")
        (top / "ImageSets" / kind / "val.txt").write_text("2\n")
    for folder in ("Annotations", "SegmentationClass"):
        (top / folder).mkdir()
    mask = np.tile(np.array([0, 12, 15, 255], np.uint8), (6, 2))
    for name in pictures:
        empty = "<annotation><size><width>8</width><height>6</height></size></annotation>"
        (top / f"Annotations/{name}.xml").write_text(empty if name == "3" else XML)
        image = Image.frombytes("P", (8, 6), mask.tobytes())
        image.putpalette(RNG.integers(0, 256, 768, np.uint8).tobytes())
        image.save(top / f"SegmentationClass/{name}.png")
    return top, mask


def test_boxes_are_shares_of_the_image_with_their_class(voc, tfds_dir, tmp_path):
    train = load("voc2012", data_dir=tmp_path)
    by_name = {example["name"]: example for example in train.arrays}
    objects = by_name["1"]["objects"]
    np.testing.assert_allclose(objects["bbox"], [[0, 0.25, 0.5, 0.5], [0.5, 0, 1, 1]])
    labels = catalogue.find("voc2012").labels
    assert [labels[i] for i in objects["label"]] == ["dog", "person"]
    assert objects["is_difficult"].tolist() == [False, True]
    assert by_name["1"]["image"].shape == (6, 8, 3)
    assert len(by_name["3"]["objects"]["label"]) == 0


def test_masks_of_a_palette_are_its_numbers(voc, tfds_dir, tmp_path):
    _, mask = voc
    for example in load("voc2012_masks", data_dir=tmp_path).arrays:
        np.testing.assert_array_equal(example["mask"], mask, strict=True)


def test_an_annotation_of_something_else_is_named(voc, tfds_dir, tmp_path):
    (voc[0] / "Annotations/1.xml").write_text("<annotation><size/></annotation>")
    with pytest.raises(UserError, match="1.xml is no annotation"):
        load("voc2012", data_dir=tmp_path)


# --- Captions --------------------------------------------------------------------------------


@pytest.fixture
def flickr(monkeypatch, tmp_path):
    smaller(monkeypatch, "flickr8k", sizes={"train": 2, "validation": 1, "test": 1})
    write_pictures(tmp_path / "Flicker8k_Dataset", "abcd", form="jpg")
    lines = [f"{n}.jpg#{i}\t{n} says {i} .\n" for n in "abcd" for i in range(5)]
    (tmp_path / "Flickr8k.token.txt").write_text("".join(lines))
    for split, names in (("train", "ac"), ("dev", "b"), ("test", "d")):
        listed = "".join(f"{name}.jpg\n" for name in names)
        (tmp_path / f"Flickr_8k.{split}Images.txt").write_text(listed)
    return tmp_path


def test_each_image_has_its_five_captions(flickr, tfds_dir):
    train = load("flickr8k", data_dir=flickr)
    assert [e["name"] for e in train.arrays] == ["a.jpg", "c.jpg"]
    assert train.arrays[1]["captions"] == [f"c says {i} ." for i in range(5)]
    assert load("flickr8k", "test").arrays[0]["captions"][4] == "d says 4 ."


def test_a_listed_image_that_is_not_there_is_named(flickr, tfds_dir):
    (flickr / "Flicker8k_Dataset/c.jpg").unlink()
    with pytest.raises(UserError, match="lacks c.jpg, or its captions"):
        load("flickr8k", data_dir=flickr)


# --- Prepared by TFDS itself -----------------------------------------------------------------


def prepared_by_tfds(name, root, features, made):
    """What a builder of TFDS's makes of `made`, split -> examples, under the names of our entry."""
    import tensorflow_datasets as tfds

    entry = catalogue.find(name)

    class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = entry.name
        VERSION = tfds.core.Version(entry.version)
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=entry.config)] if entry.config else []

        def _info(self):
            fields = tfds.features.FeaturesDict(features(tfds.features))
            return tfds.core.DatasetInfo(builder=self, features=fields)

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(split) for split in made}

        def _generate_examples(self, split):
            yield from enumerate(made[split])

    Made(data_dir=root, file_format="array_record").download_and_prepare()


def test_what_tfds_prepared_is_read_where_it_is(tmp_path, tfds_dir, monkeypatch):
    """With fields of its own, as COCO's captions have them."""
    smaller(monkeypatch, "coco_captions", sizes={"train": 2})
    examples = []
    for i in range(2):
        captions = [{"text": f"ünd {i}{j}", "id": j} for j in range(3)]
        examples.append(
            {"image": images.png(np.full((3, 4, 3), i, np.uint8)), "captions": captions}
        )
    prepared_by_tfds(
        "coco_captions",
        tmp_path / "theirs",
        lambda f: {"image": f.Image(), "captions": f.Sequence({"text": np.str_, "id": np.int64})},
        {"train": examples},
    )
    train = load("coco_captions", data_dir=tmp_path / "theirs")
    assert len(train) == 2 and not list(tfds_dir.glob("*/coco_captions"))
    first = next(e for e in train.arrays if e["image"][0, 0, 0] == 1)
    assert first["captions"]["text"] == ["ünd 10", "ünd 11", "ünd 12"]
    assert first["image"].shape == (3, 4, 3)


def test_labelled_images_in_colour_that_tfds_prepared_are_arrays(tmp_path, tfds_dir, monkeypatch):
    smaller(monkeypatch, "cifar10", sizes={"train": 3, "test": 1}, shape=(4, 5, 3))
    pixels = RNG.integers(0, 256, (4, 4, 5, 3), dtype=np.uint8)
    made = [{"image": images.png(p), "label": i} for i, p in enumerate(pixels)]
    prepared_by_tfds(
        "cifar10",
        tmp_path / "theirs",
        lambda f: {"image": f.Image(shape=(4, 5, 3)), "label": f.ClassLabel(num_classes=10)},
        {"train": made[:3], "test": made[3:]},
    )
    train = load("cifar10", data_dir=tmp_path / "theirs").arrays
    assert train["label"].dtype == np.int32 and sorted(train["label"]) == [0, 1, 2]
    np.testing.assert_array_equal(train["image"], pixels[train["label"]], strict=True)
    assert load("cifar10", "test").arrays["label"].tolist() == [3]  # kept: the folder is not needed

    smaller(monkeypatch, "cifar10", shape=(32, 32, 3))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "another"))
    with pytest.raises(UserError, match=r"train has images of \(4, 5, 3\), not \(32, 32, 3\)"):
        load("cifar10", data_dir=tmp_path / "theirs")


def test_text_that_was_prepared_for_tfds_is_lines(two_languages, tmp_path, tfds_dir):
    made = [{"en": e, "de": d} for e, d in zip(ENGLISH, GERMAN, strict=True)]
    prepared_by_tfds(
        "multi30k",
        tmp_path / "theirs",
        lambda f: {"en": f.Text(), "de": f.Text()},
        {"train": made, "validation": made[:2], "test": made[:1]},
    )
    train = load("multi30k", data_dir=tmp_path / "theirs").arrays
    assert sorted(zip(train["en"], train["de"])) == sorted(zip(ENGLISH, GERMAN))


@pytest.mark.parametrize("name", ["coco_captions", "celeb_a", "wmt14_translate", "cifar10"])
def test_what_only_tfds_prepares_says_how(name, tfds_dir, tmp_path):
    for options in ({}, {"data_dir": tmp_path}):
        with pytest.raises(DataNotFound, match=f"`tfds build {name}.* --file_format=array_record`"):
            load(name, **options)


def test_every_entry_says_what_it_is_and_what_to_do():
    for entry in catalogue.ENTRIES.values():
        assert entry.licence and min(entry.sizes.values()) > 0
        if entry.kind in ("text", "scenes"):
            assert entry.about and entry.hint.endswith("into a folder")


def test_a_reader_is_at_most_forty_lines():
    import inspect

    for reader in readers.READERS.values():
        assert len(inspect.getsource(reader).splitlines()) <= 40


# --- Real ones -------------------------------------------------------------------------------

FIRST = {
    "multi30k": ("Two young, White males are outside near many bushes.", "de", "Zwei junge weiße"),
    "europarl_sample": ("resumption of the session", "fr", "reprise de la session"),
    "tatoeba_fra_eng": ("Go.", "fr", "Va !"),
    "moses_fr_en": ("a maiden speech .", "scores", "0.333333 4.25563e-06 1"),
}


@pytest.mark.parametrize("name", [*FIRST, "camvid"])
def test_the_real_sets_if_they_are_here(name, tfds_dir, capfd):
    folder = os.environ.get("DEEP_MORNING_DATA")
    if not folder:
        pytest.skip("DEEP_MORNING_DATA names no folder of datasets")
    entry = catalogue.find(name)
    try:
        whole = {split: load(name, split, data_dir=folder) for split in entry.sizes}
    except DataNotFound:
        pytest.skip(f"no {name} in {folder}")
    assert {split: len(dataset) for split, dataset in whole.items()} == dict(entry.sizes)
    assert "not the copy" not in capfd.readouterr().err
    if name == "camvid":
        seen = np.unique([np.unique(example["mask"]) for example in whole["test"].arrays][0])
        assert seen.max() <= 11 and whole["test"].arrays[0]["mask"].shape == (180, 240)
    else:
        english, language, start = FIRST[name]
        assert whole["train"].arrays["en"][0] == english
        assert whole["train"].arrays[language][0].startswith(start)
