"""Files from the network: asked for within a time limit, verified before they get their name."""

import hashlib
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

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
        answer: queue.Queue[str] = queue.Queue()
        # In a thread, because resolving a name cannot be given a time limit.
        threading.Thread(target=_ask, args=(url, seconds, answer), daemon=True).start()
        try:
            problem = answer.get(timeout=seconds)
            break
        except queue.Empty:
            waited = " and again ".join(f"{seconds:g}" for seconds in CONNECT_WITHIN)
            problem = f"no answer within {waited} s"
    if problem:
        raise Unavailable(f"{url.rsplit('/', 1)[0]}: {problem}")


def _ask(url: str, seconds: float, answer: queue.Queue) -> None:
    """Puts the refusal, "" if there is none, and nothing without an answer in time."""
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=seconds).close()
        answer.put("")
    except TimeoutError:
        pass
    except Exception as error:  # an outcome like any other, told by the caller
        answer.put(_reason(error))


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
    answered = getattr(error, "code", None) or getattr(error, "response", None)
    if answered is not None:
        return f"HTTP status {getattr(answered, 'status_code', answered)}"
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__
