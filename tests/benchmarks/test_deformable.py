"""A deformable layer of 3 x 3, forward and backward: ours, PyTorch's own parts, torchvision's kernel.

And the plain layer, which costs what there is to pay without offsets.

`make bench PAPER=deformable` runs this, on the same cores in one go, and keeps the medians.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.nn.conv import conv
from lib.ops.sampling import deformable_conv

SHAPES = [(32, 32, 28, 28), (16, 64, 32, 32), (8, 128, 64, 64)]
"""Of the input, as PyTorch orders it; as many filters as channels."""
PEERS = ("grid_sample", "deform_conv2d", "conv2d")
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)
BESIDE = pytest.mark.parametrize("peer", PEERS)
ROUNDS = {"rounds": 8, "warmup_rounds": 1}


def work(shape, peer):
    layer = "plain" if peer == "conv2d" else "deformable"
    return f"{layer} 3x3 on {shape}, forward and backward, beside {peer}"


def arrays(shape, peer):
    """Input `[n, h, w, c]`, kernel, and for a deformable layer offsets, two pixels wide."""
    n, c, h, w = shape
    rng = np.random.default_rng(0)
    shapes = (n, h, w, c), (n, h, w, 18), (3, 3, c, c)
    x, offsets, kernel = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    return (x, kernel) if peer == "conv2d" else (x, kernel, 2 * offsets)


def our_layer(x, kernel, *offsets):
    if offsets:
        return deformable_conv(x, *offsets, kernel, padding=(1, 1))
    return conv(x, kernel, ((1, 1), (1, 1)))


def timed(benchmark, call):
    benchmark.extra_info["steps"] = 1
    benchmark.pedantic(call, **ROUNDS)


@BESIDE
@EACH
@pytest.mark.benchmark
def test_ours(benchmark, shape, peer):
    benchmark.group = work(shape, peer)
    inputs = jax.device_put(arrays(shape, peer))

    @jax.jit
    def slopes(*inputs):
        def loss(*inputs):
            return jnp.square(our_layer(*inputs)).sum()

        return jax.grad(loss, range(len(inputs)))(*inputs)

    timed(benchmark, lambda: jax.block_until_ready(slopes(*inputs)))


@BESIDE
@EACH
@pytest.mark.benchmark
def test_pytorch(benchmark, shape, peer):
    """`grid_sample` of all taps, then a product, as one writes it; or torchvision's kernel."""
    torch = pytest.importorskip("torch")
    if peer == "deform_conv2d":
        torchvision = pytest.importorskip("torchvision")

        def forward(x, kernel, offsets):
            return torchvision.ops.deform_conv2d(x, offsets, kernel, padding=1)

    elif peer == "conv2d":

        def forward(x, kernel):
            return torch.nn.functional.conv2d(x, kernel, padding=1)

    else:
        forward = by_grid_sample(torch)
    benchmark.group = work(shape, peer)
    inputs = [torch.from_numpy(array) for array in arrays(shape, peer)]
    orders = ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    inputs = [
        array.permute(order).contiguous().requires_grad_()
        for array, order in zip(inputs, orders, strict=False)
    ]

    def slopes():
        for array in inputs:
            array.grad = None
        forward(*inputs).square().sum().backward()

    timed(benchmark, slopes)
    ours = our_layer(*map(jnp.asarray, arrays(shape, peer)))
    theirs = forward(*inputs).detach().permute(0, 2, 3, 1)
    np.testing.assert_allclose(theirs, ours, atol=2e-3)


def by_grid_sample(torch):
    def forward(x, kernel, offsets):
        n, c, h, w = x.shape
        places = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        taps = torch.meshgrid(torch.arange(-1, 2), torch.arange(-1, 2), indexing="ij")
        regular = torch.stack(places, -1)[..., None, :] + torch.stack(taps, -1).reshape(9, 2)
        moved = offsets.permute(0, 2, 3, 1).reshape(n, h, w, 9, 2) + regular
        grid = (2 * moved + 1) / torch.tensor([h, w]) - 1
        seen = torch.nn.functional.grid_sample(
            x, grid.flip(-1).reshape(n, h, w * 9, 2), align_corners=False
        )
        seen = seen.reshape(n, c, h, w, 9).permute(0, 2, 3, 1, 4).reshape(n, h, w, c * 9)
        return (seen @ kernel.reshape(-1, c * 9).T).permute(0, 3, 1, 2)

    return forward
