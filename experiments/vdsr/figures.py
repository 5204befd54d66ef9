"""The paper's figures, Table 2 as a picture, and what a residual looks like; all from a `Result`."""

import functools
import re

import matplotlib.figure
import numpy as np

from experiments.vdsr.analyses import CURVE_SCALE, TRAINING_SCALES
from experiments.vdsr.config import SCALES
from experiments.vdsr.details import BINS, FRACTIONAL, SCALE
from lib.plots.images import show
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result


def _mean(result: Result, name: str) -> float:
    return float(np.mean(result.metrics[name]))


def _band(axis, x, values, color, label, **style) -> None:
    """The mean over seeds of `values` `[x, seeds]`, and their range."""
    values = np.asarray(values)
    axis.plot(x, values.mean(axis=1), color=color, label=label, **style)
    if values.shape[1] > 1:
        axis.fill_between(x, values.min(axis=1), values.max(axis=1), color=color, alpha=0.2, lw=0)


def figure_3(result: Result) -> matplotlib.figure.Figure:
    """Figure 3: PSNR against depth, a panel a scale, all as many dB high."""
    matches = (re.fullmatch(rf"depth_(\d+)_gain_x{SCALES[0]}", name) for name in result.metrics)
    depths = sorted(int(match[1]) for match in matches if match)
    gains = {s: np.array([result.metrics[f"depth_{d}_gain_x{s}"] for d in depths]) for s in SCALES}
    highest, lowest = (extreme(list(gains.values())) for extreme in (np.max, np.min))
    figure, axes = subplots(1, len(SCALES), width=9, height=2.8)
    for axis, scale in zip(axes, SCALES, strict=True):
        bicubic = _mean(result, f"bicubic_x{scale}")
        _band(axis, depths, bicubic + gains[scale], MODEL, "VDSR", marker="o")
        axis.axhline(bicubic, color=GUIDE, ls=":", label="bicubic")
        margin = 0.1 * (max(highest, 0) - min(lowest, 0))
        axis.set_ylim(bicubic + min(lowest, 0) - margin, bicubic + max(highest, 0) + margin)
        axis.set(title=f"×{scale}", xlabel="layers", xticks=depths)
    axes[0].set_ylabel("PSNR, dB")
    axes[0].legend(frameon=False)
    return figure


def figure_4(result: Result) -> matplotlib.figure.Figure:
    """Figure 4: residual and plain networks in the course of training, a panel a learning rate."""
    matches = (re.fullmatch(r"residual-lr(.+)", name) for name in result.history)
    rates = sorted((match[1] for match in matches if match), key=float, reverse=True)
    figure, axes = subplots(1, len(rates), width=9, height=3.2, sharey=True, squeeze=False)
    bicubic = _mean(result, f"bicubic_x{CURVE_SCALE}")
    for axis, rate in zip(axes[0], rates, strict=True):
        for kind, color in (("residual", MODEL), ("plain", DISCRIMINATOR)):
            rows = [row for row in result.history[f"{kind}-lr{rate}"] if "psnr" in row]
            steps = [row["step"] for row in rows]
            _band(axis, steps, [row["psnr"] for row in rows], color, kind, marker=".")
        axis.axhline(bicubic, color=GUIDE, ls=":", label="bicubic")
        axis.set(title=f"learning rate {rate}", xlabel="updates")
    axes[0, 0].set_ylabel(f"PSNR at ×{CURVE_SCALE}, dB")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def figure_table_2(result: Result) -> matplotlib.figure.Figure:
    """Table 2: trained on (columns), tested on (rows), PSNR in dB; colour is the gain over bicubic."""
    names = ["-".join(map(str, scales)) for scales in TRAINING_SCALES]
    gains = np.array([[_mean(result, f"trained_{n}_gain_x{s}") for n in names] for s in SCALES])
    gains = np.concatenate([gains, np.zeros((len(SCALES), 1))], axis=1)
    bicubic = np.array([[_mean(result, f"bicubic_x{scale}")] for scale in SCALES])
    limit = max(np.percentile(np.abs(gains), 80), 1e-3)
    figure, axis = subplots(width=7.5, height=2.7)
    image = axis.imshow(gains, cmap="PiYG", vmin=-limit, vmax=limit, aspect="auto")
    for (row, column), psnr in np.ndenumerate(gains + bicubic):
        own = column < len(names) and SCALES[row] in TRAINING_SCALES[column]
        dark = abs(gains[row, column]) > 0.75 * limit
        axis.text(
            column,
            row,
            f"{psnr:.2f}",
            ha="center",
            va="center",
            color="white" if dark else DATA,
            weight="bold" if own else "normal",
        )
    labels = [f"×{name.replace('-', ',')}" for name in names]
    axis.set_xticks(range(len(names) + 1), [*labels, "bicubic"])
    axis.set_yticks(range(len(SCALES)), [f"×{scale}" for scale in SCALES])
    axis.set(xlabel="trained on", ylabel="tested on", title="PSNR, dB (bold: trained for it)")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    figure.colorbar(image, ax=axis, label="gain over bicubic, dB", extend="both")
    return figure


def figure_5(result: Result) -> matplotlib.figure.Figure:
    """Figure 5, in numbers: one network at scales between those that it was trained on."""
    figure, axis = subplots(width=5, height=3)
    bicubic = np.array([_mean(result, f"fractional_bicubic_x{factor:g}") for factor in FRACTIONAL])
    gains = np.array([result.metrics[f"fractional_gain_x{factor:g}"] for factor in FRACTIONAL])
    _band(axis, FRACTIONAL, gains + bicubic[:, None], MODEL, "VDSR", marker="o")
    axis.plot(FRACTIONAL, bicubic, color=GUIDE, ls=":", marker="o", label="bicubic")
    for scale in SCALES:
        axis.axvline(scale, color=GUIDE, lw=0.6, alpha=0.6)
    axis.set(xlabel="scale (lines: trained on)", ylabel="PSNR, dB")
    axis.legend(frameon=False)
    return figure


def figure_6_7(result: Result, of: str = "") -> matplotlib.figure.Figure:
    """Figures 6 and 7: crops at x3 of the first images, in colour; of the arrays that begin with `of`."""
    named = re.compile(rf"{of}crop_\d_name")
    names = [str(result.arrays[n]) for n in sorted(result.arrays) if named.fullmatch(n)]
    methods = {"bicubic": "bicubic", "ours": "VDSR", "truth": "truth"}
    height = 2.15 * len(names)
    figure, axes = subplots(len(names), len(methods), width=6, height=height, squeeze=False)
    for row, name in enumerate(names):
        for axis, (method, title) in zip(axes[row], methods.items(), strict=True):
            psnr = result.arrays.get(f"{of}crop_{row}_{method}_psnr")
            title = name if psnr is None else f"{title}, {float(psnr):.2f} dB"
            show(axis, result.arrays[f"{of}crop_{row}_{method}"], title)
    return figure


def figure_residual(result: Result) -> matplotlib.figure.Figure:
    """What bicubic lacks, what the network adds, and how large that is."""
    figure, axes = subplots(1, 3, width=10, height=3.2, width_ratios=(1, 1, 1.2))
    arrays = result.arrays
    limit = np.percentile(np.abs(arrays["residual_true"]), 99)
    panels = {"residual_true": "truth − bicubic", "residual_learned": "what VDSR adds"}
    for axis, (name, title) in zip(axes, panels.items(), strict=False):
        axis.imshow(arrays[name], cmap="PuOr", vmin=-limit, vmax=limit, interpolation="antialiased")
        axis.set_axis_off()
        axis.set_title(f"{title}, ×{SCALE}")
    centres = 255 * (BINS[:-1] + BINS[1:]) / 2
    for name, color, label in (
        ("residual_histogram", DATA, "truth − bicubic"),
        ("learned_histogram", MODEL, "what VDSR adds"),
    ):
        density = np.where(arrays[name] > 0, arrays[name], np.nan) / 255
        axes[2].semilogy(centres, density, color=color, label=label)
    axes[2].set(xlabel="levels of 255", ylabel="density", title="all pixels of all test images")
    axes[2].legend(frameon=False)
    return figure


FIGURES = {
    "figure_3": Figure(figure_3, ("references", "figure_3")),
    "figure_4": Figure(figure_4, ("references", "table_1")),
    "figure_5": Figure(figure_5, ("figure_5",)),
    "figures_6_7": Figure(figure_6_7, ("figures_6_7",)),
    "figures_6_7_kept": Figure(functools.partial(figure_6_7, of="kept_"), ("kept_weights",)),
    "residual": Figure(figure_residual, ("residuals",)),
    "table_2": Figure(figure_table_2, ("references", "table_2")),
}
