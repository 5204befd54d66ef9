"""The Neural Turing Machine paper: each network learns each task, and is asked how far it carries."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from experiments.ntm import measures
from experiments.ntm.config import Config
from experiments.ntm.parts import COMPARED, MODELS, TASKS
from experiments.ntm.training import costs, make_model, make_task, train_network
from lib.run.loop import member
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]

SOLVED = 1.0
"""Bits a sequence: below it a learning curve of the paper looks like zero."""


class Data(NamedTuple):
    """Descriptions of the tasks: their sequences are made on the device, as functions of the seed."""

    about: dict[str, list[dict]]


def load_data(
    config: Config, data_dir: Path | None = None, *, only: Collection[str] | None = None
) -> Data:
    """The tasks of the names `only` (None: all)."""
    del config, data_dir
    names = [task for task in TASKS if only is None or task in only]
    described = {"split": "generated", "fingerprint": None, "real": False}
    return Data({name: [{"name": name, **described}] for name in names})


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None, only=()) -> Result:
    """What `config` asks for, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.ntm"), config, key, data, watch, only)


def train_and_test(
    task_name: str,
    kind: str,
    config: Config,
    keys: jax.Array,
    watch: Watch,
    needs: Mapping[str, Result],
) -> Result:
    """One network on one task: its learning curve, then what the paper asks of it."""
    task, network = make_task(config, task_name), getattr(getattr(config, task_name), kind)
    model = make_model(config, network, kind, task.outputs)
    name = f"{task_name}-{kind}"
    trained = train_network(name, config, task_name, kind, keys, watch)
    params = [member(trained.params, i) for i in range(len(keys))]
    cost = [costs(config, task, model, p)["bits"] for p in params]
    of = f"{task_name}_{kind}"
    metrics = {
        f"{of}_bits": [float(c.mean()) for c in cost],
        f"{of}_sequences": [until(trained.history, i) for i in range(len(keys))],
        f"{of}_parameters": float(sum(x.size for x in jax.tree.leaves(params[0]))),
    }
    about = {"paper": "ntm", "task": task_name, "model": kind}
    weights = {name: (jax.device_get(trained.params), about)}
    result = Result(metrics, {name: trained.history}, weights=weights)
    learned = measures.Learned(kind, model, params)
    return result | measures.MEASURES[task_name](config, task, learned, needs)


def search(task_name: str, kind: str, config: Config, keys: jax.Array, watch: Watch) -> Result:
    """One network on one task at each of the learning rates `config.tried`: where its cost comes to.

    Another stream of sequences, and other weights, than those that are trained in the end.
    """
    of, metrics, history = f"{task_name}_{kind}", {}, {}
    settings = getattr(config, task_name)
    for rate in config.tried:
        network = replace(getattr(settings, kind), learning_rate=rate, sequences=config.trial)
        at_rate = replace(config, **{task_name: replace(settings, **{kind: network})})
        name = f"{task_name}-{kind}-at-{rate:g}"
        trained = train_network(name, at_rate, task_name, kind, keys, watch)
        metrics[f"{of}_at_{rate:g}"] = trained.history[-1]["validation"]
        history[name] = trained.history
    return Result(metrics, history)


def until(history: list[dict], replica: int) -> float:
    """Sequences seen when the learning curve stays below `SOLVED`; infinite if it never does."""
    sequences = np.inf
    for row in reversed(history):
        if "validation" not in row:
            continue
        if row["validation"][replica] >= SOLVED:
            break
        sequences = row["sequences"]
    return float(sequences)


def compare(task_name: str, config: Config, needs: Mapping[str, Result]) -> Result:
    """The NTMs beside the LSTM without memory, seed by seed, and what that has come to."""

    def of(kind: str, what: str) -> list[float]:
        return needs[f"{task_name}_{kind}"].metrics[f"{task_name}_{kind}_{what}"]

    what = COMPARED[task_name]
    metrics = {}
    for kind in MODELS[:2]:
        if what == "times_faster":
            compared = times_faster(of(kind, "sequences"), of("baseline", "sequences"))
        else:
            pairs = zip(of(kind, "bits"), of("baseline", "bits"), strict=True)
            compared = [theirs - own for own, theirs in pairs]
        metrics[f"{task_name}_{kind}_{what}"] = compared
    cost = "above_optimal" if task_name == "ngrams" else "bits"
    metrics[f"{task_name}_compared_cost"] = of("baseline", cost)
    return Result(metrics)


def times_faster(ours: list[float], baseline: list[float]) -> list[float]:
    """How many times the sequences the baseline needs; NaN where it never gets there: nobody knows.

    A network that never gets there itself has 0.
    """
    pairs = zip(ours, baseline, strict=True)
    return [theirs / own if np.isfinite(theirs) else np.nan for own, theirs in pairs]


def _network(task_name: str, kind: str):
    def part(config, keys, data, watch, needs):
        del data
        return train_and_test(task_name, kind, config, keys, watch, needs)

    return part


def _search(task_name: str, kind: str):
    def part(config, keys, data, watch, needs):
        del data, needs
        return search(task_name, kind, config, keys, watch)

    return part


def _comparison(task_name: str):
    def part(config, keys, data, watch, needs):
        del keys, data, watch
        return compare(task_name, config, needs)

    return part


def ngrams_optimal(config, keys, data, watch, needs):
    """The best that can be done on the N-grams (10): trained is nothing."""
    del keys, data, watch, needs
    return measures.ngrams_optimal(config, make_task(config, "ngrams"))


def _parts() -> dict:
    parts = {}
    for task in TASKS:
        if task == "ngrams":
            parts["ngrams_optimal"] = ngrams_optimal
        parts |= {f"{task}_{kind}_search": _search(task, kind) for kind in MODELS}
        parts |= {f"{task}_{kind}": _network(task, kind) for kind in MODELS}
        parts[task] = _comparison(task)
    return parts


PARTS = _parts()
