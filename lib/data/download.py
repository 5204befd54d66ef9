"""Files from the network: asked for within a time limit, verified before they get their name."""

import hashlib
import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

# Offline, a connection that is never refused takes minutes to give up.
CONNECT_WITHIN = (2.0, 6.0)  # seconds, the second on a second try
STALLED_AFTER = 10.0  # seconds without a byte


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
        raise Unavailable(f"{folder_of(url)}: {problem}")


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


def folder_of(url: str) -> str:
    """The address without its last part."""
    return url.rsplit("/", 1)[0]


def download(url: str, size: int) -> bytes:
    """At most `size + 1` bytes of what is at `url`; raises Unavailable."""
    try:
        with urllib.request.urlopen(url, timeout=STALLED_AFTER) as response:
            return response.read(size + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{url}: {_reason(error)}") from error


def download_to(path: Path, url: str, checksum: str) -> None:
    """Downloads `url` to `path`, which is there, with the SHA-256 `checksum`, or not at all.

    Raises:
      Unavailable: it cannot be had, or is another file.
      OSError: the disk refuses.
    """
    part, digest = path.with_name(f"{path.name}.part"), hashlib.sha256()
    try:
        with open(part, "wb") as out:
            for block in _blocks(url):
                digest.update(block)
                out.write(block)
        if problem := differs(digest.hexdigest(), checksum):
            raise Unavailable(f"{url}: {problem}")
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _blocks(url: str) -> Iterator[bytes]:
    try:
        with urllib.request.urlopen(url, timeout=STALLED_AFTER) as response:
            while block := response.read(1 << 20):
                yield block
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{url}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__
