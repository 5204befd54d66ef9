"""How inputs are changed. Images are float32 `[n, d]` in [0, 1]; `logits(params, x)` is `[n, classes]`."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

Params = Any
Logits = Callable[[Params, jax.Array], jax.Array]


def cross_entropy(logits: Logits, params: Params, x: jax.Array, labels: jax.Array) -> jax.Array:
    """J(theta, x, y) of each example, `[n]`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), labels)


def signed_step(x: jax.Array, direction: jax.Array, epsilon: jax.Array | float) -> jax.Array:
    """`x + epsilon sign(direction)`, kept in [0, 1]: every pixel moves by epsilon, or to the border."""
    return jnp.clip(x + epsilon * jnp.sign(direction), 0.0, 1.0)


def fgsm(
    logits: Logits,
    params: Params,
    x: jax.Array,
    labels: jax.Array,
    epsilon: jax.Array | float,
) -> jax.Array:
    """The fast gradient sign method (section 3): one step up the loss of the true labels."""

    def loss(x):
        return cross_entropy(logits, params, x, labels).sum()

    return signed_step(x, jax.grad(loss)(x), epsilon)


def random_signs(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The control's direction: up or down in every pixel by the toss of a coin."""
    return jax.random.rademacher(key, shape, jnp.float32)


class Verdicts(NamedTuple):
    """Of a set of images: the share that is classified wrongly, and the mean probability of what is said."""

    error: float
    confidence: float


@functools.lru_cache
def _judge(logits: Logits) -> Callable:
    @jax.jit
    def judge(params, x, labels):
        p = jax.nn.softmax(logits(params, x))
        return jnp.mean(p.argmax(axis=1) != labels), jnp.mean(p.max(axis=1))

    return judge


def judged(logits: Logits, params: Params, x: jax.Array, labels: jax.Array) -> Verdicts:
    """What a network makes of images."""
    return Verdicts(*map(float, _judge(logits)(params, x, labels)))


def compiled(attack: Callable) -> Callable:
    """`attack(logits, params, ...)`, compiled once for each network."""
    return _compiled(attack)


@functools.lru_cache
def _compiled(attack: Callable) -> Callable:
    return jax.jit(attack, static_argnums=0)


class Perturbed(NamedTuple):
    """What `minimal_perturbation` found: the image `[d]`, or None if none is classified as asked; and c."""

    image: np.ndarray | None
    weight: float


def minimal_perturbation(
    logits: Logits,
    params: Params,
    x: np.ndarray,
    target: int,
    *,
    weights: np.ndarray,
    iterations: int = 50,
) -> Perturbed:
    """The least change to a class (Szegedy et al., section 4.1): c |r|^2 + J(x + r, target) by L-BFGS-B.

    Args:
      x: one image `[d]`; x + r stays in [0, 1].
      weights: c, from the largest; the first at which x + r is classified as `target` is the least change
        that this search finds, and ends it.
    """
    from scipy.optimize import minimize

    value_and_grad, classify = _objective(logits), _classify(logits)
    start = np.asarray(x, np.float64)
    label = jnp.asarray([target])
    for weight in weights:

        def fun(z, weight=weight):
            value, gradient = value_and_grad(params, jnp.float32(z), jnp.float32(x), label, weight)
            return float(value), np.asarray(gradient, np.float64)

        bounds = [(0.0, 1.0)] * len(start)
        options = {"maxiter": iterations}
        least = minimize(fun, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        image = np.clip(least.x, 0, 1).astype(np.float32)
        if int(classify(params, jnp.asarray(image))) == target:
            return Perturbed(image, float(weight))
    return Perturbed(None, 0.0)


@functools.lru_cache
def _objective(logits: Logits) -> Callable:
    def objective(z, params, x, label, weight):
        loss = cross_entropy(logits, params, z[None], label)[0]
        return weight * jnp.sum((z - x) ** 2) + loss

    @jax.jit
    def value_and_grad(params, z, x, label, weight):
        return jax.value_and_grad(objective)(z, params, x, label, weight)

    return value_and_grad


@functools.lru_cache
def _classify(logits: Logits) -> Callable:
    return jax.jit(lambda params, x: logits(params, x[None])[0].argmax())


def ascend(
    logits: Logits,
    params: Params,
    x: jax.Array,
    targets: jax.Array,
    *,
    step: float,
    steps: int,
) -> jax.Array:
    """Many small signed steps towards `targets` (Nguyen et al., section 3: gradient ascent), in [0, 1]."""

    def loss(x):
        return -cross_entropy(logits, params, x, targets).sum()

    def body(_, x):
        return signed_step(x, jax.grad(loss)(x), step)

    return jax.lax.fori_loop(0, steps, body, x)


def straightness(
    logits: Logits,
    params: Params,
    x: jax.Array,
    labels: jax.Array,
    epsilons: jax.Array,
) -> jax.Array:
    """How straight logits are along x + e sign(gradient), not clipped: R^2 of a line through the score of the
    true class less the largest other, over `epsilons`; `[n]`. 1: a network that is linear there."""

    def loss(x):
        return cross_entropy(logits, params, x, labels).sum()

    direction = jnp.sign(jax.grad(loss)(x))

    def margin(epsilon):
        z = logits(params, x + epsilon * direction)
        own = jnp.take_along_axis(z, labels[:, None], axis=1)[:, 0]
        others = jnp.where(jax.nn.one_hot(labels, z.shape[1]) > 0, -jnp.inf, z)
        return own - others.max(axis=1)

    margins = jax.lax.map(margin, epsilons)
    e = (epsilons - epsilons.mean()).reshape(-1, 1)
    m = margins - margins.mean(axis=0, keepdims=True)
    slope = (e * m).sum(axis=0, keepdims=True) / (e * e).sum(axis=0, keepdims=True)
    left = ((m - slope * e) ** 2).sum(axis=0)
    return 1 - left / jnp.maximum((m * m).sum(axis=0), 1e-12)
