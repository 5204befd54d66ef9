"""VDSR, 20 layers of 64 filters: one update at batch 16, one image of 256x256; ours against plain PyTorch.

`make bench PAPER=vdsr` runs this, on the same cores in one go, and keeps the medians.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.vdsr.config import PRESETS
from experiments.vdsr.training import (
    make_course,
    make_optimiser,
    make_patches,
    make_step,
    upscaler,
)
from lib.models.super_resolution import VDSR
from lib.run.keys import root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch
from lib.steps.supervised import init_state

STEPS = 5
"""Updates in one timed round: what one compiled call makes."""
BATCH, PATCH, SIDE = 16, 41, 256
TRAINING = "VDSR-20, batch 16, 41x41, one update"
USE = "VDSR-20, one image of 256x256"
CONFIG = dataclasses.replace(PRESETS["paper"], batch=BATCH)
ROUNDS = {"rounds": 5, "warmup_rounds": 1}


def torch_vdsr():
    """`(torch, network)`; the network gives the residual."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layers = [nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(inplace=True)]
    for _ in range(18):
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(inplace=True)]
    net = nn.Sequential(*layers, nn.Conv2d(64, 1, 3, padding=1))
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return torch, net


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)


@pytest.mark.benchmark(group=TRAINING)
class TestTraining:
    def test_ours(self, benchmark, pixels):
        net, rate = VDSR(), jnp.float32(0.1)
        data = make_course(make_patches(CONFIG, [pixels]), STEPS, 0.1)

        def init(key):
            params = net.init(key, jnp.zeros((1, 8, 8, 1)))["params"]
            return init_state(params, make_optimiser(CONFIG, rate))

        keys = root_keys((0,))
        start, step = initialise(init, keys, conv=True), make_step(CONFIG, net)

        def round_():
            settings = {"steps": STEPS, "every": STEPS, "watch": Watch(), "conv": True}
            jax.block_until_ready(train("bench", start, step, keys, data, **settings).state)

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)

    def test_pytorch(self, benchmark, pixels):
        torch, net = torch_vdsr()
        kernels = [p for p in net.parameters() if p.ndim > 1]
        biases = [p for p in net.parameters() if p.ndim == 1]
        groups = [{"params": kernels, "weight_decay": 1e-4}, {"params": biases}]
        optimiser = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
        data = torch.from_numpy(pixels).float() / 255
        lows, highs = (data.unfold(0, PATCH, PATCH).unfold(1, PATCH, PATCH) for _ in range(2))
        lows, highs = lows.reshape(-1, 1, PATCH, PATCH), highs.reshape(-1, 1, PATCH, PATCH)

        def step():
            chosen = torch.randint(len(lows), (BATCH,))
            x, y = lows[chosen], highs[chosen]
            loss = ((x + net(x) - y) ** 2).sum() / (2 * BATCH)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_value_(net.parameters(), CONFIG.clip / 0.1)
            optimiser.step()

        def round_():
            for _ in range(STEPS):
                step()

        benchmark.extra_info["steps"] = STEPS
        benchmark.pedantic(round_, **ROUNDS)


@pytest.mark.benchmark(group=USE)
class TestUse:
    def test_ours(self, benchmark, pixels):
        upscale = upscaler(20, 64)
        params = VDSR().init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
        image = jnp.asarray(pixels / np.float32(255))[:, :, None]
        benchmark.extra_info["steps"] = 1
        benchmark.pedantic(lambda: jax.block_until_ready(upscale(params, image)), **ROUNDS)

    def test_pytorch(self, benchmark, pixels):
        torch, net = torch_vdsr()
        image = (torch.from_numpy(pixels).float() / 255)[None, None]

        def use():
            with torch.no_grad():
                return image + net(image)

        benchmark.extra_info["steps"] = 1
        benchmark.pedantic(use, **ROUNDS)
