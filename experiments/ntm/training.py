"""How every network of the paper learns every task, and what its answers cost."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.ntm.config import Config, Network
from lib.metrics.bits import bits_per_sequence, wrong_bits
from lib.models.ntm import NTM, StackedLSTM
from lib.ops import algorithmic
from lib.ops.algorithmic import Sequence
from lib.run.keys import purpose
from lib.run.loop import initialise, train
from lib.run.seeds import at_once
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

Params = Any
TESTED_AT_ONCE = 100
"""Sequences in one compiled forward pass."""
VARYING = (algorithmic.Copy, algorithmic.RepeatCopy, algorithmic.AssociativeRecall)
"""Tasks whose sequences differ in length."""
SHORT = 24
"""Steps below which nothing is gained by cutting them further."""


class Trained(NamedTuple):
    """A network of one task after training: parameters stacked over seeds, and the learning curve.

    Rows of `history` say how many `sequences` were seen; some have the cost `validation`, a seed each.
    """

    params: Params
    history: list[dict]


class Learner(NamedTuple):
    """Pure functions of one network and task."""

    init: Callable
    step: Callable


def make_task(config: Config, name: str):
    """The task `name` at the sizes that are trained on."""
    of = getattr(config, name)
    if name == "copy":
        return algorithmic.Copy(of.bits, 1, of.length)
    if name == "repeat_copy":
        return algorithmic.RepeatCopy(of.bits, 1, of.length, 1, of.repeats, of.repeats)
    if name == "associative_recall":
        return algorithmic.AssociativeRecall(of.bits, of.vectors, 2, of.items)
    if name == "ngrams":
        return algorithmic.NGrams(of.length, of.context)
    return algorithmic.PrioritySort(of.bits, of.shown, of.sorted)


def make_model(config: Config, network: Network, kind: str, outputs: int):
    """The Flax module: an NTM with a "feedforward" or "lstm" controller, or the "baseline"."""
    if kind == "baseline":
        return StackedLSTM(outputs, network.hidden)
    return NTM(
        outputs, kind, network.hidden, network.heads, config.rows, config.width, config.memory
    )


def cut_short(loss: Callable, task) -> Callable:
    """`loss(params, sequences, key)`, sequences cut to the shortest of four lengths that holds all scored.

    Most sequences are far shorter than the longest: half of the time would go into padding. Where replicas
    share a `vmap` all four would be computed, and tasks of one length have nothing to cut.
    """
    if not isinstance(task, VARYING) or task.steps < SHORT or at_once(conv=False):
        return loss
    lengths = [-(-task.steps * quarter // 4) for quarter in (1, 2, 3, 4)]

    def cut(params, sequences: Sequence, key):
        def to(length):
            def shorter(params, sequences):
                return loss(params, jax.tree.map(lambda x: x[:, :length], sequences), key)

            return shorter

        scored = sequences.scored.max(axis=0) > 0
        end = jnp.max(jnp.where(scored, jnp.arange(1, task.steps + 1), 0))
        which = jnp.searchsorted(jnp.array(lengths), end)
        return jax.lax.switch(which, [to(n) for n in lengths], params, sequences)

    return cut


@functools.lru_cache(maxsize=8)
def make_learner(
    task, model, learning_rate: float, batch: int, clip: float, decay_over: int | None = None
) -> Learner:
    """`init(key) -> state` and the loop's `step`, compiled once for equal arguments.

    RMSProp is Graves' (2013, arXiv:1308.0850): gradients over their standard deviation, with momentum
    0.9. The loss is the cross-entropy of a sequence in nats; a batch's is the mean. With `decay_over`
    the learning rate falls to zero along a cosine in so many updates.
    """
    rate = optax.cosine_decay_schedule(learning_rate, decay_over) if decay_over else learning_rate
    rule = optax.rmsprop(rate, decay=0.95, momentum=0.9, centered=True, eps=1e-4, eps_in_sqrt=True)
    tx = optax.chain(optax.clip(clip), rule)

    def loss(params, sequences: Sequence, key):
        del key
        logits = model.apply({"params": params}, sequences.inputs)
        bits = bits_per_sequence(logits, sequences.targets, sequences.scored).mean()
        return bits * jnp.log(2), {"bits": bits}

    update = supervised(cut_short(loss, task), tx)

    def init(key):
        inputs = jnp.zeros((1, task.steps, task.inputs))
        return init_state(model.init(purpose(key, "init"), inputs)["params"], tx)

    def step(state, data, key, t):
        del data
        indices = t * batch + jnp.arange(batch)
        state, metrics = update(state, sample(task, purpose(key, "sequences"), indices), key)
        return state, {"bits": metrics["bits"]}

    return Learner(init, step)


@functools.partial(jax.jit, static_argnums=0)
def sample(task, key: jax.Array, indices: jax.Array) -> Sequence:
    """The sequences `indices` of the endless stream of `key`: `[n, T, ...]`."""
    return jax.vmap(lambda i: task.sample(jax.random.fold_in(key, i)))(indices)


def train_network(
    training: str, config: Config, task_name: str, kind: str, keys: jax.Array, watch: Watch
) -> Trained:
    """Trains a replica a key; the learning curve is the cost of `config.validation` sequences."""
    settings = getattr(config, task_name)
    network = getattr(settings, kind)
    task = make_task(config, task_name)
    model = make_model(config, network, kind, task.outputs)
    steps = max((network.sequences or settings.sequences) // config.batch, 1)
    decay_over = steps if settings.schedule == "cosine" else None
    learner = make_learner(
        task, model, network.learning_rate, config.batch, config.clip, decay_over
    )

    def score(state):
        return {"validation": costs(config, task, model, state.params)["bits"].mean()}

    trained = train(
        training,
        initialise(learner.init, keys),
        learner.step,
        keys,
        (),
        steps=steps,
        every=config.chunk // config.batch,
        watch=watch,
        score=score,
        score_every=config.every // config.batch,
    )
    history = [row | {"sequences": row["step"] * config.batch} for row in trained.history]
    return Trained(trained.state.params, history)


@functools.lru_cache(maxsize=16)
def _cost(model) -> Callable:
    """Compiled once for sequences of one length, of whatever task."""

    @jax.jit
    def cost(params, sequences: Sequence):
        logits = model.apply({"params": params}, sequences.inputs)
        scored = sequences.targets, sequences.scored
        return {"bits": bits_per_sequence(logits, *scored), "wrong": wrong_bits(logits, *scored)}

    return cost


def costs(config: Config, task, model, params) -> dict[str, np.ndarray]:
    """`bits` and `wrong` of each of `config.validation` sequences of `task`, `[n]`.

    They are the same for all seeds and networks, and none of them is trained on.
    """
    cost, key = _cost(model), purpose(jax.random.key(0), "validation")
    starts = range(0, config.validation, TESTED_AT_ONCE)
    rounds = [
        cost(params, sample(task, key, start + jnp.arange(TESTED_AT_ONCE))) for start in starts
    ]
    return {k: np.concatenate([r[k] for r in rounds])[: config.validation] for k in rounds[0]}


@functools.lru_cache(maxsize=16)
def _answer(model) -> Callable:
    return jax.jit(lambda params, inputs: model.apply({"params": params}, inputs, trace=True))


def trace(model, params, sequence: Sequence) -> dict[str, np.ndarray]:
    """What an NTM answers to one sequence and what its heads do, `[T, ...]` each."""
    logits, steps = _answer(model)(params, sequence.inputs[None])
    batched = {"outputs": jax.nn.sigmoid(logits), **steps}
    return {name: np.asarray(value[0]) for name, value in batched.items()}
