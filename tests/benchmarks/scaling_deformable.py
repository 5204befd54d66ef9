"""python -m tests.benchmarks.scaling_deformable: how a deformable convolution's cost grows.

Forward and backward of one layer, against the positions, the taps and the channels; the slope of the
logarithm of time against that of size is 1 where it grows in proportion. Keeps the numbers and their figure.
"""

import platform
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np

from lib.base.files import write_json
from lib.ops.sampling import deformable_conv
from lib.plots.style import GUIDE, MODEL, save, subplots
from lib.run.devices import choose
from lib.run.paper import load_paper
from tests.benchmarks.scaling import seconds

IMAGES, FILTERS = 8, 32
SIDE, KERNEL, CHANNELS = 32, 3, 32
"""Of what does not vary."""
SIDES, KERNELS, WIDTHS = (8, 16, 32, 64, 128), (1, 3, 5, 7, 9), (8, 16, 32, 64, 128)


def milliseconds(side: int = SIDE, kernel: int = KERNEL, channels: int = CHANNELS) -> float:
    """Of a layer's forward and backward pass; offsets two pixels wide."""
    rng = np.random.default_rng(0)
    image = (IMAGES, side, side)
    shapes = (*image, channels), (*image, 2 * kernel**2), (kernel, kernel, channels, FILTERS)
    x, offsets, weights = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    inputs = jax.device_put((x, 2 * offsets, weights))

    @jax.jit
    def slopes(x, offsets, weights):
        def loss(*arguments):
            return jnp.square(deformable_conv(*arguments, padding=(kernel // 2,) * 2)).sum()

        return jax.grad(loss, (0, 1, 2))(x, offsets, weights)

    return 1e3 * seconds(lambda: slopes(*inputs))


def main() -> None:
    device = choose("auto")
    curves = {
        "positions": [(IMAGES * side**2, milliseconds(side=side)) for side in SIDES],
        "taps": [(kernel**2, milliseconds(kernel=kernel)) for kernel in KERNELS],
        "channels": [(channels, milliseconds(channels=channels)) for channels in WIDTHS],
    }
    curves = {what: [(n, round(ms, 3)) for n, ms in curve] for what, curve in curves.items()}
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
        "what": f"ms of a layer, {IMAGES} images, {FILTERS} filters; where it does not vary: "
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
