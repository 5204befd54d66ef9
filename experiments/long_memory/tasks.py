"""What is to be learned: recalling the first letter of a sequence, and tagging numbers in words."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lib.batches.text import Vocabulary, Words

CUES = 2
"""Letters that a sequence may begin with, and none else has."""
TAGS = ("millions", "thousands", "ones", "further thousands", "further ones")
"""What a word of a number counts; "further" where larger ones were counted before it."""


class Batch(NamedTuple):
    """Sequences `[B, T]`: words, the tags that are right, where one is asked for, where words are."""

    words: jax.Array
    tags: jax.Array
    asked: jax.Array
    real: jax.Array


def recall(key: jax.Array, delay: int, letters: int, count: int) -> Batch:
    """Sequences of `delay` letters: one of two cues, then what means nothing, drawn anew each time.

    After the last letter, `delay` steps of the network after it began with the cue, it is asked which cue
    that was (Hochreiter & Schmidhuber, task 2b: long time lags without local regularities).
    """
    of_cues, of_letters = jax.random.split(key)
    cue = jax.random.randint(of_cues, (count,), 0, CUES)
    rest = jax.random.randint(of_letters, (count, delay - 1), CUES, CUES + letters)
    words = jnp.concatenate([cue[:, None], rest], axis=1)
    last = jnp.broadcast_to(jnp.arange(delay) == delay - 1, words.shape)
    tags = jnp.broadcast_to(cue[:, None], words.shape)
    return Batch(words, tags, last, jnp.ones_like(last))


def tags_of(words: Words) -> list[int]:
    """The tag of each word of a number: a word counts what the next of million and thousand says.

    Which that is only the future tells; whether something larger was counted before, only the past.
    """
    tags, further = [], False
    for scale, first, later in (("million", 0, 0), ("thousand", 1, 3)):
        if scale in words:
            tags += [later if further else first] * (words.index(scale) + 1 - len(tags))
            further = True
    return tags + [4 if further else 2] * (len(words) - len(tags))


def tagged(sentences: Sequence[Words], vocabulary: Vocabulary, length: int) -> Batch:
    """Rows of `length` words; behind a sentence there is nothing, and nothing is asked."""
    shape = (len(sentences), length)
    words, tags, real = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, bool)
    for i, sentence in enumerate(sentences):
        words[i, : len(sentence)] = vocabulary.encode(sentence)
        tags[i, : len(sentence)] = tags_of(sentence)
        real[i, : len(sentence)] = True
    return Batch(words, tags, real, real)
