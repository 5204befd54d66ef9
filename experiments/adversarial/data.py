"""What parts are given: digits, and a pretrained network with photographs."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.adversarial.config import Config, check
from lib.data import load
from lib.pretrained import Pretrained
from lib.pretrained import load as load_pretrained

SOURCES = ("train", "test", "network", "photographs")


class Data(NamedTuple):
    """What parts need; what was not asked for is empty, or None.

    Attributes:
      train, test: flattened images, uint8 `[n, d]`, and labels, int32 `[n]`.
      network: pretrained.
      photographs: uint8 `[h, w, 3]` by name.
      about: for the record, descriptions of each of `SOURCES` that was loaded.
    """

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    network: Pretrained | None
    photographs: dict[str, np.ndarray]
    about: dict[str, list[dict]]


def load_data(
    config: Config,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    *,
    only: Collection[str] | None = None,
) -> Data:
    """The two splits, the pretrained network and the photographs, or those of `SOURCES` that `only` names."""
    check(config)
    only = SOURCES if only is None else only
    splits, about, network, photographs = {}, {}, None, {}
    for split, count in (("train", config.examples), ("test", config.test_examples)):
        splits[split] = (np.zeros((0, 0), np.uint8), np.zeros(0, np.int32))
        if split in only:
            whole = load(config.dataset, split, data_dir=data_dir)
            part = split if count == len(whole) else f"{split}[:{count}]"
            digits = load(config.dataset, part, data_dir=data_dir)
            images = digits.arrays["image"].reshape(len(digits), -1)
            splits[split] = (images, digits.arrays["label"])
            about[split] = [digits.describe()]
    if "network" in only and config.photographs:
        network = load_pretrained(config.network, weights_dir)
        about["network"] = [network.describe()]
    if "photographs" in only and config.photographs:
        sets = [load("photographs", split, data_dir=data_dir) for split in ("train", "test")]
        for name in config.photographs:
            image = next(s.arrays[name] for s in sets if name in s.arrays)
            image = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
            photographs[name] = image
        about["photographs"] = [s.describe() for s in sets]
    return Data(splits["train"], splits["test"], network, photographs, about)
