"""How the files of a set are found in a folder, and read: a reader of at most 40 lines a layout.

Each takes an entry and a folder, which those of installed packages' files ignore, and returns what there is
of each split: of labelled images {"image": uint8 [N, H, W], "label": uint8 [N]} in the publisher's order; of
text {language: lines}; of all others a list of examples, whose images are files that are not yet read. It
raises Unavailable where it finds nothing of the set, and UserError where it finds a part of it, or what is
not sound.
"""

import gzip
import importlib.util
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from lib.base.errors import UserError
from lib.base.files import lines_of
from lib.data import folders, idx, images
from lib.data.catalogue import Entry
from lib.data.fetch import Unavailable, mismatch

Arrays = dict[str, dict[str, np.ndarray]]
Lines = dict[str, dict[str, tuple[str, ...]]]
Fields = dict[str, list[dict]]


def _place(
    entry: Entry,
    places: Iterable[Path],
    wanted: Iterable[str],
    find: Callable[[Path, str], Path | None],
    *,
    telling: int = 1,
    also: str = "",
) -> tuple[Path, dict[str, Path]]:
    """The first of `places` where `find` finds all that is `wanted`, and {name: what it found}.

    Where it finds so many that they are `telling`, but not all, what is missing is an error. `also`: under
    which names else they are looked for, in words.
    """
    wanted = list(wanted)
    for place in places:
        paths = {name: find(place, name) for name in wanted}
        missing = [name for name, path in paths.items() if path is None]
        if not missing:
            return place, paths
        if len(wanted) - len(missing) >= telling:
            raise UserError(f"{entry.name}: {place} lacks {', '.join(missing)}{also}")
    more = ", ..." if len(wanted) > 4 else ""
    raise Unavailable(f"holds no {', '.join(wanted[:4])}{more}{also}")


def _there(place: Path, name: str) -> Path | None:
    return path if (path := place / name).exists() else None


def _bytes(entry: Entry, path: Path, member: str | None = None) -> bytes:
    try:
        return zipfile.ZipFile(path).read(member) if member else path.read_bytes()
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{entry.name}: cannot read {path}: {why}") from error


def _unzipped(entry: Entry, path: Path, data: bytes) -> bytes:
    """What is in a gzipped file, whatever it is called; of another file its bytes."""
    try:
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{entry.name}: {path} is damaged ({error})") from error


# Digits.


def idx_files(entry: Entry, folder: Path) -> Arrays:
    """Idx files, gzipped or not, in `folder`, in a folder called like the set, or in the raw of either."""
    called = folders.places_called([entry.name], folder, folders.plain)
    places = (inside for place in (*called, folder) for inside in (place, place / "raw"))

    def find(place: Path, name: str) -> Path | None:
        # Where only the compressed file's checksum is known, that is the one to take.
        compressed = _there(place, f"{name}.gz") if not entry.files[name].sha256 else None
        return compressed or folders.file_called(name, place)

    _, paths = _place(entry, places, entry.files, find, also=" (or .gz)")
    return idx.splits({name: _verified(entry, name, path) for name, path in paths.items()})


def _verified(entry: Entry, name: str, path: Path) -> bytes:
    file, stored = entry.files[name], _bytes(entry, path)
    raw = _unzipped(entry, path, stored)
    if raw is stored and not file.sha256:
        why = f"no checksum is known for {path}; give the compressed {name}.gz"
        raise UserError(f"{entry.name}: {why}")
    # Of the uncompressed bytes, if it is known: the same file may have been compressed anew.
    problem = mismatch(raw, file.sha256) if file.sha256 else mismatch(stored, file.gzipped)
    if problem:
        what = "uncompressed, its" if raw is not stored and file.sha256 else "its"
        raise UserError(f"{entry.name}: {path} is damaged or another file: {what} {problem}")
    return raw


def carried_digits(entry: Entry, folder: Path | None = None) -> Arrays:
    """The 8x8 digits in scikit-learn's own file: the first 1 437 to train, the last 360 to test.

    Pixels 0..16 become 0..255, rounded half up. The split keeps scikit-learn's order, as its own
    examples do when they hold out the end of the set.
    """
    (path,) = _installed(entry).values()
    table = np.loadtxt(path, np.int64, delimiter=",", converters=float)
    pixels = ((table[:, :-1] * 255 + 8) // 16).astype(np.uint8).reshape(-1, *entry.shape)
    labels, first = table[:, -1].astype(np.uint8), entry.sizes["train"]
    rows = {"train": slice(0, first), "test": slice(first, None)}
    return {split: {"image": pixels[r], "label": labels[r]} for split, r in rows.items()}


# Photographs.


def carried_images(entry: Entry, folder: Path | None = None) -> Fields:
    """Image files of installed packages, none of which is imported for it."""
    return _by_split(entry, _installed(entry))


def _installed(entry: Entry) -> dict[str, Path]:
    paths = {}
    for name, file in entry.files.items():
        package, _, inside = name.partition("/")
        if (spec := importlib.util.find_spec(package)) is None:
            raise Unavailable(f"{package} is not installed")
        paths[name] = path = Path(spec.submodule_search_locations[0], inside)
        if not path.is_file():
            raise Unavailable(f"there is no {path}")
        if problem := mismatch(path.read_bytes(), file.sha256):
            raise Unavailable(f"{path}: {problem}")
    return paths


def _by_split(entry: Entry, paths: Mapping[str, Path]) -> Fields:
    of_split = {split: {} for split in entry.sizes}
    for name, path in paths.items():
        of_split[entry.files[name].split][images.image_name(path)] = path
    return {split: _examples(files) for split, files in of_split.items()}


def _examples(files: Mapping[str, images.File]) -> list[dict]:
    return [{"name": name, "image": file} for name, file in sorted(files.items())]


def image_folders(entry: Entry, folder: Path) -> Fields:
    """A folder or a zip a split, called as the entry says, with as many images as were published."""
    files = {split: _of_size(entry, split, folder) for split in entry.names}
    first = {split: names[0] for split, names in entry.names.items()}
    if not any(files.values()):
        raise Unavailable(f"holds no folder {' nor '.join(first.values())} of images")
    if missing := [first[split] for split in files if not files[split]]:
        raise UserError(f"{entry.name}: {folder} lacks {', '.join(missing)}")
    return {split: _examples(found) for split, found in files.items()}


def _of_size(entry: Entry, split: str, folder: Path) -> dict[str, images.File]:
    """The files of the first place with as many images as published; empty if none has any."""
    wrong = []
    for named in folders.places_called(entry.names[split], folder):
        for place in folders.with_truth(named):
            files = images.images_in(place)
            if len(files) == entry.sizes[split]:
                return files
            if files:
                wrong.append(f"{place} has {len(files)} images, not {entry.sizes[split]}")
    if wrong:
        raise UserError(f"{entry.name}: {'; '.join(wrong)}")
    return {}


def named_images(entry: Entry, folder: Path) -> Fields:
    """Images called as the publisher's are, in `folder` or in one below it that the entry names."""
    names = dict.fromkeys(name for names in entry.names.values() for name in names)
    places = (folder, *folders.places_called(names, folder))
    _, paths = _place(entry, places, entry.files, _there)
    for name, path in paths.items():
        if problem := mismatch(_bytes(entry, path), entry.files[name].sha256):
            raise UserError(f"{entry.name}: {path} is damaged or another file: its {problem}")
    return _by_split(entry, paths)


# Text.


def aligned_text(entry: Entry, folder: Path) -> Lines:
    """One file a language, line by line: train.en beside train.de, gzipped or not; or train/en."""
    stems = {s: stem if stem.endswith("/") else f"{stem}." for s, (stem,) in entry.names.items()}
    wanted = [f"{stem}{language}" for stem in stems.values() for language in entry.languages]

    def find(place: Path, name: str) -> Path | None:
        return _there(place, name) or _there(place, f"{name}.gz")

    place, paths = _place(entry, folders.below(folder), wanted, find, also=" (or .gz)")
    texts = {
        split: {k: _lines(entry, paths[f"{stem}{k}"]) for k in entry.languages}
        for split, stem in stems.items()
    }
    for split, lines in texts.items():
        if len(counts := {len(column) for column in lines.values()}) > 1:
            raise UserError(f"{entry.name}: {place}: {split} has {counts} lines, not as many")
    return texts


def _lines(entry: Entry, path: Path, member: str | None = None) -> tuple[str, ...]:
    data = _unzipped(entry, path, _bytes(entry, path, member))
    return lines_of(data, f"{entry.name}: {path}")


def text_pairs(entry: Entry, folder: Path) -> Lines:
    """Pairs separated by a tab, one a line, in a text file or in a zip that holds it."""
    ((split, (name,)),) = entry.names.items()
    for path in folders.below(folder):
        in_zip = path.suffix == ".zip" and name in _members(path)
        if not in_zip and not (path.name == name and path.is_file()):
            continue
        width = len(entry.languages)
        lines = _lines(entry, path, name if in_zip else None)
        rows = [line.split("\t")[:width] for line in lines]  # later columns: who wrote it
        if short := [i for i, row in enumerate(rows, 1) if len(row) < width]:
            raise UserError(f"{entry.name}: {path}, line {short[0]} has no tab")
        columns = zip(*rows, strict=True)
        return {split: dict(zip(entry.languages, columns, strict=True))}
    raise Unavailable(f"holds no {name}, nor a zip with it")


def _members(path: Path) -> list[str]:
    try:
        return zipfile.ZipFile(path).namelist()
    except (OSError, zipfile.BadZipFile):  # whatever it is, not ours
        return []


def phrase_table(entry: Entry, folder: Path) -> Lines:
    """A phrase table of Moses: source ||| target ||| scores (||| what else there is), a pair a line.

    Called as the entry says, or fr-en....phrase-table if these are its languages; gzipped or not.
    """
    source, target, _ = entry.languages
    ((split, (name,)),) = entry.names.items()
    for path in folders.below(folder):
        called = path.name.removesuffix(".gz")
        own = called.startswith(f"{source}-{target}") and called.endswith("phrase-table")
        if not path.is_file() or not (called == name or own):
            continue
        rows = [line.split("|||")[:3] for line in _lines(entry, path)]
        if short := [i for i, row in enumerate(rows, 1) if len(row) < 3]:
            where = f"{entry.name}: {path}, line {short[0]}"
            raise UserError(f"{where} is not source ||| target ||| scores")
        columns = [tuple(field.strip() for field in column) for column in zip(*rows, strict=True)]
        return {split: dict(zip(entry.languages, columns, strict=True))}
    raise Unavailable(f"holds no {name}(.gz), nor a {source}-{target}*phrase-table(.gz)")


# Scenes.


def masks(entry: Entry, folder: Path) -> Fields:
    """A folder of images beside one of masks of the same names."""
    wanted = [name for pair in entry.names.values() for name in pair]
    # "train" and "test" alone are nobody's.
    half = len(wanted) // 2
    place, paths = _place(entry, folders.below(folder), wanted, _there, telling=half)
    scenes = {}
    for split, pair in entry.names.items():
        files, of_masks = (images.images_in(paths[name]) for name in pair)
        if odd := sorted(files.keys() ^ of_masks.keys()):
            raise UserError(f"{entry.name}: {place}: {odd[0]} is not in both of {pair}")
        scenes[split] = [e | {"mask": of_masks[e["name"]]} for e in _examples(files)]
    return scenes


def voc(entry: Entry, folder: Path) -> Fields:
    """PASCAL VOC's folders: JPEGImages, and Annotations (boxes as XML) or SegmentationClass (masks)."""
    wanted = ["JPEGImages", "ImageSets"]
    place, paths = _place(entry, folders.below(folder), wanted, _there, telling=2)
    scenes = {}
    for split, (listed,) in entry.names.items():
        names = _listed(entry, paths["ImageSets"] / f"{listed}.txt")
        scenes[split] = [{"name": n, "image": place / f"JPEGImages/{n}.jpg"} for n in names]
        for scene in scenes[split]:
            if listed.startswith("Segmentation/"):
                scene["mask"] = place / f"SegmentationClass/{scene['name']}.png"
            else:
                scene["objects"] = _boxes(entry, place / f"Annotations/{scene['name']}.xml")
    return scenes


def _listed(entry: Entry, path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except (OSError, ValueError) as error:
        raise UserError(f"{entry.name}: cannot read {path}: {error}") from error


def _boxes(entry: Entry, path: Path) -> list[dict]:
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


def captions(entry: Entry, folder: Path) -> Fields:
    """Flickr8k's files: a folder of images, captions by image, and a list of images a split."""
    lists = {split: listed for split, (listed,) in entry.names.items()}
    wanted = ["Flickr8k.token.txt", *lists.values()]
    _, paths = _place(entry, folders.below(folder), wanted, _there)
    captions_of: dict[str, list[str]] = {}
    for line in _bytes(entry, paths[wanted[0]]).decode(errors="replace").splitlines():
        name, _, caption = line.partition("\t")
        captions_of.setdefault(name.partition("#")[0], []).append(caption)
    files = {path.name: path for path in folders.below(folder) if path.suffix == ".jpg"}
    scenes = {}
    for split, listed in lists.items():
        names = _listed(entry, paths[listed])
        if missing := [n for n in names if n not in files or n not in captions_of]:
            raise UserError(f"{entry.name}: {folder} lacks {missing[0]}, or its captions")
        scenes[split] = [{"name": n, "image": files[n], "captions": captions_of[n]} for n in names]
    return scenes


READERS = {
    "idx": idx_files,
    "carried_digits": carried_digits,
    "carried_images": carried_images,
    "image_folders": image_folders,
    "named_images": named_images,
    "aligned_text": aligned_text,
    "text_pairs": text_pairs,
    "phrase_table": phrase_table,
    "masks": masks,
    "voc": voc,
    "captions": captions,
}
"""By the layout that an entry names."""
