"""How every network is made, learns, and is asked for translations."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.seq2seq.config import Config
from experiments.seq2seq.sentences import Data
from lib.batches.indices import bucket_at, shuffled_indices
from lib.batches.text import Bucket, Vocabulary, Words, padded
from lib.models.encoder_decoder import EncoderDecoder, translate
from lib.ops.sequences import END, PAD, log_probability, previous, real
from lib.run.keys import purpose
from lib.run.loop import initialise, train
from lib.run.seeds import member, stack
from lib.run.watch import Watch
from lib.steps.supervised import SupervisedState, init_state, supervised

Params = Any
AT_ONCE = 100
"""Sentences that are translated, or scored, in one compiled call."""


class Trained(NamedTuple):
    """Parameters stacked over seeds, the learning curve, and the step size that each seed chose."""

    params: Params
    history: list[dict]
    rates: list[float]


class Learner(NamedTuple):
    """Pure functions of one network; `init({"key": ..., "rate": ...})`."""

    init: Callable
    step: Callable


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


def kept_rate(rate: jax.Array | float) -> optax.GradientTransformation:
    """Steps as long as `rate`, which the state carries: replicas may differ in it."""

    def init(params):
        del params
        return jnp.asarray(rate, jnp.float32)

    def update(updates, rate, params=None):
        del params
        return jax.tree.map(lambda u: rate * u, updates), rate

    return optax.GradientTransformation(init, update)


@functools.lru_cache(maxsize=8)
def make_learner(model: EncoderDecoder, config: Config, sizes: tuple[int, ...]) -> Learner:
    """The loop's `init` and `step` for buckets of `sizes` sentences; compiled once for equal arguments.

    The loss is minus the log-probability of a sentence, its end included, the mean over the batch.
    """
    plain = optax.scale_by_adam() if config.optimiser == "adam" else optax.scale_by_adadelta(0.95)
    down = [optax.scale(-1.0)]
    if config.decay:
        cosine = optax.cosine_decay_schedule(1.0, config.steps)
        down.append(optax.scale_by_schedule(cosine))

    def rule(rate):
        clip = optax.clip_by_global_norm(config.clip)
        return optax.chain(clip, plain, kept_rate(rate), *down)

    def loss(params, bucket: Bucket, key):
        del key
        logits = model.apply({"params": params}, bucket.source, bucket.target)
        logp = log_probability(logits, bucket.target).sum()
        return -logp / len(bucket.target), {"nats_a_word": -logp / real(bucket.target).sum()}

    update = supervised(loss, rule(0.0))

    def init(start):
        rows = jnp.ones((1, 2), jnp.int32)
        params = model.init(purpose(start["key"], "init"), rows, rows)["params"]
        return init_state(params, rule(start["rate"]))

    def step(state, buckets, key, t):
        chosen, number = bucket_at(t, sizes=sizes, batch=config.batch)

        def of(b):
            def branch(state):
                batch = min(config.batch, sizes[b])
                stream = jax.random.fold_in(key, b)
                rows = shuffled_indices(stream, number, size=sizes[b], batch=batch)
                return update(state, jax.tree.map(lambda x: x[rows], buckets[b]), key)

            return branch

        # Each bucket has an update of its own: to differentiate a choice would keep what all of them need.
        return jax.lax.switch(chosen, [of(b) for b in range(len(sizes))], state)

    return Learner(init, step)


def _learner_of(config: Config, name: str, data: Data) -> tuple[EncoderDecoder, Learner]:
    model = make_model(config, name, tuple(map(len, data.vocabularies)))
    sizes = tuple(len(bucket.source) for bucket in data.trained_on.buckets)
    return model, make_learner(model, config, sizes)


def initial(
    config: Config, name: str, keys: jax.Array, data: Data, rate: float = 0.0
) -> SupervisedState:
    """The network `name` before training, a replica a key."""
    _, learner = _learner_of(config, name, data)
    return initialise(learner.init, {"key": keys, "rate": jnp.full(len(keys), rate)})


def train_network(config: Config, name: str, keys: jax.Array, data: Data, watch: Watch) -> Trained:
    """Trains a replica a key; each goes on from the rate of the lowest validation perplexity."""
    model, learner = _learner_of(config, name, data)
    buckets = jax.tree.map(jnp.asarray, data.trained_on.buckets)

    def score(state):
        return {"validation": perplexity(model, state.params, data.validation.buckets)}

    def go_on(training, state, steps):
        return train(
            training,
            state,
            learner.step,
            keys,
            buckets,
            steps=steps,
            every=config.every,
            watch=watch,
            score=score,
            score_every=config.score_every,
        )

    # From the same keys at each rate: the runs are to differ in that alone.
    if len(config.rates) == 1:
        start = initial(config, name, keys, data, config.rates[0])
        trained = go_on(name, start, config.steps)
        return Trained(trained.state.params, trained.history, list(config.rates) * len(keys))
    tried = [
        go_on(f"{name}-rate-{i}", initial(config, name, keys, data, rate), config.tuning)
        for i, rate in enumerate(config.rates)
    ]
    scores = np.array([one.history[-1]["validation"] for one in tried])
    best = scores.argmin(axis=0)
    state = stack([member(tried[b].state, i) for i, b in enumerate(best)])
    trained = go_on(name, state, config.steps - config.tuning)
    later = [row | {"step": row["step"] + config.tuning} for row in trained.history]
    earlier = [
        {
            k: v if k in ("step", "training") else [rows[b][k][i] for i, b in enumerate(best)]
            for k, v in rows[0].items()
        }
        for rows in zip(*(one.history for one in tried), strict=True)
    ]
    return Trained(trained.state.params, earlier + later, [config.rates[b] for b in best])


@functools.partial(jax.jit, static_argnums=0)
def _scores(model: EncoderDecoder, params: Params, source: jax.Array, target: jax.Array):
    logits = model.apply({"params": params}, never_empty(source), target)
    return log_probability(logits, target), real(target).sum(axis=1)


def perplexity(model: EncoderDecoder, params: Params, buckets: Sequence[Bucket]) -> float:
    """A word, ends included: `exp(-sum log p / sum words)`."""
    logp, words = 0.0, 0
    for bucket in buckets:
        for source, target in zip(*map(in_parts, bucket), strict=True):
            each, counted = _scores(model, params, source, target)
            logp, words = logp + float(each.sum()), words + int(counted.sum())
    return float(np.exp(-logp / words))


def in_parts(rows: np.ndarray) -> list[np.ndarray]:
    """`rows` in parts of `AT_ONCE`, so that they are compiled once; the last is filled up with padding."""
    parts = -(-len(rows) // AT_ONCE)
    filled = np.zeros((parts * AT_ONCE, *rows.shape[1:]), rows.dtype)
    filled[: len(rows)] = rows
    return np.split(filled, parts) if parts else []


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
    found = [
        np.asarray(_translate(model, beams, length, params, part))
        for part in in_parts(source[order])
    ]
    rows = np.concatenate([np.zeros((0, length), np.int32), *found])[: len(source)]
    rows = rows[np.argsort(order, kind="stable")]
    return Translated([vocabularies[1].decode(row) for row in rows], (rows == END).any(axis=1))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _translate(model, beams, length, params, source):
    found = translate(model, params, never_empty(source), beams=beams, length=length)
    return found.words[:, 0]


@functools.partial(jax.jit, static_argnums=0)
def attention(model: EncoderDecoder, params: Params, source: jax.Array, target: jax.Array):
    """Where the network looks while it writes `target`: `[B, T, S]`."""
    encoded = model.apply({"params": params}, never_empty(source), method="encode")
    return model.apply({"params": params}, encoded, previous(target), method="decode").weights


@functools.partial(jax.jit, static_argnums=0)
def summaries(model: EncoderDecoder, params: Params, source: jax.Array) -> jax.Array:
    """The c of each sentence, `[B, units]`, of a network that has one."""
    return model.apply({"params": params}, source, method="encode").summary
