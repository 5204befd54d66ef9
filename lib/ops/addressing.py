"""A Neural Turing Machine's memory: where heads look, and how they read and write.

A. Graves, G. Wayne, I. Danihelka. Neural Turing Machines. arXiv:1410.5401, section 3. Everything is per
example: a memory has N locations of M values, and a weighting gives each location a share, `[N]`, all at
least 0 and with sum 1. Use `jax.vmap` for heads and batches.

A memory is stored as `[M, N]`, the paper's matrix transposed, so that a sum over the M values adds vectors
of N numbers: the whole training step takes two thirds of the time.
"""

import chex
import jax
import jax.numpy as jnp

EPSILON = 1e-8
"""Added to the product of norms in (6), so that an empty memory or key has similarity 0, not NaN."""


def cosine_similarity(key: jax.Array, memory: jax.Array) -> jax.Array:
    """`K[k, M(i)] = k . M(i) / (|k| |M(i)|)` (6) of a key `[M]` with each location of `[M, N]`, `[N]`."""
    chex.assert_rank([key, memory], [1, 2])
    chex.assert_equal_shape_prefix([key, memory], 1)
    # The square root's slope at 0 is infinite: the smallest float inside keeps the gradient finite.
    tiny = jnp.finfo(memory.dtype).tiny
    norms = jnp.sqrt(jnp.square(memory).sum(axis=0) + tiny) * jnp.sqrt(jnp.square(key).sum() + tiny)
    return key @ memory / (norms + EPSILON)


def content_weighting(key: jax.Array, strength: jax.Array, memory: jax.Array) -> jax.Array:
    """`w_c(i) = softmax_i(beta K[k, M(i)])` (5): key `[M]`, strength beta > 0 `[]`, memory `[M, N]`."""
    chex.assert_rank(strength, 0)
    return jax.nn.softmax(strength * cosine_similarity(key, memory))


def interpolate(content: jax.Array, previous: jax.Array, gate: jax.Array) -> jax.Array:
    """`w_g = g w_c + (1 - g) w_{t-1}` (7): weightings `[N]`, gate `[]` in (0, 1)."""
    chex.assert_rank([content, previous, gate], [1, 1, 0])
    chex.assert_equal_shape([content, previous])
    return gate * content + (1 - gate) * previous


def circular_shift(weighting: jax.Array, shift: jax.Array) -> jax.Array:
    """`w~(i) = sum_j w_g(j) s(i - j)` (8), indices modulo N.

    Args:
      weighting: `[N]`.
      shift: `[S]`, S odd: the shares of the shifts -(S-1)/2 ... (S-1)/2. All on the last of three moves
        the focus from row i to row i + 1.
    """
    chex.assert_rank([weighting, shift], 1)
    if shift.shape[0] % 2 == 0:
        raise ValueError(f"an odd number of shifts is needed, not {shift.shape[0]}")
    reach = shift.shape[0] // 2
    moved = (jnp.roll(weighting, d) for d in range(-reach, reach + 1))
    return sum(share * places for share, places in zip(shift, moved, strict=True))


def sharpen(weighting: jax.Array, gamma: jax.Array) -> jax.Array:
    """`w(i) = w~(i)^gamma / sum_j w~(j)^gamma` (9): weighting `[N]`, gamma >= 1 `[]`.

    As the softmax of `gamma log w~`, so that no gamma underflows all shares.
    """
    chex.assert_rank([weighting, gamma], [1, 0])
    return jax.nn.softmax(gamma * jnp.log(weighting + 1e-12))


def address(
    memory: jax.Array,
    previous: jax.Array,
    *,
    key: jax.Array,
    strength: jax.Array,
    gate: jax.Array,
    shift: jax.Array,
    gamma: jax.Array,
) -> jax.Array:
    """The head's new weighting `[N]`: content, interpolation, shift, sharpening (Figure 2)."""
    content = content_weighting(key, strength, memory)
    return sharpen(circular_shift(interpolate(content, previous, gate), shift), gamma)


def read(memory: jax.Array, weighting: jax.Array) -> jax.Array:
    """`r = sum_i w(i) M(i)` (2): memory `[M, N]`, weighting `[N]`, read vector `[M]`."""
    chex.assert_rank([memory, weighting], [2, 1])
    return memory @ weighting


def erase(memory: jax.Array, weighting: jax.Array, vector: jax.Array) -> jax.Array:
    """`M~(i) = M(i) (1 - w(i) e)` (3): memory `[M, N]`, weighting `[N]`, erase vector `[M]` in (0, 1)."""
    chex.assert_rank([memory, weighting, vector], [2, 1, 1])
    chex.assert_shape(memory, vector.shape + weighting.shape)
    return memory * (1 - jnp.outer(vector, weighting))


def add(memory: jax.Array, weighting: jax.Array, vector: jax.Array) -> jax.Array:
    """`M(i) = M~(i) + w(i) a` (4): memory `[M, N]`, weighting `[N]`, add vector `[M]`."""
    chex.assert_rank([memory, weighting, vector], [2, 1, 1])
    chex.assert_shape(memory, vector.shape + weighting.shape)
    return memory + jnp.outer(vector, weighting)
