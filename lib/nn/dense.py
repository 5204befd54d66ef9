"""Affine layers over sentences: what stands before the last axis is one axis to the product."""

import functools

import flax.linen as nn
import jax


def product(lhs: jax.Array, rhs: jax.Array, dimension_numbers, **options) -> jax.Array:
    """`lhs [..., d] @ rhs [d, e]`, as `nn.Dense(dot_general=...)` asks for it.

    The gradients of a product of matrices are such products, too. Those of `[B, T, d]` are not: XLA:CPU
    copies a transposed gradient of all outputs for the kernel's (an eighth of the time where the outputs are
    10 000 words).
    """
    if dimension_numbers != (((lhs.ndim - 1,), (0,)), ((), ())) or rhs.ndim != 2:
        raise ValueError(f"the product of the last axis and a matrix, not {dimension_numbers}")
    flat = jax.lax.dot(lhs.reshape(-1, lhs.shape[-1]), rhs, **options)
    return flat.reshape(*lhs.shape[:-1], rhs.shape[1])


Dense = functools.partial(nn.Dense, dot_general=product)
"""`nn.Dense`, for inputs `[B, T, d]`."""
