"""The paper's figures, and three that it describes in words; all from a `Result`."""

import math

import matplotlib.figure
import numpy as np
from matplotlib.patches import Circle

from experiments.gan.theory import GRID, data_density
from lib.plots.images import show, tile
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

PANELS = {
    "a": "(a) near convergence",
    "b": "(b) D trained to its optimum",
    "c": "(c) then G takes a step",
    "d": "(d) the end of the game",
}


def figure_1(result: Result) -> matplotlib.figure.Figure:
    """Figure 1: densities, D and D* on one dimension, and below them where G sends z."""
    figure, axes = subplots(2, 4, width=11, height=3.9, height_ratios=(4, 1), sharex=True)
    p_data = np.asarray(data_density(GRID))
    for column, (name, title) in enumerate(PANELS.items()):
        top, arrows = axes[:, column]
        panel = {
            k: result.arrays[f"toy_{name}_{k}"] for k in ("p_g", "d", "d_star", "x", "support")
        }
        support = np.where(panel["support"], 1.0, np.nan)
        top.plot(GRID, p_data, ":", color=DATA, label="data $p_{data}$")
        top.plot(GRID, panel["p_g"], color=MODEL, label="generator $p_g$")
        top.plot(GRID, panel["d"], "--", color=DISCRIMINATOR, label="D trained")
        top.plot(
            GRID,
            panel["d_star"] * support,
            color=DISCRIMINATOR,
            lw=0.8,
            alpha=0.6,
            label="D* exact",
        )
        top.set(title=title, xlim=(-2, 4), ylim=(0, 1.45), yticks=(0, 0.5, 1))
        z = np.linspace(-2, 4, len(panel["x"]))
        for start, end in zip(z, panel["x"], strict=True):
            arrows.annotate(
                "",
                (end, 0),
                (start, 1),
                arrowprops={
                    "arrowstyle": "->",
                    "lw": 0.6,
                    "color": MODEL,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )
        arrows.set(ylim=(0, 1), yticks=(0, 1), yticklabels=("x", "z") if column == 0 else ())
        arrows.axhline(1, color=DATA, lw=0.8)
        arrows.axhline(0, color=DATA, lw=0.8)
        arrows.spines[["left", "bottom"]].set_visible(False)
        arrows.tick_params(length=0, labelbottom=False)
    axes[0, 0].set_ylabel("density, D(x)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def figure_2(result: Result) -> matplotlib.figure.Figure:
    """Figure 2: samples as they come; in the last column the nearest training image."""
    samples, nearest = result.arrays["samples"], result.arrays["nearest"]
    figure, axes = subplots(1, 2, width=5.2, height=3.5, width_ratios=(5, 1))
    show(axes[0], tile(samples, 5), "samples, not selected")
    show(axes[1], tile(nearest, 1), "nearest\nin training")
    return figure


def figure_3(result: Result) -> matplotlib.figure.Figure:
    """Figure 3: digits along straight lines in noise space."""
    walks = {name: x for name, x in result.arrays.items() if name.startswith("walk_")}
    figure, axes = subplots(len(walks), 1, width=6, height=0.95 * len(walks) + 0.1, squeeze=False)
    for axis, (name, images) in zip(axes[:, 0], walks.items(), strict=True):
        show(axis, tile(images, len(images)), " → ".join(name.split("_")[1:]))
    return figure


def figure_game(result: Result) -> matplotlib.figure.Figure:
    """The game's value, and what D answers on average, against updates."""
    rows = result.history["game"]
    steps = np.array([row["step"] for row in rows])
    figure, (value, answers) = subplots(1, 2, width=8, height=2.9)

    def draw(axis, name, color, label):
        values = np.array([row[name] for row in rows])
        axis.plot(steps, values.mean(axis=1), color=color, label=label)
        if values.shape[1] > 1:
            axis.fill_between(
                steps, values.min(axis=1), values.max(axis=1), color=color, alpha=0.2, lw=0
            )

    draw(value, "value", DISCRIMINATOR, "V(D, G)")
    value.axhline(-math.log(4), color=GUIDE, ls=":", label="−log 4, at equilibrium")
    draw(answers, "d_real", DATA, "D on data")
    draw(answers, "d_fake", MODEL, "D on samples")
    answers.axhline(0.5, color=GUIDE, ls=":", label="1/2, at equilibrium")
    value.set(xlabel="updates", ylabel="nats", title="value of the game")
    answers.set(
        xlabel="updates", ylabel="mean D", ylim=(0, 1), title="what D answers (with dropout)"
    )
    for axis in (value, answers):
        axis.locator_params(axis="x", nbins=5)
        axis.legend()
    return figure


def figure_proposition_2(result: Result) -> matplotlib.figure.Figure:
    """Proposition 2: with densities as tables, C(G) falls to its minimum."""
    figure, axis = subplots(width=4.5, height=2.8)
    gap = np.maximum(result.arrays["proposition_2"], 1e-8)
    axis.loglog(np.arange(1, len(gap) + 1), gap, color=MODEL)
    axis.set(xlabel="steps of $p_g$", ylabel="C(G) + log 4, nats", title="D optimal at every step")
    return figure


def figure_ring(result: Result) -> matplotlib.figure.Figure:
    """Mode collapse: samples through training, plain above, unrolled below; circles at three deviations."""
    centres, radius = result.arrays["ring_centres"], result.arrays["ring_circle"]
    updates = result.arrays["ring_updates"]
    limit = 1.4 * np.abs(centres).max()
    figure, axes = subplots(2, len(updates), width=11, height=3.9, sharex=True, sharey=True)
    for row, name in zip(axes, ("plain", "unrolled"), strict=True):
        for axis, samples in zip(row, result.arrays[f"ring_{name}"], strict=True):
            axis.scatter(*samples.T, s=3, color=MODEL, alpha=0.4, lw=0)
            for centre in centres:
                axis.add_patch(Circle(centre, radius, fill=False, color=DATA, lw=0.6))
            axis.set(
                xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=(), yticks=()
            )
        row[0].set_ylabel(f"{name} GAN")
    for axis, done in zip(axes[0], updates, strict=True):
        axis.set_title(f"{done:,} rounds".replace(",", " "))
    return figure


FIGURES = {
    "figure_1": Figure(figure_1, ("figure_1",)),
    "figure_2": Figure(figure_2, ("table_1",)),
    "figure_3": Figure(figure_3, ("table_1",)),
    "game": Figure(figure_game, ("table_1",)),
    "proposition_2": Figure(figure_proposition_2, ("proposition_2",)),
    "ring": Figure(figure_ring, ("ring",)),
}
