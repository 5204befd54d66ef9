"""How every arm of every comparison learns: the same images, updates and learning rates to choose from."""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.seeds import stack
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

Params = Any
BRANCHES = ("offset", "transformer", "filter")
"""Parameters, by their paths, that find from the input where to look, or with what."""


class Task(NamedTuple):
    """What is learned. Tasks that differ in `data` alone share their functions, and each net's program.

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
    """How an arm is trained.

    Attributes:
      steps: updates.
      rates: learning rates that are tried.
      trial: updates after which the best of them goes on.
      every: updates in one compiled call.
      branch_rate: of a learning rate, what the branches have that find offsets (section 3.1: beta), a warp
        or filters.
    """

    steps: int
    rates: Sequence[float]
    trial: int
    every: int
    branch_rate: float = 1.0


def trial_of(steps: int) -> int:
    """A fifth of the updates shows which learning rate is the best."""
    return -(-steps // 5)


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
    """Trains an arm by Adam at each learning rate for a while; what scores best goes on, seed by seed.

    The rate falls to a tenth for the last third of the updates (section 4.1).

    Args:
      params: where to start, stacked over seeds.
      learns: whether a parameter, by its path ("conv2/offset/kernel"), is trained; all if None.
    """
    step = make_step(net, task.draw, task.loss)
    moves = _by_path(
        lambda path: (learns is None or learns(path)) * _rate_of(path, schedule),
        params,
    )
    late = jnp.int32(2 * schedule.steps // 3)

    def trained(name, states, begin, end):
        inputs = task.data, late, moves, jnp.int32(begin)
        settings = {"steps": end - begin, "every": schedule.every, "watch": watch, "conv": True}
        return train(name, states, step, keys, inputs, **settings)

    streams = jax.vmap(lambda key: jax.random.key_data(purpose(key, "batches")))(keys)
    fresh_learner = jax.jit(jax.vmap(lambda p: init_state(p, optax.adam(0.0))))(params)
    history, tried = {}, []
    for rate in schedule.rates:
        states = {"learner": fresh_learner, "stream": streams, "rate": jnp.full(len(keys), rate)}
        ended = trained(f"{name}-{rate:g}", states, 0, schedule.trial)
        history[f"{name}-{rate:g}"] = ended.history
        tried.append(ended.state)
    best = []
    for i in range(len(keys)):
        of_seed = [member(states, i) for states in tried]
        best.append(max(of_seed, key=lambda state: task.score(net, state["learner"].params)))
    chosen = stack(best)
    ended = trained(name, chosen, schedule.trial, schedule.steps)
    history[name] = ended.history
    params = [member(ended.state["learner"].params, i) for i in range(len(keys))]
    return Learned(params, [float(rate) for rate in chosen["rate"]], history)


def _rate_of(path: str, schedule: Schedule) -> float:
    return schedule.branch_rate if any(branch in path for branch in BRANCHES) else 1.0


@functools.lru_cache(maxsize=64)
def make_step(net: Any, draw: Callable, loss: Callable) -> Callable:
    """The step of `train`, made once; its data: a task's, when the rate falls, what moves, updates before."""

    def of_batch(params, batch, key):
        del key
        return loss(net, params, batch), {}

    def step(state, inputs, key, t):
        del key  # this training's own; the batches are those of every other
        data, late, moves, before = inputs
        t += before
        stream = jax.random.wrap_key_data(state["stream"])
        tx = optax.adam(jnp.where(t < late, 1.0, 0.1) * state["rate"])
        learner, metrics = supervised(of_batch, _masked(tx, moves))(
            state["learner"], draw(data, stream, t), None
        )
        return {**state, "learner": learner}, metrics

    return step


def _masked(tx: optax.GradientTransformation, moves: Params) -> optax.GradientTransformation:
    """`tx`, whose updates are multiplied by `moves`."""

    def update(gradients, state, params=None):
        updates, state = tx.update(gradients, state, params)
        return jax.tree.map(jnp.multiply, updates, moves), state

    return optax.GradientTransformation(tx.init, update)


def _by_path(of_path: Callable[[str], float], params: Params) -> Params:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jnp.float32(of_path("/".join(key.key for key in path))), params
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
