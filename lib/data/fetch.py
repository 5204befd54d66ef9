"""Files from the network: asked for within a time limit, verified before they get their name."""

import contextlib
import fcntl
import hashlib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.base.errors import UserError

# Offline, a connection that is never refused takes minutes to give up.
CONNECT_WITHIN = (2.0, 6.0)  # seconds, the second on a second try
STALLED_AFTER = 10.0  # seconds without a byte
LARGE = 100_000_000  # bytes from which a bar shows progress

Say = Callable[[str], None]


class Unavailable(Exception):
    """A place does not have what is wanted; the message is the reason, in a few words."""


def mismatch(data: bytes, expected: str) -> str | None:
    """What is wrong with `data` if its SHA-256 is not `expected`; None if it is."""
    return differs(hashlib.sha256(data).hexdigest(), expected)


def differs(found: str, expected: str) -> str | None:
    """The same of a SHA-256 that is computed already."""
    return None if found == expected else f"sha256 should be {expected}, is {found}"


def probe(url: str) -> None:
    """Asks for `url`'s headers within `CONNECT_WITHIN`, name resolution and proxies included.

    Raises:
      Unavailable: no answer in time, or a refusal.
    """
    for seconds in CONNECT_WITHIN:
        if (problem := _ask(url, seconds)) is None:
            waited = " and again ".join(f"{seconds:g}" for seconds in CONNECT_WITHIN)
            problem = f"no answer within {waited} s"
        else:
            break
    if problem:
        raise Unavailable(f"{url.rsplit('/', 1)[0]}: {problem}")


def _ask(url: str, seconds: float) -> str | None:
    """The refusal, "" if there is none, or None without an answer in time.

    In a thread, because resolving a name cannot be given a time limit.
    """
    outcome: list[str | None] = []

    def ask():
        try:
            request = urllib.request.Request(url, method="HEAD")
            urllib.request.urlopen(request, timeout=seconds).close()
            outcome.append("")
        except TimeoutError:
            outcome.append(None)
        except Exception as error:  # an outcome like any other, told by the caller
            outcome.append(_reason(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] if outcome else None


def download_to(path: Path, url: str, checksum: str, size: int = 0) -> None:
    """Downloads `url` to `path`, which is there, with the SHA-256 `checksum`, or not at all.

    Raises:
      Unavailable: it cannot be had, or is another file.
      OSError: the disk refuses.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    get = pooch.HTTPDownloader(timeout=STALLED_AFTER, progressbar=size > LARGE)
    part = path.with_name(f"{path.name}.part")
    try:
        get(url, str(part), None)
        if problem := differs(pooch.file_hash(part), checksum):
            raise Unavailable(f"{url}: {problem}")
        part.rename(path)
    except requests.RequestException as error:  # an OSError, but not the disk's
        raise Unavailable(f"{url}: {_reason(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    if (response := getattr(error, "response", None)) is not None:
        return f"HTTP status {response.status_code}"
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Lets one process at a time go on; `waiting` is called if another is at it.

    Raises OSError if the lock `path`, or its folder, cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = open(path, "w")
    with lock:  # closing it, or dying, releases the lock
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def writing(name: str, folder: Path, variable: str) -> Iterator[None]:
    """Turns a failure to write below `folder`, which `variable` may move, into one line about `name`."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise UserError(
            f"{name}: cannot write to {folder}: {why}; "
            f"set {variable} to a folder that has room and that you may write to"
        ) from error
