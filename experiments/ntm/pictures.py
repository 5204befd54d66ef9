"""How learning curves, answers, memory and heads are drawn: what several figures share."""

import re

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from experiments.ntm.measures import first_row
from lib.plots.style import DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.result import Result

MODELS = {
    "feedforward": ("NTM, feedforward", MODEL),
    "lstm": ("NTM, LSTM", "#f0a202"),
    "baseline": ("LSTM alone", DISCRIMINATOR),
}
"""How each model is called, and its colour."""
BITS, SIGNED, FOCUS = "viridis", "RdBu_r", "magma"
"""Colour maps: of probabilities of a bit, of values around 0, of weightings."""
CELL = 14
"""Pixels a step, and a row of the memory, in the animation."""


def curves(result: Result, task: str, top: float):
    """Learning curves, a thin line a seed and their median: sequences seen, the cost of unseen ones.

    The axis ends at `top` bits, or where the costs at the end are seen.
    """
    kinds = [kind for kind in MODELS if f"{task}-{kind}" in result.history]
    if not kinds:
        return None, None
    figure, axis = subplots(width=6, height=3.2)
    for kind in kinds:
        rows = [row for row in result.history[f"{task}-{kind}"] if "validation" in row]
        thousands = [row["sequences"] / 1000 for row in rows]
        costs = np.array([row["validation"] for row in rows])
        label, color = MODELS[kind]
        axis.plot(thousands, np.median(costs, axis=1), color=color, lw=2.2, label=label)
        if costs.shape[1] > 1:
            axis.plot(thousands, costs, color=color, lw=0.7, alpha=0.6)
        top = max(top, 1.1 * costs[-1].max())
    axis.set(xlabel="sequences seen, thousands", ylabel="cost a sequence, bits", ylim=(0, top))
    axis.legend(frameon=False)
    return figure, axis


def swept(
    result: Result, pattern: str, trained: int, xlabel: str, ylabel: str, chance: float
) -> Figure | None:
    """Metrics `pattern` (of a model, of a number) against the number: a thin line a seed and their median."""
    figure = None
    for kind, (label, color) in MODELS.items():
        matches = (re.fullmatch(pattern.format(kind), name) for name in result.metrics)
        tested = sorted((int(m[1]), result.metrics[m[0]]) for m in matches if m)
        if not tested:
            continue
        if figure is None:
            figure, axis = subplots(width=6.5, height=3.2)
        x, values = [number for number, _ in tested], np.array([value for _, value in tested])
        axis.plot(x, np.median(values, axis=1), color=color, marker="o", lw=2.2, label=label)
        if values.shape[1] > 1:
            axis.plot(x, values, color=color, lw=0.7, alpha=0.6)
    if figure is not None:
        left = axis.get_xlim()[0]
        axis.axvspan(left, trained, color=GUIDE, alpha=0.2, lw=0, label="trained on", zorder=0)
        axis.axhline(chance, color=GUIDE, ls=":", label="chance")
        axis.set(xlabel=xlabel, ylabel=ylabel, xlim=(left, None))
        axis.set_ylim(bottom=min(0, -0.02 * axis.get_ylim()[1]))
        figure.legend(loc="outside right center", frameon=False)
    return figure


def answers(axis: Axes, blocks: dict[str, list[np.ndarray]], names: list[str]) -> None:
    """Bits over time: blocks side by side, in each the pictures `names` `[T, bits]`, top to bottom."""

    def padded(picture, rows, columns):
        return np.pad(picture, ((0, rows), (0, columns)), constant_values=np.nan)

    bits = next(iter(blocks.values()))[0].shape[1]
    columns = [np.concatenate([padded(p.T, 1, 3) for p in block]) for block in blocks.values()]
    starts = np.cumsum([0] + [c.shape[1] for c in columns[:-1]])
    centres = [start + (c.shape[1] - 3) / 2 - 0.5 for start, c in zip(starts, columns, strict=True)]
    whole = np.concatenate(columns, axis=1)[:-1, :-3]
    axis.imshow(whole, vmin=0, vmax=1, cmap=BITS, aspect="auto", interpolation="nearest")
    axis.set_xticks(centres, list(blocks))
    axis.set_yticks((bits + 1) * np.arange(len(names)) + (bits - 1) / 2, names)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def locations_in_use(weightings: np.ndarray, scored: np.ndarray, margin: int) -> np.ndarray:
    """The rows written to before the answer or read from during it, and `margin` rows about them.

    The memory is a ring: its longest stretch without such rows is left out, the rest is in order. Where
    the whole sequence is scored, reads and writes at all steps count.

    Args:
      weightings: `[T, heads, N]`, read heads first, then as many write heads.
      scored: `[T]`.
    """
    rows, reading = weightings.shape[-1], weightings.shape[1] // 2
    before = ~scored if not scored.all() else scored
    writes, reads = weightings[before, reading:], weightings[scored, :reading]
    most = np.maximum(writes.max(axis=(0, 1)), reads.max(axis=(0, 1)))
    used = np.flatnonzero(most > 0.1)
    if not len(used):
        return np.arange(rows)
    first = first_row(used, rows)
    where = (used - first) % rows
    low, high = max(where.min() - margin, 0), min(where.max() + margin, rows - 1)
    return (first + np.arange(low, high + 1)) % rows


def memory_use(
    result: Result, name: str, kind: str, title: str, marks: dict | None = None
) -> Figure:
    """What goes in and is written (left), what is read and comes out (right), step by step.

    Of several heads the vectors stand below each other, and each location shows the largest weight.

    Args:
      name, kind: of the sequence and of the NTM, as in the arrays' names.
      marks: label -> (steps, colour): triangles under the weightings.
    """

    def what(thing):
        return result.arrays[f"{name}_{kind}_{thing}"]

    steps, reading = what("reads").shape[:2]
    weightings = what("weightings")
    scored = what("scored") > 0
    locations = locations_in_use(weightings, scored, margin=3)
    outputs = np.where(scored[:, None], what("outputs"), np.nan)
    panels = {
        "inputs": (what("inputs"), BITS),
        "outputs": (outputs, BITS),
        "adds": (what("added"), SIGNED),
        "reads": (what("reads"), SIGNED),
        "write weightings": (weightings[:, reading:, locations].max(axis=1), FOCUS),
        "read weightings": (weightings[:, :reading, locations].max(axis=1), FOCUS),
    }
    heights = [min(max(panels[of][0][0].size, 5), 30) for of in ("inputs", "adds")] + [30]
    figure, axes = subplots(
        3, 2, width=9, height=1.4 + 0.07 * sum(heights), height_ratios=heights, sharex=True
    )
    for axis, (label, (values, colors)) in zip(axes.flat, panels.items(), strict=True):
        limit = max(np.abs(values).max(), 1e-6) if colors == SIGNED else 1
        axis.imshow(
            values.reshape(steps, -1).T,
            vmin=-limit if colors == SIGNED else 0,
            vmax=limit,
            cmap=colors,
            aspect="auto",
            interpolation="nearest",
        )
        if values.ndim == 3:
            for head in range(1, values.shape[1]):
                axis.axhline(head * values.shape[2] - 0.5, color="white", lw=2)
        axis.set(title=label, yticks=[])
        axis.spines[:].set_visible(False)
        if not scored.all():
            axis.axvline(scored.argmax() - 0.5, color=GUIDE, lw=1, ls="--")
    for axis in axes[2]:
        axis.set_xlabel("step")
        for label, (at, color) in (marks or {}).items():
            below = np.full(len(at), 1.05 * len(locations))
            axis.plot(at, below, "^", color=color, ms=5, label=label, clip_on=False)
            axis.set_ylim(1.1 * len(locations), -0.5)
    axes[2, 0].set_ylabel(f"location, on a ring of {weightings.shape[2]}")
    axes[2, 0].set_yticks([0, len(locations) - 1], locations[[0, -1]])
    if marks:
        handles = axes[2, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=len(marks), frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure


def moving_heads(result: Result, name: str, kind: str) -> list[Image.Image]:
    """A picture a step: the inputs so far, where it writes, the memory, where it reads, the outputs."""
    inputs, memory, weightings, reads, outputs, scored = (
        result.arrays[f"{name}_{kind}_{what}"]
        for what in ("inputs", "memory", "weightings", "reads", "outputs", "scored")
    )
    scored = scored > 0
    steps, rows = len(memory), memory.shape[1]
    used = locations_in_use(weightings, scored, margin=0)
    # As many locations as steps, so that all strips are equally wide.
    shown = (used[0] - max(steps - len(used), 0) // 2 + np.arange(min(steps, rows))) % rows
    limit = max(np.abs(memory[:, shown]).max(), 1e-6)
    heads = reads.shape[1]
    frames = []
    for t in range(steps):
        past = np.arange(steps)[:, None] <= t
        strips = {
            "input": (np.where(past, inputs, np.nan).T, BITS, 8),
            "write head": (weightings[t, heads:, shown].max(axis=1)[None], "Oranges", CELL),
            "memory": (memory[t, shown].T / limit / 2 + 0.5, SIGNED, 8),
            "read head": (weightings[t, :heads, shown].max(axis=1)[None], "Blues", CELL),
            "output": (np.where(past & scored[:, None], outputs, np.nan).T, BITS, 8),
        }
        frames.append(_stacked(strips))
    return frames


def _stacked(strips: dict[str, tuple[np.ndarray, str, int]]) -> Image.Image:
    """Strips of equal cells below each other; each is (values in [0, 1] or nan, colours, cell height)."""
    left, gap = 96, 10
    font = ImageFont.truetype(findfont("DejaVu Sans"), 14)
    width = max(values.shape[1] for values, _, _ in strips.values()) * CELL
    height = sum(len(values) * cell + gap for values, _, cell in strips.values()) + gap
    picture = Image.new("RGB", (left + width + gap, height), "white")
    draw, top = ImageDraw.Draw(picture), gap
    for name, (values, colors, cell) in strips.items():
        colored = matplotlib.colormaps[colors](values, bytes=True)[..., :3]
        colored[np.isnan(values)] = 238
        cells = colored.repeat(cell, axis=0).repeat(CELL, axis=1)
        picture.paste(Image.fromarray(cells), (left, top))
        draw.text((left - 8, top + len(cells) / 2), name, fill="#222222", font=font, anchor="rm")
        top += len(cells) + gap
    return picture
