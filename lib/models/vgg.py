"""VGG (Simonyan & Zisserman 2015, arXiv:1409.1556): 3x3 convolutions all the way."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.models.taps import tapped
from lib.nn.conv import Conv
from lib.nn.pooling import avg_pool, max_pool

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each of the five blocks (configurations D and E of Table 1)."""
LEAST_SIDE = 16
"""Pixels, so that conv5_1 has one left after four poolings; the classifier needs 224."""


class VGG(nn.Module):
    """Images, RGB in 0..255 less the mean, `[n, h, w, 3]` -> {tap: activations}.

    Taps: `conv1_1` to `conv5_4` and `fc6`, `fc7`, after their ReLU; `pool1` to `pool5`; `logits`, the mean
    over positions where an image is larger than 224. The fully connected layers are convolutions.

    Attributes:
      depth: 16 or 19.
      pooling: "max", as it was trained, or "avg", which Gatys et al. put in its place.
      dtype: of the computation, if not that of the images.
    """

    depth: int = 19
    pooling: Literal["max", "avg"] = "max"
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, taps: tuple[str, ...] = ("logits",)) -> dict[str, jax.Array]:
        chex.assert_rank(x, 4)
        return tapped(self._layers(x), taps)

    def _layers(self, x: jax.Array) -> Iterator[tuple[str, jax.Array]]:
        pool = {"max": max_pool, "avg": avg_pool}[self.pooling]
        for block, (width, depth) in enumerate(zip(WIDTHS, DEPTHS[self.depth], strict=True), 1):
            for i in range(1, depth + 1):
                name = f"conv{block}_{i}"
                x = nn.relu(Conv(width, (3, 3), dtype=self.dtype, name=name)(x))
                yield name, x
            x = pool(x, 2, 2)
            yield f"pool{block}", x
        for name, side in (("fc6", 7), ("fc7", 1)):
            x = nn.relu(Conv(4096, (side, side), "VALID", dtype=self.dtype, name=name)(x))
            yield name, x
        x = Conv(1000, (1, 1), dtype=self.dtype, name="fc8")(x)
        yield "logits", jnp.mean(x, axis=(1, 2))


def inputs_of(depth: int) -> Mapping[str, tuple[str, ...]]:
    """For each convolution of VGG the one whose channels it reads: {"conv1_2": ("conv1_1",), ...}."""
    blocks = enumerate(DEPTHS[depth], 1)
    names = [f"conv{block}_{i}" for block, convs in blocks for i in range(1, convs + 1)]
    names += ["fc6", "fc7", "fc8"]
    return {name: (before,) for before, name in zip(names, names[1:], strict=False)}
