"""Networks that turn a bicubically upscaled image into a sharper one of the same size."""

from collections.abc import Sequence
from typing import Any, Literal

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.conv import Conv


class SRCNN(nn.Module):
    """Dong et al. 2016 (arXiv:1501.00092), section 3.1: F1 and F2 rectified, F linear.

        F1(Y) = max(0, W1 * Y + B1),  F2(Y) = max(0, W2 * F1 + B2),  F(Y) = W3 * F2 + B3

    Images `[n, H, W, channels]` in [0, 1]. With padding "VALID", as the paper trains, the result is
    smaller by `margin(sizes)` on each side; with "EDGE", as its test code does, each convolution sees
    the border repeated and the size stays.
    """

    sizes: Sequence[int] = (9, 1, 5)
    widths: Sequence[int] = (64, 32)
    channels: int = 1
    padding: Literal["VALID", "SAME", "EDGE"] = "VALID"
    kernel_init: Any = nn.initializers.normal(1e-3)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, y: jax.Array) -> jax.Array:
        chex.assert_axis_dimension(y, -1, self.channels)
        chex.assert_rank(y, 4)
        widths = (*self.widths, self.channels)
        for i, (size, width) in enumerate(zip(self.sizes, widths, strict=True), start=1):
            y = Conv(
                width,
                (size, size),
                padding=self.padding,
                kernel_init=self.kernel_init,
                dtype=self.dtype,
                name=f"conv{i}",
            )(y)
            if i < len(widths):
                y = nn.relu(y)
        return y.astype(jnp.float32)


class VDSR(nn.Module):
    """Kim et al. 2016 (arXiv:1511.04587), section 3.1: `depth` 3x3 convolutions, zero padding.

    Images `[n, H, W, 1]` in [0, 1], same size out. With `residual` the network's output is the
    detail that is added to the input; without, it is the image itself (the paper's Table 1).
    """

    depth: int = 20
    width: int = 64
    residual: bool = True
    kernel_init: Any = nn.initializers.he_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        chex.assert_rank(x, 4)
        h = x
        for i in range(1, self.depth + 1):
            width = self.width if i < self.depth else 1
            h = Conv(
                width,
                (3, 3),
                padding="SAME",
                kernel_init=self.kernel_init,
                dtype=self.dtype,
                name=f"conv{i}",
            )(h)
            if i < self.depth:
                h = nn.relu(h)
        h = h.astype(jnp.float32)
        return x + h if self.residual else h


def margin(sizes: Sequence[int]) -> int:
    """Pixels that convolutions of `sizes` without padding take from each side."""
    return sum(size - 1 for size in sizes) // 2
