"""Randomness: one root key a seed, folded by purpose and by step; there is no stream to save."""

import itertools
import math
import zlib

import jax


def purpose(key: jax.Array, name: str) -> jax.Array:
    """The key of `key`'s purpose `name`: another name, an independent stream."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def many_keys(key: jax.Array, *shapes: tuple[int, ...]) -> list[jax.Array]:
    """Arrays of keys of the given shapes, all independent, for the price of one `split`.

    On a CPU a call of the generator costs tens of microseconds, whatever it draws.
    """
    sizes = [math.prod(shape) for shape in shapes]
    data = jax.random.key_data(jax.random.split(key, sum(sizes)))
    parts = jax.numpy.split(data, list(itertools.accumulate(sizes))[:-1])
    return [
        jax.random.wrap_key_data(part.reshape(*shape, *data.shape[1:]))
        for part, shape in zip(parts, shapes, strict=True)
    ]


def root_keys(seeds: tuple[int, ...]) -> jax.Array:
    """One root key a seed, `[n]`."""
    return jax.vmap(jax.random.key)(jax.numpy.asarray(seeds))
