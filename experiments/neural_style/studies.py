"""Figures 1 and 3, and of the 2016 paper Figures 5 and 6 and its choice of optimiser, at a small size."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.neural_style.config import Config
from experiments.neural_style.network import Network
from experiments.neural_style.style import (
    adam,
    from_pixels,
    lbfgs,
    losses,
    make_task,
    noise,
    optimise,
    optimiser,
    style_of,
    to_pixels,
    total_of,
)
from lib.metrics.image_quality import psnr
from lib.ops.color import luma
from lib.ops.resize import resize
from lib.run.loop import Trained, member
from lib.run.result import Result
from lib.run.watch import Watch

ADAM_RATES = (1.0, 3.0, 10.0)
"""Learning rates, in levels of 255, of which the comparison takes Adam's best."""

RATIO_2016 = 1e-3
"""alpha / beta of Figures 5 and 6 (2016)."""


class Study(NamedTuple):
    """One photograph, one artwork, and what all studies share."""

    config: Config
    keys: jax.Array
    network: Network
    content: np.ndarray
    style: np.ndarray
    watch: Watch

    @classmethod
    def begin(cls, config: Config, keys: jax.Array, data, watch: Watch) -> "Study":
        """Of a run's images at the small size."""
        network, pixels = data.network, list(data.styles.values())[config.studied]
        images = (from_pixels(network, image, config.small) for image in (data.content, pixels))
        return cls(config, keys, network, *images, watch)

    @property
    def photograph(self) -> np.ndarray:
        """uint8 `[h, w, 3]`."""
        return to_pixels(self.network, self.content)

    def task(self, ratio: float | None = None, **options):
        """See `make_task`. All layers are computed, so that all studies share one program."""
        layers = self.network.layers
        taps = (tuple(sorted({*layers.style, layers.content, layers.lower})), layers.style)
        ratio = self.config.ratio if ratio is None else ratio
        options = {"per_position": self.config.per_position, **options}
        return make_task(
            self.network, self.content, [self.style], ratio=ratio, taps=taps, **options
        )

    def optimise(self, name: str, task, *, start=None, tx=None, iterations=None) -> Trained:
        """From white noise, with the run's optimiser, unless said otherwise."""
        config = self.config
        return optimise(
            self.network,
            name,
            task,
            start or (lambda key: noise(key, self.content.shape, config.noise)),
            self.keys,
            tx or optimiser(config),
            iterations=iterations or config.small_iterations,
            every=config.every,
            watch=self.watch,
        )

    def pictures(self, trained: Trained) -> list[np.ndarray]:
        """uint8 `[h, w, 3]`, one a replica."""
        images = trained.state.image
        return [to_pixels(self.network, member(images, i)) for i in range(len(self.keys))]


def inputs(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """What all studies look at."""
    study = Study.begin(config, keys, data, watch)
    return Result(
        {"network_parameters": float(sum(x.size for x in jax.tree.leaves(data.network.params)))},
        arrays={
            "small_photograph": study.photograph,
            "small_artwork": to_pixels(study.network, study.style),
            "network": np.array(study.network.name),
            "style_layers": np.array(study.network.layers.style),
        },
    )


def figure_1(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """Figure 1: the photograph from one layer's features, the artwork from Gram matrices up to a layer."""
    study = Study.begin(config, keys, data, watch)
    layers, empty = study.network.layers.style, jnp.zeros_like(study.content)
    metrics, arrays = {}, {}
    for i, layer in enumerate(layers):
        letter = "abcde"[i]
        task = study.task(1.0, content_weights={layer: 1.0}, style_layers=())
        trained = study.optimise(f"content_{letter}", task)
        images = study.pictures(trained)
        arrays[f"content_{letter}"] = images[0]
        metrics[f"reconstruction_psnr_{letter}"] = [_psnr(study.photograph, x) for x in images]
        without = losses(study.network, empty, task)["content"]
        left = np.array(trained.history[-1]["content"]) / without
        metrics[f"reconstruction_left_{letter}"] = left.tolist()

        task = study.task(0.0, style_layers=layers[: i + 1])
        images = study.pictures(study.optimise(f"style_{letter}", task))
        arrays[f"style_{letter}"] = images[0]
        metrics[f"structure_{letter}"] = [structure(x) for x in images]
    first, last = (np.array(metrics[f"reconstruction_psnr_{x}"]) for x in "ae")
    metrics["reconstruction_falls"] = (first - last).tolist()
    first, last = (np.array(metrics[f"structure_{x}"]) for x in "ae")
    metrics["structure_grows"] = (last / first).tolist()
    return Result(metrics, arrays=arrays)


def figure_3(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """Figure 3: growing sets of style layers (rows), alpha / beta (columns)."""
    study = Study.begin(config, keys, data, watch)
    layers, ratios = study.network.layers.style, config.ratios
    shape = (len(layers), len(ratios), len(keys))
    content, style = np.zeros(shape), np.zeros(shape)
    arrays = {"ratios": np.array(ratios)}
    for row in range(len(layers)):
        for column, ratio in enumerate(ratios):
            task = study.task(ratio, style_layers=layers[: row + 1])
            trained = study.optimise(f"grid_{row}_{column}", task)
            arrays[f"grid_{row}_{column}"] = study.pictures(trained)[0]
            last = trained.history[-1]
            content[row, column] = np.array(last["content"]) / max(ratio, 1e-30)
            style[row, column] = style_of(last)
    falls = (np.diff(content, axis=1) < 0).mean(axis=(0, 1))
    rises = (np.diff(style, axis=1) > 0).mean(axis=(0, 1))
    metrics = {"grid_content_falls": falls.tolist(), "grid_style_rises": rises.tolist()}
    for column in range(len(ratios)):
        metrics[f"grid_content_{column}"] = content[-1, column].tolist()
        metrics[f"grid_style_{column}"] = style[-1, column].tolist()
    return Result(metrics, arrays=arrays)


def figure_6(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """Figure 6 (2016): begun with the photograph, the artwork, and several white noises."""
    study = Study.begin(config, keys, data, watch)
    photograph = jnp.asarray(study.content)
    artwork = jnp.asarray(resize(study.style, photograph.shape[:2]))
    starts = {"content": lambda key: photograph, "style": lambda key: artwork}
    starts |= {f"noise_{i}": None for i in range(config.noises)}
    task = study.task(RATIO_2016)
    totals, pictures, history = {}, {}, {}
    for name, start in starts.items():
        trained = study.optimise(f"initial_{name}", task, start=start)
        totals[name] = total_of(trained.history[-1])
        pictures[name] = study.pictures(trained)
        history[f"initial_{name}-{study.network.name}"] = trained.history
    metrics = {f"initial_{name}": total.tolist() for name, total in totals.items()}
    largest, smallest = (pick(list(totals.values()), axis=0) for pick in (np.max, np.min))
    metrics["initial_spread"] = (largest / smallest).tolist()
    if config.noises > 1:
        first, last = pictures["noise_0"], pictures[f"noise_{config.noises - 1}"]
        metrics["noises_differ"] = [_distance(a, b) for a, b in zip(first, last, strict=True)]
    arrays = {f"initial_{name}": images[0] for name, images in pictures.items()}
    return Result(metrics, history, arrays)


def figure_5(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """Figure 5 (2016): the content matched on a lower layer, and on the paper's."""
    study = Study.begin(config, keys, data, watch)
    layers = {"lower": study.network.layers.lower, "higher": study.network.layers.content}
    metrics, arrays = {}, {"content_layers": np.array(list(layers.values()))}
    for name, layer in layers.items():
        task = study.task(RATIO_2016, content_weights={layer: 1.0})
        images = study.pictures(study.optimise(f"layer_{name}", task))
        arrays[f"layer_{name}"] = images[0]
        metrics[f"layer_{name}_psnr"] = [_psnr(study.photograph, x) for x in images]
    gain = np.array(metrics["layer_lower_psnr"]) - np.array(metrics["layer_higher_psnr"])
    return Result({**metrics, "lower_keeps": gain.tolist()}, arrays=arrays)


def equation_1(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """The content loss as equation 1 has it, a sum over positions, and divided by their number."""
    study = Study.begin(config, keys, data, watch)
    at_photograph = style_of(losses(study.network, jnp.asarray(study.content), study.task()))
    metrics, arrays = {}, {}
    for name, per_position in (("sum", False), ("mean", True)):
        trained = study.optimise(f"content_{name}", study.task(per_position=per_position))
        arrays[f"content_{name}"] = study.pictures(trained)[0]
        left = style_of(trained.history[-1]) / at_photograph
        metrics[f"content_{name}_style_left"] = left.tolist()
    return Result(metrics, arrays=arrays)


def optimisers(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """L-BFGS, and Adam given as many evaluations of the gradient, or a few more."""
    study = Study.begin(config, keys, data, watch)
    task, every = study.task(), config.every
    ours = study.optimise("lbfgs", task, tx=lbfgs(config.memory))
    # Each seed's own: it must not matter which seeds are computed beside it.
    chunks = [-(-int(evaluations) // every) for evaluations in ours.state.evaluations]
    history, best = {f"lbfgs-{study.network.name}": ours.history}, np.inf
    for rate in ADAM_RATES:
        name = f"adam_{rate:g}"
        rows = study.optimise(name, task, tx=adam(rate), iterations=max(chunks) * every).history
        reached = [total_of(rows[chunk - 1])[i] for i, chunk in enumerate(chunks)]
        best = np.minimum(best, reached)
        history[f"{name}-{study.network.name}"] = rows[: len(ours.history)]
    return Result({"adam_over_lbfgs": (best / total_of(ours.history[-1])).tolist()}, history)


def structure(pixels: np.ndarray) -> float:
    """How large things are: the lag, in pixels, at which brightness has lost half its autocorrelation.

    uint8 `[h, w, 3]`. Averaged over directions; between whole lags, along a line.
    """
    brightness = luma(pixels / 255.0)
    brightness = brightness - brightness.mean()
    power = np.abs(np.fft.fft2(brightness)) ** 2
    correlation = np.fft.ifft2(power).real
    correlation /= max(correlation[0, 0], 1e-12)
    h, w = correlation.shape
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in (h, w))
    lag = np.rint(np.hypot(y[:, None], x[None, :])).astype(int)
    curve = np.bincount(lag.ravel(), correlation.ravel()) / np.bincount(lag.ravel())
    below = int(np.argmax(curve < 0.5))
    if below == 0:
        return float(min(h, w) / 2)
    return float(below - (0.5 - curve[below]) / (curve[below - 1] - curve[below]))


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(psnr(a.astype(np.float32), b.astype(np.float32)))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square over pixels and channels, in levels of 255."""
    return float(np.sqrt(np.mean(np.square(a.astype(float) - b))))
