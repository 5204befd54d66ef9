"""How every network learns."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.seq2seq.config import Config
from experiments.seq2seq.networks import in_parts, make_model, nats_a_word, perplexity
from experiments.seq2seq.sentences import Data
from lib.batches.indices import bucket_at, shuffled_indices
from lib.batches.text import Bucket
from lib.models.encoder_decoder import EncoderDecoder
from lib.ops.sequences import real
from lib.run.keys import purpose
from lib.run.loop import initialise, train
from lib.run.seeds import member, stack
from lib.run.watch import Watch
from lib.steps.supervised import SupervisedState, init_state, supervised

Params = Any


class Trained(NamedTuple):
    """Parameters stacked over seeds, the learning curve, and the step size that each seed chose."""

    params: Params
    history: list[dict]
    rates: list[float]


class Learner(NamedTuple):
    """Pure functions of one network; `init({"key": ..., "rate": ...})`."""

    init: Callable
    step: Callable


class Kept(NamedTuple):
    """A training as it is `now`, and of those before it the parameters of the `lowest` validation."""

    now: SupervisedState
    params: Params
    lowest: jax.Array


class Sentences(NamedTuple):
    """What lies on the device: `buckets` to train on; `validation` in parts (see `nats_a_word`)."""

    buckets: tuple[Bucket, ...]
    validation: tuple[Bucket, ...] = ()


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
        logp = model.apply({"params": params}, *bucket, method="log_probability").sum()
        return -logp / len(bucket.target), {"nats_a_word": -logp / real(bucket.target).sum()}

    update = supervised(loss, rule(0.0))

    def init(start):
        rows = jnp.ones((1, 2), jnp.int32)
        params = model.init(purpose(start["key"], "init"), rows, rows)["params"]
        return init_state(params, rule(start["rate"]))

    def step(state, data: Sentences, key, t):
        chosen, number = bucket_at(t, sizes=sizes, batch=config.batch)

        def of(b):
            def branch(state):
                batch = min(config.batch, sizes[b])
                stream = jax.random.fold_in(key, b)
                rows = shuffled_indices(stream, number, size=sizes[b], batch=batch)
                return update(state, jax.tree.map(lambda x: x[rows], data.buckets[b]), key)

            return branch

        # Each bucket has an update of its own: to differentiate a choice would keep what all of them need.
        return jax.lax.switch(chosen, [of(b) for b in range(len(sizes))], state)

    if config.decay:
        return Learner(init, step)
    return keeping_the_best(Learner(init, step), model, config.score_every)


def keeping_the_best(learner: Learner, model: EncoderDecoder, every: int) -> Learner:
    """The same training, which validates after each `every` updates and keeps the best parameters."""

    def init(start):
        state = learner.init(start)
        return Kept(state, state.params, jnp.float32(jnp.inf))

    def step(kept, data: Sentences, key, t):
        now, metrics = learner.step(kept.now, data, key, t)
        before = kept.params, kept.lowest

        def validated():
            nats = nats_a_word(model, now.params, data.validation)
            return jax.tree.map(
                lambda new, old: jnp.where(nats < kept.lowest, new, old), (now.params, nats), before
            )

        return Kept(now, *jax.lax.cond((t + 1) % every == 0, validated, lambda: before)), metrics

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
    """Trains a replica a key; each goes on from the rate of the lowest validation perplexity.

    Where the step size does not fall, the parameters are those of the lowest perplexity on the way.
    """
    model, learner = _learner_of(config, name, data)
    validation = [] if config.decay else data.validation.buckets
    parts = tuple(Bucket(*map(in_parts, bucket)) for bucket in validation)
    sentences = jax.tree.map(jnp.asarray, Sentences(data.trained_on.buckets, parts))

    def score(state):
        params = state.params if config.decay else state.now.params
        return {"validation": perplexity(model, params, data.validation.buckets)}

    def go_on(training, state, steps):
        return train(
            training,
            state,
            learner.step,
            keys,
            sentences,
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
