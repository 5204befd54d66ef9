"""SRCNN 9-5-5: one update at batch 16, one image of 256x256; ours against plain PyTorch.

`make bench PAPER=srcnn` runs this, on the same cores in one go, and keeps the medians.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.srcnn.config import PRESETS, sizes_of
from experiments.srcnn.training import make_learner, train_network, upscaler
from lib.batches.super_resolution import Pair, patches
from lib.run.keys import root_keys
from lib.run.watch import Watch

STEPS = 50
"""Updates in one timed round: what one compiled call makes."""
BATCH, PATCH, SIDE = 16, 33, 256
TRAINING = "SRCNN 9-5-5, batch 16, 33x33, no padding, Adam, one update"
USE = "SRCNN 9-5-5, one image of 256x256"
ROUNDS = {"rounds": 9, "warmup_rounds": 2}
CONFIG = replace(PRESETS["paper"], optimiser="adam", batch=BATCH, chunk=STEPS)


def torch_srcnn(padding: str):
    """`(torch, network)`."""
    torch = pytest.importorskip("torch")
    return torch, torch.nn.Sequential(
        torch.nn.Conv2d(1, 64, 9, padding=padding),
        torch.nn.ReLU(inplace=True),
        torch.nn.Conv2d(64, 32, 5, padding=padding),
        torch.nn.ReLU(inplace=True),
        torch.nn.Conv2d(32, 1, 5, padding=padding),
    )


@pytest.fixture(scope="module")
def pair():
    truth = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 1), dtype=np.uint8)
    return Pair(truth, truth / np.float32(255), 3)


@pytest.mark.benchmark(group=TRAINING)
class TestTraining:
    def test_ours(self, benchmark, pair):
        data = patches([pair], size=PATCH, stride=14)
        keys = root_keys((0,))
        start = train_network("bench", CONFIG, data, keys, Watch(), sizes="9-5-5", steps=STEPS)
        settings = {"sizes": "9-5-5", "steps": STEPS, "start": start.state.params}

        def round_():
            trained = train_network("bench", CONFIG, data, keys, Watch(), **settings)
            jax.block_until_ready(trained.state)

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)

    def test_pytorch(self, benchmark, pair):
        torch, net = torch_srcnn("valid")
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-4)
        image = torch.from_numpy(pair.bicubic[:, :, 0])
        cut = image.unfold(0, PATCH, 14).unfold(1, PATCH, 14).reshape(-1, 1, PATCH, PATCH)

        def step():
            x = cut[torch.randint(len(cut), (BATCH,))]
            loss = ((net(x) - x[:, :, 8:-8, 8:-8]) ** 2).sum() / BATCH
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

        def round_():
            for _ in range(STEPS):
                step()

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)


@pytest.mark.benchmark(group=USE)
class TestUse:
    def test_ours(self, benchmark, pair):
        learner = make_learner(CONFIG, "9-5-5", 1, STEPS)
        params = learner.init(jax.random.key(0))
        upscale = upscaler(sizes_of("9-5-5"), CONFIG.widths)
        image = jnp.asarray(pair.bicubic)

        benchmark.extra_info["steps"] = 1
        benchmark.pedantic(lambda: jax.block_until_ready(upscale(params, image)), **ROUNDS)

    def test_pytorch(self, benchmark, pair):
        torch, net = torch_srcnn("same")
        image = torch.from_numpy(pair.bicubic)[None].moveaxis(3, 1)

        def use():
            with torch.no_grad():
                return net(image)

        benchmark.extra_info["steps"] = 1
        benchmark.pedantic(use, **ROUNDS)
