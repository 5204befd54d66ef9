"""The paper's figures, from the results of its parts."""

import re

import numpy as np
from matplotlib import figure as matplotlib

from lib.plots.images import show, tile
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

METHODS = {"bicubic": "bicubic", "sparse": "sparse coding", "ours": "SRCNN"}
STRATEGIES = {
    "bicubic": "bicubic",
    "y": "Y only",
    "ycbcr": "YCbCr",
    "y_pretrained": "Y first",
    "cbcr_pretrained": "CbCr first",
    "rgb": "RGB",
}
COLORS = (DISCRIMINATOR, MODEL, "#d1742a", "#8a4fbf", "#c23b4e", DATA)


def figure_1(result: Result) -> matplotlib.Figure:
    """Figure 1: the learning curve crosses bicubic, then sparse coding; below, the crops."""
    figure, axes = subplots(2, 4, width=9, height=5.2, height_ratios=(1.15, 1))
    grid = axes[0, 0].get_gridspec()
    for axis in axes[0]:
        axis.remove()
    curve = figure.add_subplot(grid[0, :])
    ((dataset, scale),) = _named(result, r"lead_over_sparse_(.+)_x(\d)")
    others = {
        f"{sizes}-x{scale}" for sizes, *_ in _named(result, r"filters_gain_over_(.+)_(.+)_x\d")
    }
    (name,) = (n for n in result.history if n.endswith(f"-x{scale}") and n not in others)
    _draw_curve(curve, result.history[name], MODEL, f"SRCNN {name.rsplit('-', 1)[0]}")
    for method, color in (("bicubic", GUIDE), ("sparse", DISCRIMINATOR)):
        level = result.metrics[f"{method}_psnr_{dataset}_x{scale}"]
        curve.axhline(level, color=color, ls=":", label=METHODS[method])
    curve.set(xlabel="updates", ylabel="PSNR, dB", title=f"{dataset}, ×{scale}, mean over images")
    curve.spines[["top", "right"]].set_visible(False)
    curve.legend(loc="lower right")
    _draw_crops(axes[1], result, 0)
    return figure


def figure_5(result: Result) -> matplotlib.Figure:
    """Figure 5: the first layer's filters, sorted by variance, each on its own grey scale."""
    filters = np.moveaxis(result.arrays["filters"], 2, 0)
    order = np.argsort(-filters.var(axis=(1, 2)))
    flat = filters[order].reshape(len(filters), -1)
    low, high = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
    figure, axis = subplots(width=7, height=2.1)
    show(axis, tile((flat - low) / np.maximum(high - low, 1e-12), 16, gap=1))
    return figure


def figure_6(result: Result) -> matplotlib.Figure:
    """Figure 6: what some of those filters find in the crop: the first layer's feature maps."""
    maps = np.moveaxis(result.arrays["feature_maps"], 2, 0)
    order = np.argsort(-maps.var(axis=(1, 2)))[:8]
    figure, axes = subplots(1, min(8, len(order)), width=9, height=1.3, squeeze=False)
    for axis, feature in zip(axes[0], maps[order], strict=False):
        show(axis, feature / max(feature.max(), 1e-12))
    return figure


def figure_7(result: Result) -> matplotlib.Figure:
    """Figure 7: learning curves of the filter sizes; beside it, PSNR against time (as Figure 12)."""
    figure, (curves, times) = subplots(1, 2, width=9, height=3.1)
    networks = sorted(_named(result, r"filters_([\d-]+)_psnr_(.+)_x(\d)"))
    for (sizes, dataset, scale), color in zip(networks, COLORS, strict=False):
        _draw_curve(curves, result.history[f"{sizes}-x{scale}"], color, sizes)
        psnr = result.metrics[f"filters_{sizes}_psnr_{dataset}_x{scale}"]
        ms, mean = 1e3 * result.metrics[f"seconds_{sizes}"], np.mean(psnr)
        times.errorbar(ms, mean, yerr=np.ptp(psnr) / 2, fmt="o", color=color)
        times.annotate(sizes, (ms, mean), xytext=(6, -12), textcoords="offset points")
    level = result.metrics[f"bicubic_psnr_{dataset}_x{scale}"]
    curves.axhline(level, color=GUIDE, ls=":", label="bicubic")
    curves.set(xlabel="updates", ylabel="PSNR, dB", title=f"{dataset}, ×{scale}")
    curves.legend()
    times.set(xlabel="ms an image", ylabel="PSNR, dB", title="quality against time")
    times.margins(x=0.3, y=0.3)
    return figure


STUDIED = {
    "data": "training images",
    "filters": "filters n1-n2",
    "layers": "layers",
    "last": "last layer's rate",
}


def section_4(result: Result) -> matplotlib.Figure | None:
    """Figures 4, 8 and 9, and what they have as numbers: learning curves of 9-1-5 varied."""
    curves = {study: {} for study in STUDIED}
    for name, rows in result.history.items():
        study, _, which = name.partition("-")
        if study in curves:
            curves[study][which] = rows
    if not (curves := {study: named for study, named in curves.items() if named}):
        return None
    figure, axes = subplots(1, len(curves), width=11, height=3, sharey=True, squeeze=False)
    ends = []
    for axis, (study, named) in zip(axes[0], curves.items(), strict=True):
        for (which, rows), color in zip(named.items(), COLORS, strict=False):
            _draw_curve(axis, rows, color, which)
            ends += [min(row["psnr"]) for row in rows[len(rows) // 2 :] if "psnr" in row]
        axis.set(title=STUDIED[study], xlabel="updates")
        axis.legend(loc="lower right")
    top = max(max(row.get("psnr", [0])) for rows in result.history.values() for row in rows)
    axes[0, 0].set(ylabel="PSNR, dB", ylim=(min(ends) - 0.3, top + 0.1))
    return figure


def table_5(result: Result) -> matplotlib.Figure:
    """Table 5: PSNR of each channel by colour strategy."""
    figure, axes = subplots(1, 4, width=9, height=2.8, sharey=True)
    for axis, (channel, title) in zip(
        axes, {"y": "Y", "cb": "Cb", "cr": "Cr", "rgb": "RGB"}.items(), strict=True
    ):
        for row, strategy in enumerate(STRATEGIES):
            values = np.atleast_1d(result.metrics[f"color_{strategy}_{channel}"])
            color = GUIDE if strategy == "bicubic" else MODEL
            if np.isfinite(values).all():
                axis.errorbar(
                    values.mean(), -row, xerr=np.ptp(values) / 2, fmt="o", color=color, ms=5
                )
            else:  # no colour in the images, and none in the output
                axis.text(0.5, -row, "∞", transform=axis.get_yaxis_transform(), color=color)
        axis.set(title=title, xlabel="PSNR, dB")
        axis.set_yticks(-np.arange(len(STRATEGIES)), list(STRATEGIES.values()))
        axis.grid(axis="y", alpha=0.3)
        axis.margins(x=0.15)
    return figure


def figure_14(result: Result) -> matplotlib.Figure:
    """Figures 14 to 16: crops of test images by each method, and the truth."""
    rows = sum(name.endswith("_name") for name in result.arrays)
    figure, axes = subplots(rows, 4, width=9, height=2.5 * rows, squeeze=False)
    for row in range(rows):
        _draw_crops(axes[row], result, row)
    return figure


def repeated(result: Result) -> matplotlib.Figure:
    """The ×2 network on its own output, ×2 to ×16, below bicubic at once; gains over all images."""
    factors = (2, 4, 8, 16)
    figure, axes = subplots(2, 5, width=10, height=4.3)
    for column, factor in enumerate(factors):
        gains = result.metrics[f"repeated_gain_x{factor}"]
        show(axes[0, column], result.arrays[f"repeated_bicubic_x{factor}"], f"bicubic ×{factor}")
        times = "once" if column == 0 else f"{column + 1} times"
        title = f"SRCNN ×2, {times}\n{np.mean(gains):+.2f} dB"
        show(axes[1, column], result.arrays[f"repeated_x{factor}"], title)
    show(axes[0, 4], result.arrays["repeated_truth"], "truth")
    axes[1, 4].set_axis_off()
    return figure


def ill_posed(result: Result) -> matplotlib.Figure:
    """Two images, the one low-resolution image of both, and what the network makes of it."""
    figure, axes = subplots(1, 4, width=9, height=2.6)
    titles = {
        "twin_a": "an image",
        "twin_b": "another",
        "twin_small": "both, shrunk",
        "twin_answer": "SRCNN's answer",
    }
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        show(axis, result.arrays[name], title)
    return figure


def _named(result: Result, pattern: str) -> list[tuple[str, ...]]:
    """What the groups of `pattern` are in the names of the metrics."""
    matches = (re.fullmatch(pattern, name) for name in result.metrics)
    return [match.groups() for match in matches if match]


def _draw_curve(axis, rows: list[dict], color: str, label: str) -> None:
    rows = [row for row in rows if "psnr" in row]
    steps, values = [row["step"] for row in rows], np.array([row["psnr"] for row in rows])
    axis.plot(steps, values.mean(axis=1), color=color, label=label)
    axis.fill_between(steps, values.min(axis=1), values.max(axis=1), color=color, alpha=0.2, lw=0)


def _draw_crops(axes, result: Result, n: int) -> None:
    for axis, (method, title) in zip(axes, METHODS.items(), strict=False):
        psnr = result.arrays[f"crop_{n}_{method}_psnr"]
        show(axis, result.arrays[f"crop_{n}_{method}"], f"{title}, {psnr:.2f} dB")
    show(axes[3], result.arrays[f"crop_{n}_truth"], f"truth ({result.arrays[f'crop_{n}_name']})")


FIGURES = {
    "figure_1": Figure(figure_1, ("bicubic", "table_2", "sparse_coding", "figure_1", "figure_14")),
    "figure_5": Figure(figure_5, ("figure_14",)),
    "figure_6": Figure(figure_6, ("figure_14",)),
    "figure_7": Figure(figure_7, ("bicubic", "table_2", "section_4_3_2")),
    "section_4": Figure(
        section_4, ("section_3_3", "section_4_1", "section_4_3_1", "section_4_3_3"), any_of=True
    ),
    "table_5": Figure(table_5, ("table_5",)),
    "figure_14": Figure(figure_14, ("figure_14",)),
    "repeated": Figure(repeated, ("repeated",)),
    "ill_posed": Figure(ill_posed, ("ill_posed",)),
}
