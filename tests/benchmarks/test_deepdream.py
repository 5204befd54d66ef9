"""A step of DeepDream to inception_4c, ours against plain PyTorch.

GoogLeNet with random weights, which costs the same: jitter, forward, backward, g / mean |g|, clip.
`make bench PAPER=deepdream` runs this, on the same device in one go, and keeps the medians.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.deepdream.goals import energy
from experiments.deepdream.network import make_features
from experiments.deepdream.octaves import Settings, as_data, compiled_climb
from lib.models.googlenet import OUTPUTS, WIDTHS

STEPS = 10
SIDES = (224, 512)
ROUNDS = {"rounds": 5, "warmup_rounds": 1}
LAYER = "inception_4c"
MEAN = (123.0, 117.0, 104.0)


def name(side):
    return f"GoogLeNet to {LAYER}, {side}x{side}, a step"


def shapes():
    """{layer: shape of its kernel} as far as `LAYER`, in order."""
    found = {"conv1": (7, 7, 3, 64), "conv2_reduce": (1, 1, 64, 64), "conv2": (3, 3, 64, 192)}
    inputs = 192
    for stage in ("3a", "3b", "4a", "4b", "4c"):
        a, b, c, d, e, f = WIDTHS[stage]
        parts = {"1x1": (1, 1, inputs, a), "3x3_reduce": (1, 1, inputs, b), "3x3": (3, 3, b, c)}
        parts |= {"5x5_reduce": (1, 1, inputs, d), "5x5": (5, 5, d, e)}
        parts |= {"pool_proj": (1, 1, inputs, f)}
        found |= {f"inception_{stage}/{part}": shape for part, shape in parts.items()}
        inputs = a + c + e + f
    return found


@pytest.fixture(scope="module")
def kernels():
    """He's, `[kh, kw, c, d]`."""
    rng = np.random.default_rng(0)
    return {
        layer: rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32)
        for layer, shape in shapes().items()
    }


def gflop(side):
    """Of a step's convolutions: a product and a sum, forward and once more back to the image."""
    strides = {"conv1": 2, "conv2": 4, "inception_3": 8, "inception_4": 16}
    products = 0
    for layer, shape in shapes().items():
        stride = next(s for prefix, s in reversed(strides.items()) if layer.startswith(prefix))
        products += (side / stride) ** 2 * np.prod(shape)
    return 2 * 2 * float(products) / 1e9


def image_of(side):
    return np.random.default_rng(side).uniform(-100, 100, (side, side, 3)).astype(np.float32)


def ours(benchmark, kernels, side):
    params = {}
    for layer, kernel in kernels.items():
        inside = params
        *outer, last = layer.split("/")
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = {"kernel": kernel, "bias": np.zeros(kernel.shape[3], np.float32)}
    data = (jax.device_put(params), energy(LAYER), jnp.asarray(MEAN).reshape(1, 1, 3))
    climb = compiled_climb(make_features("googlenet", "float32"))
    settings, image = as_data(Settings(iterations=STEPS)), jnp.asarray(image_of(side))

    def round_():
        jax.block_until_ready(climb(image, data, settings, jax.random.key(0)))
        benchmark.extra_info["steps"] = STEPS
        benchmark.extra_info["gflop"] = gflop(side)

    benchmark.pedantic(round_, **ROUNDS)


def pytorch(benchmark, kernels, side):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    weights = {
        layer: torch.from_numpy(k.transpose(3, 2, 0, 1).copy()).to(device)
        for layer, k in kernels.items()
    }

    def conv(layer, x, stride=1):
        w = weights[layer]
        return torch.relu(functional.conv2d(x, w, stride=stride, padding=w.shape[2] // 2))

    def pool(x):
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    def norm(x):
        return functional.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)

    def inception(stage, x):
        def of(part):
            return f"inception_{stage}/{part}"

        parts = {
            "1x1": conv(of("1x1"), x),
            "3x3": conv(of("3x3"), conv(of("3x3_reduce"), x)),
            "5x5": conv(of("5x5"), conv(of("5x5_reduce"), x)),
            "pool_proj": conv(of("pool_proj"), functional.max_pool2d(x, 3, 1, padding=1)),
        }
        return torch.cat([parts[part] for part in OUTPUTS], dim=1)

    def features(x):
        x = norm(pool(conv("conv1", x, 2)))
        x = pool(norm(conv("conv2", conv("conv2_reduce", x))))
        x = pool(inception("3b", inception("3a", x)))
        return inception("4c", inception("4b", inception("4a", x)))

    start = torch.from_numpy(image_of(side).transpose(2, 0, 1)[None].copy()).to(device)
    mean = torch.tensor(MEAN, device=device).reshape(1, 3, 1, 1)
    rng = np.random.default_rng(0)

    def round_():
        x = start
        for _ in range(STEPS):
            shift = tuple(rng.integers(-32, 33, 2).tolist())
            rolled = torch.roll(x, shift, (2, 3)).requires_grad_(True)
            (0.5 * features(rolled).square().sum()).backward()
            g = rolled.grad
            with torch.no_grad():
                moved = torch.roll(
                    rolled + 1.5 * g / g.abs().mean(), (-shift[0], -shift[1]), (2, 3)
                )
                x = torch.minimum(torch.maximum(moved, -mean), 255 - mean)
        if device == "cuda":
            torch.cuda.synchronize()
        benchmark.extra_info["steps"] = STEPS

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
