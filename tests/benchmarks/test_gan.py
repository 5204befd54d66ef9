"""The released MNIST networks, one simultaneous update at batch 100: ours against plain PyTorch.

`make bench` runs this, on the same cores in one go, and keeps the medians.
"""

import jax
import numpy as np
import pytest

from experiments.gan.config import PRESETS
from experiments.gan.experiment import make_game, minibatch
from lib.run.keys import root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch
from lib.steps import adversarial

STEPS = 100
"""Updates in one timed round: what one compiled call makes."""
BATCH, PIXELS, NOISE, PIECES = 100, 784, 100, 5
WORK = "GAN, released MNIST nets, batch 100, one update"


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (50_000, PIXELS), dtype=np.uint8)


@pytest.mark.benchmark(group=WORK)
def test_ours(benchmark, images):
    config = PRESETS["paper"]
    game = make_game(config, images)
    rule = adversarial.simultaneous(game.players, game.generator_tx, game.discriminator_tx)

    def step(state, images, key, t):
        return rule(state, minibatch(images, key, t, BATCH), jax.random.fold_in(key, t))

    keys = root_keys((0,))
    start, data = initialise(game.init, keys), jax.numpy.asarray(images)

    def round_():
        trained = train("bench", start, step, keys, data, steps=STEPS, every=STEPS, watch=Watch())
        jax.block_until_ready(trained.state)

    benchmark.extra_info["steps"] = STEPS
    benchmark.pedantic(round_, rounds=15, warmup_rounds=2)


@pytest.mark.benchmark(group=WORK)
def test_pytorch(benchmark, images):
    torch = pytest.importorskip("torch")
    softplus = torch.nn.functional.softplus

    class Maxout(torch.nn.Module):
        def __init__(self, inputs, units):
            super().__init__()
            self.affine = torch.nn.Linear(inputs, units * PIECES)

        def forward(self, x):
            return self.affine(x).unflatten(1, (PIECES, -1)).amax(dim=1)

    generator = torch.nn.Sequential(
        torch.nn.Linear(NOISE, 1200),
        torch.nn.ReLU(),
        torch.nn.Linear(1200, 1200),
        torch.nn.ReLU(),
        torch.nn.Linear(1200, PIXELS),
        torch.nn.Sigmoid(),
    )
    discriminator = torch.nn.Sequential(
        torch.nn.Dropout(0.2),
        Maxout(PIXELS, 240),
        torch.nn.Dropout(0.5),
        Maxout(240, 240),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(240, 1),
    )
    players = [generator, discriminator]
    optimisers = [torch.optim.SGD(p.parameters(), lr=0.1, momentum=0.5) for p in players]
    data = torch.from_numpy(images)

    def step():
        x = data[torch.randint(len(data), (BATCH,))].float() / 255
        samples = generator((torch.rand(BATCH, NOISE) * 2 - 1) * 3**0.5)
        # One pass over the samples serves both losses, as in the released code.
        held = samples.detach().requires_grad_()
        real, fake = discriminator(x), discriminator(held)
        d_loss = 0.5 * (softplus(-real).mean() + softplus(fake).mean())
        g_loss = softplus(-fake).mean()
        (to_samples,) = torch.autograd.grad(g_loss, held, retain_graph=True)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        d_loss.backward(inputs=list(discriminator.parameters()))
        samples.backward(to_samples)
        for optimiser in optimisers:
            optimiser.step()

    def round_():
        for _ in range(STEPS):
            step()

    benchmark.extra_info["steps"] = STEPS
    benchmark.pedantic(round_, rounds=15, warmup_rounds=2)
