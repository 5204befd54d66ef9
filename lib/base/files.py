"""Files that are whole or absent, folders with one writer, and disk errors in one line."""

import contextlib
import errno
import fcntl
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
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


def lines_of(data: bytes, name: str) -> tuple[str, ...]:
    """The lines of a file; only "\\n" ends one.

    Raises:
      UserError: it is not UTF-8; the message says in which line.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}, line {line} is not UTF-8") from None
    return tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))


def flat(tree: dict, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dicts by dotted name."""
    leaves = {}
    for name, value in tree.items():
        nested = isinstance(value, dict)
        leaves |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return leaves


@contextlib.contextmanager
def locked(path: Path, busy: Callable[[], None]) -> Iterator[None]:
    """Lets one process at a time go on; the system lets the next one when that ends, however it ends.

    `busy` is called if another is at it, which is waited for unless `busy` raises. Raises OSError if the
    lock `path`, or its folder, cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Holds `folder` (made if there is none) for one process.

    Raises UserError (code 2) if another process holds it or it cannot be written.
    """

    def busy():
        raise UserError(f"{folder}: another run is writing there", 2)

    with contextlib.ExitStack() as stack:
        with disk_errors(f"cannot write to {folder}", code=2):
            stack.enter_context(locked(folder / ".lock", busy))
        yield


_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)
_REFUSALS += (errno.EPERM, errno.ENOENT)


@contextlib.contextmanager
def disk_errors(doing: str, code: int = 1, advice: str = "") -> Iterator[None]:
    """Turns the disk's refusals into one line that says what was being done, and perhaps what to do."""
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{doing}: {error.strerror or error}{advice}", code) from error
    except Exception as error:
        # TensorStore and array_record report them as errors that carry the system's words only.
        words = next((os.strerror(n) for n in _REFUSALS if os.strerror(n) in str(error)), None)
        if words is None:
            raise
        raise UserError(f"{doing}: {words}{advice}", code) from error


def writing(name: str, folder: Path, variable: str):
    """The same of writing `name` below `folder`, which the environment's `variable` may move."""
    advice = f"; set {variable} to a folder that has room and that you may write to"
    return disk_errors(f"{name}: cannot write to {folder}", advice=advice)
