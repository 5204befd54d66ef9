"""What parts are given: a pretrained network with photographs, and digits."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from experiments.visualisation.config import Config, check
from lib.data import load
from lib.ops.resize import resize
from lib.pretrained import Pretrained, recognition
from lib.pretrained import load as load_pretrained

SOURCES = ("network", "judge", "photographs", "train", "test")


class Data(NamedTuple):
    """What parts need; what was not asked for is empty, or None.

    Attributes:
      photographs: uint8 `[side, side, 3]` by name, as large as the network was trained with.
      train, test: uint8 `[n, h, w, 1]`, h and w multiples of 4, and labels.
      about: for the record, descriptions of each of `SOURCES` that was loaded.
    """

    network: Pretrained | None
    judge: Pretrained | None
    photographs: dict[str, np.ndarray]
    train: tuple[np.ndarray, np.ndarray] | None
    test: tuple[np.ndarray, np.ndarray] | None
    about: dict[str, list[dict]]


def load_data(
    config: Config,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    *,
    only: Collection[str] | None = None,
) -> Data:
    """The networks, the photographs and the digits, or those of `SOURCES` that `only` names."""
    check(config)
    only = SOURCES if only is None else only
    networks, photographs, digits, about = {}, {}, {}, {}
    needed = {"network", "judge"} & set(only) | ({"network"} if "photographs" in only else set())
    for source in sorted(needed):
        networks[source] = load_pretrained(getattr(config, source), weights_dir)
        about[source] = [networks[source].describe()]
    if "photographs" in only:
        sets = [load("photographs", split, data_dir=data_dir) for split in ("train", "test")]
        for name in config.photographs:
            image = next(s.arrays[name] for s in sets if name in s.arrays)
            image = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
            photographs[name] = square(image, networks["network"].network.side)
        about["photographs"] = [s.describe() for s in sets]
    for split, count in (("train", config.examples), ("test", config.searched)):
        if split in only:
            dataset = load(config.dataset, split, data_dir=data_dir)
            images, labels = dataset.arrays["image"][:count], dataset.arrays["label"][:count]
            digits[split] = (images[..., None], labels)
            about[split] = [dataset.describe()]
    pair = networks.get("network"), networks.get("judge")
    return Data(*pair, photographs, digits.get("train"), digits.get("test"), about)


def square(image: np.ndarray, side: int) -> np.ndarray:
    """The square in the middle of uint8 `[h, w, 3]`, at `side`."""
    least = min(image.shape[:2])
    top, left = ((length - least) // 2 for length in image.shape[:2])
    middle = image[top : top + least, left : left + least].astype(np.float32)
    return np.clip(resize(middle, (side, side)) + 0.5, 0, 255).astype(np.uint8)


def classifier(network: Pretrained) -> tuple[Callable, dict]:
    """`(logits, params)` of a pretrained network; another function, to be compiled anew, at each call."""
    return recognition.make_classifier(network), jax.device_put(network.params)
