"""Maxout (Goodfellow et al. 2013, arXiv:1302.4389)."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class Maxout(nn.Module):
    """`h_i(x) = max_j (x W_ij + b_ij)`: each unit is the largest of `pieces` affine functions.

    Input `[..., d]`, output `[..., units]`. The parameters are those of one dense layer of
    `units * pieces` outputs, piece by piece: the maximum then runs over contiguous rows of units,
    which XLA vectorises (a third off the GAN's whole training step against the other order).
    """

    units: int
    pieces: int
    kernel_init: Callable[..., jax.Array] = nn.initializers.lecun_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        z = nn.Dense(self.units * self.pieces, kernel_init=self.kernel_init, dtype=self.dtype)(x)
        return z.reshape(*x.shape[:-1], self.pieces, self.units).max(axis=-2)
