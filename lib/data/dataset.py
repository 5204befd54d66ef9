"""What a loaded dataset is, its fingerprint, and the slices one may ask of it."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lib.base.errors import UserError
from lib.base.files import flat

Arrays = Mapping[str, np.ndarray]

_SPLIT = re.compile(r"(?P<name>\w+)(\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?")


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of one labelled dataset, decoded, in memory.

    Attributes:
      name: as given to `load`.
      split: as asked for, e.g. "train[:50000]".
      arrays: {"image": uint8 [N, H, W], "label": int32 [N]}, read-only, in TFDS's order (a fixed
        shuffle of the publisher's).
      fingerprint: 16 hex digits of a SHA-256 over `arrays`; equal data, equal fingerprint.
      real: whether the data was measured in the world, as opposed to generated.
    """

    name: str
    split: str
    arrays: Arrays = field(repr=False)
    fingerprint: str
    real: bool = True

    def describe(self) -> dict:
        """The entry that a result's record keeps: name, split, fingerprint, real."""
        return {
            "name": self.name,
            "split": self.split,
            "fingerprint": self.fingerprint,
            "real": self.real,
        }

    def __len__(self) -> int:
        return self.count(self.arrays)

    def example(self, index: int) -> dict:
        """One example by its place: what `lib.batches.streaming` asks for."""
        return {name: array[index] for name, array in self.arrays.items()}

    @staticmethod
    def count(arrays: Arrays) -> int:
        """How many examples `arrays` hold."""
        return len(next(iter(arrays.values())))

    @staticmethod
    def rows(arrays: Arrays, rows: slice) -> Arrays:
        """The examples `rows` of `arrays`, read-only."""
        return {name: _read_only(array[rows]) for name, array in arrays.items()}


@dataclass(frozen=True, eq=False)
class Images(Dataset):
    """One split of a set of photographs of different sizes.

    Attributes:
      arrays: image name -> uint8 [H, W, 3] RGB or [H, W] grey, read-only, sorted by name (as
        text: "t10" before "t2"). In memory; for "div2k" `LazyImages`, decoded when asked for.
      fingerprint: as a `Dataset`'s; for "div2k" as that of `Examples`.
    """

    count = staticmethod(len)

    def example(self, index: int) -> dict:
        name = list(self.arrays)[index]
        return {"name": name, "image": self.arrays[name]}

    @staticmethod
    def rows(arrays: Arrays, rows: slice) -> Arrays:
        if isinstance(arrays, LazyImages):
            return LazyImages(arrays.examples[rows])
        return {name: _read_only(arrays[name]) for name in list(arrays)[rows]}


@dataclass(frozen=True, eq=False)
class Sentences(Dataset):
    """One split of a set of sentences that translate one another.

    Attributes:
      arrays: language ("en") -> tuple of str; the i-th of each say the same.
    """


@dataclass(frozen=True, eq=False)
class Examples(Dataset):
    """One split of a set that need not fit memory, read and decoded when asked for.

    Attributes:
      arrays: `LazyExamples`: `arrays[i]` is field -> value, fields being the set's own: "image"
        uint8 [H, W, 3], "mask" uint8 [H, W], "objects" {"bbox": float32 [n, 4] (top, left, bottom,
        right, in 0..1), "label": int [n]}, "captions" list of str, "en", "label", ...
      fingerprint: of the number of examples and of 64 of them, evenly spaced, as they are stored.
    """

    count = staticmethod(len)

    def example(self, index: int) -> dict:
        return self.arrays[index]

    @staticmethod
    def rows(arrays: "LazyExamples", rows: slice) -> "LazyExamples":
        return arrays[rows]


KINDS = {"labelled": Dataset, "photographs": Images, "text": Sentences, "scenes": Examples}


@dataclass(frozen=True)
class LazyExamples(Sequence[dict]):
    """Examples by index; `stored` reads one, `decode` makes of it what it holds.

    `names`: what the images of photographs are called.
    """

    indices: range
    stored: Callable[[int], dict]
    decode: Callable[[dict], dict]
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return replace(self, indices=self.indices[index], names=self.names[index])
        return self.decode(self.stored(self.indices[index]))

    def fingerprint(self) -> str:
        """16 hex digits of a SHA-256 over their number and 64 of them; decodes no image."""
        digest = hashlib.sha256(f"{len(self)}\n".encode())
        for index in np.unique(np.linspace(0, len(self) - 1, 64).astype(int)):
            example = flat(self.stored(self.indices[int(index)]))
            digest.update(fingerprint(example).encode())
        return digest.hexdigest()[:16]


class LazyImages(Mapping[str, np.ndarray]):
    """Image name -> pixels, decoded anew each time: for what does not fit into memory."""

    def __init__(self, examples: LazyExamples):
        self.examples = examples
        self._places = {name: place for place, name in enumerate(examples.names)}

    def __getitem__(self, name: str) -> np.ndarray:
        return _read_only(self.examples[self._places[name]]["image"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _read_only(array):
    if isinstance(array, np.ndarray):
        array.setflags(write=False)
    return array


def fingerprint(arrays: Mapping | LazyExamples) -> str:
    """16 hex digits of a SHA-256 over names, dtypes, shapes and bytes of `arrays`."""
    lazy = arrays.examples if isinstance(arrays, LazyImages) else arrays
    if isinstance(lazy, LazyExamples):
        return lazy.fingerprint()
    digest = hashlib.sha256()
    for name, array in sorted(packed(arrays).items()):
        array = np.ascontiguousarray(array)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array)
    return digest.hexdigest()[:16]


def packed(arrays: Mapping) -> Arrays:
    """`arrays` with lines of text as the bytes of their file, as they are kept and fingerprinted."""
    return {
        name: np.frombuffer("\n".join(value).encode(), np.uint8)
        if isinstance(value, tuple)
        else value
        for name, value in arrays.items()
    }


def unpacked(kind: str, arrays: Arrays) -> Mapping:
    """What `packed` was given."""
    if kind != "text":
        return arrays
    return {name: tuple(v.tobytes().decode().split("\n")) for name, v in arrays.items()}


def parse_split(spec: str, sizes: Mapping[str, int]) -> tuple[str, slice]:
    """Reads "train", "train[:50000]", "test[-10%:]" as TFDS does, without importing it.

    Args:
      spec: a split's name, with at most one slice; bounds are counts or whole percentages.
      sizes: number of examples of each split there is.

    Returns:
      The split's name and a slice with 0 <= start < stop <= size.

    Raises:
      UserError: the split does not exist, or the slice is malformed, empty or out of range.
    """
    match = _SPLIT.fullmatch(spec.strip())
    known = ", ".join(f"{name} ({size})" for name, size in sizes.items())
    if match is None:
        raise UserError(f"split {spec!r}: expected e.g. train, train[:50000] or test[-10%:]", 2)
    name = match["name"]
    if name not in sizes:
        raise UserError(f"split {spec!r}: there is no {name!r}, only {known}", 2)
    size = sizes[name]
    start = _bound(match["start"], size, default=0)
    stop = _bound(match["stop"], size, default=size)
    if not 0 <= start < stop <= size:
        raise UserError(f"split {spec!r}: empty or out of range; there are {known}", 2)
    return name, slice(start, stop)


def _bound(text: str | None, size: int, *, default: int) -> int:
    if text is None:
        return default
    bound = round(int(text[:-1]) * size / 100) if text.endswith("%") else int(text)
    return bound + size if bound < 0 else bound
