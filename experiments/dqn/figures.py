"""The papers' figures, a game each, from the results of its parts."""

import functools
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
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


MOMENTS = {
    "breakout": ("on its way up", "about to strike", "the brick is gone"),
    "freeway": ("on the way", "about to arrive", "back at the bottom"),
    "seaquest": ("a fish appears", "about to be hit", "it is gone"),
}
"""What is seen at A, B and C of Figure 3."""


class Stretch(NamedTuple):
    """What Figure 3 shows: `pictures` `[t, h, w, c]`, `values` `[seeds, t]`, `reward` `[t]`, which of the
    steps, and the steps A, B and C."""

    pictures: np.ndarray
    values: np.ndarray
    reward: np.ndarray
    steps: slice
    marks: tuple[int, int, int]


def _stretch(result: Result, game: str) -> Stretch | None:
    """Breakout's agent plays itself, elsewhere a script does; None where no reward stands alone."""
    if game == "breakout":
        names = (f"{game}_played{k}" for k in ("", "_q", "_reward", "_over"))
        pictures, q, reward, over = (result.arrays[name] for name in names)
        values, back, before, after, on = q.max(axis=1)[None], 30, 4, 1, 14
    else:
        names = (f"{game}_scripted{k}" for k in ("", "_value", "_reward"))
        pictures, values, reward = (result.arrays[name] for name in names)
        over, back, before, after, on = np.zeros(len(reward), bool), 40, 12, 2, 90
    hits = np.flatnonzero(reward > 0)
    if game == "seaquest":
        marks = (APPEARS + 1, hits[0], hits[0] + 2)
        return Stretch(pictures, values, reward, slice(0, len(reward)), marks)
    for i, hit in enumerate(hits):
        alone = hit - hits[i - 1] > 8 if i else hit > 8
        if alone and hit > back and not over[hit - back : hit + on].any():
            steps = slice(hit - back, min(hit + on, len(reward)))
            return Stretch(pictures, values, reward, steps, (hit - before, hit, hit + after))
    return None


def figure_3(result: Result, game: str) -> Figure | None:
    """2013, Figure 3: the value along a stretch of a game, and its screens A, B and C.

    None where nothing is reached.
    """
    stretch = _stretch(result, game)
    if stretch is None:
        return None
    pictures, values, reward, shown, marks = stretch
    start, end = shown.start, shown.stop
    hits = np.flatnonzero(reward > 0)
    figure, axes = subplots(2, 3, width=7.5, height=5.2, gridspec_kw={"height_ratios": [1.1, 1]})
    for axis, letter, moment, t in zip(axes[0], "ABC", MOMENTS[game], marks, strict=True):
        axis.imshow(colored(pictures[t]))
        axis.set_axis_off()
        axis.set_title(f"{letter}: {moment}")
    _key(figure, game, pictures[list(marks)])
    grid = axes[1, 0].get_gridspec()
    for axis in axes[1]:
        axis.remove()
    trace = figure.add_subplot(grid[1, :])
    trace.spines[["top", "right"]].set_visible(False)
    steps = np.arange(start, end)
    # How values change is asked, and agents differ by how high they are.
    values = values - values[:, start : start + 1]
    if len(values) > 1:
        trace.plot(steps, values[:, start:end].T, color=MODEL, lw=0.6, alpha=0.5)
    mean = values.mean(axis=0)
    trace.plot(steps, mean[start:end], color=MODEL)
    for t in hits[(hits >= start) & (hits < end)]:
        trace.axvline(t, color=GUIDE, lw=0.8, ls=":", zorder=0)
    for letter, t in zip("ABC", marks, strict=True):
        trace.plot(t, mean[t], "o", color=DATA, ms=4)
        # Above the curve, where no curve runs.
        trace.annotate(
            letter, (t, 1), xycoords=("data", "axes fraction"), ha="center", weight="bold"
        )
    whose = "the agent's own" if game == "breakout" else "a script's"
    trace.set(
        xlabel=f"step of {whose} play of {title(game)} (dotted: a reward)",
        ylabel="max Q, less the first",
    )
    return figure


def _key(figure: Figure, game: str, pictures: np.ndarray) -> None:
    """Which colour is what, of the channels that are seen in `pictures` `[n, h, w, c]`."""
    count = pictures.shape[-1]
    colors = colored(np.eye(count, dtype=bool)) / 255
    seen = [i for i in range(count) if pictures[..., i].any()]
    patches = [Patch(color=colors[i], label=CHANNELS[game][i].replace("_", " ")) for i in seen]
    figure.legend(handles=patches, loc="outside upper center", ncols=4, fontsize=8)


def figure_4(result: Result, game: str) -> Figure:
    """Nature, Figure 4: t-SNE of the last hidden layer, coloured by value, with some of the states.

    Beside it the map of the same states that a network makes which has learned nothing, in the same colours.
    """
    value, letters = result.arrays[f"{game}_tsne_value"], "abcdef"
    screens = colored(result.arrays[f"{game}_tsne_pictures"])
    order = np.argsort(value)
    chosen = [order[int(share * (len(order) - 1))] for share in (0.02, 0.2, 0.4, 0.6, 0.8, 0.98)]
    figure, axes = subplots(2, 6, width=9, height=6, gridspec_kw={"height_ratios": [1, 2.6]})
    for axis, letter, i in zip(axes[0], letters, chosen, strict=True):
        axis.imshow(screens[i])
        axis.set(xticks=[], yticks=[], title=f"{letter}: {value[i]:.1f}")
    grid = axes[1, 0].get_gridspec()
    for axis in axes[1]:
        axis.remove()
    maps = [figure.add_subplot(grid[1, half]) for half in (slice(0, 3), slice(3, 6))]
    planes = [result.arrays[f"{game}_tsne{network}"] for network in ("", "_untrained")]
    limits = np.quantile(
        value, [0.02, 0.98]
    )  # a few states would otherwise take half of the colours
    for axis, plane, words in zip(maps, planes, ("trained", "untrained"), strict=True):
        dots = axis.scatter(*plane.T, c=value, s=9, cmap="viridis", vmin=limits[0], vmax=limits[1])
        for letter, i in zip(letters, chosen, strict=True):
            axis.plot(*plane[i], "o", mfc="none", color="#d1495b", ms=9, mew=1.5)
            axis.annotate(
                *(letter, plane[i]),
                **{
                    "textcoords": "offset points",
                    "xytext": (6, 4),
                    "weight": "bold",
                    "color": DATA,
                },
            )
        axis.set(xticks=[], yticks=[], xlabel=f"last hidden layer, {words}")
        axis.spines[:].set_visible(False)
    figure.colorbar(dots, ax=maps, label="max Q of the trained network", shrink=0.8, extend="both")
    figure.suptitle(f"{title(game)}: states of the agent's own play")
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
