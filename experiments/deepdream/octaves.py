"""The algorithm: an image in which a layer sees more of what it sees, from small to large."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lib.ops.resize import resize_linear, zoomed
from lib.steps.pixels import init_state, mean_absolute, pixels

Kind = Literal["energy", "guide", "channels"]
Features = Callable[[Any, jax.Array, tuple[str, ...]], dict[str, jax.Array]]


class Network(NamedTuple):
    """What sees images: RGB in 0..255 less `mean`, float32 `[h, w, 3]`.

    Attributes:
      features: `(params, image, taps) -> {tap: activations [h', w', N] or [N]}`.
      params: the network's, as `features` takes them.
      mean: `[3]`.
      side: pixels at which the network was trained.
    """

    name: str
    features: Features
    params: Any
    mean: np.ndarray
    side: int


class Objective(NamedTuple):
    """What is to grow: of `layer`, the "energy" 1/2 |a|^2, the likeness to a guide, or some channels.

    Attributes:
      target: None; the guide's features `[positions, N]`; or the channels' weights `[N]`.
    """

    layer: str
    kind: Kind = "energy"
    target: jax.Array | None = None


class Settings(NamedTuple):
    """How one dreams; the notebook's values.

    Attributes:
      octaves, scale: how many sizes, and each by how much larger than the one before.
      iterations: steps at each size.
      step: the mean absolute change of a step, in levels of 255.
      jitter: the most, in pixels, by which the image is shifted before a step.
      clip: keep the image in 0..255.
      random: go into a random direction instead of the gradient's: a control.
      coarse: 0: the gradient as it is; 1: its amplitudes divided by frequency, as those of natural
        images are.
    """

    octaves: int = 4
    scale: float = 1.4
    iterations: int = 10
    step: float = 1.5
    jitter: int = 32
    clip: bool = True
    random: bool = False
    coarse: float = 0.0


class Dream(NamedTuple):
    """The image, float32 `[h, w, 3]` as the network sees it; the objective before each step, an octave a row.

    The last row's last entry is followed by nothing: `objective` of the image says what was reached.
    """

    image: np.ndarray
    curves: np.ndarray


@functools.lru_cache
def make_objective(features: Features, layer: str, kind: Kind) -> Callable:
    """`objective(image, (params, target)) -> []`, to be maximised."""

    def objective(image, data):
        params, target = data
        a = features(params, image, (layer,))[layer].astype(jnp.float32)
        if kind == "energy":
            # Its gradient with respect to the layer is the layer: the notebook sets just that.
            return 0.5 * jnp.sum(a * a)
        if kind == "channels":
            return jnp.sum(a * target.reshape((1,) * (a.ndim - 1) + (-1,)))
        # At each position the guide's feature with the largest dot product.
        return jnp.sum(jnp.max(a.reshape(-1, a.shape[-1]) @ target.T, axis=1))

    return objective


def natural(gradient: jax.Array, power: float) -> jax.Array:
    """`[h, w, 3]` with amplitudes divided by frequency to the `power`, at least by that of one wave an image.

    A photograph's amplitudes fall as 1 / frequency: without such a prior what a class looks like drowns
    in fine noise (blog, June 2015).
    """
    h, w = gradient.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None, :])
    weight = np.maximum(frequency, 1 / max(h, w)) ** -power
    spectrum = jnp.fft.rfft2(gradient, axes=(0, 1)) * jnp.asarray(weight[:, :, None], jnp.float32)
    return jnp.fft.irfft2(spectrum, s=(h, w), axes=(0, 1))


@functools.lru_cache
def make_step(objective: Callable, settings: Settings) -> Callable:
    """`step(state, (params, target, mean), key, t) -> (state, metrics)`: shift, climb, shift back, clip."""

    def loss(image, data):
        return -objective(image, data)

    def prior(updates, params=None):
        del params
        return natural(updates, settings.coarse) if settings.coarse else updates

    climb = optax.chain(optax.stateless(prior), mean_absolute(settings.step), optax.scale(-1.0))
    rule = pixels(loss, climb)
    limits = mean_absolute(settings.step)

    def step(state, data, key, t):
        params, target, mean = data
        shift_key, noise_key = jax.random.split(jax.random.fold_in(key, t))
        most = settings.jitter
        shift = jax.random.randint(shift_key, (2,), -most, most + 1)
        rolled = state.replace(image=jnp.roll(state.image, shift, (0, 1)))
        moved, metrics = rule(rolled, (params, target))
        if settings.random:
            noise = jax.random.normal(noise_key, state.image.shape)
            moved = moved.replace(image=rolled.image + limits.update(noise, limits.init(noise))[0])
        image = jnp.roll(moved.image, -shift, (0, 1))
        if settings.clip:
            image = jnp.clip(image, -mean, 255 - mean)
        return moved.replace(image=image), {"objective": -metrics["loss"]}

    return step, climb


@functools.lru_cache
def ascent(objective: Callable, settings: Settings) -> Callable:
    """All steps of an octave as one program, compiled once a shape."""
    step, tx = make_step(objective, settings)

    @jax.jit
    def ascend(image, data, key):
        state = init_state(image, tx)
        steps = jnp.arange(settings.iterations)
        state, metrics = jax.lax.scan(lambda s, t: step(s, data, key, t), state, steps)
        return state.image, metrics["objective"]

    return ascend


def sizes(shape: tuple[int, int], settings: Settings) -> list[tuple[int, int]]:
    """The shape at each octave, the smallest first: each rounded from the one above it."""
    found = [tuple(shape)]
    for _ in range(settings.octaves - 1):
        found.append(tuple(max(1, round(n / settings.scale)) for n in found[-1]))
    return found[::-1]


def dream(
    network: Network,
    image: np.ndarray,
    objective: Objective,
    key: jax.Array,
    settings: Settings = Settings(),
) -> Dream:
    """`image`, float32 `[h, w, 3]` as the network sees it, dreamt on at every octave.

    What an octave adds (its detail) is enlarged and added to the photograph at the next size, so that the
    photograph itself stays sharp.
    """
    compute = make_objective(network.features, objective.layer, objective.kind)
    ascend = ascent(compute, settings)
    data = (network.params, objective.target, jnp.asarray(network.mean).reshape(1, 1, 3))
    bases = [np.asarray(image, np.float32)]
    for shape in sizes(image.shape[:2], settings)[-2::-1]:
        bases.append(resize_linear(bases[-1], shape))
    detail, curves, dreamt = np.zeros_like(bases[-1]), [], bases[-1]
    for octave, base in enumerate(reversed(bases)):
        detail = resize_linear(detail, base.shape[:2])
        found, curve = ascend(base + detail, data, jax.random.fold_in(key, octave))
        dreamt = np.asarray(found)
        detail = dreamt - base
        curves.append(np.asarray(curve))
    return Dream(dreamt, np.stack(curves))


def zoom(
    network: Network,
    image: np.ndarray,
    objective: Objective,
    key: jax.Array,
    settings: Settings,
    *,
    frames: int,
    share: float,
):
    """Yields `frames` dreams, each of the one before, with `share` of its sides cut off and enlarged."""
    for frame in range(frames):
        image = dream(network, image, objective, jax.random.fold_in(key, frame), settings).image
        yield image
        image = zoomed(image, share)


def value(network: Network, image: np.ndarray, objective: Objective) -> float:
    """The objective of an image."""
    compute = make_objective(network.features, objective.layer, objective.kind)
    return float(_compiled(compute)(jnp.asarray(image), (network.params, objective.target)))


@functools.lru_cache
def _compiled(function: Callable) -> Callable:
    return jax.jit(function)


@functools.lru_cache
def _features(features: Features) -> Callable:
    return jax.jit(features, static_argnums=2)


def activations(network: Network, image: np.ndarray, layer: str) -> jax.Array:
    """A layer's activations of an image, float32 `[h', w', N]` or `[N]`."""
    found = _features(network.features)(network.params, jnp.asarray(image), (layer,))
    return found[layer].astype(jnp.float32)


def guided(network: Network, guide: np.ndarray, layer: str) -> Objective:
    """Likeness to the features of `guide`, an image of any size."""
    a = activations(network, guide, layer)
    return Objective(layer, "guide", a.reshape(-1, a.shape[-1]))


def likeness(network: Network, image: np.ndarray, guide: np.ndarray, layer: str) -> float:
    """How well each of an image's features finds its like in the guide: the mean of the best cosines."""

    def directions(x):
        a = activations(network, x, layer)
        a = a.reshape(-1, a.shape[-1])
        return a / jnp.maximum(jnp.linalg.norm(a, axis=1, keepdims=True), 1e-6)

    return float((directions(image) @ directions(guide).T).max(axis=1).mean())


def of_class(layer: str, classes: Sequence[int], count: int = 1000) -> Objective:
    """The sum of some channels, of `count`."""
    return Objective(layer, "channels", jnp.zeros(count).at[jnp.asarray(classes)].set(1.0))


def to_pixels(network: Network, image: np.ndarray, *, clip: bool = True) -> np.ndarray:
    """uint8 `[h, w, 3]`. Without `clip`, brightened or darkened until 99.98 % of the values are in 0..255."""
    levels = np.asarray(image) + network.mean
    if not clip:
        levels = levels * (255 / max(np.percentile(levels, 99.98), 1e-6))
    return np.clip(levels + 0.5, 0, 255).astype(np.uint8)
