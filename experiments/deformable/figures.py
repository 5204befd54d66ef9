"""The paper's Figure 6, its tables as pictures, and what digits and receptive fields show."""

import re

import matplotlib.figure
import matplotlib.patches
import numpy as np

from lib.plots.images import show
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

NAMES = {
    "plain": "plain",
    "transformer": "spatial transformer",
    "filter": "dynamic filter",
    "active": "active, last 3",
    **{f"atrous_{d}": f"dilation {d}" for d in (2, 4, 6)},
    **{f"deformable_{k}": f"deformable, last {k}" for k in (1, 2, 3)},
}
"""Of the networks on digits, as figures call them."""
LAYERS = {"conv4": "last but two", "conv5": "last but one", "conv6": "last"}
SIZES = ("background", "small", "medium", "large")


def _spread(result: Result, name: str) -> tuple[float, float]:
    """Mean and standard deviation over seeds."""
    values = np.atleast_1d(result.metrics[name])
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _error_bars(axis, x, spreads, color, label="", **style) -> None:
    means, deviations = zip(*spreads, strict=True)
    axis.errorbar(
        x, means, yerr=deviations, color=color, label=label, marker="o", capsize=3, **style
    )


def _color(arm: str) -> str:
    return MODEL if arm.startswith("deformable") else GUIDE if arm == "plain" else DISCRIMINATOR


def figure_scaled_digits(result: Result) -> matplotlib.figure.Figure:
    """Errors on scaled test digits against the time that naming them takes; some of the digits above."""
    arms = [arm for arm in NAMES if f"scaled_{arm}" in result.metrics]
    figure, (digits, axis) = subplots(2, 1, width=7.5, height=4.4, height_ratios=(1, 5))
    show(digits, np.concatenate(list(result.arrays["scaled_shown"]), axis=1))
    for arm in arms:
        mean, deviation = _spread(result, f"scaled_{arm}")
        milliseconds = 1e3 * result.metrics[f"seconds_{arm}"]
        axis.errorbar(
            milliseconds, 100 - mean, yerr=deviation, marker="o", color=_color(arm), capsize=3
        )
        axis.annotate(
            NAMES[arm], (milliseconds, 100 - mean), (6, 4), textcoords="offset points", fontsize=8
        )
    axis.set(
        xlabel="ms for 1 000 digits",
        ylabel="errors, % of test digits",
        ylim=(0, None),
        xlim=(0, None),
    )
    axis.margins(x=0.2)
    axis.set_xlim(0, 1.15 * axis.get_xlim()[1])
    return figure


TUNED = {
    "before": "nothing",
    "statistics": "statistics",
    "norms": "normalisation",
    "offsets": "offsets",
    "both": "offsets and\nnormalisation",
}


def figure_fine_tuning(result: Result) -> matplotlib.figure.Figure:
    """Accuracy on scaled digits of a network that plain digits have trained, by what is then tuned."""
    figure, axis = subplots(width=6, height=2.8)
    for i, name in enumerate(TUNED):
        mean, deviation = _spread(result, f"tuned_{name}")
        color = MODEL if name in ("offsets", "both") else GUIDE
        axis.bar(i, mean, yerr=deviation, color=color, width=0.6, capsize=3)
        axis.annotate(f"{mean:.1f}", (i, mean), (0, 4), textcoords="offset points", ha="center")
    axis.set(ylabel="right, % of scaled digits", ylim=(0, 105), xticks=range(len(TUNED)))
    axis.set_xticklabels(TUNED.values())
    axis.set_xlabel("what is tuned on scaled digits")
    return figure


def figure_table_1(result: Result) -> matplotlib.figure.Figure:
    """Tables 1 and 3: mIoU by deformable convolutions, and by the dilation of the last three."""
    figure, (left, right) = subplots(1, 2, width=8.5, height=3.1, sharey=True)
    deformed = _numbers(result, r"miou_deformable_(\d+)")
    _error_bars(left, deformed, [_spread(result, f"miou_deformable_{k}") for k in deformed], MODEL)
    left.set(xlabel="deformable convolutions (Table 1)", ylabel="mIoU, %", xticks=deformed)
    dilations = _numbers(result, r"miou_atrous_(\d+)")
    spreads = [_spread(result, "miou_deformable_0")]
    spreads += [_spread(result, f"miou_atrous_{d}") for d in dilations]
    _error_bars(right, [2, *dilations], spreads, DISCRIMINATOR, "regular")
    mean, _ = _spread(result, "miou_deformable_3")
    right.axhline(mean, color=MODEL, ls="--", label="three deformable")
    right.set(xlabel="dilation of the last three (Table 3)", xticks=[2, *dilations])
    right.legend(frameon=False)
    return figure


def _numbers(result: Result, pattern: str) -> list[int]:
    matches = (re.fullmatch(pattern, name) for name in result.metrics)
    return sorted(int(match[1]) for match in matches if match)


def figure_table_2(result: Result) -> matplotlib.figure.Figure:
    """Table 2: the effective dilation of each deformable convolution by what its middle lies on."""
    figure, axis = subplots(width=6, height=3)
    for (layer, words), color in zip(LAYERS.items(), (GUIDE, DISCRIMINATOR, MODEL), strict=True):
        spreads = [_spread(result, f"dilation_{layer}_{size}") for size in SIZES]
        _error_bars(axis, range(len(SIZES)), spreads, color, words, ls="none")
    axis.axhline(2, color=DATA, ls=":", label="at the start")
    axis.set(ylabel="effective dilation, positions", xticks=range(len(SIZES)))
    axis.set_xticklabels(SIZES)
    axis.legend(title="convolution", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def figure_6(result: Result) -> matplotlib.figure.Figure | None:
    """Figure 6: the 729 points (red) where a unit (green) looks: on the ground, a small, a large object."""
    images = result.arrays["figure_6_images"]
    if not len(images):
        return None
    figure, axes = subplots(len(images), 3, width=7, height=2.4 * len(images), squeeze=False)
    for row, image in enumerate(images):
        for column, title in enumerate(("background", "small object", "large object")):
            unit, points = (
                result.arrays[f"figure_6_{w}"][row, column] for w in ("units", "points")
            )
            draw_points(axes[row, column], image, unit, points, title if row == 0 else "")
    return figure


def draw_points(axis, image: np.ndarray, unit: np.ndarray, points: np.ndarray, title="") -> None:
    """An image, the points `[k, 2]` (rows and columns) where a unit looks, in red, and the unit in green."""
    show(axis, image, title)
    axis.scatter(points[:, 1], points[:, 0], s=4, color="red", lw=0, alpha=0.7)
    axis.scatter(unit[1], unit[0], s=40, color="lime", edgecolors="black", lw=0.8)
    height, width = image.shape[:2]
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def figure_7(result: Result) -> matplotlib.figure.Figure:
    """Figure 7: regions (yellow) and where the bins of deformable RoI pooling went (red)."""
    images = result.arrays["figure_7_images"]
    figure, axes = subplots(1, len(images), width=2.2 * len(images), height=2.3, squeeze=False)
    for i, axis in enumerate(axes[0]):
        show(axis, images[i])
        bins, region = result.arrays["figure_7_bins"][i], result.arrays["figure_7_regions"][i]
        for box, color, width in (*((b, "red", 1) for b in bins), (region, "gold", 2)):
            top, left, height, across = box - np.array([0.5, 0.5, 0, 0])
            axis.add_patch(
                matplotlib.patches.Rectangle(
                    (left, top), across, height, fill=False, edgecolor=color, lw=width
                )
            )
    return figure


def figure_receptive_field(result: Result) -> matplotlib.figure.Figure:
    """Effective radius against depth of random stacks; mean fields of trained units, plain and deformed."""
    figure, axes = subplots(1, 5, width=11, height=2.7, width_ratios=(1.6, 1, 1, 1, 1))
    depths = result.arrays["field_depths"]
    for name, color in (("linear", DISCRIMINATOR), ("relu", MODEL)):
        radii = result.arrays[f"field_radii_{name}"]
        axes[0].loglog(depths, radii, marker="o", color=color, label=name)
    first = result.arrays["field_radii_linear"][0]
    axes[0].loglog(depths, 2 * depths + 1, color=GUIDE, ls="--", label="theoretical")
    axes[0].loglog(depths, first * np.sqrt(depths / depths[0]), color=DATA, ls=":", label="√depth")
    axes[0].set(
        xlabel="layers", ylabel="pixels", xticks=depths, xticklabels=depths, title="random stacks"
    )
    axes[0].minorticks_off()
    axes[0].legend(fontsize=8, frameon=False)
    columns = [(size, net) for size in ("small", "large") for net in ("plain", "deformable")]
    for axis, (size, net) in zip(axes[1:], columns, strict=True):
        field = result.arrays[f"field_{net}_{size}"]
        show(axis, np.sqrt(field / max(field.max(), 1e-12)), f"{net}, {size}")
    return figure


FIGURES = {
    "scaled_digits": Figure(figure_scaled_digits, ("scaled_digits", "table_4")),
    "fine_tuning": Figure(figure_fine_tuning, ("fine_tuning",)),
    "table_1": Figure(figure_table_1, ("table_1", "table_3")),
    "table_2": Figure(figure_table_2, ("table_2",)),
    "figure_6": Figure(figure_6, ("table_2",)),
    "figure_7": Figure(figure_7, ("detection",)),
    "receptive_field": Figure(figure_receptive_field, ("receptive_field",)),
}
