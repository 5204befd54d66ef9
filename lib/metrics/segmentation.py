"""How well pixels are named: the measure of semantic segmentation."""

import chex
import jax
import jax.numpy as jnp


def confusion(predicted: jax.Array, truth: jax.Array, classes: int) -> jax.Array:
    """How many pixels of class i are named j: int32 `[classes, classes]`.

    Args:
      predicted, truth: classes, integers of one shape; what is `classes` or above in `truth` belongs to none.
    """
    chex.assert_equal_shape([predicted, truth])
    known = truth < classes
    pairs = jnp.where(known, truth.astype(jnp.int32) * classes + predicted, classes**2)
    counts = jnp.bincount(pairs.reshape(-1), length=classes**2 + 1)[:-1]
    return counts.reshape(classes, classes)


@jax.jit
def mean_iou(counts: jax.Array) -> jax.Array:
    """Mean intersection over union of the classes that occur, in the truth or among the names given.

    Args:
      counts: of `confusion`, summed over images (Everingham et al. 2015, section 3.1).
    """
    hit = jnp.diagonal(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hit
    return jnp.where(union > 0, hit / jnp.maximum(union, 1), 0).sum() / (union > 0).sum()
