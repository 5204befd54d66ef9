"""Parameter initialisers that papers name and Flax does not."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def symmetric_uniform(bound: float) -> Callable[..., jax.Array]:
    """U(-bound, bound), Pylearn2's `irange`."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def torch_uniform(inputs: int) -> Callable[..., jax.Array]:
    """U(-1/sqrt(inputs), 1/sqrt(inputs)): Torch's default, for weights and biases alike."""
    return symmetric_uniform(inputs**-0.5)
