"""What our networks are compared with: bicubic, sparse coding, and the authors' own weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from experiments.srcnn import sparse_coding as classical
from experiments.srcnn.config import Config
from experiments.srcnn.training import upscaler
from lib.data import pretrained
from lib.data.super_resolution import Pair, pair
from lib.base.errors import UserError
from lib.metrics.super_resolution import mean_quality
from lib.run.result import Result


class Network(NamedTuple):
    """`name` is the folder's, "9-5-5(ImageNet)"; `upscale(bicubic [H, W, 1])` is its network."""

    name: str
    scale: int
    upscale: Callable[[np.ndarray], jax.Array]


def load_authors(folder: Path) -> list[Network]:
    """The authors' networks `<name>/x2.mat`, `x3.mat`, `x4.mat` anywhere below `folder`.

    Raises:
      UserError: there are none, or one is damaged.
    """
    files = sorted(folder.rglob("x[234].mat"))
    files = [f for f in files if "FSRCNN" not in str(f.relative_to(folder))]
    if not files:
        raise UserError(f"--weights {folder}: holds no 9-5-5(ImageNet)/x3.mat or the like", 2)
    networks = []
    for file in files:
        sizes, widths, params = pretrained.srcnn(file)
        upscale = upscaler(sizes, widths)
        networks.append(
            Network(
                file.parent.name,
                int(file.stem[1:]),
                lambda bicubic, upscale=upscale, params=params: upscale(params, bicubic),
            )
        )
    return networks


def scores(authors: Sequence[Network], tests: dict[str, dict[str, Pair]], scale: int) -> Result:
    """Mean quality on each set of bicubic upscaling and of those authors' networks for `scale`."""
    methods = {"bicubic": lambda bicubic: bicubic}
    methods |= {f"authors {net.name}": net.upscale for net in authors if net.scale == scale}
    metrics = {}
    for name, upscale in methods.items():
        for dataset, images in tests.items():
            for measure, value in mean_quality(upscale, images.values()).items():
                metrics[f"{name}_{measure}_{dataset}_x{scale}"] = [value]
    return Result(metrics)


def sparse_coding(
    config: Config, train: Sequence[np.ndarray], tests: dict[str, dict[str, Pair]], scale: int
) -> tuple[Result, Callable[[np.ndarray], np.ndarray]]:
    """Learns the coupled dictionaries; their scores, and `upscale(bicubic [H, W, 1])`."""
    setting = config.sparse_coding
    pairs = [pair(image, scale) for image in train]
    try:
        dictionaries = classical.learn(pairs, atoms=setting.atoms, samples=setting.samples, seed=0)
    except ValueError as error:
        raise UserError(f"--sparse-coding: {error}", 2) from error

    def upscale(bicubic):
        return classical.upscale(dictionaries, bicubic[:, :, 0], scale)[:, :, None]

    metrics = {}
    for dataset, images in tests.items():
        for measure, value in mean_quality(upscale, images.values()).items():
            metrics[f"sparse_{measure}_{dataset}_x{scale}"] = [value]
    return Result(metrics), upscale
