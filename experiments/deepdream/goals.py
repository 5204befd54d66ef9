"""What sees, and what of it is to grow: objectives of an image, and what an image holds of them."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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


class Goal(NamedTuple):
    """What is to grow, by layer. Arrays only: one compiled program serves all goals of the same layers.

    Attributes:
      energy: {layer: weight of 1/2 |a|^2, []}.
      channels: {layer: weight of each channel's sum `[N]`}.
      guide: {layer: features `[positions, N]` of what a is to be like}.
    """

    energy: Mapping[str, jax.Array] = {}
    channels: Mapping[str, jax.Array] = {}
    guide: Mapping[str, jax.Array] = {}


@functools.lru_cache
def make_objective(features: Features) -> Callable[[jax.Array, tuple[Any, Goal]], jax.Array]:
    """`objective(image, (params, goal)) -> []`, to be maximised."""

    def objective(image, data):
        params, goal = data
        tapped = features(params, image, tuple({**goal.energy, **goal.channels, **goal.guide}))
        a = {layer: x.astype(jnp.float32) for layer, x in tapped.items()}
        # The gradient of 1/2 |a|^2 with respect to the layer is a: the notebook sets just that.
        total = sum(w * 0.5 * jnp.sum(a[layer] ** 2) for layer, w in goal.energy.items())
        for layer, weights in goal.channels.items():
            total += jnp.sum(a[layer].reshape(-1, len(weights)) @ weights)
        for layer, guide in goal.guide.items():
            # At each position the guide's feature with the largest dot product.
            products = a[layer].reshape(-1, guide.shape[1]) @ guide.T
            total += jnp.sum(jnp.max(products, axis=1))
        return jnp.asarray(total, jnp.float32)

    return objective


def value(network: Network, image: np.ndarray, goal: Goal) -> float:
    """The objective of an image."""
    compute = _compiled(make_objective(network.features))
    return float(compute(jnp.asarray(image), (network.params, goal)))


@functools.lru_cache
def _compiled(function: Callable) -> Callable:
    return jax.jit(function)


@functools.lru_cache
def _features(features: Features) -> Callable:
    return jax.jit(features, static_argnums=2)


def activations(network: Network, image: np.ndarray, layer: str) -> jax.Array:
    """A layer's activations of an image, float32 `[h', w', N]` or `[N]`."""
    tapped = _features(network.features)(network.params, jnp.asarray(image), (layer,))
    return tapped[layer].astype(jnp.float32)


def energy(layer: str, among: Sequence[str] = ()) -> Goal:
    """1/2 |a|^2 of `layer`, by a program that also computes the layers `among`."""
    return Goal({name: jnp.float32(name == layer) for name in dict.fromkeys((*among, layer))})


def guided(network: Network, guide: np.ndarray, layer: str) -> Goal:
    """Likeness to the features of `guide`, an image of any size."""
    a = activations(network, guide, layer)
    return Goal(guide={layer: a.reshape(-1, a.shape[-1])})


def likeness(network: Network, image: np.ndarray, guide: np.ndarray, layer: str) -> float:
    """How well each of an image's features finds its like in the guide: the mean of the best cosines."""

    def directions(x):
        a = activations(network, x, layer)
        a = a.reshape(-1, a.shape[-1])
        return a / jnp.maximum(jnp.linalg.norm(a, axis=1, keepdims=True), 1e-6)

    return float((directions(image) @ directions(guide).T).max(axis=1).mean())


def of_classes(layer: str, classes: Sequence[int], count: int = 1000) -> Goal:
    """The sum of some channels, of `count`."""
    return Goal(channels={layer: jnp.zeros(count).at[jnp.asarray(classes)].set(1.0)})


def to_pixels(network: Network, image: np.ndarray, *, clip: bool = True) -> np.ndarray:
    """uint8 `[h, w, 3]`. Without `clip`, brightened or darkened until 99.98 % of the values are in 0..255."""
    levels = np.asarray(image) + network.mean
    if not clip:
        levels = levels * (255 / max(np.percentile(levels, 99.98), 1e-6))
    return np.clip(levels + 0.5, 0, 255).astype(np.uint8)
