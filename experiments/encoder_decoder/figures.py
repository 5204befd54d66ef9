"""The paper's figures and tables."""

import numpy as np
from matplotlib.figure import Figure as Drawing

from experiments.encoder_decoder.phrases import CLASS, CLASSES
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

ARMS = {
    "gru": ("GRU, c at every step (the paper's)", MODEL),
    "start": ("GRU, c at the start only", DISCRIMINATOR),
    "lstm": ("LSTM", "#f0a202"),
    "tanh": ("tanh", "#d1495b"),
}
"""How each network is called, and its colour."""
COLORS = dict(zip(CLASSES, (MODEL, DISCRIMINATOR, "#f0a202", "#d1495b", GUIDE), strict=True))
NAMED = 40
"""Phrases on the map that are written out."""


def learning(result: Result) -> Drawing:
    """How the networks learned: nats of a phrase that is trained on; the mean and each seed."""
    figure, axis = subplots(width=5.5, height=3.2)
    rows = result.history["networks"]
    for arm, (label, color) in ARMS.items():
        values = np.array([row[arm] for row in rows])
        steps = [row["step"] for row in rows]
        axis.plot(steps, values.mean(axis=1), color=color, label=label)
        axis.plot(steps, values, color=color, lw=0.5, alpha=0.4)
    axis.set(xlabel="updates", ylabel="nats a phrase", yscale="log")
    axis.legend(fontsize=8)
    return figure


def figure_3(result: Result) -> Drawing:
    """Figure 3: the network's score of each pair against the table's; and both by length."""
    figure, (left, right) = subplots(1, 2, width=9, height=3.6)
    ours, theirs, lengths = (
        result.arrays[f"figure_3_{name}"] for name in ("ours", "theirs", "lengths")
    )
    left.plot(ours, theirs, ".", color=DATA, ms=3, alpha=0.35)
    left.set(xlabel="log p by the network", ylabel="log p(target | source) of the table")
    places = sorted(set(lengths.tolist()))
    for values, color, label in ((ours, MODEL, "network"), (theirs, DATA, "table")):
        right.plot(
            places, [values[lengths == n].mean() for n in places], "o-", color=color, label=label
        )
    right.set(xlabel="words of the target", ylabel="mean log p")
    right.legend(fontsize=8)
    return figure


def table_2(result: Result) -> Drawing:
    """Tables 2 and 3: the best targets of table and network, and the likeliest of 50 samples."""
    rows = result.arrays["table_2_rows"]
    figure, axis = subplots(width=9.5, height=0.53 * len(rows) + 0.35)
    _bare(figure, axis)
    heads = ("source phrase", "the table's best", "the network's best", "samples of the network")
    table = axis.table(
        rows.tolist(),
        colLabels=heads,
        cellLoc="left",
        colLoc="left",
        loc="center",
        edges="horizontal",
    )
    table.auto_set_font_size(False)
    table.set_fontsize(7)
    table.scale(1, 3.2)
    for column in range(len(heads)):
        table[0, column].set_text_props(weight="bold")
        table[0, column].set_height(table[1, column].get_height() / 2)
    return figure


def figure_4(result: Result) -> Drawing:
    """Figure 4: the source words by their embeddings, coloured by class where they are numerals."""
    figure, axis = subplots(width=7, height=5.5)
    _bare(figure, axis)
    points, names = result.arrays["words_map"], result.arrays["words_names"]
    axis.scatter(*points.T, c=_colors(names), s=1, alpha=0.5)
    axis.margins(0.05)
    _written(axis, points, names, size=7, ha="center")
    return figure


def figure_5(result: Result) -> Drawing:
    """Figure 5: phrases of four words and more by their vectors c; some are written out.

    Coloured by the class of the last word, where it is of a number; otherwise alike.
    """
    figure, axis = subplots(width=9, height=6)
    _bare(figure, axis)
    points, names = result.arrays["phrases_map"], result.arrays["phrases_names"]
    axis.scatter(*points.T, c=_colors(names), s=8)
    axis.margins(0.03)
    low, high = axis.get_xlim()
    axis.set_xlim(low, high + 0.1 * (high - low))  # for what is written beside the last
    if _numerals(names):
        for kind, color in COLORS.items():
            axis.plot([], [], "o", color=color, ms=4, label=f"ends with a {kind}")
        axis.legend(fontsize=7, loc="best")
    step = max(1, len(names) // NAMED)
    _written(axis, points[::step], names[::step], size=5.5)
    return figure


def _numerals(names) -> bool:
    """Whether there are any: other texts have marks alone in common with numbers."""
    return bool({CLASS.get(str(name).split()[-1]) for name in names} - {None, "mark"})


def _colors(names) -> list[str]:
    """By the class of the last word, if there are numerals."""
    if not _numerals(names):
        return [DATA] * len(names)
    return [COLORS.get(CLASS.get(str(name).split()[-1]), DATA) for name in names]


def _written(axis, points, names, size: float, **style) -> None:
    """The names beside their points, those left out that would lie on one that is there."""
    renderer, taken = axis.figure.canvas.get_renderer(), []
    axis.autoscale_view()  # settles where the points are
    for (x, y), name, color in zip(points, names, _colors(names), strict=True):
        text = axis.text(x, y, str(name), fontsize=size, color=color, **style)
        box = text.get_window_extent(renderer)
        if any(box.overlaps(other) for other in taken):
            text.remove()
        else:
            taken.append(box)


def _bare(figure: Drawing, axis) -> None:
    """No axes, and all of the figure for what is drawn."""
    figure.set_layout_engine("none")
    axis.set_position((0, 0, 1, 1))
    axis.set_axis_off()


FIGURES = {
    "learning": Figure(learning, ("networks",)),
    "figure_3": Figure(figure_3, ("figure_3",)),
    "table_2": Figure(table_2, ("table_2",)),
    "figure_4": Figure(figure_4, ("maps",)),
    "figure_5": Figure(figure_5, ("maps",)),
}
