"""What `--precision` means, on every device."""

from contextlib import AbstractContextManager

import jax
import jax.numpy as jnp

PRODUCTS = {"float32": "float32", "tf32": "tensorfloat32", "bfloat16": "float32"}
"""How JAX multiplies float32 arrays, by precision."""


def products(precision: str) -> AbstractContextManager:
    """A context in which products of float32 arrays are what `precision` says.

    Left to itself, JAX rounds them to ten bits of mantissa on a GPU (TF32) and to seven on a TPU; "tf32" asks
    for the former. "bfloat16" is about the arrays (`dtype_of`): what stays float32 is multiplied as such.
    """
    return jax.default_matmul_precision(PRODUCTS[precision])


def dtype_of(precision: str) -> jnp.dtype:
    """The type of the arrays that a network computes with."""
    return jnp.dtype("bfloat16" if precision == "bfloat16" else "float32")
