"""The images of a run: what is trained on, what is tested on, and the authors' network."""

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.vdsr.config import SCALES, Config
from experiments.vdsr.training import Params, make_patches
from lib.base.errors import UserError
from lib.batches.super_resolution import Pair, Patches, load_sets, pair
from lib.pretrained.authors import vdsr

SOURCES = ("train", "analysed", "test", "authors")
"""What parts ask for; each is also a field of `Data`."""


@dataclass(frozen=True, eq=False)
class Data:
    """Images, uint8 `[H, W, 3]` or `[H, W]`; what was not asked for is empty.

    Attributes:
      train: what Table 3's network learns from; analysed: what those of the analyses learn from.
      test: set -> image -> pixels.
      authors: the parameters that the authors gave out, if the config names their file.
      about: source -> descriptions of its sets, for the record.
    """

    train: list[np.ndarray]
    analysed: list[np.ndarray]
    test: dict[str, dict[str, np.ndarray]]
    authors: Params | None
    about: dict[str, list[dict]]


def load_data(
    config: Config, data_dir: Path | None = None, *, only: Collection[str] | None = None
) -> Data:
    """The images that `config` names, and the authors' network if it names one.

    Args:
      only: the sources to load, of `SOURCES`; all if None.

    Raises:
      UserError: a set or the authors' file cannot be had.
    """
    wanted = SOURCES if only is None else only
    authors = None
    if "authors" in wanted and config.weights:
        authors = vdsr(authors_file(Path(config.weights).expanduser()))

    @functools.cache
    def sets(names, split):
        return load_sets(names, split, data_dir)

    loaded = {"train": [], "analysed": [], "test": []}
    for source in loaded.keys() & wanted:
        loaded[source] = sets(getattr(config, source), "test" if source == "test" else "train")
    return Data(
        **{s: [i for d in loaded[s] for i in d.arrays.values()] for s in ("train", "analysed")},
        test={dataset.name: dict(dataset.arrays) for dataset in loaded["test"]},
        authors=authors,
        about={s: [dataset.describe() for dataset in loaded.get(s, ())] for s in SOURCES},
    )


def authors_file(path: Path) -> Path:
    """The file of the authors' network: `path`, or in a folder the one called VDSR*.mat, at any depth.

    Raises:
      UserError: the folder holds none, or several (code 2).
    """
    if not path.is_dir():
        return path
    files = sorted(path.rglob("VDSR*.mat"))
    if len(files) != 1:
        names = ", ".join(str(file.relative_to(path)) for file in files) or "none"
        raise UserError(f"--weights {path}: holds not one VDSR_Official.mat, but {names}", 2)
    return files[0]


def training_patches(config: Config, data: Data, source: str) -> Patches:
    """Patches of `data.train` or `data.analysed`, cut once for parts that follow one another."""
    same = config.analysed == config.train and data.train
    return _cut(config, data, "train" if same else source)


@functools.lru_cache(maxsize=1)
def _cut(config: Config, data: Data, source: str) -> Patches:
    return make_patches(config, getattr(data, source))


def first_test(data: Data) -> dict[str, np.ndarray]:
    """The set that analyses test on: image -> pixels."""
    return next(iter(data.test.values()))


def first_test_pairs(data: Data) -> dict[int, list[Pair]]:
    """Scale -> pairs of the set that analyses test on."""
    return {scale: [pair(image, scale) for image in first_test(data).values()] for scale in SCALES}


def test_pairs(data: Data) -> Iterator[tuple[str, int, list[Pair]]]:
    """`(set, scale, its pairs)`; made one after another, as they may be large."""
    for dataset, images in data.test.items():
        for scale in SCALES:
            yield dataset, scale, [pair(image, scale) for image in images.values()]
