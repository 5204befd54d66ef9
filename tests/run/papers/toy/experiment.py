"""The toy: data, init, two trainings (Adam, then momentum), evaluation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from lib.run.keys import purpose
from lib.run.loop import initialise, train
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised


def load_data(config, data_dir=None):
    """Points of a curve, `[64, 2]`; generated, not measured."""
    x = np.linspace(-1, 1, 64, dtype=np.float32)
    return np.stack([x, np.sin(3 * x)], axis=1)


def run(config, key, data, watch=None):
    """Both trainings, the second from where the first ended."""
    watch, keys = watch or Watch(), jnp.atleast_1d(key)
    net = nn.Sequential([nn.Dense(8), nn.tanh, nn.Dense(1)])
    points = jnp.asarray(data)

    def loss(params, batch, key):
        noise = 0.01 * jax.random.normal(key, (len(batch),))
        predicted = net.apply({"params": params}, batch[:, :1])[:, 0]
        return jnp.square(predicted + noise - batch[:, 1]).mean(), {}

    def training(name, tx, params, steps):
        rule = supervised(loss, tx)

        def step(state, points, key, t):
            chosen, noise = jax.random.split(jax.random.fold_in(key, t))
            return rule(state, jax.random.choice(chosen, points, (16,)), noise)

        state = jax.vmap(lambda params: init_state(params, tx))(params)
        every = min(config.every, steps)
        return train(name, state, step, keys, points, steps=steps, every=every, watch=watch)

    def init(key):
        return net.init(purpose(key, "init"), points[:, :1])["params"]

    rate = config.learning_rate
    adam = training("adam", optax.adam(rate), initialise(init, keys), config.steps)
    momentum = optax.sgd(rate, momentum=0.9)
    tuned = training("momentum", momentum, adam.state.params, config.tuning.steps)
    wait(config.busy)

    final = [jax.tree.map(lambda x, i=i: x[i], tuned.state.params) for i in range(len(keys))]
    losses = [float(loss(params, points, jax.random.key(0))[0]) for params in final]
    arrays = {f"parameter_{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(tuned.state))}
    about = {"name": "points", "split": "all", "fingerprint": "0" * 16, "real": False}
    history = {"adam": adam.history, "momentum": tuned.history}
    weights = {"line": (final[0], {"paper": "toy", "of": "a line"})}
    return Result({"loss": losses}, history, arrays, [about], weights)


def wait(rounds):
    """Keeps XLA busy in one call, and Python's signal handlers waiting."""
    jax.jit(lambda n: jax.lax.fori_loop(0, n, lambda i, x: jnp.sin(x + i), 0.0))(rounds).item()
