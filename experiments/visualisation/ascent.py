"""What a class looks like to a network: gradient ascent on its score, and what keeps the image natural."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lib.steps.pixels import init_state, mean_absolute, pixels

REACH = 4
"""Pixels that the blur sees on each side."""


class Rules(NamedTuple):
    """Of an ascent; numbers alone, so that one compiled program serves all. None of them: 0.

    x is the image less the mean, in levels of 255.

    Attributes:
      step: mean absolute change of a step, in levels of 255.
      shrink: lambda, of S_c(x) - lambda |x|^2 (Simonyan, section 2).
      probability: climb log P_c instead of the score S_c.
      decay: x <- (1 - decay) x after a step (Yosinski, section 3).
      blur, every: after each `every` steps, a Gaussian of this width in pixels.
      small_norm: the share of pixels, those of the smallest norm, that become 0.
      small_contribution: the same of those with the smallest |x . gradient|.
    """

    step: float = 8.0
    shrink: float = 0.0
    probability: float = 0.0
    decay: float = 0.0
    blur: float = 0.0
    every: int = 4
    small_norm: float = 0.0
    small_contribution: float = 0.0


def blurred(x: jax.Array, width: jax.Array | float) -> jax.Array:
    """`[h, w, c]` under a Gaussian of `width` pixels, the border repeated; 0: as it is."""
    offsets = jnp.arange(-REACH, REACH + 1)
    weights = jnp.exp(-0.5 * (offsets / jnp.maximum(width, 1e-3)) ** 2)
    weights = weights / weights.sum()
    for axis in (0, 1):
        around = [(REACH, REACH) if a == axis else (0, 0) for a in range(3)]
        padded = jnp.pad(x, around, mode="edge")
        length = x.shape[axis]
        shifted = [
            jax.lax.slice_in_dim(padded, i, i + length, axis=axis) for i in range(2 * REACH + 1)
        ]
        x = sum(weight * part for weight, part in zip(weights, shifted, strict=True))
    return x


def without_smallest(x: jax.Array, sizes: jax.Array, share: jax.Array | float) -> jax.Array:
    """`[h, w, c]` with zeros where `sizes` `[h, w]` is among the smallest `share` of all; 0: as it is."""
    bound = jnp.quantile(sizes, share)
    return jnp.where(((share > 0) & (sizes < bound))[:, :, None], 0.0, x)


def regularised(x: jax.Array, gradient: jax.Array, rules: Rules, t: jax.Array) -> jax.Array:
    """r(x) after step `t` (from 0): decay, blur, then the two clippings."""
    x = (1 - rules.decay) * x
    width = jnp.where((t + 1) % rules.every == 0, rules.blur, 0.0)
    x = jnp.where(width > 0, blurred(x, width), x)
    x = without_smallest(x, jnp.linalg.norm(x, axis=-1), rules.small_norm)
    return without_smallest(x, jnp.abs((x * gradient).sum(axis=-1)), rules.small_contribution)


class Steps(NamedTuple):
    """How many there were, int32 []."""

    t: jax.Array


def keeping(rules: Rules) -> optax.GradientTransformationExtraArgs:
    """The last of a chain: whatever an update would make of the image, `regularised`."""

    def update(updates, state, params, *, grad, **others):
        del others
        # The chain descends the loss: the gradient of what is climbed is -grad.
        made = regularised(params + updates, -grad, rules, state.t)
        return made - params, Steps(state.t + 1)

    return optax.GradientTransformationExtraArgs(lambda params: Steps(jnp.int32(0)), update)


@functools.lru_cache
def make_ascent(logits: Callable, steps: int) -> Callable:
    """`ascend(params, begins [n, h, w, 3], labels [n], rules, mean [3]) -> images`, compiled once a shape.

    `logits(params, images)` takes levels in 0..255; images here are those less `mean`, and stay in range.
    """

    def ascend_one(params, begin, label, rules, mean):
        def loss(x, data):
            del data
            scores = logits(params, (x + mean)[None])[0]
            log_p = jax.nn.log_softmax(scores)
            climbed = jnp.where(rules.probability > 0, log_p[label], scores[label])
            return rules.shrink * jnp.sum(x * x) - climbed

        tx = optax.chain(mean_absolute(rules.step), optax.scale(-1.0), keeping(rules))
        rule = pixels(loss, tx)

        def body(_, state):
            moved = rule(state, None)[0]
            return moved.replace(image=jnp.clip(moved.image, -mean, 255 - mean))

        return jax.lax.fori_loop(0, steps, body, init_state(begin, tx)).image

    return jax.jit(jax.vmap(ascend_one, (None, 0, 0, None, None)))


def ascend(
    logits: Callable,
    params,
    begins: np.ndarray,
    labels: np.ndarray,
    rules: Rules,
    *,
    mean: np.ndarray,
    steps: int,
) -> np.ndarray:
    """Images `[n, h, w, 3]` in 0..255 that raise the scores of `labels` `[n]`, begun at `begins`."""
    mean = jnp.asarray(mean, jnp.float32).reshape(1, 1, 3)
    numbers = Rules(*(jnp.float32(x) for x in rules))._replace(every=jnp.int32(rules.every))
    start = jnp.asarray(begins, jnp.float32) - mean[None]
    images = make_ascent(logits, steps)(params, start, jnp.asarray(labels), numbers, mean)
    return np.asarray(images + mean[None])


def roughness(image: np.ndarray) -> float:
    """Mean total variation of `[h, w, 3]`, in its standard deviations: contrast does not count."""
    x = np.asarray(image, np.float64)
    down, across = np.abs(np.diff(x, axis=0)).mean(), np.abs(np.diff(x, axis=1)).mean()
    return float((down + across) / max(x.std(), 1e-12))
