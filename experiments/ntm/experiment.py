"""The Neural Turing Machine paper: each task, its three networks, what they learn and how far it carries."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.ntm import measures
from experiments.ntm.config import Config
from experiments.ntm.training import costs, make_model, make_task, train_network
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["load_data", "run"]

SOLVED = 1.0
"""Bits a sequence: below it a learning curve of the paper looks like zero."""


def load_data(config: Config, data_dir: Path | None = None) -> list[dict]:
    """Descriptions of the tasks: their sequences are made on the device, as functions of the seed."""
    del data_dir
    return [
        {"name": name, "split": "generated", "fingerprint": None, "real": False}
        for name in config.tasks
    ]


def run(config: Config, key: jax.Array, data: list[dict], watch: Watch | None = None) -> Result:
    """Everything the paper claims. `key` is one root key, or `[n]` of them: a replica each."""
    watch = watch or Watch()
    keys = jnp.atleast_1d(key)
    result = Result({}, arrays={"sequences_per_update": np.array(config.batch)}, data=data)
    for name in config.tasks:
        result |= run_task(config, name, keys, watch)
    return result


def run_task(config: Config, name: str, keys: jax.Array, watch: Watch) -> Result:
    """Trains every network on one task, then tests it."""
    task = make_task(config, name)
    trained = {}
    metrics, history, weights = {}, {}, {}
    for kind in config.models:
        network = getattr(getattr(config, name), kind)
        model = make_model(config, network, kind, task.outputs)
        training = f"{name}-{kind}"
        found = train_network(training, config, name, kind, keys, watch)
        trained[kind] = measures.Learned(model, [member(found.params, i) for i in range(len(keys))])
        history[training] = found.history
        of = f"{name}_{kind}"
        cost = [costs(config, task, model, p)["bits"] for p in trained[kind].params]
        metrics[f"{of}_bits"] = [float(c.mean()) for c in cost]
        metrics[f"{of}_sequences"] = [
            until(found.history, i, config.batch) for i in range(len(keys))
        ]
        metrics[f"{of}_updates"] = [float(found.history[-1]["step"])] * len(keys)
        count = sum(x.size for x in jax.tree.leaves(trained[kind].params[0]))
        metrics[f"{of}_parameters"] = [float(count)]
        about = {"paper": "ntm", "task": name, "model": kind}
        weights[training] = (jax.device_get(trained[kind].params[0]), about)
    if "baseline" in trained:
        for kind in trained.keys() - {"baseline"}:
            metrics[f"{name}_{kind}_times_faster"] = times_faster(
                metrics[f"{name}_{kind}_sequences"],
                metrics[f"{name}_baseline_sequences"],
                getattr(config, name).sequences,
            )
    result = Result(metrics, history, weights=weights)
    return result | measures.MEASURES[name](config, task, trained)


def until(history: list[dict], replica: int, batch: int) -> float:
    """Sequences seen when the learning curve stays below `SOLVED`; infinite if it never does."""
    seen = np.inf
    for row in reversed(history):
        if "validation" not in row:
            continue
        if row["validation"][replica] >= SOLVED:
            break
        seen = row["step"] * batch
    return float(seen)


def times_faster(ours: list[float], baseline: list[float], sequences: int) -> list[float]:
    """How many times the sequences the baseline needs; where it never gets there, those it has seen."""
    return [min(theirs, sequences) / own for own, theirs in zip(ours, baseline, strict=True)]
