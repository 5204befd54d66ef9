"""`load`: from a name to arrays, through whichever place has the data."""

import contextlib
import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from lib.base.errors import UserError
from lib.data import catalogue, images, places, store
from lib.data.catalogue import Entry
from lib.data.dataset import KINDS, Dataset, LazyImages, fingerprint, parse_split


def load(name: str, split: str = "train", *, data_dir: str | Path | None = None) -> Dataset:
    """Loads a split of a dataset, preparing it on first use.

    Tried in order: what was prepared before, by us or by TFDS, in TFDS's data directory ($TFDS_DATA_DIR,
    by default ~/tensorflow_datasets); `data_dir`; the publisher; a Python package that carries the bytes.
    Files whose checksum is published are verified by it. Whichever place it is, the same arrays come out
    of it, in the order in which TFDS has them.

    Args:
      name: labelled: "mnist", "fashion_mnist" (28x28), "digits" (8x8, needs no network).
        Photographs of different sizes: "photographs" (needs no network), "t91", "bsd200", "set5",
        "set14", "bsd100", "urban100" (of `data_dir` only), "div2k" (4 GB), "style_images" (1 MB).
        Text: "multi30k", "europarl_sample", "tatoeba_fra_eng". With masks, boxes, captions: "camvid",
        "voc2012", "voc2012_masks", "flickr8k". `lib/data/catalogue.toml` has all, with their splits.
      split: "train", "test", ..., or a slice of one as TFDS writes it: "train[:50000]", "test[-10%:]".
      data_dir: a folder with a dataset prepared by TFDS; or with the publisher's files as people and
        tools lay them out, up to two levels below: idx files, gzipped or not (MNIST/raw);
        photographs' own folder or zip (Set5, Set5/HR, DIV2K_train_HR.zip); text files; VOCdevkit.

    Returns:
      A `Dataset` with arrays {"image": uint8 [N, H, W], "label": int32 [N]}; or `Images` with
      arrays image name -> uint8 [H, W, 3] RGB or [H, W] grey, sorted by name; `Sentences`; `Examples`.

    Raises:
      DataNotFound: no place has it; the message says what was tried and what to do by hand.
      UserError: no such dataset or split, a damaged file, or a directory that cannot be written.
    """
    entry = catalogue.find(name)
    base, rows = parse_split(split, entry.sizes)
    folder = Path(data_dir).expanduser() if data_dir is not None else None
    if folder is not None and not folder.is_dir():
        raise UserError(f"--data-dir {folder}: there is no such folder", 2)
    whole, found = (_streamed if entry.streamed else _in_memory)(entry, base, folder, store.root())
    usual = entry.usual.get(base)
    if usual and usual != found:
        _say(f"{name}: {base} is not the copy that our records were made with ({found})")
    kind = KINDS[entry.kind]
    arrays = kind.rows(whole, rows)
    if rows != slice(0, entry.sizes[base]):
        found = fingerprint(arrays)
    return kind(name, split, arrays, found)


def _in_memory(entry: Entry, split: str, folder: Path | None, root: Path) -> tuple[Mapping, str]:
    """A split and its fingerprint: as it is kept decoded, or as the first place has it, to be kept."""
    if kept := store.kept(entry, split, root, _say):
        _passed_over(entry, folder, kept.folder)
        return kept.arrays, kept.fingerprint
    homes = [home for home in (root, folder) if home is not None and store.prepared(entry, home)]
    if homes:
        from lib.data import prepared

        _say(f"{entry.name}: reading what TFDS has prepared in {homes[0]}, once")
        opened = {name: prepared.opened(entry, name, homes[0]) for name in entry.sizes}
        splits = {name: _together(entry, list(examples)) for name, examples in opened.items()}
        _check(entry, splits, functools.partial(entry.damaged, homes[0]))
        # Where nothing can be kept, it is there all the same.
        with contextlib.suppress(UserError), store.lock(entry, root, _waiting(entry)):
            store.keep(entry, splits, root)
    else:
        with store.lock(entry, root, _waiting(entry)):
            if kept := store.kept(entry, split, root):  # by the process we waited for
                return kept.arrays, kept.fingerprint
            place, found = places.gather(entry, root, folder, _say)
            _say(f"{entry.name}: preparing from {place}, once, in {root}")
            splits = {name: _decoded(entry, name, found[name]) for name in entry.sizes}
            _check(entry, splits, lambda why: UserError(f"{entry.name}: {why}"))
            store.keep(entry, splits, root)
    return splits[split], fingerprint(splits[split])


def _decoded(entry: Entry, split: str, found) -> Mapping:
    """What a reader found, in memory, in TFDS's order."""
    if entry.kind == "labelled":
        from lib.data import prepared

        order = prepared.order(split, len(found["label"]))
        return {"image": found["image"][order], "label": found["label"][order].astype(np.int32)}
    if entry.kind == "text":
        return found
    decode = functools.partial(images.sound, entry.name, read=images.decode)
    return _together(entry, [e | {"image": decode(e["image"])} for e in found])


def _together(entry: Entry, examples: list[dict]) -> Mapping:
    """The arrays of a set in memory."""
    if entry.kind == "photographs":
        return {example["name"]: example["image"] for example in examples}
    if entry.kind == "text":
        return {k: tuple(example[k] for example in examples) for k in entry.languages}
    labels = np.array([example["label"] for example in examples], np.int32)
    return {"image": np.stack([example["image"] for example in examples]), "label": labels}


def _streamed(entry: Entry, split: str, folder: Path | None, root: Path):
    """The same of a set that is read where TFDS has prepared it, or we for TFDS."""
    from lib.data import prepared

    if folder is not None and store.prepared(entry, folder):
        root = folder  # perhaps hundreds of GB
    elif store.prepared(entry, root):
        _passed_over(entry, folder, entry.location(root))
    else:
        with store.lock(entry, root, _waiting(entry)):
            if not store.prepared(entry, root):  # by the process we waited for
                place, splits = places.gather(entry, root, folder, _say)
                _say(f"{entry.name}: preparing from {place}, once, in {root}")
                prepared.write(entry, splits, root)
    whole = prepared.opened(entry, split, root)
    return LazyImages(whole) if entry.kind == "photographs" else whole, whole.fingerprint()


def _check(entry: Entry, splits: Mapping, wrong: Callable[[str], UserError]) -> None:
    for split, size in entry.sizes.items():
        count = KINDS[entry.kind].count(splits[split])
        if count != size:
            raise wrong(f"{split} has {count} examples, not {size}")
        shape = splits[split]["image"].shape[1:] if entry.shape else ()
        if shape != tuple(entry.shape):
            raise wrong(f"{split} has images of {shape}, not {tuple(entry.shape)}")
        known, found = entry.fingerprints.get(split), fingerprint(splits[split])
        if known not in (None, found):
            raise wrong(f"{split}'s fingerprint should be {known}, is {found}")


def _passed_over(entry: Entry, folder: Path | None, there: Path) -> None:
    if folder is not None and not entry.carried:
        _say_once(f"{entry.name}: prepared in {there} before, so {folder} is not looked at")


def _waiting(entry: Entry) -> Callable[[], None]:
    return lambda: _say(f"{entry.name}: another process is preparing it, waiting")


@functools.cache
def _say_once(line: str) -> None:
    _say(line)  # and not for each split again


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
