"""Digits from MNIST, and scenes: made here, CamVid's streets, or VOC 2012's photographs."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from experiments.deformable import scenes
from experiments.deformable.config import Config
from lib.data import load
from lib.data.catalogue import find
from lib.data.dataset import fingerprint, parse_split

SPLITS = {
    "camvid": {"train": "train", "valid": "validation", "test": "test"},
    # VOC's test masks are not published: as the paper does we score on "validation"; what chooses is another.
    "voc2012_masks": {"train": "train[:80%]", "valid": "train[80%:]", "test": "validation"},
}
"""Of photographs, by ours."""
SIDE = 360
"""Of VOC's photographs, in pixels (the paper's shorter side, section 4.1)."""


class Data(NamedTuple):
    """Digits uint8 `[n, 28, 28]` with labels int32 `[n]`; scenes by split; none where not asked for.

    `about`: source ("digits", "scenes") -> descriptions, for the record.
    """

    train: np.ndarray
    train_labels: np.ndarray
    valid: np.ndarray
    valid_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    scenes: dict[str, scenes.Scenes]
    about: dict[str, list[dict]]


def load_data(
    config: Config, data_dir: Path | None = None, *, only: Collection[str] | None = None
) -> Data:
    """Digits and scenes, or those `only`. Raises UserError where `lib.data.load` does."""
    wanted = [source for source in ("digits", "scenes") if only is None or source in only]
    arrays, about = [np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int32)] * 3, {}
    if "digits" in wanted:
        names = (config.train_split, config.valid_split, config.test_split)
        splits = [load(config.dataset, name, data_dir=data_dir) for name in names]
        arrays = [s.arrays[field] for s in splits for field in ("image", "label")]
        about["digits"] = [split.describe() for split in splits]
    of_splits = {}
    if "scenes" in wanted:
        made = {split: _scenes(config, split, data_dir) for split in ("train", "valid", "test")}
        of_splits = {split: arrays for split, (arrays, _) in made.items()}
        about["scenes"] = [words for _, words in made.values()]
    return Data(*arrays, of_splits, about)


def _scenes(config: Config, split: str, data_dir: Path | None) -> tuple[scenes.Scenes, dict]:
    name, count = config.dense.dataset, getattr(config.dense, f"{split}_scenes")
    if name == "shapes":
        made = scenes.scenes(split, count)
        words = {"name": "shapes", "split": f"{split}[:{count}]", "real": False}
        return made, words | {"fingerprint": fingerprint(made._asdict())}
    base, rows = parse_split(SPLITS[name][split], find(name).sizes)
    stop = min(rows.start + count, rows.stop)
    photographs = load(name, f"{base}[{rows.start}:{stop}]", data_dir=data_dir)
    pairs = []
    for i in range(len(photographs)):
        example = photographs.example(i)
        pair = example["image"], example["mask"]
        pairs.append(square(*pair, SIDE) if name == "voc2012_masks" else pair)
    images, classes = map(np.stack, zip(*pairs, strict=True))
    return scenes.without_objects(images, classes), photographs.describe()


def square(image: np.ndarray, mask: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle of a photograph, uint8 `[h, w, 3]`, and of its mask, `[h, w]`: squares of `side` pixels."""
    height, width = mask.shape
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    box = (left, top, left + short, top + short)
    ways = (image, Image.Resampling.BILINEAR), (mask, Image.Resampling.NEAREST)
    image, mask = (np.asarray(Image.fromarray(x).resize((side, side), how, box)) for x, how in ways)
    return image, mask
