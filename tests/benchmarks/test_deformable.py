"""A deformable layer of 3 x 3, forward and backward: ours, PyTorch's own parts, torchvision's kernel.

`make bench PAPER=deformable` runs this, on the same cores in one go, and keeps the medians.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.ops.sampling import deformable_conv

SHAPES = {"(32, 32, 28, 28)": (32, 32, 28, 28), "(16, 64, 32, 32)": (16, 64, 32, 32)}
"""Of the input, as PyTorch orders it; as many filters as channels."""
PEERS = ("grid_sample", "deform_conv2d")
EACH = pytest.mark.parametrize("name", SHAPES)
BESIDE = pytest.mark.parametrize("peer", PEERS)
ROUNDS = {"rounds": 12, "warmup_rounds": 2}


def work(name, peer):
    return f"deformable 3x3 on {name}, forward and backward, beside {peer}"


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


@BESIDE
@EACH
@pytest.mark.benchmark
def test_ours(benchmark, name, peer):
    benchmark.group = work(name, peer)

    def loss(x, offsets, kernel):
        return jnp.square(deformable_conv(x, offsets, kernel, padding=(1, 1))).sum()

    slopes, inputs = jax.jit(jax.grad(loss, (0, 1, 2))), jax.device_put(arrays(name))
    timed(benchmark, lambda: jax.block_until_ready(slopes(*inputs)))


@BESIDE
@EACH
@pytest.mark.benchmark
def test_pytorch(benchmark, name, peer):
    """`grid_sample` of all taps, then a product, as one writes it; or torchvision's kernel."""
    torch = pytest.importorskip("torch")
    if peer == "deform_conv2d":
        torchvision = pytest.importorskip("torchvision")

        def forward(x, offsets, kernel):
            return torchvision.ops.deform_conv2d(x, offsets, kernel, padding=1)

    else:
        forward = by_grid_sample(torch)
    benchmark.group = work(name, peer)
    x, offsets, kernel = (torch.from_numpy(array) for array in arrays(name))
    inputs = x.permute(0, 3, 1, 2), offsets.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1)
    inputs = [array.contiguous().requires_grad_() for array in inputs]

    def slopes():
        for array in inputs:
            array.grad = None
        forward(*inputs).square().sum().backward()

    timed(benchmark, slopes)
    ours = deformable_conv(*map(jnp.asarray, arrays(name)), padding=(1, 1))
    theirs = forward(*inputs).detach().permute(0, 2, 3, 1)
    np.testing.assert_allclose(theirs, ours, atol=2e-3)


def by_grid_sample(torch):
    def forward(x, offsets, kernel):
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
