"""Scoring phrases, and one update on them, ours against PyTorch: 64 pairs of 7 words, 250 units.

`make bench PAPER=encoder_decoder` runs this, on the same cores in one go, and keeps the medians.
"""

import jax
import numpy as np
import optax
import pytest

from lib.models.encoder_decoder import EncoderDecoder
from lib.ops.sequences import END
from lib.steps.supervised import init_state, supervised

WORDS, EMBEDDING, UNITS, LENGTH, BATCH, STEPS = 5_000, 100, 250, 8, 64, 5
ROUNDS = {"rounds": 5, "warmup_rounds": 1}
NAME = (
    f"GRU encoder and decoder of phrases, batch {BATCH}, {LENGTH} words, {UNITS} units, one update"
)


def rows() -> np.ndarray:
    words = np.random.default_rng(0).integers(3, WORDS, (BATCH, LENGTH)).astype(np.int32)
    words[:, -1] = END
    return words


@pytest.mark.benchmark(group=NAME)
class TestUpdate:
    def test_ours(self, benchmark):
        model, words = EncoderDecoder(WORDS, WORDS, EMBEDDING, UNITS, reset="after"), rows()
        tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))

        def loss(params, batch, key):
            del key
            log_p = model.apply({"params": params}, batch, batch, method="log_probability")
            return -log_p.mean(), {}

        step = jax.jit(supervised(loss, tx), donate_argnums=0)
        params = jax.jit(model.init)(jax.random.key(0), words[:1], words[:1])["params"]
        states = [init_state(params, tx)]

        def round_():
            for _ in range(STEPS):
                states[0], metrics = step(states[0], words, jax.random.key(0))
            jax.block_until_ready(metrics)

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)

    def test_pytorch(self, benchmark):
        torch = pytest.importorskip("torch")
        nn, functional = torch.nn, torch.nn.functional
        source, target = (nn.Embedding(WORDS, EMBEDDING) for _ in range(2))
        encoder = nn.GRU(EMBEDDING, UNITS, batch_first=True)
        decoder = nn.GRU(EMBEDDING + UNITS, UNITS, batch_first=True)
        summary, begin, output = (
            nn.Linear(UNITS, UNITS),
            nn.Linear(UNITS, UNITS),
            nn.Linear(UNITS, WORDS),
        )
        net = nn.ModuleList([source, target, encoder, decoder, summary, begin, output])
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
        words = torch.tensor(rows(), dtype=torch.long)

        def round_():
            for _ in range(STEPS):
                optimiser.zero_grad()
                _, last = encoder(source(words))
                c = torch.tanh(summary(last[-1]))
                before = functional.pad(target(words), (0, 0, 1, 0))[:, :-1]
                everywhere = c[:, None].expand(-1, LENGTH, -1)
                hidden, _ = decoder(
                    torch.cat([before, everywhere], dim=2), torch.tanh(begin(c))[None]
                )
                functional.cross_entropy(output(hidden).flatten(0, 1), words.flatten()).backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimiser.step()

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)
