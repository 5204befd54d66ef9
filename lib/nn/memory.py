"""Heads on an external memory (Graves et al. 2014, arXiv:1410.5401, section 3)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lib.ops.addressing import add, address, erase, read

SHIFTS = 3
"""Allowed shifts of a head: -1, 0, 1."""


class Memory(NamedTuple):
    """What the heads carry from step to step.

    Attributes:
      matrix: `[B, M, N]` (see `lib.ops.addressing`).
      weightings: `[B, R + W, N]`: where the read heads look, then the write heads.
      reads: `[B, R, M]`: what the read heads read last.
    """

    matrix: jax.Array
    weightings: jax.Array
    reads: jax.Array


class Writes(NamedTuple):
    """What the write heads did in one step: `[B, W, M]` each."""

    erased: jax.Array
    added: jax.Array


def head_outputs(width: int, reads: int, writes: int) -> int:
    """How many numbers the controller gives to all heads on a memory of `width` values a location."""
    return (reads + writes) * (width + SHIFTS + 3) + writes * 2 * width


def access(memory: Memory, outputs: jax.Array, *, writes: int) -> tuple[Memory, Writes]:
    """One step of all heads: they address the memory as it was, write it, and read what is written.

    Args:
      memory: before the step.
      outputs: of the controller, `[B, head_outputs(...)]`, before any squashing: for each head key
        (tanh), strength beta (softplus), gate (sigmoid), shift (softmax), gamma (1 + softplus); then for
        each write head erase (sigmoid) and add (tanh) vectors. The paper gives the ranges, not the
        functions.
      writes: how many of the heads write.
    """
    batch, heads, _ = memory.weightings.shape
    width = memory.matrix.shape[1]
    for_address = heads * (width + SHIFTS + 3)
    addressing, writing = outputs[:, :for_address], outputs[:, for_address:]
    addressing = addressing.reshape(batch, heads, -1)
    key, strength, gate, gamma, shift = jnp.split(
        addressing, [width, width + 1, width + 2, width + 3], axis=2
    )
    weightings = jax.vmap(jax.vmap(_address, (None, 0, 0, 0, 0, 0, 0)))(
        memory.matrix,
        memory.weightings,
        jnp.tanh(key),
        jax.nn.softplus(strength[..., 0]),
        jax.nn.sigmoid(gate[..., 0]),
        jax.nn.softmax(shift),
        1 + jax.nn.softplus(gamma[..., 0]),
    )
    erased, added = jnp.split(writing.reshape(batch, writes, -1), 2, axis=2)
    did = Writes(jax.nn.sigmoid(erased), jnp.tanh(added))
    matrix = memory.matrix
    for operation, vectors in ((erase, did.erased), (add, did.added)):
        for head in range(writes):
            at = weightings[:, heads - writes + head]
            matrix = jax.vmap(operation)(matrix, at, vectors[:, head])
    reads = jax.vmap(jax.vmap(read, (None, 0)))(matrix, weightings[:, : heads - writes])
    return Memory(matrix, weightings, reads), did


def _address(matrix, previous, key, strength, gate, shift, gamma):
    return address(
        matrix, previous, key=key, strength=strength, gate=gate, shift=shift, gamma=gamma
    )
