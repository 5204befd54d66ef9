"""Sentences as rows of numbers `[B, T]`: words, the end, then padding, which is 0."""

import chex
import jax
import jax.numpy as jnp

PAD, END = 0, 1


def real(words: jax.Array) -> jax.Array:
    """Bool `[B, T]`: where a word, or the end, stands."""
    return words != PAD


def previous(words: jax.Array) -> jax.Array:
    """What is known before each word `[B, T]`: the word before it; before the first, padding."""
    return jnp.pad(words, ((0, 0), (1, 0)))[:, :-1]


def reverse_words(words: jax.Array) -> jax.Array:
    """Each sentence from its last word to its first; its end and the padding stay where they are."""
    chex.assert_rank(words, 2)
    count = real(words).sum(axis=1, keepdims=True) - 1
    place = jnp.arange(words.shape[1])[None]
    return jnp.take_along_axis(words, jnp.where(place < count, count - 1 - place, place), axis=1)


def log_probability(logits: jax.Array, words: jax.Array) -> jax.Array:
    """`log p` of each sentence, `[B]`: the sum over its words and its end, padding left out.

    Args:
      logits: `[B, T, K]`, of each word given those before it.
      words: int `[B, T]`.
    """
    chex.assert_shape(logits, (*words.shape, None))
    # By comparison: the gradient of an index is zeros everywhere, written to be added to.
    is_word = jax.nn.one_hot(words, logits.shape[2], dtype=bool)
    picked = jnp.where(is_word, logits, 0).sum(axis=2)
    log_p = picked - jax.nn.logsumexp(logits, axis=2)
    return jnp.where(real(words), log_p, 0).sum(axis=1)
