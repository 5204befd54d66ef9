"""An evaluation of neural style's loss and gradient inside L-BFGS, ours against plain PyTorch.

VGG-19 up to conv5_1 with average pooling, five Gram matrices and conv4_2, as the paper has them; weights are
random, which costs the same. `make bench PAPER=neural_style` runs this, on the same device in one go, and
keeps the medians.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.neural_style.layers import LAYERS
from experiments.neural_style.network import Network, make_features
from experiments.neural_style.style import lbfgs, make_init, make_step, make_task
from lib.run.keys import root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch

ITERATIONS, MEMORY = 10, 10
SIDES = (256, 512)
ROUNDS = {"rounds": 5, "warmup_rounds": 1}
CONVS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))
STYLE, CONTENT = (0, 2, 4, 8, 12), 9
"""Of the thirteen convolutions in order: conv1_1, conv2_1, conv3_1, conv4_1, conv5_1; conv4_2."""


def name(side):
    return f"VGG-19, {side}x{side}, L-BFGS, an evaluation of loss and gradient"


@pytest.fixture(scope="module")
def kernels():
    """He's, `[3, 3, c, d]`."""
    rng, found, c = np.random.default_rng(0), [], 3
    for width, depth in CONVS:
        for _ in range(depth):
            shape = (3, 3, c, width)
            found.append(rng.normal(0, np.sqrt(2 / (9 * c)), shape).astype(np.float32))
            c = width
    return found


def gflop(side):
    """Of an evaluation's convolutions: a product and a sum, forward and once more back to the image."""
    products, c = 0, 3
    for block, (width, depth) in enumerate(CONVS):
        for _ in range(depth):
            products += (side >> block) ** 2 * 9 * c * width
            c = width
    return 2 * 2 * products / 1e9


def images(side):
    rng = np.random.default_rng(side)
    return rng.normal(0, 50, (3, side, side, 3)).astype(np.float32)


def ours(benchmark, kernels, side):
    layers = [f"conv{b}_{i}" for b, (_, n) in enumerate(CONVS, 1) for i in range(1, n + 1)]
    params = {
        layer: {"kernel": kernel, "bias": np.zeros(kernel.shape[3], np.float32)}
        for layer, kernel in zip(layers, kernels, strict=True)
    }
    features = make_features("vgg19", "avg", "float32")
    params = jax.device_put(params)
    network = Network("vgg19", features, params, np.zeros(3), LAYERS["vgg19"], None, {})
    content, style, start = images(side)
    data = (params, make_task(network, content, [style], ratio=1e-3))
    tx = lbfgs(MEMORY)
    step, keys = make_step(features, tx), root_keys((0,))
    state = initialise(make_init(tx), jnp.asarray(start)[None], conv=True)

    def round_():
        settings = {"steps": ITERATIONS, "every": ITERATIONS, "watch": Watch(), "conv": True}
        found = train("bench", state, step, keys, data, **settings).state
        benchmark.extra_info["steps"] = int(found.evaluations[0])
        benchmark.extra_info["gflop"] = gflop(side)

    benchmark.pedantic(round_, **ROUNDS)


def pytorch(benchmark, kernels, side):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    weights = [torch.from_numpy(k.transpose(3, 2, 0, 1).copy()).to(device) for k in kernels]

    def features(x):
        found, layer = [], 0
        for block, (_, depth) in enumerate(CONVS):
            if block:
                x = functional.avg_pool2d(x, 2)
            for _ in range(depth):
                x = torch.relu(functional.conv2d(x, weights[layer], padding=1))
                found.append(x)
                layer += 1
        return found

    def gram(x):
        rows = x.reshape(x.shape[1], -1)
        return rows @ rows.T / rows.shape[1]

    content, style, start = (
        torch.from_numpy(i.transpose(2, 0, 1)[None].copy()).to(device) for i in images(side)
    )
    with torch.no_grad():
        wanted, seen = features(content)[CONTENT], features(style)
        grams = [gram(seen[layer]) for layer in STYLE]
    alpha = 1e-3 / wanted[0, 0].numel()

    def round_():
        image = start.clone().requires_grad_(True)
        optimiser = torch.optim.LBFGS([image], max_iter=ITERATIONS, history_size=MEMORY)
        calls = [0]

        def closure():
            calls[0] += 1
            optimiser.zero_grad(set_to_none=True)
            found = features(image)
            loss = alpha * 0.5 * ((found[CONTENT] - wanted) ** 2).sum()
            for layer, target in zip(STYLE, grams, strict=True):
                own = gram(found[layer])
                loss = loss + ((own - target) ** 2).sum() / (5 * 4 * len(own) ** 2)
            loss.backward()
            return loss

        optimiser.step(closure)
        if device == "cuda":
            torch.cuda.synchronize()
        benchmark.extra_info["steps"] = calls[0]

    benchmark.pedantic(round_, **ROUNDS)


@pytest.mark.benchmark(group=name(SIDES[0]))
class TestSmall:
    def test_ours(self, benchmark, kernels):
        ours(benchmark, kernels, SIDES[0])

    def test_pytorch(self, benchmark, kernels):
        pytorch(benchmark, kernels, SIDES[0])


@pytest.mark.benchmark(group=name(SIDES[1]))
class TestLarge:
    def test_ours(self, benchmark, kernels):
        ours(benchmark, kernels, SIDES[1])

    def test_pytorch(self, benchmark, kernels):
        pytorch(benchmark, kernels, SIDES[1])
