"""How every arm of every comparison learns: the same images, updates and learning rates to choose from."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

Params = Any


class Task(NamedTuple):
    """What is learned; functions of data that all arms share.

    Attributes:
      data: arrays on the device.
      draw: `draw(data, key, t) -> batch`, the t-th minibatch: no arm has a say in it.
      loss: `loss(net, params, batch) -> scalar`.
      score: `score(net, params) -> float`, on validation data: what chooses the learning rate.
    """

    data: Any
    draw: Callable[[Any, jax.Array, jax.Array], Any]
    loss: Callable[[Any, Params, Any], jax.Array]
    score: Callable[[Any, Params], float]


class Schedule(NamedTuple):
    """How long, at which of several learning rates, and how many updates a compiled call makes."""

    steps: int
    rates: Sequence[float]
    every: int


class Learned(NamedTuple):
    """An arm after training, a seed each: parameters and the learning rate chosen; curves by training."""

    params: list[Params]
    rates: list[float]
    history: Mapping[str, list[dict]]


def fresh(net: Any, keys: jax.Array, *shape: int) -> Params:
    """Initial parameters for inputs of `shape`, stacked over seeds: equal where nets share a layer."""
    return initialise(
        lambda key: net.init(purpose(key, "weights"), jnp.zeros(shape))["params"], keys, conv=True
    )


def learn(
    name: str,
    net: Any,
    params: Params,
    task: Task,
    keys: jax.Array,
    watch: Watch,
    schedule: Schedule,
    learns: Callable[[str], bool] | None = None,
) -> Learned:
    """Trains an arm by Adam once for each learning rate; keeps what scores best, seed by seed.

    The rate falls to a tenth for the last third of the updates (section 4.1).

    Args:
      params: where to start, stacked over seeds.
      learns: whether a parameter, by its path ("conv2/offset/kernel"), is trained; all if None.
    """

    def optimiser(rate):
        if learns is None:
            return optax.adam(rate)
        rules = {True: optax.adam(rate), False: optax.set_to_zero()}
        return optax.multi_transform(rules, lambda params: _by_path(learns, params))

    def loss(params, batch, key):
        del key
        return task.loss(net, params, batch), {}

    def step(state, inputs, key, t):
        del key  # this training's own; the batches are those of every other
        data, rate = inputs
        stream = jax.random.wrap_key_data(state["stream"])
        batch = task.draw(data, jax.random.fold_in(stream, t), t)
        # The rate is an argument, so that one program serves all of them.
        falling = jnp.where(t < 2 * schedule.steps // 3, rate, 0.1 * rate)
        learner, metrics = supervised(loss, optimiser(falling))(state["learner"], batch, None)
        return {**state, "learner": learner}, metrics

    start = {
        "learner": jax.vmap(lambda p: init_state(p, optimiser(0.0)))(params),
        "stream": jax.vmap(lambda key: jax.random.key_data(purpose(key, "batches")))(keys),
    }
    settings = {"steps": schedule.steps, "every": min(schedule.every, schedule.steps)}
    ends = {
        rate: train(
            f"{name}-{rate:g}",
            *(start, step, keys, (task.data, jnp.float32(rate))),
            watch=watch,
            conv=True,
            **settings,
        )
        for rate in schedule.rates
    }
    chosen, best = [], []
    for i in range(len(keys)):
        of_seed = {rate: member(end.state["learner"].params, i) for rate, end in ends.items()}
        rate = max(of_seed, key=lambda rate: task.score(net, of_seed[rate]))
        chosen.append(of_seed[rate])
        best.append(rate)
    history = {f"{name}-{rate:g}": end.history for rate, end in ends.items()}
    return Learned(chosen, best, history)


def _by_path(learns: Callable[[str], bool], params: Params) -> Params:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: learns("/".join(key.key for key in path)), params
    )


def count(net: Any, *shape: int) -> int:
    """How many parameters `net` has for inputs of `shape`."""
    variables = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros(shape))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def fastest(call: Callable[[], Any], times: int = 5) -> float:
    """Seconds of the fastest of several calls, after one that compiles."""
    jax.block_until_ready(call())
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - began)
    return min(seconds)
