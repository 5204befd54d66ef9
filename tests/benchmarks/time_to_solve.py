"""python -m tests.benchmarks.time_to_solve: seconds until an NTM copies without a wrong bit.

The paper's copy task and the laptop preset's LSTM controller, over ten seeds. Training stops as soon as fresh
sequences, of the lengths that are trained on, are all right; compiling and checking do not count.
Keeps one row a seed and the table in the paper's README.
"""

import platform
import statistics
import time
from dataclasses import replace
from importlib.metadata import version

import jax
import jax.numpy as jnp

from experiments.ntm.config import PRESETS, Config
from experiments.ntm.training import make_learner, make_model, make_task, sample
from lib.base.files import write_json
from lib.metrics.bits import wrong_bits
from lib.report.tables import write_readmes
from lib.run.devices import choose
from lib.run.keys import purpose, root_keys
from lib.run.loop import initialise, train
from lib.run.paper import load_paper
from lib.run.watch import Watch

SEEDS = range(10)
EVERY = 500
"""Training sequences between two checks."""
CHECKED, AT_ONCE = 500, 100
"""Sequences of a check, and of them in one forward pass: most checks end with the first."""
CAP = 60.0
"""Seconds of training."""
PEER = {
    "name": "loudinthecloud/pytorch-ntm",
    "seconds": 675,
    "sequences": 13_500,
    "why": "measured elsewhere, on two cores of the same kind, at batch 1",
}


class Finished(Exception):
    """Training is solved, or out of time."""


class Stopwatch(Watch):
    """Counts the seconds of training, and ends it.

    Attributes:
      sequences: trained on so far.
      solved: whether the last check found no wrong bit.
    """

    def __init__(self, exact, batch: int):
        self.exact, self.batch = exact, batch
        self.seconds, self.sequences, self.solved = 0.0, 0, False

    def began(self, training, done, steps):
        self.since = time.monotonic()

    def chunk(self, training, step, state, row, *, last):
        jax.block_until_ready(state)
        self.seconds += time.monotonic() - self.since
        self.sequences = step * self.batch
        if self.seconds > CAP:
            raise Finished
        self.solved = self.exact(state.params, self.sequences)
        if self.solved:
            raise Finished
        self.since = time.monotonic()


def make_exact(task, model, key: jax.Array):
    """`exact(params, since)`: whether `CHECKED` sequences that no other check sees are all right."""

    @jax.jit
    def wrong(params, start):
        sequences = sample(task, purpose(key, "fresh"), start + jnp.arange(AT_ONCE))
        logits = model.apply({"params": params}, sequences.inputs)
        return wrong_bits(logits, sequences.targets, sequences.scored).sum()

    def exact(params, since: int) -> bool:
        first = since // EVERY * CHECKED
        params = jax.tree.map(lambda x: x[0], params)
        return all(wrong(params, jnp.int32(first + i)) == 0 for i in range(0, CHECKED, AT_ONCE))

    return exact


def solve(config: Config, seed: int) -> dict:
    """The seconds and sequences that `seed` needs."""
    task = make_task(config, "copy")
    network = config.copy.lstm
    model = make_model(config, network, "lstm", task.outputs)
    learner = make_learner(task, model, network.learning_rate, config.batch, config.clip)
    keys, every = root_keys((seed,)), EVERY // config.batch
    start = initialise(learner.init, keys)
    settings = {"step": learner.step, "keys": keys, "data": (), "every": every}
    train("warm-up", start, steps=every, watch=Watch(), **settings)
    stopwatch = Stopwatch(make_exact(task, model, keys[0]), config.batch)
    try:
        # The same name, and so the same sequences, as in the experiment; the cap ends it.
        train("copy-lstm", start, steps=2**31 - every, watch=stopwatch, **settings)
    except Finished:
        pass
    seconds = round(stopwatch.seconds, 2) if stopwatch.solved else None
    return {"seed": seed, "seconds": seconds, "sequences": stopwatch.sequences}


def main() -> None:
    device = choose("auto")
    laptop, paper = PRESETS["laptop"], PRESETS["paper"]
    config = replace(laptop, copy=replace(laptop.copy, length=paper.copy.length))
    rows = []
    for seed in SEEDS:
        rows.append(solve(config, seed))
        print(rows[-1], flush=True)
    solved = [row["seconds"] for row in rows if row["seconds"] is not None]
    made = {
        "what": f"no wrong bit in {CHECKED} fresh sequences of 1 to {config.copy.length} vectors",
        "cap": CAP,
        "rows": rows,
        "solved": len(solved),
        "median": statistics.median(solved) if solved else None,
        "peer": PEER,
        "device": device,
        "versions": f"Python {platform.python_version()}, jax {version('jax')}",
        "command": "python -m tests.benchmarks.time_to_solve",
    }
    paper = load_paper("experiments.ntm")
    results = paper.results
    results.mkdir(exist_ok=True)
    write_json(results / "time_to_solve.json", made)
    write_readmes(paper)


if __name__ == "__main__":
    main()
