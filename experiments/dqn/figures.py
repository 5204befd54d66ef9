"""The papers' figures, a game each, from the results of its parts."""

import functools

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.dqn.claims import ATARI
from experiments.dqn.claims import GAMES as MINATAR
from experiments.dqn.config import GAMES
from experiments.dqn.scripts import APPEARS
from lib.envs.names import CHANNELS
from lib.plots.film import colored, episode
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure as Drawn
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
    return MINATAR.get(game, game.title())


def _curve(result: Result, training: str, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Agent steps `[t]` and the curves `[t, seeds]`."""
    rows = [row for row in result.history[training] if "score" in row]
    steps = result.arrays[f"{training.replace('-', '_')}_steps"]
    return steps, np.array([row[what] for row in rows])


def _draw(axis, steps, curves, color, label=None) -> None:
    for curve in curves.T:
        axis.plot(steps / 1e3, curve, color=color, lw=0.6, alpha=0.5)
    axis.plot(steps / 1e3, curves.mean(axis=1), color=color, label=label)


def figure_2(result: Result, *games: str) -> Figure:
    """2013, Figure 2: the score is noisy, the value of held-out states rises smoothly."""
    figure, axes = subplots(
        2, len(games), width=max(4.5, 2.6 * len(games)), height=4.6, squeeze=False, sharex="col"
    )
    for (above, below), game in zip(axes.T, games, strict=True):
        _draw(above, *_curve(result, f"{game}-dqn", "score"), MODEL)
        above.axhline(result.metrics[f"{game}_random"], color=GUIDE, ls=":", label="random player")
        _draw(below, *_curve(result, f"{game}-dqn", "held_out_q"), DISCRIMINATOR)
        above.set_title(title(game))
        below.set_xlabel("thousand agent steps")
    axes[0, 0].set_ylabel("mean score")
    axes[1, 0].set_ylabel("max Q, held-out states")
    axes[0, 0].legend(fontsize=8)
    return figure


def figure_3(result: Result, game: str) -> Figure | None:
    """2013, Figure 3: the value along a scripted stretch of a game, and its screens A, B and C.

    In Seaquest, the game of the paper, a fish appears, A, is about to be hit, B, and is gone, C. None where
    nothing is reached in the others.
    """
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
    trace.spines[["top", "right"]].set_visible(False)
    steps = np.arange(start, end)
    # How values change is asked, and agents differ by how high they are.
    values = values - values[:, start : start + 1]
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
        xlabel=f"step of a scripted stretch of {title(game)} (dotted: a reward)",
        ylabel="max Q, less the first",
    )
    return figure


def figure_4(result: Result, game: str) -> Figure:
    """Nature, Figure 4: t-SNE of the last hidden layer, coloured by value, with some of the states."""
    plane, value = result.arrays[f"{game}_tsne"], result.arrays[f"{game}_tsne_value"]
    screens = colored(result.arrays[f"{game}_tsne_pictures"])
    figure, axis = subplots(width=7, height=5.2)
    dots = axis.scatter(*plane.T, c=value, s=7, cmap="turbo")
    figure.colorbar(dots, label="max Q", shrink=0.7)
    order = np.argsort(value)
    for place, share in enumerate((0.02, 0.2, 0.4, 0.6, 0.8, 0.98)):
        i, letter = order[int(share * (len(order) - 1))], "abcdef"[place]
        inset = axis.inset_axes([0.01 + 0.165 * place, 1.03, 0.15, 0.18])
        inset.imshow(screens[i])
        inset.set(xticks=[], yticks=[])
        inset.set_title(f"{letter}: {value[i]:.1f}", fontsize=8)
        axis.plot(*plane[i], "o", mfc="none", color=DATA, ms=9)
        axis.annotate(
            *(letter, plane[i]),
            **{"textcoords": "offset points", "xytext": (5, 5), "weight": "bold", "color": DATA},
        )
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_xlabel(
        f"{title(game)}: states of the agent's own play, t-SNE of the last hidden layer"
    )
    return figure


def table_3(result: Result, game: str) -> Figure:
    """Nature, Extended Data Table 3: with and without replay and target network, best learning rate each."""
    figure, axis = subplots(width=4, height=3)
    for i, (cell, (label, color)) in enumerate(CELLS.items()):
        scores = np.array(result.metrics[f"{game}_table_{cell}"])
        axis.bar(i, scores.mean(), color=color, alpha=0.6, label=label)
        axis.plot([i] * len(scores), scores, "o", color=DATA, ms=3)
    axis.axhline(result.metrics[f"{game}_random"], color=GUIDE, ls=":")
    axis.set(title=title(game), xticks=[], ylabel="best score (dots: seeds)")
    axis.legend(fontsize=8)
    return figure


def _two_curves(result: Result, game: str, pair: dict[str, str], more: str = "") -> Figure:
    """The scores of two agents, by name and label: the one that has more, and the other."""
    figure, axis = subplots(width=4, height=3)
    for (agent, label), color in zip(pair.items(), (MODEL, "#d1495b"), strict=True):
        _draw(axis, *_curve(result, f"{game}-{agent}", "score"), color, label)
    axis.set(title=title(game) + more, xlabel="thousand agent steps", ylabel="mean score")
    axis.legend(fontsize=8)
    return figure


def table_4(result: Result, game: str) -> Figure:
    """Nature, Extended Data Table 4: what a linear network learns."""
    return _two_curves(result, game, {"dqn": "convolutional", "linear": "linear"})


def history(result: Result, game: str) -> Figure:
    """2013, section 4.1: what four frames are worth."""
    hidden = ", motion hidden" if game in MINATAR else ""
    pair = {"four_frames": "four frames", "one_frame": "one frame"}
    return _two_curves(result, game, pair, hidden)


def playing(result: Result, game: str) -> list[Image.Image]:
    """The agent plays; below, the value of the state it sees."""
    screens, q, reward = (result.arrays[f"{game}_played{k}"] for k in ("", "_q", "_reward"))
    return episode(colored(screens)[:PLAYED], q.max(axis=1)[:PLAYED], reward[:PLAYED])


OTHERS = tuple(game for game in MINATAR if game != "breakout")


def _each(draw, games, *parts: str) -> dict[str, Drawn]:
    """A figure a game; {} in a part's name stands for the game's."""
    return {
        f"{draw.__name__}_{game}": Drawn(
            functools.partial(_of_game, draw, game), tuple(part.format(game) for part in parts)
        )
        for game in games
    }


def _of_game(draw, game: str, result: Result):
    return draw(result, game)


FIGURES = {
    **_each(figure_2, GAMES, "{}"),
    "figure_2_others": Drawn(lambda result: figure_2(result, *OTHERS), OTHERS),
    **_each(figure_3, ("breakout", "freeway", "seaquest"), "{}"),
    **_each(figure_4, CHANNELS, "{}"),
    **_each(table_3, GAMES, "{}", "table_3_{}"),
    **_each(table_4, GAMES, "{}", "table_4_{}"),
    **_each(history, GAMES, "history_{}"),
    **_each(playing, CHANNELS, "{}"),
}
"""`figure_2_others` shows the games of MinAtar side by side, but for Breakout."""
