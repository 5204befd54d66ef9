"""The paper's images: trained on, and scored."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.srcnn.config import Config
from experiments.srcnn.references import Network, load_authors
from lib.base.errors import UserError
from lib.batches.super_resolution import Pair, load_sets, pair
from lib.data.dataset import Images

Tests = dict[str, dict[str, Pair]]
"""Set -> image -> pair."""


class Data(NamedTuple):
    """Images, uint8 `[H, W, 3]` or `[H, W]`, the authors' networks, and what describes each source.

    `studied` are the "small" and the "large" set of section 4.1.
    """

    train: list[np.ndarray]
    test: dict[str, dict[str, np.ndarray]]
    authors: list[Network]
    about: dict[str, list[dict]]
    studied: dict[str, list[np.ndarray]] = {}


def load_data(
    config: Config, data_dir: Path | None = None, *, only: Collection[str] | None = None
) -> Data:
    """The images of `config.train` and `config.test`, and the networks in `config.weights`, if any.

    Args:
      only: of "train", "test", "studied" and "authors", those that are needed.
    """
    if only is None:
        only = ("train", "test", "authors") if config.weights else ("train", "test")
        only += ("studied",) * (config.train == config.studies.small)
    authors = []
    if "authors" in only:
        if not config.weights:
            raise UserError("the part authors needs --weights, a folder of theirs", 2)
        authors = load_authors(Path(config.weights).expanduser())
    train = load_sets(config.train, "train", data_dir) if "train" in only else []
    test = load_sets(config.test, "test", data_dir) if "test" in only else []
    about = {"train": [dataset.describe() for dataset in train], "authors": [], "studied": []}
    about["test"] = [dataset.describe() for dataset in test]
    studied = {}
    if "studied" in only:
        for name in ("small", "large"):
            sets = load_sets(getattr(config.studies, name), "train", data_dir)
            studied[name] = _images(sets)
            about["studied"] += [dataset.describe() for dataset in sets]
    images = _images(train)
    for trained_on in filter(None, (images, *studied.values())):
        if all(min(x.shape[:2]) < config.patch + max(config.scales) for x in trained_on):
            raise UserError(f"--patch {config.patch}: no training image is as large", 2)
    tests = {dataset.name: dict(dataset.arrays) for dataset in test}
    return Data(images, tests, authors, about, studied)


def _images(sets: Sequence[Images]) -> list[np.ndarray]:
    return [image for dataset in sets for image in dataset.arrays.values()]


def tests_of(data: Data, scale: int) -> Tests:
    """The test images at one factor, Y only."""
    return {
        name: {image: pair(pixels, scale) for image, pixels in images.items()}
        for name, images in data.test.items()
    }


def first_set(data: Data) -> tuple[str, dict[str, np.ndarray]]:
    """The test set of the learning curves and comparisons: `(name, images)`."""
    return next(iter(data.test.items()))


def in_color(images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of `images` that have colour, whatever they are stored as; all if none has."""
    colored = {name: x for name, x in images.items() if x.ndim == 3 and (x != x[:, :, :1]).any()}
    return colored or dict(images)
