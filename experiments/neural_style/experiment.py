"""The neural style paper, in the order in which it happens: network, images, Figures 2, 1, 3, and more."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.neural_style import checks, studies
from experiments.neural_style.config import SETS, Config, check, choose, fitted
from experiments.neural_style.network import Network, normalised, prepare
from experiments.neural_style.pooling import pooling
from experiments.neural_style.style import (
    from_pixels,
    losses,
    make_task,
    noise,
    optimise,
    optimiser,
    style_of,
    to_pixels,
    total_of,
)
from lib.base.errors import UserError
from lib.data import load
from lib.data.catalogue import find
from lib.ops.resize import resize
from lib.pretrained import load as load_pretrained
from lib.run.loop import member
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]

SOURCES = ("network", "content", "styles", "calibration")


class Data(NamedTuple):
    """What parts need; what was not asked for is None, or empty.

    Attributes:
      network, plain: normalised as the paper says, and as published.
      content: the photograph, uint8 `[h, w, 3]`.
      styles: the artworks likewise, by name.
      calibration: the photographs that the normalisation is measured on.
      about: for the record, descriptions of each of `SOURCES` that was loaded.
    """

    network: Network | None
    plain: Network | None
    content: np.ndarray | None
    styles: dict[str, np.ndarray]
    calibration: list[np.ndarray]
    about: dict[str, list[dict]]


def load_data(
    config: Config,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    *,
    only: Collection[str] | None = None,
) -> Data:
    """The network, the photograph and the artworks, or those of `SOURCES` that `only` names."""
    check(config)
    only = SOURCES if only is None else only
    network = plain = content = None
    styles, calibration, about = {}, [], {}
    if "content" in only:
        (content,), about["content"] = _find((config.content,), data_dir)
    if "styles" in only:
        artworks, about["styles"] = _find(config.styles, data_dir)
        names = (name.split("/")[1] for name in config.styles)
        styles = dict(zip(names, artworks, strict=True))
    if "calibration" in only or ("network" in only and config.unit_mean):
        calibration, about["calibration"] = calibration_images(data_dir)
    if "network" in only:
        pretrained = load_pretrained(choose(config.network, weights_dir), weights_dir)
        options = {"pooling": config.pooling, "precision": config.precision}
        network = plain = prepare(pretrained, **options)
        if config.unit_mean:
            network = normalised(plain, calibration)
        measured_on = about["calibration"] if config.unit_mean else []
        about["network"] = [*measured_on, pretrained.describe()]
    return Data(network, plain, content, styles, calibration, about)


def _find(names: tuple[str, ...], data_dir: Path | None) -> tuple[list[np.ndarray], list[dict]]:
    """`(images, descriptions of the splits they are in)` of images called SET/NAME."""
    splits = {s: _splits(s, data_dir) for s in SETS if s in {n.split("/")[0] for n in names}}
    images, descriptions = [], []
    for name in names:
        folder, image = name.split("/")
        split = next((s for s in splits[folder] if image in s.arrays), None)
        if split is None:
            there = ", ".join(sorted(i for s in splits[folder] for i in s.arrays))
            raise UserError(f"there is no image {image!r} in {folder}, only {there}", 2)
        images.append(colored(split.arrays[image]))
        if split.describe() not in descriptions:
            descriptions.append(split.describe())
    return images, descriptions


def _splits(name: str, data_dir: Path | None) -> list:
    return [load(name, split, data_dir=data_dir) for split in find(name).sizes]


def colored(pixels: np.ndarray) -> np.ndarray:
    """Grey `[h, w]` as `[h, w, 3]`."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def calibration_images(data_dir: Path | None = None) -> tuple[list[np.ndarray], list[dict]]:
    """The photographs that normalisation is measured on, uint8 `[224, 224, 3]`, and their descriptions."""
    splits = _splits("photographs", data_dir)
    images = [square(colored(pixels)) for split in splits for pixels in split.arrays.values()]
    return images, [split.describe() for split in splits]


def square(pixels: np.ndarray, side: int = 224) -> np.ndarray:
    """The largest square in the middle of uint8 `[h, w, 3]`, at the size that networks were trained at."""
    least = min(pixels.shape[:2])
    top, left = ((length - least) // 2 for length in pixels.shape[:2])
    middle = pixels[top : top + least, left : left + least].astype(np.float32)
    return np.clip(resize(middle, (side, side)) + 0.5, 0, 255).astype(np.uint8)


def figure_2(config: Config, keys: jax.Array, data: Data, watch: Watch) -> Result:
    """The photograph in each style, from white noise."""
    network = data.network
    tx = optimiser(config)
    content = from_pixels(network, data.content, config.size)
    metrics: dict[str, list[float]] = {}
    arrays = {"photograph": to_pixels(network, content), "styles": np.array(list(data.styles))}
    history, dropped, kept = {}, [], []
    for number, (name, pixels) in enumerate(data.styles.items()):
        style = from_pixels(network, pixels, config.size)
        task = make_task(
            network, content, [style], ratio=config.ratio, per_position=config.per_position
        )
        trained = optimise(
            network,
            f"style_{name}",
            task,
            lambda k: noise(k, content.shape, config.noise),
            keys,
            tx,
            iterations=config.iterations,
            every=config.every,
            watch=watch,
        )
        images = [member(trained.state.image, i) for i in range(len(keys))]
        at_photograph = losses(network, jnp.asarray(content), task)
        at_noise = losses(network, jnp.zeros_like(content), task)
        style_left = [style_of(losses(network, image, task)) for image in images]
        content_left = [losses(network, image, task)["content"] for image in images]
        dropped.append([value / style_of(at_photograph) for value in style_left])
        kept.append([value / at_noise["content"] for value in content_left])
        metrics[f"evaluations_{name}"] = [float(e) for e in np.asarray(trained.state.evaluations)]
        history[f"style_{name}-{network.name}"] = trained.history
        arrays[f"artwork_{number}"] = to_pixels(network, style)
        arrays[f"styled_{number}"] = to_pixels(network, images[0])
    metrics["style_left"] = np.mean(dropped, axis=0).tolist()
    metrics["content_left"] = np.mean(kept, axis=0).tolist()
    metrics["loss_rises"] = np.max([_rises(rows) for rows in history.values()], axis=0).tolist()
    return Result(metrics, history, arrays)


def _rises(rows: list[dict]) -> np.ndarray:
    """The largest relative rise of the total loss from a point of the curve to the next, one a replica."""
    totals = np.array([total_of(row) for row in rows])
    return (totals[1:] / totals[:-1] - 1).max(axis=0, initial=0.0)


def run(
    config: Config,
    key: jax.Array,
    data: Data,
    watch: Watch | None = None,
    only: Collection[str] = (),
) -> Result:
    """What the parts find, or those in `only`. `key` is one root key, or `[n]` of them: a replica each."""
    return run_parts(load_paper("experiments.neural_style"), config, key, data, watch, tuple(only))


def part(compute: Callable[[Config, jax.Array, Data, Watch], Result]) -> Callable[..., Result]:
    """`compute` with the settings that go with the network, which must be the one the run began with."""

    def fitted_part(config, keys, data: Data, watch: Watch, needs: Mapping[str, Result]) -> Result:
        name = data.network.name
        began = str(needs["inputs"].arrays["network"]) if needs else name
        if began != name:
            raise UserError(
                f"the run began with {began}, and auto is {name} now: continue with the --weights-dir "
                "that it began with, or begin anew with another --out",
                2,
            )
        return compute(fitted(config, name), keys, data, watch)

    return fitted_part


PARTS = {
    "inputs": part(studies.inputs),
    "checks": part(checks.checks),
    "figure_2": part(figure_2),
    "figure_1": part(studies.figure_1),
    "figure_3": part(studies.figure_3),
    "figure_6": part(studies.figure_6),
    "figure_5": part(studies.figure_5),
    "equation_1": part(studies.equation_1),
    "optimisers": part(studies.optimisers),
    "pooling": part(pooling),
}
