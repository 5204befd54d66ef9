"""An update of adversarial training, ours against plain PyTorch: maxout 240 x 5, minibatches of 100.

`make bench PAPER=adversarial` runs this, on the same device in one go, and keeps the medians.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.adversarial.nets import make_training
from lib.run.keys import root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch

UNITS, PIECES, BATCH, STEPS = 240, 5, 100, 50
EPSILON, ALPHA, RATE = 0.25, 0.5, 1e-3
ROUNDS = {"rounds": 5, "warmup_rounds": 1}
NAME = "maxout 240 x 5, batch 100, one update of adversarial training"


def data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (6000, 784), np.uint8), rng.integers(0, 10, 6000)


@pytest.mark.benchmark(group=NAME)
class TestAdversarialTraining:
    def test_ours(self, benchmark):
        kinds = {"trained": ("maxout", True)}
        options = {"epsilon": EPSILON, "alpha": ALPHA, "learning_rate": RATE, "batch": BATCH}
        init, step = make_training(kinds, 784, UNITS, PIECES, **options)
        keys = root_keys((0,))
        state, arrays = initialise(init, keys), tuple(map(jnp.asarray, data()))

        def round_():
            settings = {"steps": STEPS, "every": STEPS, "watch": Watch()}
            jax.block_until_ready(train("bench", state, step, keys, arrays, **settings).state)
            benchmark.extra_info["steps"] = STEPS

        benchmark.pedantic(round_, **ROUNDS)

    def test_pytorch(self, benchmark):
        torch = pytest.importorskip("torch")
        device = "cuda" if jax.default_backend() == "gpu" else "cpu"

        class Maxout(torch.nn.Module):
            def __init__(self, inputs):
                super().__init__()
                self.dense = torch.nn.Linear(inputs, UNITS * PIECES)

            def forward(self, x):
                return self.dense(x).reshape(len(x), PIECES, UNITS).amax(dim=1)

        net = torch.nn.Sequential(Maxout(784), Maxout(UNITS), torch.nn.Linear(UNITS, 10)).to(device)
        adam = torch.optim.Adam(net.parameters(), lr=RATE)
        loss = torch.nn.functional.cross_entropy
        images, labels = (torch.from_numpy(array).to(device) for array in data())
        rng = np.random.default_rng(0)

        def round_():
            for _ in range(STEPS):
                chosen = torch.from_numpy(rng.integers(0, len(images), BATCH)).to(device)
                x, y = images[chosen].float() / 255, labels[chosen]
                x.requires_grad_(True)
                (gradient,) = torch.autograd.grad(loss(net(x), y), x)
                moved = (x + EPSILON * gradient.sign()).clamp(0, 1).detach()
                adam.zero_grad(set_to_none=True)
                (ALPHA * loss(net(x.detach()), y) + (1 - ALPHA) * loss(net(moved), y)).backward()
                adam.step()
            if device == "cuda":
                torch.cuda.synchronize()
            benchmark.extra_info["steps"] = STEPS

        benchmark.pedantic(round_, **ROUNDS)
