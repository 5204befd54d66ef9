"""The figures: recall against delay, errors on their way back, what taggers know at each word."""

import numpy as np
from matplotlib.figure import Figure as Drawing

from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

ARMS = {
    "lstm": ("LSTM", MODEL),
    "carousel": ("LSTM of 1997, no forget gate", "#f0a202"),
    "gru": ("GRU", DISCRIMINATOR),
    "orthogonal": ("tanh, orthogonal at the start", "#8d6fc9"),
    "tanh": ("tanh", "#d1495b"),
}
"""How each network is called, and its colour."""


def _delays(result: Result) -> list[int]:
    return sorted(int(name.removeprefix("recall-")) for name in result.history if "recall-" in name)


def recall(result: Result) -> Drawing:
    """Share of cues recalled against the delay, and how the longest was learned."""
    figure, (left, right) = subplots(1, 2, width=9, height=3.2)
    delays = _delays(result)
    # Those that recall all lie upon one another: the first are the largest.
    for size, (arm, (label, color)) in zip((11, 9, 7, 5, 3), ARMS.items(), strict=True):
        recalled = np.array([result.metrics[f"recall_{arm}_{delay}"] for delay in delays])
        left.plot(delays, recalled.mean(axis=1), "o-", color=color, label=label, ms=size)
        left.plot(delays, recalled, ".", color=color, ms=4, alpha=0.5)
        rows = result.history[f"recall-{delays[-1]}"]
        steps, losses = [row["step"] for row in rows], np.array([row[arm] for row in rows])
        right.plot(steps, losses.mean(axis=1), color=color)
        right.plot(steps, losses, color=color, lw=0.6, alpha=0.4)
    left.axhline(0.5, color=GUIDE, ls=":", label="guessing")
    left.set(xlabel="steps between cue and recall", ylabel="share of cues recalled")
    left.set(xscale="log", ylim=(0.4, 1.03))
    left.set_xticks(delays, map(str, delays))
    left.minorticks_off()
    left.legend(fontsize=8, loc="lower left")
    right.axhline(np.log(2), color=GUIDE, ls=":")
    right.set(xlabel="updates", ylabel=f"nats, delay {delays[-1]}", ylim=(0, 1))
    return figure


def gradients(result: Result) -> Drawing:
    """How much of an error reaches the steps before, before training and after."""
    figure, (left, right) = subplots(1, 2, width=9, height=3.2, sharey=True)
    lines = {f"flow_{arm}": (label, color, "-") for arm, (label, color) in ARMS.items()}
    lines["flow_exploding"] = ("... its matrix larger", ARMS["orthogonal"][1], "--")
    lines["flow_cut_carousel"] = ("... of 1997, by the cell alone", ARMS["carousel"][1], "--")
    for name, (label, color, style) in lines.items():
        _way_back(left, result.arrays[name], label=label, color=color, ls=style)
    for arm, (_, color) in ARMS.items():
        _way_back(right, result.arrays[f"flow_trained_{arm}"], color=color)
    for axis, title in ((left, "before training"), (right, "after training")):
        axis.axhline(1, color=DATA, lw=0.6)
        axis.set(title=title, xlabel="steps back", yscale="log", ylim=(1e-11, 1e4))
    left.set_ylabel("gradient by the state, last step = 1")
    left.legend(fontsize=7, loc="lower left")
    return figure


def _way_back(axis, flows: np.ndarray, **look) -> None:
    """The geometric mean over seeds, from the last step backwards."""
    with np.errstate(divide="ignore"):
        back = (np.log10(flows) - np.log10(flows[:, -1:]))[:, ::-1]
    axis.plot(np.arange(back.shape[1]), 10.0 ** back.mean(axis=0), **look)


def tagging(result: Result) -> Drawing:
    """The chance that each tagger gives to the right tag, word by word, of the longest few numbers."""
    shown = list(result.arrays["tagging_words"])[-3:]
    figure, axes = subplots(len(shown), 1, width=9, height=2.1 * len(shown), squeeze=False)
    names = {"both": "both ways", "forward": "in order", "backward": "backwards"}
    for k, (axis, sentence) in enumerate(zip(axes[:, 0], shown, strict=True)):
        words = sentence.split()
        rows = len(result.arrays["tagging_words"]) - len(shown) + k
        chances = np.stack([result.arrays[f"tagging_{arm}"][rows, : len(words)] for arm in names])
        image = axis.imshow(chances, cmap="gray", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(words)), words, rotation=60, fontsize=7, ha="right")
        axis.set_yticks(range(len(names)), names.values(), fontsize=8)
    figure.colorbar(image, ax=axes[:, 0].tolist(), label="chance of the right tag")
    return figure


FIGURES = {
    "recall": Figure(recall, ("recall",)),
    "gradients": Figure(gradients, ("gradients",)),
    "tagging": Figure(tagging, ("tagging",)),
}
