"""The loss of an image, and the image with the least of it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.neural_style.config import Config
from experiments.neural_style.network import Network
from lib.ops.resize import resize
from lib.ops.style import content_loss, gram, positions, style_loss, total_variation
from lib.run.keys import purpose
from lib.run.loop import Trained, initialise, train
from lib.run.watch import Watch
from lib.steps.pixels import PixelState, first_step, init_state, pixels


class Task(NamedTuple):
    """What an image is to be like. Arrays only: one compiled program serves all tasks of a shape.

    Attributes:
      content: {layer: P, the photograph's features `[h, w, N]`}.
      alpha: {layer: weight of its content loss}.
      grams: {layer: A / M of each artwork, `[artworks, N, N]`}.
      beta: {layer: weight of its style loss for each artwork, `[artworks]`}: beta w_l of the paper.
      masks: {layer: where each artwork counts, `[artworks, h, w]` in [0, 1]}, or None: everywhere.
      smooth: weight of the total variation (paper: 0).
    """

    content: Mapping[str, jax.Array]
    alpha: Mapping[str, jax.Array]
    grams: Mapping[str, jax.Array]
    beta: Mapping[str, jax.Array]
    masks: Mapping[str, jax.Array] | None
    smooth: jax.Array


class Parts(NamedTuple):
    """The losses one by one, not weighted: {layer: []}, {layer: `[artworks]`}, []."""

    content: dict[str, jax.Array]
    style: dict[str, jax.Array]
    smooth: jax.Array


def make_task(
    network: Network,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    *,
    ratio: float,
    content_weights: Mapping[str, float] | None = None,
    style_layers: Sequence[str] | None = None,
    style_weights: Sequence[float] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    smooth: float = 0.0,
    per_position: bool = True,
    taps: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
) -> Task:
    """The task of a photograph and artworks, beta = 1.

    Args:
      content: the photograph, float32 `[h, w, 3]` as the network sees it.
      styles: the artworks likewise, of any sizes.
      ratio: alpha / beta.
      content_weights: {layer: share of alpha} (default: the network's content layer).
      style_layers: those that count, each w_l = 1 / their number (default: the network's five).
      style_weights: one an artwork; they are divided by their sum (default: equal).
      masks: one an artwork, `[h, w]` in [0, 1].
      per_position: divide the content loss by its layer's number of positions; equation 1 does not.
      taps: the content and the style layers that the program computes, if more than those that count:
        tasks with the same taps and shapes share one compiled program.
    """
    content_weights = {network.layers.content: 1.0} if content_weights is None else content_weights
    style_layers = network.layers.style if style_layers is None else style_layers
    content_taps, style_taps = taps or (tuple(content_weights), tuple(style_layers))
    features = compiled(network.features)
    activations = features(network.params, content, content_taps)
    shares = np.ones(len(styles)) if style_weights is None else np.asarray(style_weights)
    shares = shares / max(shares.sum(), 1e-12)
    alpha = {
        layer: jnp.float32(
            ratio
            * content_weights.get(layer, 0.0)
            / (positions(activations[layer]) if per_position else 1)
        )
        for layer in content_taps
    }
    w = 1 / max(len(style_layers), 1)
    beta = {
        layer: jnp.asarray(w * shares * (layer in style_layers), jnp.float32)
        for layer in style_taps
    }
    style_activations = [features(network.params, style, style_taps) for style in styles]
    grams = {
        layer: jnp.stack([gram(f[layer]) / positions(f[layer]) for f in style_activations])
        for layer in style_taps
    }
    shrunk = None
    if masks is not None:
        sizes = jax.eval_shape(
            lambda p, x: network.features(p, x, style_taps), network.params, content
        )
        shrunk = {
            layer: jnp.stack([_shrink(mask, sizes[layer].shape[:2]) for mask in masks])
            for layer in style_taps
        }
    return Task(activations, alpha, grams, beta, shrunk, jnp.float32(smooth))


def _shrink(mask: np.ndarray, shape: tuple[int, int]) -> jax.Array:
    small = np.clip(resize(np.asarray(mask, np.float32)[:, :, None], shape)[:, :, 0], 0, 1)
    return jnp.asarray(small)


@functools.lru_cache
def compiled(features: Callable) -> Callable:
    """`features(params, image, taps)`, compiled once for each shape and taps."""
    return jax.jit(features, static_argnums=2)


@functools.lru_cache
def make_parts(features: Callable) -> Callable[[jax.Array, tuple[Any, Task]], Parts]:
    """`parts(image, (params, task))`."""

    def parts(image, data):
        params, task = data
        taps = tuple({**task.alpha, **task.beta})
        activations = features(params, image, taps)

        def style(layer):
            f = activations[layer].astype(jnp.float32)
            if task.masks is None:
                own = gram(f) / positions(f)
                return jax.vmap(lambda target: style_loss(own, target))(task.grams[layer])
            return jax.vmap(
                lambda target, mask: style_loss(
                    gram(f, mask) / jnp.maximum(positions(f, mask), 1e-6), target
                )
            )(task.grams[layer], task.masks[layer])

        return Parts(
            {layer: content_loss(activations[layer], task.content[layer]) for layer in task.alpha},
            {layer: style(layer) for layer in task.beta},
            total_variation(image),
        )

    return parts


@functools.lru_cache
def make_loss(features: Callable) -> Callable[[jax.Array, tuple[Any, Task]], jax.Array]:
    """`loss(image, (params, task))`: equation 7, and a little smoothness if asked for."""
    parts = make_parts(features)

    def loss(image, data):
        terms, (_, task) = parts(image, data), data
        content = sum(task.alpha[layer] * terms.content[layer] for layer in task.alpha)
        style = sum(jnp.sum(task.beta[layer] * terms.style[layer]) for layer in task.beta)
        return content + style + task.smooth * terms.smooth

    return loss


@functools.lru_cache
def lbfgs(memory: int) -> optax.GradientTransformation:
    """L-BFGS that remembers `memory` steps and searches along a line: it needs no learning rate.

    optax's but for its first trial, which from noise, where the loss is flat, would drown in rounding.
    """
    return optax.chain(
        optax.scale_by_lbfgs(memory),
        first_step(1.0),
        optax.scale(-1.0),
        optax.scale_by_zoom_linesearch(20, initial_guess_strategy="one"),
    )


@functools.lru_cache
def adam(learning_rate: float) -> optax.GradientTransformation:
    """Adam; the learning rate is part of its state, so that one compiled program serves all."""
    tx = optax.inject_hyperparams(optax.adam)(learning_rate=learning_rate)
    return optax.GradientTransformationExtraArgs(tx.init, _adam_update())


@functools.lru_cache
def _adam_update() -> Callable:
    return optax.inject_hyperparams(optax.adam)(learning_rate=1.0).update


def optimiser(config: Config) -> optax.GradientTransformation:
    """The one that a run's options name."""
    return lbfgs(config.memory) if config.optimiser == "lbfgs" else adam(config.learning_rate)


@functools.lru_cache
def make_init(tx: optax.GradientTransformation) -> Callable[[jax.Array], PixelState]:
    """`init(image)`: a state at step 0."""
    return lambda image: init_state(image, tx)


def make_step(features: Callable, tx: optax.GradientTransformation) -> Callable:
    """The step that `lib.run.loop.train` takes; there is nothing random in it."""
    return _step(features, optax.with_extra_args_support(tx).update)


@functools.lru_cache
def _step(features: Callable, update: Callable) -> Callable:
    step = pixels(make_loss(features), optax.GradientTransformationExtraArgs(None, update))
    return lambda state, data, key, t: step(state, data)


@functools.lru_cache
def compiled_parts(features: Callable) -> Callable:
    """`make_parts`, compiled."""
    return jax.jit(make_parts(features))


def losses(network: Network, image: jax.Array, task: Task) -> dict[str, float]:
    """The content loss and each layer's style loss of an image, as the task weighs them: a curve's point."""
    terms = jax.device_get(compiled_parts(network.features)(image, (network.params, task)))
    weights = jax.device_get((task.alpha, task.beta))
    content = sum(float(weights[0][layer] * loss) for layer, loss in terms.content.items())
    style = {
        f"style_{layer}": float((weights[1][layer] * loss).sum())
        for layer, loss in terms.style.items()
    }
    return {"content": content, **style}


def style_of(row: Mapping[str, Any]) -> np.ndarray:
    """The style loss of a curve's point, or of what `losses` found: all layers."""
    return sum(np.asarray(v) for k, v in row.items() if k.startswith("style_"))


def total_of(row: Mapping[str, Any]) -> np.ndarray:
    """Its content loss as well."""
    return np.asarray(row["content"]) + style_of(row)


def optimise(
    network: Network,
    name: str,
    task: Task,
    start: Callable[[jax.Array], jax.Array],
    keys: jax.Array,
    tx: optax.GradientTransformation,
    *,
    iterations: int,
    every: int,
    watch: Watch,
) -> Trained:
    """An image for each key that fulfils `task`; `start(key)` is the image to begin with."""

    images = jnp.stack([start(purpose(key, f"{name} start")) for key in keys])
    state = initialise(make_init(tx), images, conv=True)

    def score(state: PixelState) -> dict[str, float]:
        return losses(network, state.image, task)

    step = make_step(network.features, tx)
    data = (network.params, task)
    return train(
        f"{name}-{network.name}",
        state,
        step,
        keys,
        data,
        steps=iterations,
        every=every,
        watch=watch,
        score=score,
        conv=True,
    )


def noise(key: jax.Array, shape: tuple[int, ...], size: float) -> jax.Array:
    """White noise around the mean image, `size` its standard deviation in levels of 255."""
    return size * jax.random.normal(key, shape)


def to_pixels(network: Network, image: jax.Array) -> np.ndarray:
    """uint8 `[h, w, 3]`: clipped for display only."""
    return np.clip(np.asarray(image) + network.mean + 0.5, 0, 255).astype(np.uint8)


def from_pixels(network: Network, pixels: np.ndarray, side: int) -> np.ndarray:
    """uint8 `[H, W, 3]` -> float32 `[h, w, 3]` as the network sees it, its longer side about `side`."""
    shape = network.layers.shape(pixels.shape[:2], side / max(pixels.shape[:2]))
    return seen(network, pixels.astype(np.float32), shape)


def seen(network: Network, levels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """float32 `[H, W, 3]` in 0..255 -> `[h, w, 3]` as the network sees it."""
    return np.clip(resize(levels, shape), 0, 255) - network.mean
