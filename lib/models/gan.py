"""The fully connected networks of the GAN papers.

`Generator` and `MaxoutDiscriminator` are the MNIST networks of Goodfellow et al. 2014 with the sizes
of the released configuration.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.initializers import symmetric_uniform
from lib.nn.maxout import Maxout


class Generator(nn.Module):
    """Noise `[n, z]` -> pixels in (0, 1) `[n, features]`: rectifiers, then sigmoid outputs."""

    features: int = 784
    hidden: Sequence[int] = (1200, 1200)
    init_range: float = 0.05
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        chex.assert_rank(z, 2)
        init = symmetric_uniform(self.init_range)
        for units in self.hidden:
            z = nn.relu(nn.Dense(units, kernel_init=init, dtype=self.dtype)(z))
        logits = nn.Dense(self.features, kernel_init=init, dtype=self.dtype, name="output")(z)
        return nn.sigmoid(logits.astype(jnp.float32))


def with_marginal_bias(generator_params: dict, pixel_means: jax.Array) -> dict:
    """Sets the output bias to the logit of the training pixels' means `[features]`.

    The untrained generator then starts from the data's average image. Means are clipped to
    [1e-7, 1 - 1e-7] as in the released configuration.
    """
    p = jnp.clip(pixel_means, 1e-7, 1 - 1e-7)
    bias = jnp.log(p) - jnp.log1p(-p)
    chex.assert_equal_shape([bias, generator_params["output"]["bias"]])
    return {**generator_params, "output": {**generator_params["output"], "bias": bias}}


class MaxoutDiscriminator(nn.Module):
    """Images `[n, features]` -> the logit of "this is data" `[n]`.

    Dropout keeps `keep_input` of the pixels and `keep_hidden` of the units and divides by what it
    keeps (x 1.25 and x 2 in the released configuration); it needs a `dropout` key when `train`.
    """

    hidden: Sequence[int] = (240, 240)
    pieces: int = 5
    keep_input: float = 0.8
    keep_hidden: float = 0.5
    init_range: float = 0.005
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        chex.assert_rank(x, 2)
        init = symmetric_uniform(self.init_range)
        keep = self.keep_input
        for units in self.hidden:
            x = nn.Dropout(1 - keep, deterministic=not train)(x)
            x = Maxout(units, self.pieces, kernel_init=init, dtype=self.dtype)(x)
            keep = self.keep_hidden
        x = nn.Dropout(1 - keep, deterministic=not train)(x)
        logit = nn.Dense(1, kernel_init=init, dtype=self.dtype, name="output")(x)
        return logit[:, 0].astype(jnp.float32)
