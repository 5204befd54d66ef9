"""Files that are whole or absent, folders with one writer, and disk errors in one line."""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `path` under a temporary name, flushes it to the disk and renames it."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, content: Any) -> None:
    """Writes `content` as indented JSON, atomically; NaN and infinities are refused."""
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads JSON. Raises UserError, naming the file, if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file", 2) from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error})") from None


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Holds `folder` (made if there is none) for one process; the system frees it when that ends.

    Raises UserError if another process holds it or the folder cannot be written.
    """
    with disk_errors(f"cannot write to {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another run is writing there", 2) from None
        yield


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
_DISK += (errno.EEXIST, errno.EIO, errno.EFBIG, errno.ENAMETOOLONG)


@contextlib.contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turns the disk's refusals into one line that says what was being done.

    TensorStore reports them as ValueErrors that carry the system's words only.
    """
    try:
        yield
    except Exception as error:
        words = next((os.strerror(n) for n in _DISK if os.strerror(n) in str(error)), None)
        if words is None:
            raise
        raise UserError(f"{doing}: {words}") from error
