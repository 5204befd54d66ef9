"""What is kept on disk: one copy of each set, below TFDS's data directory.

<TFDS_DATA_DIR>/arrays/mnist/3.0.1/train-<fingerprint>.npz     decoded: what fits memory loads at once
<TFDS_DATA_DIR>/camvid/1.0.0/*.array_record*                   TFDS's own form: what is streamed

Apart, because TFDS takes any folder of a set's name and version for a set that it has prepared.
"""

import contextlib
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lib.base.errors import UserError
from lib.base.files import locked, writing
from lib.base.homes import user_folder
from lib.data.catalogue import Entry
from lib.data.dataset import fingerprint, packed, unpacked
from lib.data.fetch import Say


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
    except (OSError, ValueError, AttributeError, RecursionError) as error:
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
        with writing(entry.name, root, "TFDS_DATA_DIR"):
            stack.enter_context(locked(root / f".{entry.name}.lock", waiting))
        yield


@contextlib.contextmanager
def whole(entry: Entry, root: Path) -> Iterator[Path]:
    """A folder to fill, which is the set's below `root` if all goes well, and gone if not.

    Nobody else may be at it. Raises UserError where `root` cannot be written to.
    """
    target = entry.location(root)
    with writing(entry.name, root, "TFDS_DATA_DIR"):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob("incomplete.*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="incomplete.") as folder:
            made = Path(folder, target.name)
            made.mkdir()
            yield made
            shutil.rmtree(target, ignore_errors=True)  # damaged, or never finished
            made.rename(target)


def keep(entry: Entry, splits: Mapping[str, Mapping], root: Path) -> None:
    """Keeps the decoded splits for `kept`: all or nothing; raises as `whole` does."""
    with whole(entry, root / "arrays") as folder:
        for split, arrays in splits.items():
            path = folder / f"{split}-{fingerprint(arrays)}.npz"
            with zipfile.ZipFile(path, "w") as archive:  # np.savez knows no array called "file"
                for name, array in packed(arrays).items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


# What NumPy raises of a file that is not what it was.
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


class Kept(NamedTuple):
    """A decoded split, its fingerprint, and the folder in which it is kept."""

    arrays: Mapping
    fingerprint: str
    folder: Path


def kept(entry: Entry, split: str, root: Path, say: Say = lambda line: None) -> Kept | None:
    """The decoded split, if it was kept; `say` is told of what is no longer what was kept."""
    earlier = entry.location(root) / "arrays"  # where it was until it was the only copy
    for folder in (entry.location(root / "arrays"), earlier):
        for path in folder.glob(f"{split}-*.npz"):
            with contextlib.suppress(*_UNREADABLE):
                with open(path, "rb") as file, np.load(file) as stored:
                    arrays = unpacked(entry.kind, dict(stored))
                actual = fingerprint(arrays)
                known = entry.fingerprints.get(split, actual)
                if path.stem == f"{split}-{actual}" == f"{split}-{known}":
                    return Kept(arrays, actual, folder)
            say(f"{entry.name}: {path} is damaged, and left out")
    return None
