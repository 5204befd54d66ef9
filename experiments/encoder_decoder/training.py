"""The networks, how they learn from the same batches, and what is asked of them when they are trained."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.encoder_decoder.config import ARMS, RESETS, Config
from experiments.encoder_decoder.phrases import Data
from lib.batches.indices import shuffled_indices
from lib.models.encoder_decoder import EncoderDecoder
from lib.ops.sequences import real
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.watch import Watch
from lib.steps.supervised import at, losses_at, search

Params = Any
Models = tuple[tuple[str, EncoderDecoder], ...]
AT_ONCE = 500
"""Pairs that are scored in one compiled call."""


class Learned(NamedTuple):
    """At the step sizes that validation chose: of each arm its parameters stacked over seeds, and the sizes,
    one a seed; the history of their losses."""

    params: dict[str, Params]
    rates: dict[str, list[float]]
    history: list[dict]


class Learner(NamedTuple):
    """Pure functions of one network, for `lib.run.loop`; `init({"own": key, "batches": key})`."""

    init: Callable
    step: Callable


@functools.lru_cache(maxsize=4)
def make_models(config: Config, words: tuple[int, int], arms: tuple[str, ...] = ARMS) -> Models:
    """The networks `arms` for vocabularies of so many words, with as many units each as fit."""
    common = {"embedding": config.embedding, "maxout": config.maxout, "rank": config.rank}
    kinds = {
        "gru": {"kind": "gru", "reset": config.reset, "context": "summary"},
        "tanh": {"kind": "tanh", "context": "summary"},
        "lstm": {"kind": "lstm", "context": "summary"},
        "start": {"kind": "gru", "reset": config.reset, "context": "start"},
    }
    kinds |= {reset: {"kind": "gru", "reset": reset, "context": "summary"} for reset in RESETS}
    return tuple(
        (arm, widest(EncoderDecoder(*words, units=1, **common, **kinds[arm]), config.parameters))
        for arm in arms
    )


def parameters(model: EncoderDecoder) -> int:
    """How many numbers it learns."""
    row = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), row, row)
    return sum(x.size for x in jax.tree.leaves(shapes))


def widest(model: EncoderDecoder, most: int) -> EncoderDecoder:
    """`model` with as many units as it can have with `most` parameters.

    Raises:
      UserError: it cannot have one (code 2).
    """
    from lib.base.errors import UserError

    def of(units):
        return model.clone(units=units, parent=None)

    # As a polynomial of second degree in the units, that three counts determine.
    a, b, c = np.polyfit((1, 2, 3), [parameters(of(n)) for n in (1, 2, 3)], 2)
    if (room := most - c) <= a + b:
        raise UserError(f"--parameters {most} are too few for one unit", 2)
    units = int((-b + np.sqrt(b * b + 4 * a * room)) / (2 * a) + 1e-6)
    return of(units)


@functools.lru_cache(maxsize=8)
def make_learner(model: EncoderDecoder, config: Config, pairs: int) -> Learner:
    """The loop's `init` and `step` for so many pairs of phrases; compiled once for equal arguments.

    The loss is minus the log-probability of a target, its end included: the mean over the batch.
    """
    plain = optax.scale_by_adam if config.optimiser == "adam" else optax.scale_by_adadelta

    def rule(rate):
        clip = optax.clip_by_global_norm(config.clip)
        return optax.chain(clip, plain(), optax.scale(-rate))

    def loss(params, batch, key):
        del key
        return -model.apply({"params": params}, *batch, method="log_probability").mean(), {}

    learning = search(loss, rule, config.rates)

    def init(keys):
        row = jnp.ones((1, 2), jnp.int32)
        return learning.begin(model.init(keys["own"], row, row)["params"], keys["batches"])

    def step(state, data, key, t):
        del key  # the networks that are compared share one: the state's

        def draw(key):
            batch = min(config.batch, pairs)
            rows = shuffled_indices(key, t, size=pairs, batch=batch)
            return jax.tree.map(lambda x: x[rows], data)

        return learning.step(state, draw)

    return Learner(init, step)


def train_networks(
    config: Config, keys: jax.Array, data: Data, watch: Watch, arms: tuple[str, ...] = ARMS
) -> Learned:
    """Trains every network at every rate to the end; seed by seed each keeps the one that gives the phrases
    of validation the highest probability."""
    pairs = jax.tree.map(jnp.asarray, data.rows(data.train.pairs))
    checked = data.rows(data.validation.pairs)
    own = jax.vmap(purpose, (0, None))
    params, rates, history = {}, {}, []
    for arm, model in make_models(config, tuple(map(len, data.vocabularies)), arms):
        learner = make_learner(model, config, len(data.train.pairs))
        begun = {"own": own(keys, arm), "batches": own(keys, "batches")}
        trained = train(
            arm,
            initialise(learner.init, begun),
            learner.step,
            keys,
            pairs,
            steps=config.steps,
            every=config.every,
            watch=watch,
        )
        best, chosen = [], []
        for i in range(len(keys)):
            tried = [at(member(trained.state, i), r) for r in range(len(config.rates))]
            best.append(int(np.argmax([scores(model, p, *checked).mean() for p in tried])))
            chosen.append(jax.device_get(tried[best[-1]]))
        params[arm] = jax.tree.map(lambda *xs: np.stack(xs), *chosen)
        rates[arm] = [config.rates[b] for b in best]
        history = history or [{"step": row["step"]} for row in trained.history]
        for row, losses in zip(history, losses_at(trained.history, best), strict=True):
            row[arm] = losses
    return Learned(params, rates, history)


def untrained(config: Config, key: jax.Array, data: Data) -> Params:
    """The paper's network as it begins; `key` is a seed's."""
    (_, model), *_ = make_models(config, tuple(map(len, data.vocabularies)))
    return _begun(model, purpose(jax.random.clone(key), "gru"))


@functools.partial(jax.jit, static_argnums=0)
def _begun(model: EncoderDecoder, key: jax.Array) -> Params:
    row = jnp.ones((1, 2), jnp.int32)
    return model.init(key, row, row)["params"]


def scores(model: EncoderDecoder, params: Params, source, target) -> np.ndarray:
    """`log p(target | source)` of each pair `[n]`, ends included; not divided by a length."""
    source, target = np.asarray(source), np.asarray(target)
    chunks = []
    for start in range(0, len(source), AT_ONCE):
        part = [x[start : start + AT_ONCE] for x in (source, target)]
        rows = len(part[0])
        part = [np.concatenate([x, np.ones((AT_ONCE - rows, x.shape[1]), x.dtype)]) for x in part]
        chunks.append(np.asarray(_scores(model, params, *part))[:rows])
    return np.concatenate(chunks)


@functools.partial(jax.jit, static_argnums=0)
def _scores(model: EncoderDecoder, params: Params, source: jax.Array, target: jax.Array):
    return model.apply({"params": params}, source, target, method="log_probability")


@functools.partial(jax.jit, static_argnums=0)
def summaries(model: EncoderDecoder, params: Params, source: jax.Array) -> jax.Array:
    """The c of each phrase, `[B, units]`."""
    return model.apply({"params": params}, source, method="encode").summary


def words_in(target: np.ndarray) -> int:
    """Words of these rows, their ends included."""
    return int(np.asarray(real(target)).sum())
