"""Beam search for the likeliest sentence, batched and compiled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lib.ops.sequences import END, PAD

PyTree = Any
NextWord = Callable[[PyTree, PyTree, jax.Array], tuple[PyTree, jax.Array]]


class Found(NamedTuple):
    """The best sentences, the likeliest first.

    `words` int32 `[B, beams, length]`, ended and padded; `score` `[B, beams]`, log-probabilities, of which
    none is divided by a length. Those behind the first may not have ended: nobody waits for them.
    """

    words: jax.Array
    score: jax.Array


def beam_search(step: NextWord, fixed: PyTree, state: PyTree, *, beams: int, length: int) -> Found:
    """Keeps the `beams` likeliest beginnings at each word (Sutskever et al. 2014, section 3.2).

    One that has ended keeps its place while nothing likelier pushes it out. Log-probabilities only fall:
    the search is over where the likeliest has ended in every row. With one beam it is greedy.

    Args:
      step: `(fixed, state, last words [n]) -> (state, logits of the next [n, K])`; `PAD` before the first
        word.
      fixed: what `step` reads only, each leaf with a leading axis `B`; may be None.
      state: what `step` carries, likewise.
      beams: beginnings kept; where there are fewer sentences, the rest has the score -inf.
      length: words at most, the end included; a sentence that has not ended by then stays without one.
    """
    rows = jax.tree.leaves(state)[0].shape[0]

    def spread(x):
        return jnp.repeat(x, beams, axis=0)

    def follow(x, parent):
        x = x.reshape(rows, beams, *x.shape[1:])
        index = parent.reshape(rows, beams, *(1,) * (x.ndim - 2))
        return jnp.take_along_axis(x, index, axis=1).reshape(rows * beams, *x.shape[2:])

    def unfinished(carry):
        t, words, _, _, over = carry
        del words
        return (t < length) & ~over[:, 0].all()

    def body(carry):
        t, words, score, state, over = carry
        last = jnp.where(t > 0, words[:, :, jnp.maximum(t - 1, 0)], PAD)
        state, logits = step(fixed, state, last.reshape(-1))
        logp = jax.nn.log_softmax(logits.astype(jnp.float32)).reshape(rows, beams, -1)
        vocabulary = logp.shape[-1]
        # Padding is no word: it follows the end only, and then at no cost.
        logp = logp.at[:, :, PAD].set(-jnp.inf)
        rest = jnp.where(jnp.arange(vocabulary) == PAD, 0.0, -jnp.inf)
        logp = jnp.where(over[:, :, None], rest[None, None], logp)
        score, best = jax.lax.top_k((score[:, :, None] + logp).reshape(rows, -1), beams)
        parent, word = best // vocabulary, (best % vocabulary).astype(jnp.int32)
        words = jnp.take_along_axis(words, parent[:, :, None], axis=1).at[:, :, t].set(word)
        over = jnp.take_along_axis(over, parent, axis=1) | (word == END)
        state = jax.tree.map(lambda x: follow(x, parent), state)
        return t + 1, words, score, state, over

    fixed = jax.tree.map(spread, fixed)
    words = jnp.full((rows, beams, length), PAD, jnp.int32)
    score = jnp.where(jnp.arange(beams) == 0, 0.0, -jnp.inf)[None]
    score = jnp.broadcast_to(score, (rows, beams))
    over = jnp.zeros((rows, beams), bool)
    start = (jnp.int32(0), words, score, jax.tree.map(spread, state), over)
    _, words, score, _, _ = jax.lax.while_loop(unfinished, body, start)
    return Found(words, score)
