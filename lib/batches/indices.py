"""Which examples make up a batch: epoch shuffling on the device, a pure function of (key, step).

    indices = shuffled_indices(key, step, size=50_000, batch=64)
    images = train_images[indices]

There is no shuffled order to store, save or resume: each epoch's order is a keyed permutation that
is evaluated only where it is needed, so a step costs O(batch), not a sort of the whole set.
"""

import math

import jax
import jax.numpy as jnp

from lib.base.errors import UserError

_ROUNDS = 6


def shuffled_indices(key: jax.Array, step: jax.Array | int, *, size: int, batch: int) -> jax.Array:
    """The examples of step `step` when every epoch visits each of `size` examples once.

    Batches follow one another without gap: where `batch` does not divide `size`, one batch holds
    the end of an epoch and the beginning of the next.

    Args:
      key: PRNG key; the same at every step of a run. Each epoch's order is derived from it.
      step: int32 scalar, 0 <= step < 2**31, may be traced.
      size: number of examples (static).
      batch: examples in a batch (static), at most `size`.

    Returns:
      int32 [batch], each in [0, size).

    Raises:
      UserError: not 1 <= batch <= size, or size * batch >= 2**32, where uint32 would overflow (code 2).
    """
    if not 1 <= batch <= size:
        raise UserError(f"--batch must be from 1 to {size}, as there are examples, not {batch}", 2)
    if size * batch >= 2**32:
        raise UserError(f"--batch {batch} times {size} examples must be below 2^32", 2)
    # epoch, position = divmod(step * batch, size), without forming step * batch: with
    # step = q * size + r it is (q * batch) * size + r * batch, and r * batch < size * batch.
    step = jnp.asarray(step).astype(jnp.uint32)
    start = step % size * batch
    epoch = step // size * batch + start // size
    position = start % size + jnp.arange(batch, dtype=jnp.uint32)
    in_next = position >= size  # batch <= size: at most one epoch further
    both = jax.vmap(_round_keys, (None, 0))(key, epoch + jnp.arange(2, dtype=jnp.uint32))
    keys = [jnp.where(in_next, both[1, i], both[0, i]) for i in range(_ROUNDS)]
    return _permute(jnp.where(in_next, position - size, position), keys, size).astype(jnp.int32)


def _round_keys(key: jax.Array, epoch: jax.Array) -> jax.Array:
    return jax.random.bits(jax.random.fold_in(key, epoch), (_ROUNDS,), jnp.uint32)


def _permute(x: jax.Array, keys: list[jax.Array], size: int) -> jax.Array:
    """A pseudo-random permutation of range(size), at each x, uint32 [batch].

    A Feistel network on pairs (left, right) in range(a) x range(b), a * b >= size, where addition
    modulo a or b takes the place of the usual exclusive or (Black & Rogaway 2002, "Ciphers with
    arbitrary finite domains"). What lands outside range(size) is permuted again until it is
    inside ("cycle walking"): the result is a permutation still. As a * b exceeds size by about
    sqrt(size) at most, few elements need a second walk.
    """
    # On fewer pairs than 8 x 8, so few rounds would not reach all permutations equally.
    a = max(math.isqrt(size - 1) + 1, 8)
    b = max(-(-size // a), 8)

    def walk(x):
        left, right = x // b, x % b
        for i, key in enumerate(keys):
            if i % 2:
                right = (right + _mix(left ^ key) % b) % b
            else:
                left = (left + _mix(right ^ key) % a) % a
        return left * b + right

    def walk_those_outside(state):
        x, outside = state
        x = jnp.where(outside, walk(x), x)
        return x, x >= size

    def any_outside(state):
        return jnp.any(state[1])

    everywhere = jnp.ones_like(x, bool)
    return jax.lax.while_loop(any_outside, walk_those_outside, (x, everywhere))[0]


def _mix(x: jax.Array) -> jax.Array:
    """MurmurHash3's 32-bit finaliser: each input bit flips each output bit half of the time."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def bucket_at(
    step: jax.Array | int, *, sizes: tuple[int, ...], batch: int
) -> tuple[jax.Array, jax.Array]:
    """Which bucket makes up step `step`, and how many batches it has given before.

    An epoch has as many batches of each bucket as fill it, at least one, in an order of its own. That
    depends on nothing but the step: replicas that train side by side take the same bucket, of which each
    draws its own examples, with `shuffled_indices(key, number, size=sizes[bucket], batch=batch)`.

    Args:
      step: int32 scalar, may be traced.
      sizes: examples in each bucket (static).
      batch: examples in a batch (static).

    Returns:
      int32 scalars `(bucket, number)`.
    """
    rounds = [max(1, round(size / batch)) for size in sizes]
    epoch_length, ends = sum(rounds), jnp.cumsum(jnp.asarray(rounds, jnp.int32))
    step = jnp.asarray(step, jnp.int32)
    place = shuffled_indices(jax.random.key(0), step, size=epoch_length, batch=1)[0]
    bucket = jnp.searchsorted(ends, place, side="right")
    of_bucket = jnp.asarray(rounds, jnp.int32)
    within = place - (ends - of_bucket)[bucket]
    number = step // epoch_length * of_bucket[bucket] + within
    return bucket.astype(jnp.int32), number.astype(jnp.int32)
