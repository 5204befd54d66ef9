"""An LSTM over 100 letters, one update, ours against PyTorch: 32 sequences, 32 units.

`make bench PAPER=long_memory` runs this, on the same cores in one go, and keeps the medians.
"""

import jax
import numpy as np
import optax
import pytest

from experiments.long_memory.tasks import CUES, recall
from experiments.long_memory.training import loss
from lib.models.tagger import Tagger
from lib.steps.supervised import init_state, supervised

LETTERS, DELAY, BATCH, UNITS, STEPS = 8, 100, 32, 32, 10
ROUNDS = {"rounds": 5, "warmup_rounds": 1}
NAME = f"LSTM, {DELAY} letters, batch {BATCH}, {UNITS} units, one update"


@pytest.mark.benchmark(group=NAME)
class TestUpdate:
    def test_ours(self, benchmark):
        model = Tagger(CUES + LETTERS, CUES, UNITS)
        batch = recall(jax.random.key(0), DELAY, LETTERS, BATCH)
        tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))
        step = jax.jit(
            supervised(lambda params, batch, key: loss(model, params, batch), tx), donate_argnums=0
        )
        params = jax.jit(model.init)(jax.random.key(0), batch.words)["params"]
        states = [init_state(params, tx)]

        def round_():
            for _ in range(STEPS):
                states[0], metrics = step(states[0], batch, jax.random.key(0))
            jax.block_until_ready(metrics)

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)

    def test_pytorch(self, benchmark):
        torch = pytest.importorskip("torch")
        batch = recall(jax.random.key(0), DELAY, LETTERS, BATCH)
        words, cue = (torch.tensor(np.array(x)).long() for x in (batch.words, batch.tags[:, -1]))
        lstm = torch.nn.LSTM(CUES + LETTERS, UNITS, batch_first=True)
        output = torch.nn.Linear(UNITS, CUES)
        parameters = [*lstm.parameters(), *output.parameters()]
        optimiser = torch.optim.Adam(parameters, lr=1e-3)

        def round_():
            for _ in range(STEPS):
                optimiser.zero_grad()
                hidden, _ = lstm(torch.nn.functional.one_hot(words, CUES + LETTERS).float())
                torch.nn.functional.cross_entropy(output(hidden[:, -1]), cue).backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)
