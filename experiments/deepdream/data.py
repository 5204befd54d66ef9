"""What parts are given: networks, photographs and digits, and photographs as a network sees them."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.deepdream.config import SETS, Config, check
from experiments.deepdream.goals import Network
from experiments.deepdream.network import prepare
from lib.data import Dataset, load
from lib.ops.resize import resize
from lib.pretrained import load as load_pretrained

SOURCES = ("network", "judge", "photographs", "guides", "small")


class Data(NamedTuple):
    """What parts need; what was not asked for is None, or empty.

    Attributes:
      photographs, guides: uint8 `[h, w, 3]` by name.
      small: the training and the test set of the small networks.
      about: for the record, descriptions of each of `SOURCES` that was loaded.
    """

    network: Network | None
    judge: Network | None
    photographs: dict[str, np.ndarray]
    guides: dict[str, np.ndarray]
    small: tuple[Dataset, Dataset] | None
    about: dict[str, list[dict]]


def load_data(
    config: Config,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    *,
    only: Collection[str] | None = None,
) -> Data:
    """Networks, photographs and digits, or those of `SOURCES` that `only` names."""
    check(config)
    only = SOURCES if only is None else only
    networks, images, small, about = {}, {}, None, {}
    for source in ("network", "judge"):
        if source in only:
            pretrained = load_pretrained(getattr(config, source), weights_dir)
            networks[source] = prepare(pretrained, config.precision)
            about[source] = [pretrained.describe()]
    for source in ("photographs", "guides"):
        if source in only:
            images[source], about[source] = _find(getattr(config, source), data_dir)
    if "small" in only:
        small = tuple(load(config.small_dataset, s, data_dir=data_dir) for s in ("train", "test"))
        about["small"] = [dataset.describe() for dataset in small]
    return Data(
        networks.get("network"),
        networks.get("judge"),
        images.get("photographs", {}),
        images.get("guides", {}),
        small,
        about,
    )


def _find(names: Sequence[str], data_dir: Path | None) -> tuple[dict[str, np.ndarray], list[dict]]:
    """`(images by name, descriptions of the splits they are in)` of images called SET/NAME."""
    images, descriptions, splits = {}, [], {}
    for name in names:
        folder, image = name.split("/")
        if folder not in splits:
            splits[folder] = [load(folder, split, data_dir=data_dir) for split in SETS[folder]]
        split = next(s for s in splits[folder] if image in s.arrays)
        pixels = split.arrays[image]
        images[image] = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
        if split.describe() not in descriptions:
            descriptions.append(split.describe())
    return images, descriptions


def seen(network: Network, pixels: np.ndarray, side: int) -> np.ndarray:
    """uint8 `[H, W, 3]` -> float32 `[h, w, 3]` as the network sees it, its longer side `side`."""
    shape = tuple(max(1, round(n * side / max(pixels.shape[:2]))) for n in pixels.shape[:2])
    return np.clip(resize(pixels.astype(np.float32), shape), 0, 255) - network.mean


def photographs_of(config: Config, data: Data) -> dict[str, np.ndarray]:
    """As the network sees them, all of the first one's shape: others are cut to it, their middle kept.

    So all share one compiled program an octave.
    """
    network, (first, *_) = data.network, data.photographs.values()
    h, w = seen(network, first, config.size).shape[:2]
    crops = {}
    for name, pixels in data.photographs.items():
        scale = max(h / pixels.shape[0], w / pixels.shape[1])
        shape = tuple(
            max(least, round(n * scale)) for n, least in zip(pixels.shape, (h, w), strict=False)
        )
        image = np.clip(resize(pixels.astype(np.float32), shape), 0, 255) - network.mean
        top, left = (shape[0] - h) // 2, (shape[1] - w) // 2
        crops[name] = image[top : top + h, left : left + w]
    return crops
