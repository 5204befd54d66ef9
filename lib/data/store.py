"""What is kept on disk: TFDS's data directory and, inside it, decoded arrays that load at once.

<TFDS_DATA_DIR>/mnist/3.0.1/*.array_record*                     TFDS's own
<TFDS_DATA_DIR>/mnist/3.0.1/arrays/train-<fingerprint>.npz      ours, rebuilt when damaged
"""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from lib.base.errors import UserError
from lib.base.homes import user_folder
from lib.data import fetch
from lib.data.catalogue import Entry
from lib.data.dataset import Arrays, fingerprint, packed


def root() -> Path:
    """TFDS's data directory: $TFDS_DATA_DIR, by default ~/tensorflow_datasets."""
    return user_folder("TFDS_DATA_DIR", "tensorflow_datasets")


def prepared(entry: Entry, root: Path) -> bool:
    """Whether TFDS has prepared the dataset below `root`; UserError if it needs TensorFlow."""
    folder = entry.location(root)
    try:
        # TFDS writes this file last, into a folder that gets its name when complete.
        info = json.loads((folder / "dataset_info.json").read_text())
        form = info.get("fileFormat", "tfrecord")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except RecursionError:
        raise entry.damaged(root, "dataset_info.json is nested too deep") from None
    except (OSError, ValueError, AttributeError) as error:
        raise entry.damaged(root, error) from error
    if form != "array_record":
        raise UserError(
            f"{entry.name}: {folder} was prepared as {form}, which only TensorFlow reads: "
            "move it away, or set TFDS_DATA_DIR to another folder"
        )
    return True


@contextlib.contextmanager
def lock(entry: Entry, root: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Lets one process at a time prepare the dataset; `waiting` is called if another is at it.

    Raises:
      UserError: `root` cannot be created or written to.
    """
    with contextlib.ExitStack() as stack:
        with writing(entry, root):
            stack.enter_context(fetch.alone(root / f".{entry.name}.lock", waiting))
        yield


def writing(entry: Entry, root: Path):
    """Turns a failure to write below `root` into one line."""
    return fetch.writing(entry.name, root, "TFDS_DATA_DIR")


def cached(entry: Entry, split: str, root: Path) -> Arrays | None:
    """The decoded split, if it was kept and is still what was kept; None otherwise."""
    for path in (entry.location(root) / "arrays").glob(f"{split}-*.npz"):
        try:
            with open(path, "rb") as file, np.load(file) as kept:
                arrays = dict(kept)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            continue
        found = fingerprint(arrays)
        if path.stem == f"{split}-{found}" and entry.fingerprints.get(split, found) == found:
            return entry.dataset.unpacked(arrays)
    return None


def materialise(entry: Entry, split: str, root: Path) -> Arrays:
    """Decodes a prepared split and keeps it, if `root` may be written to, for `cached`.

    A dataset that is not to be kept is opened, to be decoded when asked for.

    Raises:
      UserError: what is prepared is damaged, or is not the dataset it is called.
    """
    arrays = verified(entry, split, root)
    if not entry.kept:
        return arrays
    with contextlib.suppress(OSError):
        _keep(arrays, split, entry.location(root) / "arrays")
    return arrays


def verified(entry: Entry, split: str, root: Path) -> Arrays:
    """Decodes a split prepared below `root`; raises as `materialise` does."""
    from lib.data import prepared as tfds_files

    try:
        arrays = tfds_files.read(entry, split, root)
    except UserError:
        raise
    except Exception as error:  # the readers are C++ and raise whatever they like
        raise entry.damaged(root, error) from error
    size, found = entry.dataset.count(arrays), fingerprint(arrays)
    if size != entry.sizes[split]:
        raise entry.damaged(root, f"{split} has {size} examples, not {entry.sizes[split]}")
    if found != (expected := entry.fingerprints.get(split, found)):
        raise entry.damaged(root, f"{split}'s fingerprint should be {expected}, is {found}")
    return arrays


def _keep(arrays: Arrays, split: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    stale = list(folder.glob(f"{split}-*.npz"))
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with open(descriptor, "wb") as file:
            _savez(file, arrays)
        kept = folder / f"{split}-{fingerprint(arrays)}.npz"
        os.chmod(temporary, 0o644)  # mkstemp's files are private; a data directory may be shared
        os.replace(temporary, kept)
    except BaseException:
        os.unlink(temporary)
        raise
    for path in stale:
        if path != kept:
            path.unlink(missing_ok=True)


def _savez(file: IO[bytes], arrays: Arrays) -> None:
    """`np.savez`, for arrays that may have any name: "file" too."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in packed(arrays).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def adopt(entry: Entry, source: Path, root: Path) -> None:
    """Copies a dataset prepared below `source`, once verified, to `root`: all of it or nothing."""
    for split in entry.sizes:
        verified(entry, split, source)
    target = entry.location(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="incomplete.") as folder:
        copy = Path(folder, entry.version)
        shutil.copytree(entry.location(source), copy, ignore=shutil.ignore_patterns("arrays"))
        copy.rename(target)
