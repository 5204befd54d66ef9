"""The toy: data, init, two trainings (Adam, then momentum), evaluation."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from lib.run.keys import purpose
from lib.run.loop import initialise, train
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.steps.supervised import init_state, supervised


class Data(NamedTuple):
    points: np.ndarray
    about: dict


def load_data(config, data_dir=None, weights_dir=None, only=None):
    """Points of a curve, `[64, 2]`; generated, not measured."""
    x = np.linspace(-1, 1, 64, dtype=np.float32)
    about = [{"name": "points", "split": "all", "fingerprint": "0" * 16, "real": False}]
    points = np.stack([x, np.sin(3 * x)], axis=1)
    return Data(points, {"points": about, "more_points": about})


def run(config, key, data, watch=None, only=()):
    """All of it."""
    return run_parts(load_paper("papers.toy"), config, key, data, watch, only)


NET = nn.Sequential([nn.Dense(8), nn.tanh, nn.Dense(1)])


def loss(params, batch, key):
    noise = 0.01 * jax.random.normal(key, (len(batch),))
    predicted = NET.apply({"params": params}, batch[:, :1])[:, 0]
    return jnp.square(predicted + noise - batch[:, 1]).mean(), {}


def training(name, config, tx, params, steps, keys, data, watch):
    rule, points = supervised(loss, tx), jnp.asarray(data.points)

    def step(state, points, key, t):
        chosen, noise = jax.random.split(jax.random.fold_in(key, t))
        return rule(state, jax.random.choice(chosen, points, (16,)), noise)

    state = jax.vmap(lambda params: init_state(params, tx))(params)
    every = min(config.every, steps)
    found = train(name, state, step, keys, points, steps=steps, every=every, watch=watch)
    params = [jax.tree.map(lambda x, i=i: x[i], found.state.params) for i in range(len(keys))]
    losses = [float(loss(p, points, jax.random.key(0))[0]) for p in params]
    arrays = {f"{name}_{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(found.state))}
    about = {"paper": "toy", "of": f"a line, {name}"}
    return losses, {name: found.history}, arrays, {name: (found.state.params, about)}


def adam(config, keys, data, watch, needs):
    """The first training."""
    start = initialise(
        lambda key: NET.init(purpose(key, "init"), data.points[:, :1])["params"], keys
    )
    tx = optax.adam(config.learning_rate)
    losses, *rest = training("adam", config, tx, start, config.steps, keys, data, watch)
    return Result({"loss_adam": losses}, rest[0], rest[1], weights=rest[2])


def momentum(config, keys, data, watch, needs):
    """The second, from where the first ended."""
    start = jax.tree.map(jnp.asarray, needs["adam"].weights["adam"][0])
    tx, steps = optax.sgd(config.learning_rate, momentum=0.9), config.tuning.steps
    losses, *rest = training("momentum", config, tx, start, steps, keys, data, watch)
    wait(config.busy)
    return Result({"loss": losses}, rest[0], rest[1], weights=rest[2])


def points(config, keys, data, watch, needs):
    """Counts."""
    return Result({"points_there": 64.0})


PARTS = {"adam": adam, "momentum": momentum, "points": points}


def wait(rounds):
    """Keeps XLA busy in one call, and Python's signal handlers waiting."""
    jax.jit(lambda n: jax.lax.fori_loop(0, n, lambda i, x: jnp.sin(x + i), 0.0))(rounds).item()
