"""The papers' figures, from a `Result`; None where the run has not what a figure shows."""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.dqn.claims import ATARI, GAMES
from experiments.dqn.show import colored, episode
from experiments.dqn.watching import APPEARS
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.result import Result

CELLS = {
    "dqn": ("replay and target", MODEL),
    "no_target": ("replay only", DISCRIMINATOR),
    "no_replay": ("target only", "#d1495b"),
    "neither": ("neither", GUIDE),
}
PLAYED = 120
"""Steps of the animation."""


def title(game: str) -> str:
    """ "atari_pong" -> "Pong (Atari)"."""
    if game.startswith("atari_"):
        name = game.removeprefix("atari_")
        return f"{ATARI[name][0] if name in ATARI else name.replace('_', ' ').title()} (Atari)"
    return GAMES.get(game, game.title())


def _games(result: Result, variant: str) -> list[str]:
    ending = f"-{variant}"
    return [name.removesuffix(ending) for name in result.history if name.endswith(ending)]


def _curve(result: Result, training: str, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Agent steps `[t]` and the curves `[t, seeds]`."""
    rows = [row for row in result.history[training] if "score" in row]
    steps = result.arrays[f"{training.replace('-', '_')}_steps"]
    return steps, np.array([row[what] for row in rows])


def _draw(axis, steps, curves, color, label=None) -> None:
    for curve in curves.T:
        axis.plot(steps / 1e3, curve, color=color, lw=0.6, alpha=0.5)
    axis.plot(steps / 1e3, curves.mean(axis=1), color=color, label=label)


def figure_2(result: Result) -> Figure | None:
    """2013, Figure 2: the score is noisy, the value of held-out states rises smoothly."""
    games = _games(result, "dqn")
    if not games:
        return None
    figure, axes = subplots(
        2, len(games), width=max(4.5, 2.6 * len(games)), height=4.6, squeeze=False, sharex="col"
    )
    for (above, below), game in zip(axes.T, games, strict=True):
        _draw(above, *_curve(result, f"{game}-dqn", "score"), MODEL)
        above.axhline(
            result.metrics[f"{game}_random"][0], color=GUIDE, ls=":", label="random player"
        )
        _draw(below, *_curve(result, f"{game}-dqn", "held_out_q"), DISCRIMINATOR)
        above.set_title(title(game))
        below.set_xlabel("thousand agent steps")
    axes[0, 0].set_ylabel("score (30 games)")
    axes[1, 0].set_ylabel("max Q, held-out states")
    axes[0, 0].legend(fontsize=8)
    return figure


def figure_3(result: Result) -> Figure | None:
    """2013, Figure 3: the value along a scripted stretch of a game, and its screens A, B and C."""
    for game in ("freeway", "breakout"):
        if f"{game}_scripted" in result.arrays:
            return _scripted(result, game)
    return None


def figure_3_seaquest(result: Result) -> Figure | None:
    """2013, Figure 3, in the paper's game: a fish appears, A, is about to be hit, B, and is gone, C."""
    return _scripted(result, "seaquest") if "seaquest_scripted" in result.arrays else None


def _scripted(result: Result, game: str) -> Figure | None:
    values, reward = (result.arrays[f"{game}_scripted_{k}"] for k in ("value", "reward"))
    screens = colored(result.arrays[f"{game}_scripted"])
    hits = np.flatnonzero(reward > 0)
    if game == "seaquest":
        start, end, marks = 0, len(reward), {"A": APPEARS + 1, "B": hits[0], "C": hits[0] + 2}
    else:
        alone = [h for i, h in enumerate(hits) if h > 30 and h - hits[i - 1] > 8]
        if not alone:
            return None
        before, after, long = (12, 2, 90) if game == "freeway" else (6, 1, 22)
        start, end = max(0, alone[0] - 40), min(alone[0] + long, len(reward))
        marks = {"A": alone[0] - before, "B": alone[0], "C": alone[0] + after}
    figure, axes = subplots(2, 3, width=7.5, height=4.6, gridspec_kw={"height_ratios": [1.1, 1]})
    for axis, (letter, t) in zip(axes[0], marks.items(), strict=True):
        axis.imshow(screens[t])
        axis.set_axis_off()
        axis.set_title(letter)
    grid = axes[1, 0].get_gridspec()
    for axis in axes[1]:
        axis.remove()
    trace = figure.add_subplot(grid[1, :])
    steps = np.arange(start, end)
    for value in values:
        trace.plot(steps, value[start:end], color=MODEL, lw=0.6, alpha=0.5)
    mean = values.mean(axis=0)
    trace.plot(steps, mean[start:end], color=MODEL)
    for letter, t in marks.items():
        trace.plot(t, mean[t], "o", color=DATA, ms=4)
        trace.annotate(letter, (t, mean[t]), textcoords="offset points", xytext=(5, 5))
    for t in hits[(hits >= start) & (hits < end)]:
        trace.axvline(t, color=GUIDE, lw=0.8, ls=":", zorder=0)
    trace.set(
        xlabel=f"step of a scripted stretch of {title(game)} (dotted: a reward)", ylabel="max Q"
    )
    return figure


def figure_4(result: Result) -> Figure | None:
    """Nature, Figure 4: t-SNE of the last hidden layer, coloured by value, with some of the states."""
    games = [name.removesuffix("_tsne") for name in result.arrays if name.endswith("_tsne")]
    if not games:
        return None
    game = games[0]
    plane, value = result.arrays[f"{game}_tsne"], result.arrays[f"{game}_tsne_value"]
    screens = colored(result.arrays[f"{game}_tsne_pictures"])
    figure, axis = subplots(width=7, height=5.2)
    dots = axis.scatter(*plane.T, c=value, s=7, cmap="turbo")
    figure.colorbar(dots, label="max Q", shrink=0.7)
    order = np.argsort(value)
    for place, share in enumerate((0.02, 0.2, 0.4, 0.6, 0.8, 0.98)):
        i = order[int(share * (len(order) - 1))]
        inset = axis.inset_axes([0.01 + 0.165 * place, 1.01, 0.15, 0.18])
        inset.imshow(screens[i])
        inset.set_xticks([])
        inset.set_yticks([])
        inset.set_title(f"{value[i]:.1f}", fontsize=8)
        axis.annotate(
            "",
            plane[i],
            (0.085 + 0.165 * place, 1.01),
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-", "color": GUIDE, "lw": 0.7},
        )
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(
        f"{title(game)}: states of the agent's own play, t-SNE of the last hidden layer"
    )
    return figure


def table_3(result: Result) -> Figure | None:
    """Nature, Extended Data Table 3: with and without replay and target network, best learning rate each."""
    games = [
        name.removesuffix("_table_dqn") for name in result.metrics if name.endswith("_table_dqn")
    ]
    if not games:
        return None
    figure, axes = subplots(1, len(games), width=1 + 3 * len(games), height=3, squeeze=False)
    for axis, game in zip(axes[0], games, strict=True):
        for i, (cell, (label, color)) in enumerate(CELLS.items()):
            scores = np.array(result.metrics[f"{game}_table_{cell}"])
            axis.bar(i, scores.mean(), color=color, alpha=0.6, label=label)
            axis.plot([i] * len(scores), scores, "o", color=DATA, ms=3)
        axis.axhline(result.metrics[f"{game}_random"][0], color=GUIDE, ls=":")
        axis.set(title=title(game), xticks=[])
    axes[0, 0].set_ylabel("best score (dots: seeds)")
    axes[0, 0].legend(fontsize=8)
    return figure


def table_4(result: Result) -> Figure | None:
    """What the parts of the agent's sight are worth: a linear network; one frame where motion is hidden."""
    pairs = {
        "linear": {"dqn": ("convolutional", MODEL), "linear": ("linear", "#d1495b")},
        "four_frames": {
            "four_frames": ("four frames", MODEL),
            "one_frame": ("one frame", "#d1495b"),
        },
    }
    found = [(game, pair) for name, pair in pairs.items() for game in _games(result, name)]
    if not found:
        return None
    figure, axes = subplots(1, len(found), width=1 + 3 * len(found), height=3, squeeze=False)
    for axis, (game, pair) in zip(axes[0], found, strict=True):
        for variant, (label, color) in pair.items():
            if f"{game}-{variant}" in result.history:
                _draw(axis, *_curve(result, f"{game}-{variant}", "score"), color, label)
        hidden = ", motion hidden" if "one_frame" in pair else ""
        axis.set(title=f"{title(game)}{hidden}", xlabel="thousand agent steps")
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("score (30 games)")
    return figure


def playing(result: Result) -> list[Image.Image] | None:
    """The agent plays; below, the value of the state it sees."""
    games = [name.removesuffix("_played") for name in result.arrays if name.endswith("_played")]
    if not games:
        return None
    screens, q, reward = (result.arrays[f"{games[0]}_played{k}"] for k in ("", "_q", "_reward"))
    return episode(colored(screens)[:PLAYED], q.max(axis=1)[:PLAYED], reward[:PLAYED])


FIGURES = {
    "figure_2": figure_2,
    "figure_3": figure_3,
    "figure_3_seaquest": figure_3_seaquest,
    "figure_4": figure_4,
    "table_3": table_3,
    "table_4": table_4,
    "playing": playing,
}
