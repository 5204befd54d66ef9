"""NTM on the copy task, at batch 1 and 16, and the LSTM baseline; ours against plain PyTorch.

One update each: sequences of 20 vectors (41 steps), the paper's sizes. `make bench PAPER=ntm` runs
this, on the same cores in one go, and keeps the medians.
"""

from dataclasses import replace

import jax
import pytest

from experiments.ntm.config import PRESETS, Network
from experiments.ntm.training import make_learner, make_model
from lib.ops.algorithmic import Copy
from lib.run.keys import root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch

LENGTH, RATE = 20, 1e-4
TASK = Copy(min_length=LENGTH, max_length=LENGTH)
NTM = f"NTM copy, length {LENGTH}, 128x20, LSTM-100, batch {{}}, one update"
BASELINE = f"LSTM 3x256 copy, length {LENGTH}, batch 1, one update"
NETWORKS = {"lstm": Network((100,), RATE), "baseline": Network((256,) * 3, RATE)}
STEPS = {1: 50, 16: 20}
"""Updates in one timed round: what one compiled call makes."""
PEER_STEPS = {1: 5, 16: 2}
"""PyTorch needs up to half a second an update, as long in a loop of any length."""
ROUNDS = {"rounds": 7, "warmup_rounds": 1}


def time_ours(benchmark, kind: str, batch: int) -> None:
    """Times `train` as the experiment calls it."""
    config = replace(PRESETS["paper"], batch=batch, every=batch, chunk=batch)
    model = make_model(config, NETWORKS[kind], kind, TASK.outputs)
    learner = make_learner(TASK, model, RATE, batch, config.clip)
    keys, steps = root_keys((0,)), STEPS[batch]
    start = initialise(learner.init, keys)
    settings = {"steps": steps, "every": steps, "watch": Watch()}

    def round_():
        trained = train("bench", start, learner.step, keys, (), **settings)
        jax.block_until_ready(trained.state)

    benchmark.extra_info["steps"] = steps
    benchmark.pedantic(round_, **ROUNDS)


def time_pytorch(benchmark, make, batch: int) -> None:
    """Times eager updates of `make(torch)`, a network from `[T, B, I]` to logits `[T, B, O]`."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = make(torch)
    optimiser = torch.optim.RMSprop(net.parameters(), lr=RATE, alpha=0.95, momentum=0.9)
    loss_of = torch.nn.BCEWithLogitsLoss(reduction="sum")

    def step():
        bits = torch.bernoulli(torch.full((LENGTH, batch, TASK.bits), 0.5))
        inputs = torch.zeros(TASK.steps, batch, TASK.inputs)
        inputs[:LENGTH, :, : TASK.bits] = bits
        inputs[LENGTH, :, TASK.bits] = 1
        optimiser.zero_grad()
        loss = loss_of(net(inputs)[LENGTH + 1 :], bits) / batch
        loss.backward()
        for parameter in net.parameters():
            parameter.grad.clamp_(-10, 10)
        optimiser.step()

    def round_():
        for _ in range(PEER_STEPS[batch]):
            step()

    benchmark.extra_info["steps"] = PEER_STEPS[batch]
    benchmark.pedantic(round_, **ROUNDS)


def torch_ntm(torch, rows: int = 128, width: int = 20, hidden: int = 100):
    """An NTM with one read and one write head: a module a head, a Python loop over the steps."""
    nn, functional = torch.nn, torch.nn.functional

    def rotate(weighting, shift):
        """The circular convolution of one example: `[N]` with `[3]`."""
        around = torch.cat([weighting[-1:], weighting, weighting[:1]])
        # A convolution of `nn` correlates: the share of shift +1 belongs to the row before.
        return functional.conv1d(around[None, None], shift.flip(0)[None, None])[0, 0]

    class Head(nn.Module):
        def __init__(self, outputs: int):
            super().__init__()
            self.sizes = [width, 1, 1, 3, 1] + [width] * outputs
            self.linear = nn.Linear(hidden, sum(self.sizes))

        def forward(self, output, memory, previous):
            """The new weighting `[B, N]`, and what else the head was told."""
            key, beta, gate, shift, gamma, *more = self.linear(output).split(self.sizes, dim=1)
            near = functional.cosine_similarity(torch.tanh(key)[:, None], memory, dim=2)
            content = functional.softmax(functional.softplus(beta) * near, dim=1)
            gate = torch.sigmoid(gate)
            mixed = gate * content + (1 - gate) * previous
            shift = functional.softmax(shift, dim=1)
            shifted = torch.stack([rotate(mixed[b], shift[b]) for b in range(len(mixed))])
            sharp = (shifted + 1e-12) ** (1 + functional.softplus(gamma))
            return sharp / sharp.sum(dim=1, keepdim=True), more

    class ReadHead(Head):
        def __init__(self):
            super().__init__(0)

        def forward(self, output, memory, previous):
            weighting, _ = super().forward(output, memory, previous)
            return (weighting[:, None] @ memory)[:, 0], weighting

    class WriteHead(Head):
        def __init__(self):
            super().__init__(2)

        def forward(self, output, memory, previous):
            weighting, (erase, add) = super().forward(output, memory, previous)
            at = weighting[:, :, None]
            memory = memory * (1 - at * torch.sigmoid(erase)[:, None])
            return memory + at * torch.tanh(add)[:, None], weighting

    class Machine(nn.Module):
        def __init__(self):
            super().__init__()
            self.controller = nn.LSTMCell(TASK.inputs + width, hidden)
            self.reader, self.writer = ReadHead(), WriteHead()
            self.output = nn.Linear(hidden + width, TASK.outputs)
            self.state = nn.Parameter(torch.randn(2, hidden) * 0.05)
            self.looks = nn.Parameter(torch.randn(2, rows))
            self.memory = nn.Parameter(torch.rand(rows, width) * 0.1)
            self.read = nn.Parameter(torch.randn(width) * 0.01)

        def forward(self, inputs):
            batch = inputs.shape[1]
            state = tuple(s.expand(batch, -1) for s in self.state)
            reading, writing = (functional.softmax(w, 0).expand(batch, -1) for w in self.looks)
            memory, read = self.memory.expand(batch, -1, -1), self.read.expand(batch, -1)
            logits = []
            for x in inputs:
                state = self.controller(torch.cat([x, read], dim=1), state)
                memory, writing = self.writer(state[0], memory, writing)
                read, reading = self.reader(state[0], memory, reading)
                logits.append(self.output(torch.cat([state[0], read], dim=1)))
            return torch.stack(logits)

    return Machine()


def torch_baseline(torch, hidden: int = 256):
    """Three layers, each sees the input and the layer below; the output sees all of them."""
    nn = torch.nn

    class Stacked(nn.Module):
        def __init__(self):
            super().__init__()
            seen = [TASK.inputs] + [TASK.inputs + hidden] * 2
            self.layers = nn.ModuleList(nn.LSTM(size, hidden) for size in seen)
            self.starts = nn.Parameter(torch.randn(3, 2, 1, 1, hidden) * 0.05)
            self.output = nn.Linear(3 * hidden, TASK.outputs)

        def forward(self, inputs):
            found = []
            for layer, start in zip(self.layers, self.starts, strict=True):
                state = tuple(s.expand(1, inputs.shape[1], -1).contiguous() for s in start)
                output, _ = layer(torch.cat([inputs, *found[-1:]], dim=2), state)
                found.append(output)
            return self.output(torch.cat(found, dim=2))

    return Stacked()


@pytest.mark.benchmark(group=NTM.format(1))
class TestOne:
    def test_ours(self, benchmark):
        time_ours(benchmark, "lstm", 1)

    def test_pytorch(self, benchmark):
        time_pytorch(benchmark, torch_ntm, 1)


@pytest.mark.benchmark(group=NTM.format(16))
class TestSixteen:
    def test_ours(self, benchmark):
        time_ours(benchmark, "lstm", 16)

    def test_pytorch(self, benchmark):
        time_pytorch(benchmark, torch_ntm, 16)


@pytest.mark.benchmark(group=BASELINE)
class TestBaseline:
    def test_ours(self, benchmark):
        time_ours(benchmark, "baseline", 1)

    def test_pytorch(self, benchmark):
        time_pytorch(benchmark, torch_baseline, 1)
