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


def orthogonal_blocks(key: jax.Array, shape: tuple[int, int], dtype=jnp.float32) -> jax.Array:
    """`[n, k n]`: k orthogonal matrices side by side, the start of a recurrent layer's gates.

    Each is the Q of a Gaussian matrix, as its left singular vectors are (Cho et al. 2014): U^T U = I.
    """
    units, width = shape
    orthogonal = jax.nn.initializers.orthogonal()
    # Not under vmap: several batched QRs in one program wait for one another for ever on a CPU (jax 0.10).
    keys = jax.random.split(key, width // units)
    return jnp.concatenate([orthogonal(key, (units, units), dtype) for key in keys], axis=1)
