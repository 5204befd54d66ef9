"""Boxes of objects, each top, left, height, width: what they share, and how one is told from another."""

import chex
import jax
import jax.numpy as jnp


def iou(a: jax.Array, b: jax.Array) -> jax.Array:
    """Intersection over union of `[..., m, 4]` with `[..., n, 4]`: `[..., m, n]`; 0 with what has no area.

    NumPy in, NumPy out.
    """
    chex.assert_axis_dimension(a, -1, 4)
    chex.assert_axis_dimension(b, -1, 4)
    xp = a.__array_namespace__()
    a, b = a[..., :, None, :], b[..., None, :, :]
    ends = xp.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    sides = xp.maximum(ends - xp.maximum(a[..., :2], b[..., :2]), 0)
    shared = sides[..., 0] * sides[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - shared
    return shared / xp.maximum(union, 1e-9)


def encode(boxes: jax.Array, regions: jax.Array) -> jax.Array:
    """What a detector is to say of `regions` for them to become `boxes`, all `[..., 4]`.

    Girshick et al. 2014 (arXiv:1311.2524), appendix C: how far the middle moves, in shares of the region's
    sides, and the logarithms of how the sides grow.
    """
    sides = jnp.maximum(boxes[..., 2:], 1e-6)
    moved = boxes[..., :2] + sides / 2 - regions[..., :2] - regions[..., 2:] / 2
    return jnp.concatenate([moved / regions[..., 2:], jnp.log(sides / regions[..., 2:])], axis=-1)


def decode(said: jax.Array, regions: jax.Array) -> jax.Array:
    """The boxes that `encode` would say this of: `decode(encode(b, r), r) = b`."""
    sides = regions[..., 2:] * jnp.exp(said[..., 2:])
    middle = regions[..., :2] + regions[..., 2:] / 2 + said[..., :2] * regions[..., 2:]
    return jnp.concatenate([middle - sides / 2, sides], axis=-1)
