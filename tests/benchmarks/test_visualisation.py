"""A saliency map by a small network's gradient, ours against plain PyTorch: 64 digits of 28 x 28.

`make bench PAPER=visualisation` runs this, on the same device in one go, and keeps the medians.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.visualisation.digits import digits_logits, init_params

BATCH, STEPS, WIDTHS = 64, 10, (16, 32)
ROUNDS = {"rounds": 5, "warmup_rounds": 1}
NAME = "gradient of the class's score, 64 digits, convolutions of 16 and 32 maps"


def images():
    return np.random.default_rng(0).uniform(0, 255, (BATCH, 28, 28, 1)).astype(np.float32)


@pytest.mark.benchmark(group=NAME)
class TestSaliency:
    def test_ours(self, benchmark):
        params = init_params(jax.random.key(0), WIDTHS, (28, 28))
        x = jnp.asarray(images())

        @jax.jit
        def saliency(params, x):
            return jnp.abs(jax.grad(lambda x: digits_logits(params, x)[:, 3].sum())(x))

        def round_():
            for _ in range(STEPS):
                found = saliency(params, x)
            jax.block_until_ready(found)
            benchmark.extra_info["steps"] = STEPS

        benchmark.pedantic(round_, **ROUNDS)

    def test_pytorch(self, benchmark):
        torch = pytest.importorskip("torch")
        device = "cuda" if jax.default_backend() == "gpu" else "cpu"
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, WIDTHS[0], 5, padding=2),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(*WIDTHS, 5, padding=2),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(49 * WIDTHS[1], 10),
        ).to(device)
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        x = torch.from_numpy(images().transpose(0, 3, 1, 2).copy()).to(device)

        def round_():
            for _ in range(STEPS):
                seen = x.clone().requires_grad_(True)
                net(seen / 255)[:, 3].sum().backward()
                seen.grad.abs()
            if device == "cuda":
                torch.cuda.synchronize()
            benchmark.extra_info["steps"] = STEPS

        benchmark.pedantic(round_, **ROUNDS)
