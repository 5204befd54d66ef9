"""Filters found from the input they filter (Jia et al. 2016, arXiv:1605.09673)."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.conv import Conv, windows


class DynamicLocalFilter(nn.Module):
    """Each position filtered with weights of its own (section 3.2): `[n, h, w, c]` -> the same shape.

    A convolution of the same size finds the weights; all channels share them. At the start they are one in
    the middle and zero elsewhere, and the layer changes nothing.
    """

    kernel_size: tuple[int, int] = (3, 3)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        chex.assert_rank(x, 4)
        kh, kw = self.kernel_size
        middle = jnp.zeros(kh * kw).at[kh // 2 * kw + kw // 2].set(1)
        difference = Conv(kh * kw, self.kernel_size, kernel_init=nn.initializers.zeros_init())(x)
        weights = difference + middle.reshape(1, 1, 1, -1)
        around = ((0, 0), *(((k - 1) // 2, k // 2) for k in (kh, kw)), (0, 0))
        seen = windows(jnp.pad(x, around), (kh, kw))
        return (weights[..., None] * seen).sum(axis=3)
