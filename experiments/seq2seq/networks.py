"""The networks, and what a trained one is asked: perplexity, translations, where it looks, its states."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.seq2seq.config import Config
from lib.batches.text import Bucket, Vocabulary, Words, padded
from lib.models.encoder_decoder import EncoderDecoder, translate
from lib.ops.sequences import END, PAD, previous, real

Params = Any
AT_ONCE = 100
"""Sentences that are translated, or scored, in one compiled call."""


def make_model(config: Config, name: str, words: tuple[int, int]) -> EncoderDecoder:
    """The network `name` of `config.NETWORKS`, for vocabularies of so many `words`."""
    common = {"embedding": config.embedding, "units": config.units}
    if name in ("search", "encdec"):
        common |= {"maxout": config.maxout, "rank": config.rank, "reset": config.reset}
        if name == "search":
            return EncoderDecoder(*words, **common, context="attention", alignment=config.alignment)
        return EncoderDecoder(*words, **common, context="summary")
    return EncoderDecoder(
        *words,
        **common,
        kind="lstm",
        context="states",
        layers=config.layers,
        reverse_source=name == "reversed",
    )


@functools.partial(jax.jit, static_argnums=0)
def _scores(model: EncoderDecoder, params: Params, source: jax.Array, target: jax.Array):
    source = never_empty(source)
    log_p = model.apply({"params": params}, source, target, method="log_probability")
    return log_p, real(target).sum(axis=1)


def perplexity(model: EncoderDecoder, params: Params, buckets: Sequence[Bucket]) -> float:
    """A word, ends included: `exp(-sum log p / sum words)`."""
    logp, words = 0.0, 0
    for bucket in buckets:
        for source, target in zip(*map(in_parts, bucket), strict=True):
            each, counted = _scores(model, params, source, target)
            logp, words = logp + float(each.sum()), words + int(counted.sum())
    return float(np.exp(-logp / words))


def nats_a_word(model: EncoderDecoder, params: Params, buckets: Sequence[Bucket]) -> jax.Array:
    """The logarithm of `perplexity`, within a compiled program; of buckets whose sides are `in_parts`."""
    logp, words = jnp.float32(0), jnp.int32(0)
    for bucket in buckets:
        each, counted = jax.lax.map(lambda part: _scores(model, params, *part), tuple(bucket))
        logp, words = logp + each.sum(), words + counted.sum()
    return -logp / words


def in_parts(rows: np.ndarray) -> np.ndarray:
    """`rows` in parts of `AT_ONCE`, so that they are compiled once; the last is filled up with padding."""
    parts = -(-len(rows) // AT_ONCE)
    filled = np.zeros((parts * AT_ONCE, *rows.shape[1:]), rows.dtype)
    filled[: len(rows)] = rows
    return filled.reshape(parts, AT_ONCE, *rows.shape[1:])


def never_empty(source: jax.Array) -> jax.Array:
    """Rows of padding alone as empty sentences: attention needs something to look at."""
    return source.at[:, 0].set(jnp.where(source[:, 0] == PAD, END, source[:, 0]))


class Translated(NamedTuple):
    """`words` of each sentence, and whether each has come to an `end` by itself."""

    words: list[Words]
    ended: np.ndarray


def translations(
    config: Config,
    model: EncoderDecoder,
    params: Params,
    vocabularies: tuple[Vocabulary, Vocabulary],
    sentences: Sequence[Words],
    beams: int,
) -> Translated:
    """By beam search, the likeliest; as long as the longest that are trained on, at most.

    Raises:
      UserError: a sentence is longer than any that is trained on; which one.
    """
    length = config.bounds[-1]
    source = padded(sentences, vocabularies[0], length)
    order = np.argsort(
        (source != PAD).sum(axis=1), kind="stable"
    )  # a part is over with its longest
    parts = [
        np.asarray(_translate(model, beams, length, params, part))
        for part in in_parts(source[order])
    ]
    rows = np.concatenate([np.zeros((0, length), np.int32), *parts])[: len(source)]
    rows = rows[np.argsort(order, kind="stable")]
    return Translated([vocabularies[1].decode(row) for row in rows], (rows == END).any(axis=1))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _translate(model, beams, length, params, source):
    translated = translate(model, params, never_empty(source), beams=beams, length=length)
    return translated.words[:, 0]


@functools.partial(jax.jit, static_argnums=0)
def attention(model: EncoderDecoder, params: Params, source: jax.Array, target: jax.Array):
    """Where the network looks while it writes `target`: `[B, T, S]`."""
    encoded = model.apply({"params": params}, never_empty(source), method="encode")
    return model.apply({"params": params}, encoded, previous(target), method="decode").weights


@functools.partial(jax.jit, static_argnums=0)
def summaries(model: EncoderDecoder, params: Params, source: jax.Array) -> jax.Array:
    """The c of each sentence, `[B, units]`, of a network that has one."""
    return model.apply({"params": params}, source, method="encode").summary
