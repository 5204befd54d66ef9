"""python -m tests.benchmarks.scaling: how the NTM's update grows with memory, sequence and seeds.

The copy task with the paper's LSTM controller, one read and one write head: training sequences a
second against the memory's rows, against the vectors in a sequence, and against the replicas that
train at once in one vmapped program or one after another. Keeps the numbers and their figure.
"""

import functools
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.ntm.config import PRESETS
from experiments.ntm.training import make_learner, make_model
from lib.base.files import write_json
from lib.ops.algorithmic import Copy
from lib.plots.style import DISCRIMINATOR, GUIDE, MODEL, save, subplots
from lib.run.devices import choose
from lib.run.keys import root_keys
from lib.run.loop import member
from lib.run.paper import load_paper

ROWS, LENGTH = (16, 64, 256, 1024, 4096), 20
LENGTHS, PAPER_ROWS = (5, 10, 20, 40, 80, 160), 128
REPLICAS = (1, 2, 4, 8)
BATCHES = (1, 16)
STEPS = {1: 10, 16: 2}
"""Updates in one compiled call."""
SECONDS, CALLS = 1.2, 3
"""A point is the median of at least so many calls, over at least so long."""

Curve = list[tuple[int, float]]
"""`[(size, sequences a second)]`."""


def program(rows: int, length: int, batch: int) -> tuple[Callable, Callable]:
    """`init(key) -> state` and `updates(state, key) -> state`, `STEPS[batch]` of them."""
    config = replace(PRESETS["paper"], rows=rows, batch=batch, every=batch, chunk=batch)
    network = config.copy.lstm
    task = Copy(min_length=length, max_length=length)
    model = make_model(config, network, "lstm", task.outputs)
    learner = make_learner(task, model, network.learning_rate, batch, config.clip)

    def updates(state, key):
        return jax.lax.scan(
            lambda state, t: (learner.step(state, (), key, t)[0], None),
            state,
            jnp.arange(STEPS[batch]),
        )[0]

    return learner.init, updates


def seconds(call: Callable) -> float:
    """The median time of `call`, after one to compile it."""
    jax.block_until_ready(call())
    began, found = time.perf_counter(), []
    while len(found) < CALLS or time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        jax.block_until_ready(call())
        found.append(time.perf_counter() - start)
    return float(np.median(found))


@functools.cache
def rate(rows: int, length: int, batch: int) -> float:
    """Sequences a second of one training."""
    init, updates = program(rows, length, batch)
    key, updates = jax.random.key(0), jax.jit(updates)
    state = jax.jit(init)(key)
    return STEPS[batch] * batch / seconds(lambda: updates(state, key))


def seed_rates(batch: int) -> dict[str, Curve]:
    """Sequences a second of all replicas together."""
    init, updates = program(PAPER_ROWS, LENGTH, batch)
    alone, together = jax.jit(updates), jax.jit(jax.vmap(updates))
    curves: dict[str, Curve] = {"in one program": [], "one after another": []}
    for replicas in REPLICAS:
        keys = root_keys(tuple(range(replicas)))
        states = jax.jit(jax.vmap(init))(keys)
        members = [(member(states, i), keys[i]) for i in range(replicas)]
        sequences = STEPS[batch] * batch * replicas
        for name, call in (
            ("in one program", lambda: together(states, keys)),
            ("one after another", lambda: [alone(*m) for m in members]),
        ):
            curves[name].append((replicas, sequences / seconds(call)))
    return curves


def measure() -> dict[str, dict[str, Curve]]:
    """Every curve of the figure, by what varies and by what it is called there."""
    curves = {
        "rows": {
            f"batch {batch}": [(n, rate(n, LENGTH, batch)) for n in ROWS] for batch in BATCHES
        },
        "length": {
            f"batch {batch}": [(n, rate(PAPER_ROWS, n, batch)) for n in LENGTHS]
            for batch in BATCHES
        },
        "seeds": {
            f"batch {batch}, {name}": curve
            for batch in BATCHES
            for name, curve in seed_rates(batch).items()
        },
    }
    return {
        what: {name: [(n, round(r, 2)) for n, r in curve] for name, curve in found.items()}
        for what, found in curves.items()
    }


def draw(curves: dict[str, dict[str, Curve]], path: Path) -> None:
    """Three panels, both axes logarithmic; dashed: proportional to the work, or to the replicas."""
    figure, axes = subplots(1, 3, width=11, height=3.6)
    titles = {
        "rows": f"rows of memory (length {LENGTH})",
        "length": f"vectors in a sequence ({PAPER_ROWS} rows)",
        "seeds": "replicas (all together)",
    }
    for axis, (what, title) in zip(axes, titles.items(), strict=True):
        for name, curve in curves[what].items():
            sizes, rates = np.array(curve).T
            color = MODEL if name.split(",")[0] == "batch 1" else DISCRIMINATOR
            style = ":" if name.endswith("another") else "-"
            axis.loglog(sizes, rates, marker="o", ms=4, ls=style, color=color, label=name)
        # From the largest size backwards, where fixed costs no longer count; seeds begin at one.
        anchor, sign = (0, 1) if what == "seeds" else (-1, -1)
        for i, curve in enumerate(curves[what].values()):
            if what == "seeds" and i % 2:
                continue
            sizes, rates = np.array(curve).T
            line = rates[anchor] * (sizes / sizes[anchor]) ** sign
            label = ("for free" if what == "seeds" else "slope −1") if i == 0 else None
            shown = line <= 2 * max(r for c in curves[what].values() for _, r in c)
            axis.plot(sizes[shown], line[shown], color=GUIDE, ls="--", lw=1, label=label, zorder=0)
        axis.set(xlabel=title, xticks=sizes, xticklabels=[f"{n:.0f}" for n in sizes])
        axis.minorticks_off()
        axis.legend(fontsize=8)
    axes[0].set_ylabel("training sequences / s")
    save(figure, path)


def main() -> None:
    device = choose("auto")
    curves = measure()
    results = load_paper("experiments.ntm").results
    results.mkdir(exist_ok=True)
    made = {
        "what": "training sequences a second: copy, width 20, LSTM-100, 1 + 1 heads",
        "curves": curves,
        "device": device,
        "versions": f"Python {platform.python_version()}, jax {version('jax')}",
        "command": "python -m tests.benchmarks.scaling",
    }
    write_json(results / "scaling.json", made)
    draw(curves, results / "scaling.png")


if __name__ == "__main__":
    main()
