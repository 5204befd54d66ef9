"""The blog's and the notebook's figures, from a `Result`."""

import numpy as np
from matplotlib.figure import Figure as Drawing
from PIL import Image

from experiments.deepdream.claims import SHARE_OF_DOGS
from lib.plots.images import show
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.pretrained.classes import DOGS
from lib.run.paper import Figure
from lib.run.result import Result

WIDTH = 8
"""Of sheets of photographs, in inches: dreams are rough, and each inch is 30 kB."""
FILM = 208
"""Longer side of a film's frames, in pixels: each is 20 kB."""


def the_dream(result: Result) -> Drawing:
    """Photographs, what a high and a low layer dream of them, and as many steps without octaves."""
    arrays = result.arrays
    count = min(3, len(arrays["dream_photographs"]))
    high, low = arrays["dream_layers"]
    columns = {"photograph": "photograph", high: "high", f"{high}, no octaves": "flat", low: "low"}
    height = sum(_aspect(arrays[f"dream_photograph_{i}"]) for i in range(count)) * WIDTH / 4 + 0.3
    figure, axes = subplots(count, 4, width=WIDTH, height=height, squeeze=False)
    for i, row in enumerate(axes):
        for axis, (title, arm) in zip(row, columns.items(), strict=True):
            show(axis, arrays[f"dream_{arm}_{i}"], "" if i else str(title))
            axis.title.set_fontsize(8)  # a layer's name is long
    return figure


def close(result: Result) -> Drawing:
    """The middle of the first two dreams, about pixel by pixel."""
    arrays = result.arrays
    count = min(2, len(arrays["dream_photographs"]))
    middles = [_middle(arrays[f"dream_high_{i}"], 400, 600) for i in range(count)]
    width = 4.5 * count
    figure, axes = subplots(
        1, count, width=width, height=4.5 * max(map(_aspect, middles)), squeeze=False
    )
    for axis, middle in zip(axes[0], middles, strict=True):
        show(axis, middle)
    return figure


def _middle(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """At most so many pixels of it."""
    top, left = (
        max(0, (n - most) // 2) for n, most in zip(image.shape, (height, width), strict=False)
    )
    return image[top : top + height, left : left + width]


def layers(result: Result) -> Drawing:
    """Two photographs, layer by layer."""
    arrays = result.arrays
    studied = [str(layer) for layer in arrays["layers"]]
    rows = 2 if "layer_photograph_1" in arrays else 1
    columns = -(-(len(studied) + 1) // 2)
    height = (
        2 * sum(_aspect(arrays[f"layer_photograph_{j}"]) for j in range(rows)) * WIDTH / columns
    )
    figure, axes = subplots(2 * rows, columns, width=WIDTH, height=height + 0.5, squeeze=False)
    for j in range(rows):
        row = axes[2 * j : 2 * j + 2].ravel()
        show(row[0], arrays[f"layer_photograph_{j}"], "photograph")
        for i, layer in enumerate(studied):
            show(row[i + 1], arrays[f"layer_{i}_{j}"], layer)
        for axis in row[len(studied) + 1 :]:
            axis.set_axis_off()
    return figure


def layers_numbers(result: Result) -> Drawing:
    """What each layer adds: its mean wavelength, and how sure the judge is of a class."""
    studied = [str(layer) for layer in result.arrays["layers"]]
    figure, axes = subplots(1, 2, width=9, height=2.8)
    labels = ("mean wavelength of what is added, pixels", "entropy of the judge's classes, nats")
    for axis, metric, label in zip(axes, ("wavelength", "entropy"), labels, strict=True):
        _seeds(axis, [result.metrics[f"{metric}_{i}"] for i in range(len(studied))], MODEL)
        axis.set_xticks(range(len(studied)), studied, rotation=30, ha="right")
        axis.set_ylabel(label, fontsize=8)
        axis.set_ylim(0)
    return figure


def dogs(result: Result) -> Drawing:
    """The judge's probability of dogs before and after, and some dreams from noise."""
    arrays, metrics = result.arrays, result.metrics
    images = [arrays[n] for n in sorted(arrays, key=_number) if n.startswith("dogs_image_")]
    shown = [*images[: len(images) // 2][:2], *images[len(images) // 2 :][:2]]
    figure, axes = subplots(1, 5, width=12, height=2.6)
    arms = {"before": "dogs_before", "at random": "dogs_random", "dreamt": "dogs_after"}
    _seeds(axes[0], [metrics[name] for name in arms.values()], MODEL)
    axes[0].set_xticks(range(3), arms)
    axes[0].axhline(SHARE_OF_DOGS, color=GUIDE, linestyle="--", label="share of the classes")
    axes[0].set_ylabel("probability of dogs")
    axes[0].set_ylim(0)
    axes[0].legend(fontsize=7)
    for axis, image, number in zip(axes[1:], shown, _shown(len(images)), strict=False):
        likeliest = int(arrays["dogs_likeliest"][number])
        show(axis, image, f"class {likeliest}{', a dog' if likeliest in DOGS else ''}")
    return figure


def _shown(count: int) -> list[int]:
    half = count // 2
    return [*range(half)[:2], *range(half, count)[:2]]


def imbalance(result: Result) -> Drawing:
    """Dreams of small networks on digits: the share judged to be each class, balanced and favouring one."""
    arrays = result.arrays
    nets = [str(n) for n in arrays["small_nets"]]
    shares = arrays["small_shares"]  # [seeds, nets, classes]
    columns = len(nets) + 1
    figure, axes = subplots(2, columns, width=2.4 * columns, height=4, squeeze=False)
    sheets = [arrays["small_begins"], *(arrays[f"small_dreams_{i}"] for i in range(len(nets)))]
    for axis, sheet, name in zip(axes[0], sheets, ["the digits", *nets], strict=True):
        rows = [np.concatenate(list(sheet[r : r + 4]), axis=1) for r in range(0, len(sheet), 4)]
        rows = [row for row in rows if row.shape[1] == rows[0].shape[1]]
        show(axis, np.concatenate(rows) / 255, name)
    axes[1, 0].set_axis_off()
    means, spreads = shares.mean(axis=0), shares.std(axis=0)
    for i, (name, mean, spread) in enumerate(zip(nets, means, spreads, strict=True), 1):
        favoured = int(name.split()[-1]) if name.startswith("favours") else None
        colors = [DISCRIMINATOR if c == favoured else GUIDE for c in range(len(mean))]
        axes[1, i].bar(range(len(mean)), mean, yerr=spread, color=colors)
        axes[1, i].set_xticks(range(len(mean)))
        axes[1, i].set_ylim(0, 1.05 * (means + spreads).max())
        axes[1, i].set_xlabel("judged to be")
    axes[1, 1].set_ylabel("share of the dreams")
    return figure


def guided(result: Result) -> Drawing:
    """A photograph, and the middle of its dreams without a guide and with each of two."""
    arrays = result.arrays
    aspect = _aspect(arrays["unguided"])
    figure, axes = subplots(2, 3, width=WIDTH, height=2 * aspect * WIDTH / 3 + 0.6)
    show(axes[0, 0], arrays["guided_photograph"], "photograph")
    for i in range(2):
        show(axes[0, i + 1], arrays[f"guide_{i}"], "guide")
    dreams = {"unguided": "without a guide", "guided_0": "guided by it", "guided_1": "guided by it"}
    for axis, (name, title) in zip(axes[1], dreams.items(), strict=True):
        show(axis, _middle(arrays[name], round(400 * aspect), 400), title)
    return figure


def classes(result: Result) -> Drawing:
    """From noise to classes, with the prior; below, the first of them without it."""
    arrays = result.arrays
    names = [str(n) for n in arrays["classes"]]
    columns = min(6, len(names))
    rows = -(-len(names) // columns)
    size = 1.4
    figure, axes = subplots(
        rows + 1, columns, width=size * columns, height=(size + 0.25) * (rows + 1), squeeze=False
    )
    for axis in axes.ravel():
        axis.set_axis_off()
    for i, name in enumerate(names):
        show(axes[i // columns, i % columns], arrays[f"class_prior_{i}"], name)
    for i in range(columns):
        show(axes[rows, i], arrays[f"class_plain_{i}"], f"{names[i]}, no prior")
    for axis in axes.ravel():
        axis.title.set_fontsize(8)
    return figure


def zoom(result: Result) -> list[Image.Image]:
    """From noise, frame by frame, at most `FILM` pixels wide."""
    frames = [Image.fromarray(frame) for frame in result.arrays["zoom_frames"]]
    for frame in frames:
        frame.thumbnail((FILM, FILM))
    return frames


def curves(result: Result) -> Drawing:
    """The objective at the first and the last step of each octave, of the first photograph."""
    row = result.history["dream"][0]
    octaves = range(sum(name.startswith("begun_") for name in row))
    figure, axis = subplots(width=5, height=2.6)
    for o in octaves:
        ends = [np.mean(row[f"{which}_{o}"]) for which in ("begun", "ended")]
        axis.plot([o, o + 0.8], ends, color=DATA, marker="o", markersize=3)
    axis.set_xticks([o + 0.4 for o in octaves], [f"octave {o + 1}" for o in octaves])
    axis.set(ylabel="½ |a|²", yscale="log")
    return figure


def _seeds(axis, values, color) -> None:
    """A mean and each seed's value, at 0, 1, ..."""
    for x, of_seeds in enumerate(values):
        axis.bar(x, np.mean(of_seeds), color=color, alpha=0.5)
        axis.plot([x] * len(of_seeds), of_seeds, ".", color=DATA, markersize=4)


def _number(name: str) -> int:
    last = name.rsplit("_", 1)[-1]
    return int(last) if last.isdigit() else -1


def _aspect(image: np.ndarray) -> float:
    return image.shape[0] / image.shape[1]


FIGURES = {
    "dream": Figure(the_dream, ("dream",)),
    "close": Figure(close, ("dream",)),
    "curves": Figure(curves, ("dream",)),
    "layers": Figure(layers, ("layers",)),
    "layers_numbers": Figure(layers_numbers, ("layers",)),
    "dogs": Figure(dogs, ("dogs",)),
    "imbalance": Figure(imbalance, ("imbalance",)),
    "guided": Figure(guided, ("guided",)),
    "classes": Figure(classes, ("classes",)),
    "zoom": Figure(zoom, ("zoom",)),
}
