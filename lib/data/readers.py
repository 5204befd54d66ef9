"""How the files of a kind are read, once they are found: a reader of at most 40 lines a kind.

Images of digits and photographs have modules of their own: `idx` and `images`. Each reader here takes
an entry and a person's folder and returns {split: examples}; it raises Unavailable where it finds
nothing of the set, and UserError where it finds a part of it, or what is not sound.
"""

import gzip
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from lib.base.errors import UserError
from lib.data import folders, images
from lib.data.catalogue import Scenes, Text
from lib.data.fetch import Unavailable

Lines = dict[str, dict[str, tuple[str, ...]]]
Fields = dict[str, list[dict]]


def aligned_text(entry: Text, folder: Path) -> Lines:
    """One file a language, line by line: train.en beside train.de, gzipped or not."""
    names = {s: {k: _language_file(s, k) for k in entry.languages} for s in entry.stems.values()}
    for place in folders.below(folder):
        if not place.is_dir():
            continue
        paths = {s: {k: _zipped_or_not(place / n) for k, n in f.items()} for s, f in names.items()}
        missing = [names[s][k] for s, f in paths.items() for k, path in f.items() if path is None]
        if len(missing) == sum(map(len, names.values())):
            continue
        if missing:
            raise UserError(f"{entry.name}: {place} lacks {', '.join(missing)} (or .gz)")
        texts = {
            split: {language: _lines(entry, path) for language, path in paths[stem].items()}
            for split, stem in entry.stems.items()
        }
        for split, lines in texts.items():
            if len(counts := {len(column) for column in lines.values()}) > 1:
                raise UserError(f"{entry.name}: {place}: {split} has {counts} lines, not as many")
        return texts
    raise Unavailable(f"holds no {next(iter(names[next(iter(names))].values()))}(.gz)")


def _language_file(stem: str, language: str) -> str:
    return f"{stem}{language}" if stem.endswith("/") else f"{stem}.{language}"


def _zipped_or_not(path: Path) -> Path | None:
    candidates = (path, path.with_name(f"{path.name}.gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _lines(entry: Text, path: Path, member: str | None = None) -> tuple[str, ...]:
    """The lines of a text file, perhaps gzipped or in a zip; only "\\n" ends one."""
    try:
        data = zipfile.ZipFile(path).read(member) if member else path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
    except (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{entry.name}: {path} is damaged ({error})") from error
    return tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))


def text_pairs(entry: Text, folder: Path) -> Lines:
    """Pairs separated by a tab, one a line, in a text file or in a zip that holds it."""
    texts = {}
    for split, name in entry.stems.items():
        for path in folders.below(folder):
            if path.name == name and path.is_file():
                lines = _lines(entry, path)
            elif path.suffix == ".zip" and name in _members(path):
                lines = _lines(entry, path, name)
            else:
                continue
            width = len(entry.languages)
            rows = [line.split("\t")[:width] for line in lines]  # later columns: who wrote it
            if short := [i for i, row in enumerate(rows, 1) if len(row) < width]:
                raise UserError(f"{entry.name}: {path}, line {short[0]} has no tab")
            columns = zip(*rows, strict=True)
            texts[split] = dict(zip(entry.languages, columns, strict=True))
            break
        else:
            raise Unavailable(f"holds no {name}, nor a zip with it")
    return texts


def _members(path: Path) -> list[str]:
    try:
        return zipfile.ZipFile(path).namelist()
    except (OSError, zipfile.BadZipFile):  # whatever it is, not ours
        return []


def masks(entry: Scenes, folder: Path) -> Fields:
    """A folder of images beside one of masks of the same names."""
    wanted = [name for pair in entry.folders.values() for name in pair]
    for place in folders.below(folder):
        missing = [name for name in wanted if not (place / name).is_dir()]
        if len(missing) > len(wanted) // 2:  # "train" and "test" alone are nobody's
            continue
        if missing:
            raise UserError(f"{entry.name}: {place} lacks {', '.join(missing)}")
        scenes = {}
        for split, pair in entry.folders.items():
            files, of_masks = (images.images_in(place / name) for name in pair)
            if odd := sorted(files.keys() ^ of_masks.keys()):
                raise UserError(f"{entry.name}: {place}: {odd[0]} is not in both of {pair}")
            scenes[split] = [
                {"name": name, "image": file, "mask": of_masks[name]}
                for name, file in files.items()
            ]
        return scenes
    raise Unavailable(f"holds no folders {', '.join(wanted)}")


def voc(entry: Scenes, folder: Path) -> Fields:
    """PASCAL VOC's folders: JPEGImages, and Annotations (boxes as XML) or SegmentationClass (masks)."""
    for place in folders.below(folder):
        if not (place / "JPEGImages").is_dir() or not (place / "ImageSets").is_dir():
            continue
        scenes = {}
        for split, (listed,) in entry.folders.items():
            names = _listed(entry, place / "ImageSets" / f"{listed}.txt")
            scenes[split] = [{"name": n, "image": place / f"JPEGImages/{n}.jpg"} for n in names]
            for scene in scenes[split]:
                if listed.startswith("Segmentation/"):
                    scene["mask"] = place / f"SegmentationClass/{scene['name']}.png"
                else:
                    scene["objects"] = _boxes(entry, place / f"Annotations/{scene['name']}.xml")
        return scenes
    raise Unavailable("holds no VOCdevkit/VOC2012 with JPEGImages and ImageSets")


def _listed(entry: Scenes, path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except (OSError, ValueError) as error:
        raise UserError(f"{entry.name}: cannot read {path}: {error}") from error


def _boxes(entry: Scenes, path: Path) -> list[dict]:
    """Boxes as (top, left, bottom, right), in 0..1 of the image."""
    import xml.etree.ElementTree as xml

    try:
        root = xml.parse(path).getroot()
        height, width = (float(root.find(f"size/{side}").text) for side in ("height", "width"))
        sides = (("ymin", height), ("xmin", width), ("ymax", height), ("xmax", width))
        return [
            {
                "bbox": [float(o.find(f"bndbox/{side}").text) / most for side, most in sides],
                "label": entry.labels.index(o.find("name").text.lower()),
                "is_difficult": o.findtext("difficult") == "1",
            }
            for o in root.findall("object")
        ]
    except (OSError, xml.ParseError, AttributeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{entry.name}: {path} is no annotation ({error})") from error


def captions(entry: Scenes, folder: Path) -> Fields:
    """Flickr8k's files: a folder of images, captions by image, and a list of images a split."""
    for token in folders.below(folder):
        if token.name != "Flickr8k.token.txt":
            continue
        captions_of: dict[str, list[str]] = {}
        for line in token.read_text(errors="replace").splitlines():
            name, _, caption = line.partition("\t")
            captions_of.setdefault(name.partition("#")[0], []).append(caption)
        files = {path.name: path for path in folders.below(folder) if path.suffix == ".jpg"}
        scenes = {}
        for split, (listed,) in entry.folders.items():
            names = _listed(entry, token.with_name(listed))
            if missing := [n for n in names if n not in files or n not in captions_of]:
                raise UserError(f"{entry.name}: {folder} lacks {missing[0]}, or its captions")
            scenes[split] = [
                {"name": n, "image": files[n], "captions": captions_of[n]} for n in names
            ]
        return scenes
    raise Unavailable("holds no Flickr8k.token.txt")


LAYOUTS = {"masks": masks, "voc": voc, "captions": captions}


def label_image(data: bytes) -> np.ndarray:
    """A mask's classes, uint8 [H, W]: of a palette's colours the numbers, not the colours."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        if image.mode not in ("P", "L", "1"):
            raise ValueError(f"a mask of mode {image.mode}, not of one channel")
        return np.array(image, np.uint8)
