"""How networks that are compared learn: from the same batches, with the same search of step sizes."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.long_memory.config import Config
from experiments.long_memory.tasks import Batch
from lib.models.tagger import Tagger
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.watch import Watch
from lib.steps.supervised import at, losses_at, search

Arms = tuple[tuple[str, Tagger], ...]
Params = Any
Draw = Callable[[Any, jax.Array, jax.Array], Batch]


class Learned(NamedTuple):
    """At the step sizes that validation chose: of each arm its parameters stacked over seeds; the sizes, and
    the shares of right tags in the test, one a seed; the history of their losses."""

    params: dict[str, Params]
    rates: dict[str, list[float]]
    accuracy: dict[str, list[float]]
    history: list[dict]


class Learner(NamedTuple):
    """Pure functions of one network, for `lib.run.loop`; `init({"own": key, "batches": key})`."""

    init: Callable
    step: Callable


def loss(model: Tagger, params: Params, batch: Batch) -> tuple[jax.Array, dict[str, jax.Array]]:
    """`(nats a tag that is asked for, {"accuracy": share of them that is right})`."""
    scores = model.apply({"params": params}, batch.words, batch.real)
    nats = optax.softmax_cross_entropy_with_integer_labels(scores, batch.tags)
    right = scores.argmax(axis=-1) == batch.tags
    asked = batch.asked.sum()
    return (nats * batch.asked).sum() / asked, {"accuracy": (right & batch.asked).sum() / asked}


@functools.lru_cache(maxsize=32)
def make_learner(model: Tagger, draw: Draw, rates: tuple[float, ...], clip: float) -> Learner:
    """The loop's `init` and `step`: a network a rate, all from the batch of the step.

    Args:
      draw: `draw(data, key, t)`, that batch.
    """

    def of_batch(params, batch, key):
        del key
        return loss(model, params, batch)

    def rule(rate):
        return optax.chain(
            optax.clip_by_global_norm(clip), optax.scale_by_adam(), optax.scale(-rate)
        )

    learning = search(of_batch, rule, rates)

    def init(keys):
        params = model.init(keys["own"], jnp.zeros((1, 1), jnp.int32))["params"]
        return learning.begin(params, keys["batches"])

    def step(state, data, key, t):
        del key  # the networks that are compared share one: the state's
        return learning.step(state, lambda key: draw(data, key, t))

    return Learner(init, step)


@functools.partial(jax.jit, static_argnums=0)
def measured(model: Tagger, params: Params, batch: Batch) -> tuple[jax.Array, jax.Array]:
    """`(nats, accuracy)`, `[n]` each, of the n networks that `params` stacks."""
    nats, others = jax.vmap(lambda p: loss(model, p, batch))(params)
    return nats, others["accuracy"]


def compare(
    name: str,
    arms: Arms,
    draw: Draw,
    config: Config,
    keys: jax.Array,
    data: Any,
    validation: Callable[[jax.Array], Batch],
    test: Callable[[jax.Array], Batch],
    watch: Watch,
    steps: int,
) -> Learned:
    """Trains every arm at every rate to the end; seed by seed each keeps the one of fewest nats.

    Args:
      validation, test: of a seed's key, the sequences that choose, and as many others to test.
    """
    params, rates, accuracy, history = {}, {}, {}, []
    own = jax.vmap(purpose, (0, None))
    for arm, model in arms:
        learner = make_learner(model, draw, config.rates, config.clip)
        begun = {"own": own(keys, f"{name} {arm}"), "batches": own(keys, f"{name} batches")}
        trained = train(
            f"{name}-{arm}",
            initialise(learner.init, begun),
            learner.step,
            keys,
            data,
            steps=steps,
            every=config.every,
            watch=watch,
        )
        states = [member(trained.state, i) for i in range(len(keys))]
        nats = [
            measured(model, state.tried.params, validation(key))[0]
            for state, key in zip(states, keys, strict=True)
        ]
        best = [int(np.argmin(of_rates)) for of_rates in nats]
        accuracy[arm] = [
            float(measured(model, state.tried.params, test(key))[1][b])
            for state, key, b in zip(states, keys, best, strict=True)
        ]
        chosen = [jax.device_get(at(s, b)) for s, b in zip(states, best, strict=True)]
        params[arm] = jax.tree.map(lambda *xs: np.stack(xs), *chosen)
        rates[arm] = [config.rates[b] for b in best]
        history = history or [{"training": name, "step": row["step"]} for row in trained.history]
        for row, losses in zip(history, losses_at(trained.history, best), strict=True):
            row[arm] = losses
    return Learned(params, rates, accuracy, history)
