"""python -m tests.benchmarks.scaling_deformable: how a deformable convolution's cost grows.

Forward and backward of one layer, against the positions, the taps and the channels; the slope of the
logarithm of time against that of size is 1 where it grows in proportion. Keeps the numbers and their figure.
"""

import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np

from lib.base.files import write_json
from lib.ops.sampling import deformable_conv
from lib.plots.style import GUIDE, MODEL, save, subplots
from lib.run.devices import choose
from lib.run.paper import load_paper

IMAGES, FILTERS = 8, 32
SIDE, KERNEL, CHANNELS = 32, 3, 32
"""Of what does not vary."""
ROUNDS = 12
SIDES, KERNELS, WIDTHS = (8, 16, 32, 64, 128), (1, 3, 5, 7, 9), (8, 16, 32, 64, 128)


def layer(side: int = SIDE, kernel: int = KERNEL, channels: int = CHANNELS) -> Callable:
    """Its forward and backward pass; offsets two pixels wide."""
    rng = np.random.default_rng(0)
    image = (IMAGES, side, side)
    shapes = (*image, channels), (*image, 2 * kernel**2), (kernel, kernel, channels, FILTERS)
    x, offsets, weights = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    inputs = jax.device_put((x, 2 * offsets, weights))

    @jax.jit
    def slopes(*inputs):
        def loss(*inputs):
            return jnp.square(deformable_conv(*inputs, padding=(kernel // 2,) * 2)).sum()

        return jax.grad(loss, (0, 1, 2))(*inputs)

    return lambda: jax.block_until_ready(slopes(*inputs))


def milliseconds(calls: list[Callable]) -> list[float]:
    """The fastest of `ROUNDS` of each, all in turn, after one to compile it: what else runs counts least."""
    for call in calls:
        call()
    found = []
    for _ in range(ROUNDS):
        found.append([])
        for call in calls:
            start = time.perf_counter()
            call()
            found[-1].append(1e3 * (time.perf_counter() - start))
    return np.min(found, axis=0).round(3).tolist()


def main() -> None:
    device = choose("auto")
    layers = {
        "positions in an image": [(side**2, layer(side=side)) for side in SIDES],
        "taps": [(kernel**2, layer(kernel=kernel)) for kernel in KERNELS],
        "channels": [(channels, layer(channels=channels)) for channels in WIDTHS],
    }
    curves = {}
    for what, found in layers.items():
        sizes, calls = zip(*found, strict=True)
        curves[what] = list(zip(sizes, milliseconds(calls), strict=True))
    slopes = {what: np.polyfit(*np.log(curve).T, 1)[0].item() for what, curve in curves.items()}
    figure, axes = subplots(1, 3, width=9, height=3.0, sharey=True)
    for axis, (what, curve) in zip(axes, curves.items(), strict=True):
        sizes, times = np.array(curve).T
        axis.loglog(sizes, times, marker="o", ms=4, color=MODEL, label=f"slope {slopes[what]:.2f}")
        middle = len(sizes) // 2
        line = times[middle] * sizes / sizes[middle]
        axis.plot(sizes, line, color=GUIDE, ls="--", lw=1, label="in proportion", zorder=0)
        axis.set(xlabel=what, xticks=sizes, xticklabels=[f"{n:.0f}" for n in sizes])
        axis.minorticks_off()
        axis.legend(fontsize=8)
    axes[0].set_ylabel("forward and backward, ms")
    paper = load_paper("experiments.deformable")
    save(figure, paper.results / "scaling.png")
    made = {
        "what": f"ms of a layer, fastest of {ROUNDS}: {IMAGES} images, {FILTERS} filters; unless varied "
        f"{SIDE} x {SIDE} positions, {KERNEL} x {KERNEL} taps, {CHANNELS} channels",
        "curves": curves,
        "slopes": slopes,
        "device": device,
        "versions": f"Python {platform.python_version()}, jax {version('jax')}",
        "command": "python -m tests.benchmarks.scaling_deformable",
    }
    write_json(paper.results / "scaling.json", made)


if __name__ == "__main__":
    main()
