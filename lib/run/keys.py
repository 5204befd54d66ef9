"""Randomness: one root key a seed, folded by purpose and by step; there is no stream to save."""

import zlib

import jax


def purpose(key: jax.Array, name: str) -> jax.Array:
    """The key of `key`'s purpose `name`: another name, an independent stream."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def root_keys(seeds: tuple[int, ...]) -> jax.Array:
    """One root key a seed, `[n]`."""
    return jax.vmap(jax.random.key)(jax.numpy.asarray(seeds))
