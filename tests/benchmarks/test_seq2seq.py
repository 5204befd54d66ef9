"""Encoder and decoder, with attention and without, one update and a beam search; ours against PyTorch.

20 words on either side (and 40: the cost is to grow with the length alone), 256 numbers a word, 512 units,
vocabularies of 10 000, batch 128. PyTorch's
networks are GRUs (the attention decoder a GRU cell in a Python loop), as its tutorials have them; ours have
the same layers, and no maxout. `make bench PAPER=seq2seq` runs this, on the same cores in one go, and keeps
the medians.
"""

import jax
import numpy as np
import optax
import pytest

from lib.models.encoder_decoder import EncoderDecoder, translate
from lib.ops.sequences import END
from lib.steps.supervised import init_state, supervised

WORDS, EMBEDDING, UNITS, LENGTH, BATCH = 10_000, 256, 512, 20, 128
STEPS = 1
ROUNDS = {"rounds": 5, "warmup_rounds": 1}
TRAINING = f"GRU encoder and decoder{{}}, batch {BATCH}, {{}} words, {UNITS} units, one update"
SEARCH = f"Beam search with attention, 12 wide, {LENGTH} words, one sentence of 100"


def rows(count: int = BATCH, length: int = LENGTH) -> np.ndarray:
    words = np.random.default_rng(0).integers(3, WORDS, (count, length)).astype(np.int32)
    words[:, -1] = END
    return words


def ours(context: str) -> EncoderDecoder:
    alignment = UNITS if context == "attention" else 0
    return EncoderDecoder(
        WORDS, WORDS, EMBEDDING, UNITS, reset="after", context=context, alignment=alignment
    )


def time_ours(benchmark, context: str, length: int = LENGTH) -> None:
    model, words = ours(context), rows(length=length)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))

    def loss(params, batch, key):
        del key
        log_p = model.apply({"params": params}, batch, batch, method="log_probability")
        return -log_p.mean(), {}

    step = jax.jit(supervised(loss, tx), donate_argnums=0)
    params = jax.jit(model.init)(jax.random.key(0), words[:1], words[:1])["params"]
    states = [init_state(params, tx)]

    def round_():
        states[0], metrics = step(states[0], words, jax.random.key(0))
        jax.block_until_ready(metrics)

    benchmark.extra_info["steps"] = STEPS
    benchmark.pedantic(round_, **ROUNDS)


def time_pytorch(benchmark, attentive: bool, length: int = LENGTH) -> None:
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.target = (nn.Embedding(WORDS, EMBEDDING) for _ in range(2))
            self.encoder = nn.GRU(EMBEDDING, UNITS, batch_first=True, bidirectional=attentive)
            seen = 2 * UNITS if attentive else UNITS
            self.decoder = (
                nn.GRUCell(EMBEDDING + seen, UNITS)
                if attentive
                else nn.GRU(EMBEDDING + seen, UNITS, batch_first=True)
            )
            self.begin = nn.Linear(UNITS, UNITS)
            self.query, self.keys = nn.Linear(UNITS, UNITS), nn.Linear(seen, UNITS)
            self.v = nn.Linear(UNITS, 1, bias=False)
            self.output = nn.Linear(UNITS, WORDS)

        def forward(self, words):
            memory, last = self.encoder(self.source(words))
            state = torch.tanh(self.begin(last[-1]))
            inputs = functional.pad(self.target(words), (0, 0, 1, 0))[:, :-1]
            if not attentive:
                everywhere = last[-1][:, None].expand(-1, inputs.shape[1], -1)
                hidden, _ = self.decoder(torch.cat([inputs, everywhere], dim=2), state[None])
                return self.output(hidden)
            keys, hidden = self.keys(memory), []
            for t in range(inputs.shape[1]):
                energy = self.v(torch.tanh(self.query(state)[:, None] + keys))[:, :, 0]
                alpha = functional.softmax(energy, dim=1)
                context = torch.bmm(alpha[:, None], memory)[:, 0]
                state = self.decoder(torch.cat([inputs[:, t], context], dim=1), state)
                hidden.append(state)
            return self.output(torch.stack(hidden, dim=1))

    net, words = Net(), torch.tensor(rows(length=length), dtype=torch.long)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)

    def round_():
        optimiser.zero_grad()
        loss = functional.cross_entropy(net(words).flatten(0, 1), words.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()

    benchmark.extra_info["steps"] = STEPS
    benchmark.pedantic(round_, **ROUNDS)


@pytest.mark.benchmark(group=TRAINING.format("", LENGTH))
class TestPlain:
    def test_ours(self, benchmark):
        time_ours(benchmark, "summary")

    def test_pytorch(self, benchmark):
        time_pytorch(benchmark, attentive=False)


@pytest.mark.benchmark(group=TRAINING.format("", 2 * LENGTH))
class TestTwiceAsLong:
    def test_ours(self, benchmark):
        time_ours(benchmark, "summary", 2 * LENGTH)

    def test_pytorch(self, benchmark):
        time_pytorch(benchmark, attentive=False, length=2 * LENGTH)


@pytest.mark.benchmark(group=TRAINING.format(" with attention", LENGTH))
class TestAttention:
    def test_ours(self, benchmark):
        time_ours(benchmark, "attention")

    def test_pytorch(self, benchmark):
        time_pytorch(benchmark, attentive=True)


@pytest.mark.benchmark(group=SEARCH)
class TestBeamSearch:
    """No peer: PyTorch has no beam search."""

    def test_ours(self, benchmark):
        model, words = ours("attention"), rows(100)
        params = jax.jit(model.init)(jax.random.key(0), words[:1], words[:1])["params"]
        search = jax.jit(
            lambda params, words: translate(model, params, words, beams=12, length=LENGTH)
        )
        benchmark.extra_info |= {"steps": 100, "alone": True}
        benchmark.pedantic(lambda: jax.block_until_ready(search(params, words)), **ROUNDS)
