"""python -m tests.benchmarks.growth PAPER...: how the cost of a paper's work grows with its size.

The slope of the logarithm of time against that of size is 1 where cost grows in proportion. Keeps the numbers
and their figure with the paper.
"""

import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

import jax
import jax.numpy as jnp
import matplotlib.figure
import numpy as np
import optax

from lib.base.files import write_json
from lib.plots.style import DISCRIMINATOR, GUIDE, MODEL, save, subplots
from lib.run.devices import choose
from lib.run.paper import load_paper

ROUNDS = 8
"""Of each call, in turn with all others; the fastest counts, as what else runs then counts least."""

Calls = Mapping[str, Mapping[str, list[tuple[int, Callable]]]]
"""Axis -> curve -> `[(size, what to time)]`."""


def deformable() -> tuple[str, Calls]:
    """A deformable convolution, forward and backward."""
    from lib.ops.sampling import deformable_conv

    def layer(side: int = 32, kernel: int = 3, channels: int = 32) -> Callable:
        rng = np.random.default_rng(0)
        image = (8, side, side)
        shapes = (*image, channels), (*image, 2 * kernel**2), (kernel, kernel, channels, 32)
        x, offsets, weights = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
        inputs = jax.device_put((x, 2 * offsets, weights))  # offsets two pixels wide

        def loss(*inputs):
            return jnp.square(deformable_conv(*inputs, padding=(kernel // 2,) * 2)).sum()

        slopes = jax.jit(jax.grad(loss, (0, 1, 2)))
        return lambda: slopes(*inputs)

    sides, kernels, widths = (8, 16, 32, 64, 128), (1, 3, 5, 7, 9), (8, 16, 32, 64, 128)
    what = "a layer, forward and backward: 8 images, 32 filters; unless varied 32 x 32 positions, 3 x 3 taps"
    return what + ", 32 channels", {
        "positions in an image": {"": [(side**2, layer(side=side)) for side in sides]},
        "taps": {"": [(kernel**2, layer(kernel=kernel)) for kernel in kernels]},
        "channels": {"": [(channels, layer(channels=channels)) for channels in widths]},
    }


def vdsr() -> tuple[str, Calls]:
    """One image through SRCNN and VDSR."""
    from lib.models.super_resolution import SRCNN, VDSR

    def enlarge(net, side: int) -> Callable:
        image = jnp.full((1, side, side, 1), 0.5)
        params = jax.jit(net.init)(jax.random.key(0), image[:, :16, :16])
        apply = jax.jit(net.apply)
        return lambda: apply(params, image)

    sides = (64, 128, 256, 512)
    nets = {"VDSR, 20 layers": VDSR(), "SRCNN 9-5-5": SRCNN((9, 5, 5), padding="EDGE")}
    return "one image of one channel through the network", {
        "pixels of an image": {
            name: [(side**2, enlarge(net, side)) for side in sides] for name, net in nets.items()
        }
    }


def neural_style() -> tuple[str, Calls]:
    """VGG-19 to conv5_1, as style and content see it, and the gradient of the image."""
    from experiments.neural_style.network import make_features

    features, widths = make_features("vgg19", "avg", "float32"), (64, 128, 256, 512, 512)
    rng, params, below = np.random.default_rng(0), {}, 3
    for block, (width, depth) in enumerate(zip(widths, (2, 2, 4, 4, 1), strict=True), 1):
        for i in range(1, depth + 1):
            shape = (3, 3, below, width)
            kernel = rng.normal(0, np.sqrt(2 / (9 * below)), shape).astype(np.float32)
            params[f"conv{block}_{i}"] = {"kernel": kernel, "bias": np.zeros(width, np.float32)}
            below = width
    params = jax.device_put(params)
    wanted = tuple(f"conv{block}_1" for block in range(1, 6))

    def loss(image):
        return sum(jnp.square(found).sum() for found in features(params, image, wanted).values())

    slope = jax.jit(jax.grad(loss))

    def evaluation(side: int) -> Callable:
        image = jnp.full((side, side, 3), 0.5)
        return lambda: slope(image)

    return "VGG-19 to conv5_1 and the gradient with respect to the image", {
        "pixels of an image": {
            "": [(side**2, evaluation(side)) for side in (32, 64, 128, 256, 512)]
        }
    }


def seq2seq() -> tuple[str, Calls]:
    """GRUs of 256 units, an update on 32 pairs, and a beam search, by the words of a sentence."""
    from lib.models.encoder_decoder import EncoderDecoder, translate
    from lib.ops.sequences import END, log_probability
    from lib.steps.supervised import init_state, supervised

    tx = optax.adam(1e-3)

    def of_words(context: str, length: int) -> tuple[Callable, Callable]:
        attends = 256 if context == "attention" else 0
        model = EncoderDecoder(2_000, 2_000, 128, 256, context=context, alignment=attends)
        words = np.random.default_rng(0).integers(3, 2_000, (32, length)).astype(np.int32)
        words[:, -1] = END

        def loss(params, batch, key):
            del key
            logits = model.apply({"params": params}, batch, batch)
            return -log_probability(logits, batch).mean(), {}

        step = jax.jit(supervised(loss, tx))
        params = jax.jit(model.init)(jax.random.key(0), words[:1], words[:1])["params"]
        state, key = init_state(params, tx), jax.random.key(0)
        search = jax.jit(
            lambda params: translate(model, params, words[:8], beams=12, length=length)
        )
        return lambda: step(state, words, key), lambda: search(params)

    lengths = (5, 10, 20, 40, 80)
    plain, attentive = ([of_words(c, n) for n in lengths] for c in ("summary", "attention"))
    return "GRUs of 256 units, 2 000 words: an update on 32 pairs; 8 sentences by a beam of 12", {
        "words of a sentence, trained on": {
            "with attention": [(n, calls[0]) for n, calls in zip(lengths, attentive, strict=True)],
            "without": [(n, calls[0]) for n, calls in zip(lengths, plain, strict=True)],
        },
        "words of a sentence, translated": {
            "with attention": [(n, calls[1]) for n, calls in zip(lengths, attentive, strict=True)],
            "without": [(n, calls[1]) for n, calls in zip(lengths, plain, strict=True)],
        },
    }


PAPERS = {f.__name__: f for f in (deformable, neural_style, seq2seq, vdsr)}


def milliseconds(calls: list[Callable]) -> list[float]:
    """The fastest of `ROUNDS` of each, all in turn, after one to compile it."""
    times = np.full((ROUNDS + 1, len(calls)), np.inf)
    for row in times:
        for i, call in enumerate(calls):
            start = time.perf_counter()
            jax.block_until_ready(call())
            row[i] = 1e3 * (time.perf_counter() - start)
    return times[1:].min(axis=0).round(3).tolist()


def draw(curves: dict, slopes: dict) -> matplotlib.figure.Figure:
    """A panel an axis, both logarithmic; dashed: in proportion, through the middle of the first curve."""
    figure, axes = subplots(
        1, len(curves), width=3.2 * len(curves), height=3, sharey=True, squeeze=False
    )
    for axis, (size, named) in zip(axes[0], curves.items(), strict=True):
        for color, (name, curve) in zip((MODEL, DISCRIMINATOR), named.items(), strict=False):
            sizes, times = np.array(curve).T
            label = ", ".join(filter(None, (name, f"slope {slopes[size][name]:.2f}")))
            axis.loglog(sizes, times, marker="o", ms=4, color=color, label=label)
            if color == MODEL:
                middle = len(sizes) // 2
                line = times[middle] * sizes / sizes[middle]
                axis.plot(sizes, line, color=GUIDE, ls="--", lw=1, label="in proportion", zorder=0)
        axis.set(xlabel=size, xticks=sizes, xticklabels=[f"{n:.0f}" for n in sizes])
        axis.minorticks_off()
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("ms")
    return figure


def main(name: str) -> None:
    device = choose("auto")
    what, calls = PAPERS[name]()
    curves = {
        axis: {
            curve: list(
                zip((size for size, _ in points), milliseconds([c for _, c in points]), strict=True)
            )
            for curve, points in named.items()
        }
        for axis, named in calls.items()
    }
    slopes = {
        axis: {curve: np.polyfit(*np.log(points).T, 1)[0].item() for curve, points in named.items()}
        for axis, named in curves.items()
    }
    results = load_paper(f"experiments.{name}").results
    save(draw(curves, slopes), results / "scaling.png")
    made = {
        "what": f"ms of {what}; fastest of {ROUNDS}",
        "curves": curves,
        "slopes": slopes,
        "device": device,
        "versions": f"Python {platform.python_version()}, jax {version('jax')}",
        "command": f"python -m tests.benchmarks.growth {name}",
    }
    write_json(results / "scaling.json", made)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        main(name)
