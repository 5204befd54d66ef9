"""Costs in bits of sequences of predicted bits (Graves et al. 2014, arXiv:1410.5401, section 4)."""

import chex
import jax
import jax.numpy as jnp
import optax


def bits_per_sequence(logits: jax.Array, targets: jax.Array, scored: jax.Array) -> jax.Array:
    """`- sum log2 p(target)` over scored steps and all outputs, `[B]`.

    Args:
      logits: `[B, T, O]`, of each output's being 1.
      targets: `[B, T, O]`, 0 or 1.
      scored: `[B, T]`, 1 where the outputs count and 0 elsewhere.
    """
    _check(logits, targets, scored)
    nats = optax.sigmoid_binary_cross_entropy(logits, targets)
    return (nats.sum(axis=2) * scored).sum(axis=1) / jnp.log(2)


def wrong_bits(logits: jax.Array, targets: jax.Array, scored: jax.Array) -> jax.Array:
    """Scored bits on the wrong side of 1/2, `[B]`; shapes as in `bits_per_sequence`."""
    _check(logits, targets, scored)
    wrong = ((logits > 0) != (targets > 0.5)).sum(axis=2)
    return (wrong * scored).sum(axis=1)


def optimal_ngram(bits: jax.Array, context: int = 5) -> jax.Array:
    """P(next bit = 1) of the optimal estimator, `(N1 + 1/2) / (N1 + N0 + 1)` (10), `[T]`.

    Bit by bit of `bits` `[T]`, N1 and N0 counting what followed the same `context` bits so far; 1/2
    for the first `context` bits.
    """
    chex.assert_rank(bits, 1)

    def see(carry, both):
        counts, now = carry
        t, bit = both
        n0, n1 = counts[now]
        p = jnp.where(t < context, 0.5, (n1 + 0.5) / (n0 + n1 + 1))
        counts = counts.at[now, bit].add(jnp.where(t < context, 0, 1))
        return (counts, (2 * now + bit) % 2**context), p

    start = (jnp.zeros((2**context, 2)), jnp.int32(0))
    _, p = jax.lax.scan(see, start, (jnp.arange(bits.shape[0]), bits.astype(jnp.int32)))
    return p


def optimal_ngram_bits(bits: jax.Array, context: int = 5) -> jax.Array:
    """What `bits` `[T]` cost the optimal estimator (10), `- sum log2 p(bit)`, `[]`.

    The first `context` bits cost 1 bit each.
    """
    p = optimal_ngram(bits, context)
    return -jnp.log2(jnp.where(bits > 0.5, p, 1 - p)).sum()


def _check(logits: jax.Array, targets: jax.Array, scored: jax.Array) -> None:
    chex.assert_rank([logits, targets, scored], [3, 3, 2])
    chex.assert_equal_shape([logits, targets])
    chex.assert_equal_shape_prefix([logits, scored], 2)
