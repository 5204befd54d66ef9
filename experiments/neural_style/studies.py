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


def run(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """All of them."""
    network = data.network
    pixels = list(data.styles.values())[config.studied]
    content = from_pixels(network, data.content, config.small)
    style = from_pixels(network, pixels, config.small)
    study = Study(config, keys, network, content, style, watch)
    result = Result(
        {},
        arrays={
            "small_photograph": to_pixels(network, content),
            "small_artwork": to_pixels(network, style),
            "network": np.array(network.name),
            "style_layers": np.array(network.layers.style),
            "content_layers": np.array([network.layers.lower, network.layers.content]),
            "ratios": np.array(config.ratios),
        },
    )
    for part in (
        reconstructions,
        trade_off,
        initialisations,
        content_layers,
        equation_1,
        optimisers,
    ):
        result |= part(study)
    return result


def reconstructions(study: Study) -> Result:
    """Figure 1: the photograph from one layer's features, the artwork from Gram matrices up to a layer."""
    layers = study.network.layers.style
    photograph = to_pixels(study.network, study.content)
    metrics, arrays = {}, {}
    for i, layer in enumerate(layers):
        letter = "abcde"[i]
        task = study.task(1.0, content_weights={layer: 1.0}, style_layers=())
        found = study.pictures(study.optimise(f"content_{letter}", task))
        arrays[f"content_{letter}"] = found[0]
        metrics[f"reconstruction_psnr_{letter}"] = [_psnr(photograph, image) for image in found]

        task = study.task(0.0, style_layers=layers[: i + 1])
        found = study.pictures(study.optimise(f"style_{letter}", task))
        arrays[f"style_{letter}"] = found[0]
        metrics[f"structure_{letter}"] = [structure(image) for image in found]
    first, last = (np.array(metrics[f"reconstruction_psnr_{x}"]) for x in "ae")
    metrics["reconstruction_falls"] = (first - last).tolist()
    first, last = (np.array(metrics[f"structure_{x}"]) for x in "ae")
    metrics["structure_grows"] = (last / first).tolist()
    return Result(metrics, arrays=arrays)


def trade_off(study: Study) -> Result:
    """Figure 3: growing sets of style layers (rows), alpha / beta (columns)."""
    layers, ratios = study.network.layers.style, study.config.ratios
    shape = (len(layers), len(ratios), len(study.keys))
    content, style, arrays = np.zeros(shape), np.zeros(shape), {}
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


def initialisations(study: Study) -> Result:
    """Figure 6 (2016): begun with the photograph, the artwork, and several white noises."""
    config, content = study.config, study.content
    artwork = resize(study.style, content.shape[:2])
    starts = {
        "content": lambda key: jnp.asarray(content),
        "style": lambda key: jnp.asarray(artwork),
    }
    starts |= {f"noise_{i}": None for i in range(config.noises)}
    task = study.task(RATIO_2016)
    totals, pictures, history = {}, {}, {}
    for name, start in starts.items():
        trained = study.optimise(f"initial_{name}", task, start=start)
        totals[name] = total_of(trained.history[-1])
        pictures[name] = study.pictures(trained)
        history[f"initial_{name}-{study.network.name}"] = trained.history
    every = np.array(list(totals.values()))
    noises = [pictures[f"noise_{i}"] for i in range(config.noises)]
    apart = [_distance(*pair) for pair in zip(noises[0], noises[-1], strict=True)]
    metrics = {f"initial_{name}": total.tolist() for name, total in totals.items()}
    metrics["initial_spread"] = (every.max(axis=0) / every.min(axis=0)).tolist()
    if config.noises > 1:
        metrics["noises_differ"] = apart
    arrays = {f"initial_{name}": found[0] for name, found in pictures.items()}
    return Result(metrics, history, arrays)


def content_layers(study: Study) -> Result:
    """Figure 5 (2016): the content matched on a lower layer, and on the paper's."""
    layers, photograph = study.network.layers, to_pixels(study.network, study.content)
    metrics, arrays = {}, {}
    for name, layer in (("lower", layers.lower), ("higher", layers.content)):
        task = study.task(RATIO_2016, content_weights={layer: 1.0})
        trained = study.optimise(f"layer_{name}", task)
        found = study.pictures(trained)
        arrays[f"layer_{name}"] = found[0]
        metrics[f"layer_{name}_psnr"] = [_psnr(photograph, image) for image in found]
    gain = np.array(metrics["layer_lower_psnr"]) - np.array(metrics["layer_higher_psnr"])
    return Result({**metrics, "lower_keeps": gain.tolist()}, arrays=arrays)


def equation_1(study: Study) -> Result:
    """The content loss as equation 1 has it, a sum over positions, and divided by their number."""
    at_photograph = style_of(losses(study.network, jnp.asarray(study.content), study.task()))
    metrics, arrays = {}, {}
    for name, per_position in (("sum", False), ("mean", True)):
        trained = study.optimise(f"content_{name}", study.task(per_position=per_position))
        arrays[f"content_{name}"] = study.pictures(trained)[0]
        left = style_of(trained.history[-1]) / at_photograph
        metrics[f"content_{name}_style_left"] = left.tolist()
    return Result(metrics, arrays=arrays)


def optimisers(study: Study) -> Result:
    """L-BFGS, and Adam given as many evaluations of the gradient, or a few more."""
    config, task = study.config, study.task()
    trained = study.optimise("lbfgs", task, tx=lbfgs(config.memory))
    evaluations = int(np.max(trained.state.evaluations))
    steps = -(-evaluations // config.every) * config.every
    history, best = {f"lbfgs-{study.network.name}": trained.history}, np.inf
    for rate in ADAM_RATES:
        other = study.optimise(f"adam_{rate:g}", task, tx=adam(rate), iterations=steps)
        history[f"adam_{rate:g}-{study.network.name}"] = other.history
        best = np.minimum(best, total_of(other.history[-1]))
    return Result({"adam_over_lbfgs": (best / total_of(trained.history[-1])).tolist()}, history)


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
