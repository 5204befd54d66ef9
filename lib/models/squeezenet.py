"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360): a classifier of 1.2 million parameters."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.models.taps import tapped
from lib.nn.conv import Conv
from lib.nn.pooling import avg_pool, max_pool

SQUEEZE = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
"""Channels that each fire module squeezes to; it expands to eight times as many."""
LEAST_SIDE = 25
"""Pixels, so that the last pooling has a whole window, and leaves one."""


class Fire(nn.Module):
    """1x1 to `squeeze` channels, then 1x1 and 3x3 to four times as many each, side by side."""

    squeeze: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """`[n, h, w, c]` -> the three convolutions' activations."""

        def conv(name, features, side, x):
            return nn.relu(Conv(features, (side, side), dtype=self.dtype, name=name)(x))

        x = conv("squeeze", self.squeeze, 1, x)
        wide = 4 * self.squeeze
        return x, conv("expand1x1", wide, 1, x), conv("expand3x3", wide, 3, x)


class SqueezeNet(nn.Module):
    """Images, RGB in 0..255 less the mean, `[n, h, w, 3]` -> {tap: activations}.

    Taps, after their ReLU: `conv1`; `fire2` to `fire9`, and of each `fire2/squeeze`, `fire2/expand1x1`,
    `fire2/expand3x3`; `pool1`, `pool3`, `pool5`; `conv10`; `logits`, its mean over positions.

    Attributes:
      pooling: "max", as it was trained, or "avg".
      dtype: of the computation, if not that of the images.
    """

    pooling: Literal["max", "avg"] = "max"
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, taps: tuple[str, ...] = ("logits",)) -> dict[str, jax.Array]:
        chex.assert_rank(x, 4)
        return tapped(self._layers(x), taps)

    def _layers(self, x: jax.Array) -> Iterator[tuple[str, jax.Array]]:
        pool = {"max": max_pool, "avg": avg_pool}[self.pooling]
        x = nn.relu(Conv(64, (3, 3), "VALID", stride=2, dtype=self.dtype, name="conv1")(x))
        yield "conv1", x
        for fire, squeeze in SQUEEZE.items():
            if fire in (2, 4, 6):
                x = pool(x, 3, 2, ceil=True)
                yield f"pool{fire - 1}", x
            parts = Fire(squeeze, self.dtype, name=f"fire{fire}")(x)
            for name, part in zip(("squeeze", "expand1x1", "expand3x3"), parts, strict=True):
                yield f"fire{fire}/{name}", part
            x = jnp.concatenate(parts[1:], axis=-1)
            yield f"fire{fire}", x
        x = nn.relu(Conv(1000, (1, 1), dtype=self.dtype, name="conv10")(x))
        yield "conv10", x
        yield "logits", jnp.mean(x, axis=(1, 2))


def inputs_of() -> Mapping[str, tuple[str, ...]]:
    """For each convolution those whose channels it reads, in order: "fire3/squeeze" reads fire2's."""
    inputs, before = {}, ("conv1",)
    for fire in SQUEEZE:
        squeeze, *expand = (f"fire{fire}/{name}" for name in ("squeeze", "expand1x1", "expand3x3"))
        inputs |= {squeeze: before} | dict.fromkeys(expand, (squeeze,))
        before = tuple(expand)
    return {**inputs, "conv10": before}
