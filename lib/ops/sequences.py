"""Sentences as rows of numbers `[B, T]`: words, the end, then padding, which is 0."""

import chex
import jax
import jax.numpy as jnp

PAD, END = 0, 1

AT_ONCE = 5_000_000
"""Numbers that a CPU is asked for at once where they are many: 20 MB, which stay in its cache."""


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
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), words[..., None], axis=2)[..., 0]
    return jnp.where(real(words), picked, 0).sum(axis=1)


@jax.custom_vjp
def word_log_probability(
    features: jax.Array, kernel: jax.Array, bias: jax.Array, words: jax.Array
) -> jax.Array:
    """`log softmax(features kernel + bias)` at the words: `[N, d]`, `[d, K]`, `[K]`, int `[N]` to `[N]`.

    On a CPU block of rows by block: where K is a vocabulary, scores, their exponentials and their gradient
    are each read and written once more for all that is done to them, unless they are in its cache.
    """
    blocks = _blocks((features, words), kernel.shape[1])
    log_p = jax.lax.map(lambda block: _score_block(kernel, bias, *block)[0], blocks)
    return log_p.reshape(-1)[: len(words)]


def _score_block(kernel, bias, features, words):
    logits = features @ kernel + bias[None]
    total = jax.nn.logsumexp(logits, axis=1)
    return jnp.take_along_axis(logits, words[:, None], axis=1)[:, 0] - total, logits, total


def _blocks(rows, columns):
    """Arrays `[N, ...]` as `[blocks, n, ...]`, zeros behind the last row."""
    count = len(jax.tree.leaves(rows)[0])
    most = max(1, AT_ONCE // columns) if jax.default_backend() == "cpu" else count
    blocks = -(-count // most)
    size = -(-count // blocks)

    def divided(x):
        around = [(0, blocks * size - count), *[(0, 0)] * (x.ndim - 1)]
        return jnp.pad(x, around).reshape(blocks, size, *x.shape[1:])

    return jax.tree.map(divided, rows)


def _forward(features, kernel, bias, words):
    blocks = _blocks((features, words), kernel.shape[1])
    log_p, *saved = jax.lax.map(lambda block: _score_block(kernel, bias, *block), blocks)
    return log_p.reshape(-1)[: len(words)], (kernel, *blocks, *saved)


def _backward(saved, gradient):
    kernel, *blocks = saved
    blocks.append(_blocks(gradient, kernel.shape[1]))

    def body(sums, block):
        features, words, logits, total, gradient = block
        is_word = jax.nn.one_hot(words, logits.shape[1], dtype=bool)
        to_logits = gradient[:, None] * (is_word - jnp.exp(logits - total[:, None]))
        # The sum over rows is a product, too: as such it is as fast as memory is.
        of_rows = jnp.concatenate([features, jnp.ones_like(features[:, :1])], axis=1)
        return sums + of_rows.T @ to_logits, to_logits @ kernel.T

    rows, columns = kernel.shape
    start = jnp.zeros((rows + 1, columns), kernel.dtype)
    sums, to_features = jax.lax.scan(body, start, tuple(blocks))
    to_features = to_features.reshape(-1, rows)[: len(gradient)]
    return to_features, sums[:-1], sums[-1], None


word_log_probability.defvjp(_forward, _backward)
