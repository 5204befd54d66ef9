"""A deformable layer of 3 x 3, forward and backward: ours, PyTorch's parts, torchvision's kernel, no deforming.

`make bench PAPER=deformable` runs this, on the same cores in one go, and keeps the medians.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.nn.conv import conv
from lib.ops.sampling import deformable_conv

SHAPES = {"(32, 32, 28, 28)": (32, 32, 28, 28), "(16, 64, 32, 32)": (16, 64, 32, 32)}
"""Of the input, as PyTorch orders it; as many filters as channels."""
EACH = pytest.mark.parametrize("name", SHAPES)
ROUNDS = {"rounds": 12, "warmup_rounds": 2}


def work(name):
    return f"deformable 3 x 3 on {name}, forward and backward"


def arrays(name):
    """Input `[n, h, w, c]`, offsets two pixels wide, kernel."""
    n, c, h, w = SHAPES[name]
    rng = np.random.default_rng(0)
    shapes = (n, h, w, c), (n, h, w, 18), (3, 3, c, c)
    x, offsets, kernel = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    return x, 2 * offsets, kernel


def timed(benchmark, call):
    benchmark.extra_info["steps"] = 1
    benchmark.pedantic(call, **ROUNDS)


@EACH
@pytest.mark.benchmark
def test_ours(benchmark, name):
    benchmark.group = work(name)

    def loss(x, offsets, kernel):
        return jnp.square(deformable_conv(x, offsets, kernel, padding=(1, 1))).sum()

    slopes, inputs = jax.jit(jax.grad(loss, (0, 1, 2))), jax.device_put(arrays(name))
    timed(benchmark, lambda: jax.block_until_ready(slopes(*inputs)))


@EACH
@pytest.mark.benchmark
def test_plain(benchmark, name):
    """The convolution that is not deformed, ours: what deforming costs."""
    benchmark.group = work(name)
    x, _, kernel = jax.device_put(arrays(name))
    slopes = jax.jit(
        jax.grad(lambda x, kernel: jnp.square(conv(x, kernel, ((1, 1),) * 2)).sum(), (0, 1))
    )
    timed(benchmark, lambda: jax.block_until_ready(slopes(x, kernel)))


def torch_inputs(torch, name):
    x, offsets, kernel = (torch.from_numpy(array) for array in arrays(name))
    inputs = x.permute(0, 3, 1, 2), offsets.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1)
    return [array.contiguous().requires_grad_() for array in inputs]


@EACH
@pytest.mark.benchmark
def test_pytorch(benchmark, name):
    """As one writes it in PyTorch: `grid_sample` of all taps, then a product."""
    torch = pytest.importorskip("torch")
    benchmark.group = work(name)
    x, offsets, kernel = torch_inputs(torch, name)
    n, c, h, w = x.shape
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    taps = torch.stack(torch.meshgrid(torch.arange(-1, 2), torch.arange(-1, 2), indexing="ij"), -1)
    regular = torch.stack([rows, columns], -1)[..., None, :] + taps.reshape(9, 2)
    sides = torch.tensor([h, w])

    def forward(x, offsets, kernel):
        moved = offsets.permute(0, 2, 3, 1).reshape(n, h, w, 9, 2) + regular
        grid = (2 * moved + 1) / sides - 1
        seen = torch.nn.functional.grid_sample(
            x, grid.flip(-1).reshape(n, h, w * 9, 2), align_corners=False
        )
        seen = seen.reshape(n, c, h, w, 9).permute(0, 2, 3, 1, 4).reshape(n, h, w, c * 9)
        return seen @ kernel.reshape(c, c * 9).T

    timed(benchmark, lambda: backward(forward, (x, offsets, kernel)))
    ours = deformable_conv(*map(jnp.asarray, arrays(name)), padding=(1, 1))
    np.testing.assert_allclose(forward(x, offsets, kernel).detach(), ours, atol=2e-3)


@EACH
@pytest.mark.benchmark
def test_torchvision(benchmark, name):
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision.ops")
    benchmark.group = work(name)
    inputs = torch_inputs(torch, name)
    timed(benchmark, lambda: backward(lambda *a: ops.deform_conv2d(*a, padding=1), inputs))


def backward(function, inputs):
    for array in inputs:
        array.grad = None
    function(*inputs).square().sum().backward()
