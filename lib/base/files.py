"""Files that are whole or absent, folders with one writer, and disk errors in one line."""

import contextlib
import errno
import fcntl
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.base.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `path` under a temporary name, flushes it to the disk and renames it.

    Should that fail, `path` is as it was and nothing is left beside it.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Any) -> None:
    """Writes `content` as indented JSON, atomically; NaN and infinities are refused."""
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads JSON. Raises UserError, naming the file, if it is missing or damaged."""
    with reading(path):
        return json.loads(path.read_text())


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a missing or damaged `path` raises, and what its content lacks, into one line."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file", 2) from None
    except RecursionError:
        raise UserError(f"{path} is damaged (it is nested too deep)") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    except (LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged (it lacks {error})") from None


def flat(tree: dict, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dicts by dotted name."""
    leaves = {}
    for name, value in tree.items():
        nested = isinstance(value, dict)
        leaves |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return leaves


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Holds `folder` (made if there is none) for one process; the system frees it when that ends.

    Raises UserError (code 2) if another process holds it or it cannot be written.
    """
    with disk_errors(f"cannot write to {folder}", code=2):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another run is writing there", 2) from None
        yield


_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)
_REFUSALS += (errno.EPERM, errno.ENOENT)


@contextlib.contextmanager
def disk_errors(doing: str, code: int = 1) -> Iterator[None]:
    """Turns the disk's refusals into one line that says what was being done."""
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{doing}: {error.strerror or error}", code) from error
    except Exception as error:
        # TensorStore reports them as ValueErrors that carry the system's words only.
        words = next((os.strerror(n) for n in _REFUSALS if os.strerror(n) in str(error)), None)
        if words is None:
            raise
        raise UserError(f"{doing}: {words}", code) from error
