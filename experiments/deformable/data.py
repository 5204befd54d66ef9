"""Digits from MNIST, and scenes: made here, or CamVid's."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.deformable import scenes
from experiments.deformable.config import Config
from lib.data import load
from lib.data.dataset import fingerprint

CAMVID = {"train": "train", "valid": "validation", "test": "test"}
"""Its splits by ours."""


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
        made = {split: _scenes(config, split, data_dir) for split in CAMVID}
        of_splits = {split: arrays for split, (arrays, _) in made.items()}
        about["scenes"] = [words for _, words in made.values()]
    return Data(*arrays, of_splits, about)


def _scenes(config: Config, split: str, data_dir: Path | None) -> tuple[scenes.Scenes, dict]:
    count = getattr(config.dense, f"{split}_scenes")
    if config.dense.dataset == "shapes":
        made = scenes.scenes(split, count)
        words = {"name": "shapes", "split": f"{split}[:{count}]", "real": False}
        return made, words | {"fingerprint": fingerprint(made._asdict())}
    street = load("camvid", CAMVID[split], data_dir=data_dir)
    examples = [street.example(i) for i in range(min(count, len(street)))]
    images, classes = (np.stack([e[field] for e in examples]) for field in ("image", "mask"))
    return scenes.without_objects(images, classes), street.describe()
