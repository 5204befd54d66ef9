"""GoogLeNet (Szegedy et al. 2015, arXiv:1409.4842), as Caffe's replication of it computes."""

from collections.abc import Iterator
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.models.taps import tapped
from lib.nn.conv import Conv
from lib.nn.pooling import max_pool

WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5 and pool proj of each inception."""
LEAST_SIDE = 47
"""Pixels, so that the last pooling has a whole window; the classifier was trained with 224."""


class Inception(nn.Module):
    """Convolutions of three sizes and a pooling side by side, the wide ones behind a 1x1 (Figure 2b).

    Attributes:
      widths: as in `WIDTHS`.
      dtype: of the computation, if not that of the input.
    """

    widths: tuple[int, int, int, int, int, int]
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        """`[n, h, w, c]` -> each convolution's activations; those of `OUTPUTS` make up the layer's."""

        def conv(name, side, features, x):
            return nn.relu(Conv(features, (side, side), dtype=self.dtype, name=name)(x))

        a, b, c, d, e, f = self.widths
        outputs = {"1x1": conv("1x1", 1, a, x), "3x3_reduce": conv("3x3_reduce", 1, b, x)}
        outputs["3x3"] = conv("3x3", 3, c, outputs["3x3_reduce"])
        outputs["5x5_reduce"] = conv("5x5_reduce", 1, d, x)
        outputs["5x5"] = conv("5x5", 5, e, outputs["5x5_reduce"])
        return outputs | {"pool_proj": conv("pool_proj", 1, f, max_pool(x, 3, 1, pad=1))}


OUTPUTS = ("1x1", "3x3", "5x5", "pool_proj")


class GoogLeNet(nn.Module):
    """Images, RGB in 0..255 less the mean, `[n, h, w, 3]` -> {tap: activations}.

    Taps, after their ReLU: `conv1`, `conv2_reduce`, `conv2`; `inception_3a` to `inception_5b`, and of each
    `inception_3a/1x1`, `/3x3_reduce`, `/3x3`, `/5x5_reduce`, `/5x5`, `/pool_proj`; `pool1` to `pool4`;
    `norm1` and `norm2`; `pool5`, the mean over positions `[n, 1, 1, 1024]`; `logits` `[n, 1000]`.

    Attributes:
      dtype: of the computation, if not that of the images.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, taps: tuple[str, ...] = ("logits",)) -> dict[str, jax.Array]:
        chex.assert_rank(x, 4)
        return tapped(self._layers(x), taps)

    def _layers(self, x: jax.Array) -> Iterator[tuple[str, jax.Array]]:
        x = jnp.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))
        x = nn.relu(Conv(64, (7, 7), "VALID", stride=2, dtype=self.dtype, name="conv1")(x))
        yield "conv1", x
        x = max_pool(x, 3, 2, ceil=True)
        yield "pool1", x
        x = local_response_norm(x)
        yield "norm1", x
        for name, features, side in (("conv2_reduce", 64, 1), ("conv2", 192, 3)):
            x = nn.relu(Conv(features, (side, side), dtype=self.dtype, name=name)(x))
            yield name, x
        x = local_response_norm(x)
        yield "norm2", x
        stage = "2"
        for name, widths in WIDTHS.items():
            if name[0] != stage:
                x = max_pool(x, 3, 2, ceil=True)
                yield f"pool{stage}", x
                stage = name[0]
            parts = Inception(widths, self.dtype, name=f"inception_{name}")(x)
            for part, activations in parts.items():
                yield f"inception_{name}/{part}", activations
            x = jnp.concatenate([parts[part] for part in OUTPUTS], axis=-1)
            yield f"inception_{name}", x
        x = jnp.mean(x, axis=(1, 2), keepdims=True)
        yield "pool5", x
        yield "logits", Conv(1000, (1, 1), dtype=self.dtype, name="classifier")(x)[:, 0, 0]


def local_response_norm(x: jax.Array, *, size: int = 5, alpha: float = 1e-4) -> jax.Array:
    """Every value divided by (1 + alpha / size * sum of squares)^(3/4) over the `size` channels around it.

    Krizhevsky, Sutskever and Hinton (2012), section 3.3; Caffe divides alpha by the number of channels.
    `[..., c]` -> `[..., c]`.
    """
    # The sum is a product with a band of ones, and so is its gradient; that of shifted slices is slow.
    channels = jnp.arange(x.shape[-1])
    near = jnp.abs(jnp.subtract.outer(channels, channels)) <= size // 2
    total = jnp.matmul(x * x, near.astype(x.dtype), precision="highest")
    # y^(-1/2) y^(-1/4): a general power is slow on a CPU.
    root = jax.lax.rsqrt(1 + alpha / size * total)
    return x * root * jnp.sqrt(root)
