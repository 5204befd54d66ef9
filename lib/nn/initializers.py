"""Parameter initialisers that papers name and Flax does not."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def symmetric_uniform(bound: float) -> Callable[..., jax.Array]:
    """U(-bound, bound), Pylearn2's `irange`."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init
