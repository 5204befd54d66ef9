"""The papers' figures."""

import textwrap

import numpy as np
from matplotlib.figure import Figure as Drawing

from experiments.seq2seq.config import LENGTHS
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

NAMES = {
    "search": ("attention (Bahdanau)", MODEL),
    "encdec": ("one summary (Cho)", DISCRIMINATOR),
    "reversed": ("LSTM, source reversed (Sutskever)", "#f0a202"),
    "forward": ("LSTM, source in order", "#d1495b"),
}
"""How each network is called, and its colour."""
LETTERS = 104
"""In a line of the translations."""


def _by_length(axis, result: Result, names: tuple[str, ...]) -> None:
    """BLEU of each fifth of the test sentences against their length: the mean and each seed."""
    looked_up = [result.metrics[f"memory_bleu_{i}"] for i in range(LENGTHS)]
    highest = max(looked_up)
    for name in names:
        label, color = NAMES[name]
        lengths = result.arrays[f"{name}_lengths"]
        bleu = np.array([result.metrics[f"{name}_bleu_{i}"] for i in range(LENGTHS)])
        highest = max(highest, bleu.max())
        axis.plot(lengths, bleu.mean(axis=1), "o-", color=color, label=label, ms=4)
        if bleu.shape[1] > 1:
            axis.plot(lengths, bleu, color=color, lw=0.6, alpha=0.5)
    axis.plot(lengths, looked_up, color=GUIDE, ls=":", label="translation memory")
    axis.set(xlabel="words and marks of the source", ylim=(0, min(102, 1.4 * highest + 1)))
    axis.legend(fontsize=8, loc="best", frameon=False)


def bahdanau_figure_2(result: Result) -> Drawing:
    """Bahdanau, Figure 2: BLEU by the length of the sentence, with attention and without."""
    figure, axis = subplots(width=5.5, height=3.2)
    _by_length(axis, result, ("search", "encdec"))
    axis.set_ylabel("BLEU")
    return figure


def sutskever_figure_3(result: Result) -> Drawing:
    """Sutskever, Figure 3, left: BLEU by the length of the sentence; here also without the reversal."""
    figure, axis = subplots(width=5.5, height=3.2)
    _by_length(axis, result, ("reversed", "forward"))
    axis.set_ylabel("BLEU")
    return figure


def bahdanau_figure_3(result: Result) -> Drawing:
    """Bahdanau, Figure 3: where the network looks (across) while it writes a word (down)."""
    shown = [k for k in range(10) if f"alignment_{k}" in result.arrays]
    figure, axes = subplots(
        -(-len(shown) // 2), 2, width=9, height=4.4 * -(-len(shown) // 2), squeeze=False
    )
    for axis, k in zip(axes.flat, shown, strict=False):
        weights = result.arrays[f"alignment_{k}"]
        axis.imshow(weights, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        source, target = (result.arrays[f"alignment_{k}_{side}"] for side in ("source", "target"))
        axis.set_xticks(range(len(source)), source, rotation=90, fontsize=7)
        axis.set_yticks(range(len(target)), target, fontsize=7)
        axis.xaxis.tick_top()
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    return figure


def sutskever_figure_2(result: Result) -> Drawing:
    """Sutskever, Figure 2: sentences by the two principal components of the encoder's state."""
    points, numbers = result.arrays["map"], result.arrays["map_numbers"]
    digits = np.array([len(str(n)) for n in numbers])
    first = np.array([int(str(n)[0]) for n in numbers])
    figure, axes = subplots(1, 2, width=9, height=3.8)
    for axis, values, title in (
        (axes[0], digits, "digits of the number"),
        (axes[1], first, "its first digit"),
    ):
        drawn = axis.scatter(*points.T, c=values, cmap="turbo", s=14)
        figure.colorbar(drawn, ax=axis, ticks=range(values.min(), values.max() + 1))
        axis.set(title=title, xticks=[], yticks=[])
    return figure


def sutskever_table_3(result: Result) -> Drawing:
    """Sutskever, Table 3: the first sentences of the test, their references, and the translations."""
    names = [name for name in NAMES if f"{name}_shown" in result.arrays]
    shown = [result.arrays[f"{name}_shown"] for name in names]
    lines: list[tuple[str, str, str]] = []
    for sentence in zip(*shown, strict=True):
        source, reference = sentence[0][:2]
        said = [("source", source, GUIDE), ("reference", reference, DATA)]
        said += [
            (NAMES[name][0], row[2], NAMES[name][1])
            for name, row in zip(names, sentence, strict=True)
        ]
        for who, words, color in said:
            parts = textwrap.wrap(str(words), LETTERS) or [""]
            lines += [(who if i == 0 else "", part, color) for i, part in enumerate(parts)]
        lines.append(("", "", DATA))
    lines.pop()
    figure, axis = subplots(width=9, height=0.17 * len(lines) + 0.1)
    axis.set(xlim=(0, 1), ylim=(len(lines), 0))
    axis.set_axis_off()
    for place, (who, words, color) in enumerate(lines):
        axis.text(0, place + 0.5, who, fontsize=7, color=color, va="center", weight="bold")
        axis.text(0.25, place + 0.5, words, fontsize=7, color=color, va="center")
    return figure


def learning(result: Result) -> Drawing | None:
    """Validation perplexity against updates: the mean over seeds and each seed."""
    names = [name for name in NAMES if name in result.history]
    if not names:
        return None
    figure, axis = subplots(width=5.5, height=3.2)
    for name in names:
        label, color = NAMES[name]
        rows = [row for row in result.history[name] if "validation" in row]
        values = np.array([row["validation"] for row in rows])
        steps = [row["step"] for row in rows]
        axis.plot(steps, values.mean(axis=1), color=color, label=label)
        if values.shape[1] > 1:
            axis.plot(steps, values, color=color, lw=0.6, alpha=0.5)
    axis.set(xlabel="updates", ylabel="validation perplexity", yscale="log")
    for formatted in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        formatted("{x:g}")
    axis.legend(fontsize=8, frameon=False)
    return figure


FIGURES = {
    "bahdanau_figure_2": Figure(bahdanau_figure_2, ("memory", "search", "encdec")),
    "sutskever_figure_3": Figure(sutskever_figure_3, ("memory", "reversed", "forward")),
    "bahdanau_figure_3": Figure(bahdanau_figure_3, ("alignment",)),
    "sutskever_figure_2": Figure(sutskever_figure_2, ("phrase_map",)),
    "sutskever_table_3": Figure(
        sutskever_table_3, ("search", "encdec", "forward", "reversed"), any_of=True
    ),
    "learning": Figure(learning, ("search", "encdec", "forward", "reversed"), any_of=True),
}
