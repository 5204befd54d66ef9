"""The neural style paper, in the order in which it happens: network, images, figures 2, 1, 3, and more."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.neural_style import checks, studies
from experiments.neural_style.config import SETS, Config, choose, fitted
from experiments.neural_style.network import Network, prepare
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
from lib.data import load
from lib.data.weights import load as load_pretrained
from lib.base.errors import UserError
from lib.ops.resize import resize
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["load_data", "run"]


class Data(NamedTuple):
    """What a run needs.

    Attributes:
      network, plain: normalised as the paper says, and as published.
      content: the photograph, uint8 `[h, w, 3]`.
      styles: the artworks likewise, by name.
      calibration: the photographs that the normalisation is measured on.
      about: descriptions of the image sets and the weights, for the record.
    """

    network: Network
    plain: Network
    content: np.ndarray
    styles: dict[str, np.ndarray]
    calibration: list[np.ndarray]
    about: list[dict]


def load_data(
    config: Config, data_dir: Path | None = None, weights_dir: Path | None = None
) -> Data:
    """The network, the photograph and the artworks."""
    wanted = {config.content.split("/")[0], *(name.split("/")[0] for name in config.styles)}
    sets = {name: _images(name, data_dir) for name in SETS if name in wanted}
    calibration, described = calibration_images(data_dir)
    for name in (config.content, *config.styles):
        folder, image = name.split("/")
        if image not in sets[folder][0]:
            known = ", ".join(sorted(sets[folder][0]))
            raise UserError(f"there is no image {image!r} in {folder}, only {known}", 2)

    def find(name: str) -> np.ndarray:
        folder, image = name.split("/")
        return colored(sets[folder][0][image])

    pretrained = load_pretrained(choose(config.network, weights_dir), weights_dir)
    options = {"pooling": config.pooling, "precision": config.precision}
    plain = prepare(pretrained, **options)
    network = prepare(pretrained, calibration=calibration, **options) if config.unit_mean else plain
    about = [d for _, descriptions in sets.values() for d in descriptions]
    about += [d for d in described if config.unit_mean and d not in about]
    return Data(
        network,
        plain,
        find(config.content),
        {name.split("/")[1]: find(name) for name in config.styles},
        calibration,
        [*about, pretrained.describe()],
    )


def _images(name: str, data_dir: Path | None) -> tuple[dict[str, np.ndarray], list[dict]]:
    splits = ("train", "test") if name == "photographs" else ("content", "style")
    parts = [load(name, split, data_dir=data_dir) for split in splits]
    return {k: v for part in parts for k, v in part.arrays.items()}, [p.describe() for p in parts]


def colored(pixels: np.ndarray) -> np.ndarray:
    """Grey `[h, w]` as `[h, w, 3]`."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def calibration_images(data_dir: Path | None = None) -> tuple[list[np.ndarray], list[dict]]:
    """The photographs that normalisation is measured on, uint8 `[224, 224, 3]`, and their descriptions."""
    photographs, described = _images("photographs", data_dir)
    return [square(colored(pixels)) for pixels in photographs.values()], described


def square(pixels: np.ndarray, side: int = 224) -> np.ndarray:
    """The largest square in the middle of uint8 `[h, w, 3]`, at the size that networks were trained at."""
    least = min(pixels.shape[:2])
    top, left = ((length - least) // 2 for length in pixels.shape[:2])
    middle = pixels[top : top + least, left : left + least].astype(np.float32)
    return np.clip(resize(middle, (side, side)) + 0.5, 0, 255).astype(np.uint8)


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None) -> Result:
    """Everything the paper shows. `key` is one root key, or `[n]` of them: a replica each."""
    watch = watch or Watch()
    keys, config = jnp.atleast_1d(key), fitted(config, data.network.name)
    result = Result({}, data=data.about)
    result |= checks.run(config, data)
    result |= figure_2(config, keys, data, watch)
    result |= studies.run(config, keys, data, watch)
    return result


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
