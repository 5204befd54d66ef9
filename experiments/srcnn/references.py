"""What the networks are compared with: bicubic, the authors' own weights, and sparse coding."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from experiments.srcnn.training import upscaler
from lib.base.errors import UserError
from lib.batches.super_resolution import Pair
from lib.metrics.super_resolution import mean_quality
from lib.pretrained import authors


class Network(NamedTuple):
    """`name` is the folder's, "9-5-5(ImageNet)"; `upscale(bicubic [H, W, 1])` is its network."""

    name: str
    scale: int
    upscale: Callable[[np.ndarray], jax.Array]


def load_authors(path: Path) -> list[Network]:
    """The authors' networks `<name>/x2.mat`, `x3.mat`, `x4.mat` anywhere below `path`, or `path` itself.

    Raises:
      UserError: there are none, or one is damaged.
    """
    if path.is_file() and not re.fullmatch(r"x[234]\.mat", path.name):
        raise UserError(
            f"--weights {path}: the authors' files are called x2.mat, x3.mat or x4.mat", 2
        )
    files = [path] if path.is_file() else sorted(path.rglob("x[234].mat"))
    files = [f for f in files if "FSRCNN" not in str(f.relative_to(path))]
    if not files:
        raise UserError(f"--weights {path}: holds no 9-5-5(ImageNet)/x3.mat or the like", 2)
    networks = []
    for file in files:
        sizes, widths, params = authors.srcnn(file)
        upscale = upscaler(sizes, widths)
        networks.append(
            Network(
                file.parent.name,
                int(file.stem[1:]),
                lambda bicubic, upscale=upscale, params=params: upscale(params, bicubic),
            )
        )
    return networks


def scores(
    name: str, upscale: Callable, tests: Mapping[str, Mapping[str, Pair]], scale: int
) -> dict[str, float]:
    """Mean quality on each set of what belongs to no seed: metrics called `name`."""
    return {
        f"{name}_{measure}_{dataset}_x{scale}": value
        for dataset, images in tests.items()
        for measure, value in mean_quality(upscale, images.values()).items()
    }
