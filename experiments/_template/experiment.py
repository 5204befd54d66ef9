"""The template, in the order in which it happens: points, the root, two trainings."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments._template.config import Config
from lib.run.loop import initialise, train
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

__all__ = ["PARTS", "load_data", "run"]


class Data(NamedTuple):
    """Points, float32 `[n, 2]` and `[n]`; `about` describes each source that a part may name."""

    x: np.ndarray
    y: np.ndarray
    about: dict[str, list[dict]]


def load_data(config: Config, data_dir: Path | None = None, *, only=None) -> Data:
    """Points of a noisy line. A real paper loads the sources in `only`, all if that is None."""
    del data_dir, only
    rng = np.random.default_rng(0)
    x = np.stack([rng.uniform(-1, 1, config.points), np.ones(config.points)], axis=1)
    y = x @ [2.0, -1.0] + rng.normal(size=config.points)
    about = [{"name": "line", "split": "generated", "fingerprint": None, "real": False}]
    return Data(x.astype(np.float32), y.astype(np.float32), {"points": about})


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None, only=()) -> Result:
    """Everything the paper claims. `key` is one root key, or `[n]` of them: a replica each."""
    return run_parts(load_paper("experiments._template"), config, key, data, watch, only)


def squared_error(params, batch, key):
    """Half the mean square of `x w - y`."""
    del key
    x, y = batch
    return jnp.square(x @ params["w"] - y).mean() / 2, {}


def least_squares(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """The root, by the normal equations: the same for every seed."""
    root = np.linalg.lstsq(data.x.astype(float), data.y.astype(float), rcond=None)[0]
    gradient = data.x.T @ (data.x @ root - data.y) / len(data.y)
    return Result({"root_gradient": float(np.abs(gradient).max())}, arrays={"root": root})


def theorem_2(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Stochastic approximation with falling and with constant steps, on the same minibatches."""
    optimisers = {"falling": optax.sgd(falling(config)), "constant": optax.sgd(config.step_size)}
    rules = {name: supervised(squared_error, tx) for name, tx in optimisers.items()}

    def init(key):
        del key
        return {name: init_state({"w": jnp.zeros(2)}, tx) for name, tx in optimisers.items()}

    def step(states, points, key, t):
        x, y = points
        chosen = jax.random.randint(jax.random.fold_in(key, t), (config.batch,), 0, len(y))
        stepped = {n: rule(states[n], (x[chosen], y[chosen]), key) for n, rule in rules.items()}
        states = {name: state for name, (state, _) in stepped.items()}
        return states, {name: metrics["loss"] for name, (_, metrics) in stepped.items()}

    trained = train(
        "theorem_2",
        initialise(init, keys),
        step,
        keys,
        (jnp.asarray(data.x), jnp.asarray(data.y)),
        steps=config.steps,
        every=config.every,
        watch=watch,
    )
    root = needs["least_squares"].arrays["root"]
    metrics, weights = {}, {}
    for name, state in trained.state.items():
        w = np.asarray(state.params["w"])
        metrics[f"distance_{name}"] = np.linalg.norm(w - root[None], axis=1).tolist()
        weights[name] = (state.params, {"paper": "template", "steps": name})
    pairs = zip(metrics["distance_falling"], metrics["distance_constant"], strict=True)
    metrics["ratio"] = [ours / theirs for ours, theirs in pairs]
    return Result(metrics, {"theorem_2": trained.history}, weights=weights)


def falling(config: Config):
    """a_t = a_1 / (1 + t / 10): the sum diverges, that of the squares does not."""
    return lambda t: config.step_size / (1 + t / 10)


PARTS = {"least_squares": least_squares, "theorem_2": theorem_2}
