"""The papers' figures, from a `Result`. Numbers of Figures 5 and 6 are the 2016 paper's."""

import re

import numpy as np
from matplotlib.figure import Figure as Drawing

from experiments.neural_style.studies import ADAM_RATES
from experiments.neural_style.style import total_of
from lib.plots.images import show
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

CURVES = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d8b200")
"""Style layers, from the first to the last."""


def figure_1(result: Result) -> Drawing:
    """Figure 1: what is left of the artwork and of the photograph, layer by layer."""
    arrays, layers = result.arrays, result.arrays["style_layers"]
    figure, axes = subplots(2, 6, width=11, height=_height(arrays["small_photograph"], 11, 6, 2))
    show(axes[0, 0], arrays["small_artwork"], "artwork")
    show(axes[1, 0], arrays["small_photograph"], "photograph")
    for i, letter in enumerate("abcde"):
        title = layers[0] if i == 0 else f"{layers[0]} to {layers[i]}"
        show(axes[0, i + 1], arrays[f"style_{letter}"], title)
        psnr = np.mean(result.metrics[f"reconstruction_psnr_{letter}"])
        show(axes[1, i + 1], arrays[f"content_{letter}"], f"{layers[i]}, {psnr:.1f} dB")
    return figure


def figure_2(result: Result) -> Drawing:
    """Figure 2: the photograph, and below each artwork the photograph in its style."""
    arrays = result.arrays
    names = [str(name) for name in arrays["styles"]]
    width, columns = 11, len(names) + 1
    height = 2 * width / columns * _aspect(arrays["photograph"]) + 0.5
    figure, axes = subplots(2, columns, width=width, height=height)
    show(axes[1, 0], arrays["photograph"], "photograph")
    axes[0, 0].set_axis_off()
    for i, name in enumerate(names):
        show(axes[0, i + 1], arrays[f"artwork_{i}"], name.replace("_", " "))
        show(axes[1, i + 1], arrays[f"styled_{i}"])
    return figure


def figure_3(result: Result) -> Drawing:
    """Figure 3: more style layers downwards, a larger alpha / beta to the right."""
    arrays, ratios, layers = (
        result.arrays,
        result.arrays["ratios"],
        result.arrays["style_layers"],
    )
    rows, columns = len(layers), len(ratios)
    width = 2.2 * columns
    height = rows * 2.2 * _aspect(arrays["small_photograph"]) + 0.5
    figure, axes = subplots(rows, columns, width=width, height=height)
    for row in range(rows):
        for column in range(columns):
            axis = axes[row, column]
            show(axis, arrays[f"grid_{row}_{column}"])
            if row == 0:
                axis.set_title(f"α/β = {ratios[column]:.0e}".replace("e-0", "e−"))
        axes[row, 0].text(
            -0.04,
            0.5,
            layers[0] if row == 0 else f"… {layers[row]}",
            transform=axes[row, 0].transAxes,
            rotation=90,
            ha="right",
            va="center",
        )
    return figure


def figure_3_losses(result: Result) -> Drawing:
    """Figure 3 in numbers: both losses against alpha / beta, all five style layers."""
    ratios = result.arrays["ratios"]
    figure, axis = subplots(width=5, height=3)
    for kind, color in (("content", DISCRIMINATOR), ("style", MODEL)):
        values = np.array([result.metrics[f"grid_{kind}_{i}"] for i in range(len(ratios))])
        values = values / values.max()
        axis.errorbar(
            ratios,
            values.mean(axis=1),
            values.std(axis=1),
            color=color,
            label=f"{kind} loss",
            marker="o",
        )
    axis.set(xscale="log", yscale="log", xlabel="α/β", ylabel="loss, of its largest")
    axis.legend()
    return figure


def figure_5(result: Result) -> Drawing:
    """Figure 5 (2016): the content matched on a lower and on a higher layer."""
    arrays, layers = result.arrays, result.arrays["content_layers"]
    figure, axes = subplots(1, 3, width=9, height=_height(arrays["small_photograph"], 9, 3, 1))
    show(axes[0], arrays["small_photograph"], "photograph")
    for axis, name, layer in zip(axes[1:], ("lower", "higher"), layers, strict=True):
        psnr = np.mean(result.metrics[f"layer_{name}_psnr"])
        show(axis, arrays[f"layer_{name}"], f"content from {layer}, {psnr:.1f} dB")
    return figure


def figure_6(result: Result) -> Drawing:
    """Figure 6 (2016): begun with the photograph, the artwork, and white noises."""
    arrays = result.arrays
    noises = sorted(name for name in arrays if name.startswith("initial_noise_"))
    names = ["initial_content", "initial_style", *noises]
    titles = ["photograph", "artwork", *(f"noise {i + 1}" for i in range(len(noises)))]
    figure, axes = subplots(
        1, len(names), width=11, height=_height(arrays["small_photograph"], 11, len(names), 1)
    )
    for axis, name, title in zip(axes, names, titles, strict=True):
        total = np.mean(result.metrics[name])
        show(axis, arrays[name], f"{title}: {total:.2g}")
    return figure


def figure_equation_1(result: Result) -> Drawing:
    """The same alpha / beta with the content loss summed over positions, and divided by their number."""
    arrays = result.arrays
    figure, axes = subplots(1, 3, width=9, height=_height(arrays["small_photograph"], 9, 3, 1))
    show(axes[0], arrays["small_photograph"], "photograph")
    titles = {"sum": "equation 1: a sum over positions", "mean": "divided by their number"}
    for axis, (name, title) in zip(axes[1:], titles.items(), strict=True):
        show(axis, arrays[f"content_{name}"], title)
    return figure


def figure_losses(result: Result) -> Drawing:
    """Loss curves of Figure 2's first image, a style layer each, and of the optimisers."""
    figure, (left, right) = subplots(1, 2, width=10, height=3.4)
    first = next(name for name in result.history if name.startswith("style_"))
    rows = result.history[first]
    steps = [row["step"] for row in rows]
    left.plot(steps, [np.mean(row["content"]) for row in rows], color=DATA, label="α content")
    layers = [name for name in rows[0] if name.startswith("style_")]
    for layer, color in zip(layers, CURVES, strict=False):
        values = [np.mean(row[layer]) for row in rows]
        left.plot(steps, values, color=color, label=f"β w {layer.removeprefix('style_')}")
    left.set(yscale="log", xlabel="L-BFGS iterations", ylabel="loss, as it is weighed")
    left.legend(fontsize=8)

    colors = dict(zip([f"adam_{rate:g}" for rate in ADAM_RATES], CURVES[1:4], strict=True))
    for name, curve in result.history.items():
        match = re.fullmatch(r"(lbfgs|adam_[\d.]+)-.*", name)
        if match is None:
            continue
        label = "L-BFGS" if match[1] == "lbfgs" else f"Adam, step {match[1].removeprefix('adam_')}"
        spent = np.cumsum(
            [np.mean(row["evaluations"]) * _length(curve, i) for i, row in enumerate(curve)]
        )
        total = [np.mean(total_of(row)) for row in curve]
        right.plot(spent, total, color=colors.get(match[1], DATA), label=label)
    right.set(yscale="log", xlabel="evaluations of the gradient", ylabel="total loss")
    right.legend(fontsize=8)
    for axis in (left, right):
        axis.grid(color=GUIDE, alpha=0.25, lw=0.5)
    return figure


def _length(rows: list[dict], i: int) -> int:
    """Iterations in a curve's chunk: metrics are means over them."""
    return rows[i]["step"] - (rows[i - 1]["step"] if i else 0)


def _aspect(image: np.ndarray) -> float:
    return image.shape[0] / image.shape[1]


def _height(image: np.ndarray, width: float, columns: int, rows: int) -> float:
    """Of a figure of images like `image`, each with a title, in inches."""
    return rows * (width / columns * _aspect(image) + 0.3)


FIGURES = {
    "figure_1": Figure(figure_1, ("inputs", "figure_1")),
    "figure_2": Figure(figure_2, ("figure_2",)),
    "figure_3": Figure(figure_3, ("inputs", "figure_3")),
    "figure_3_losses": Figure(figure_3_losses, ("figure_3",)),
    "figure_5": Figure(figure_5, ("inputs", "figure_5")),
    "figure_6": Figure(figure_6, ("inputs", "figure_6")),
    "equation_1": Figure(figure_equation_1, ("inputs", "equation_1")),
    "losses": Figure(figure_losses, ("figure_2", "optimisers")),
}
