"""The paper's figures, from the results of the networks they show."""

import re
from collections import Counter

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.ntm.measures import along_priority
from experiments.ntm.pictures import (
    BITS,
    FOCUS,
    MODELS,
    answers,
    curves,
    memory_use,
    moving_heads,
    swept,
)
from lib.plots.style import DATA, GUIDE, MODEL, subplots
from lib.run.paper import Figure as Drawn
from lib.run.result import Result


def _best_ntm(result: Result, task: str) -> str | None:
    """The NTM of the lower cost on `task`, of the first seed."""
    kinds = [kind for kind in MODELS if f"{task}_{kind}_bits" in result.metrics]
    ntms = [kind for kind in kinds if kind != "baseline"]
    return min(ntms, key=lambda kind: result.metrics[f"{task}_{kind}_bits"][0], default=None)


def _of_any(result: Result, name: str) -> np.ndarray | None:
    """An array that is the same for every network; `name` has {} where the network's name stands."""
    names = (name.format(kind) for kind in MODELS)
    return next((result.arrays[name] for name in names if name in result.arrays), None)


def _scored(result: Result, name: str, kinds: list[str]) -> list[np.ndarray]:
    """Targets, then the answers of `kinds`, at the scored steps of the sequence `name`: `[t, bits]`."""
    scored = result.arrays[f"{name}_{kinds[0]}_scored"] > 0
    names = [f"{name}_{kinds[0]}_targets", *(f"{name}_{kind}_outputs" for kind in kinds)]
    return [result.arrays[n][scored] for n in names]


def _copies(result: Result, kind: str | None) -> Figure | None:
    matches = (re.fullmatch(rf"copy_(\d+)_{kind}_outputs", name) for name in result.arrays)
    lengths = sorted(int(match[1]) for match in matches if match)
    if not lengths:
        return None
    rows = [row for row in (lengths[:-1][:4], lengths[-1:]) if row]
    figure, axes = subplots(len(rows), width=9, height=1.65 * len(rows), squeeze=False)
    for axis, row in zip(axes[:, 0], rows, strict=True):
        blocks = {f"{n} vectors": _scored(result, f"copy_{n}", [kind]) for n in row}
        answers(axis, blocks, ["target", "output"])
    most = result.arrays[f"copy_{kind}_trained_up_to"]
    figure.suptitle(f"{MODELS[kind][0]}: trained on up to {most} vectors")
    return figure


def _memory(result: Result, task: str, name: str, marks: dict | None = None) -> Figure | None:
    kind = _best_ntm(result, task)
    if kind is None:
        return None
    return memory_use(result, name, kind, f"{MODELS[kind][0]}: memory use", marks)


def _repeats(result: Result) -> list[tuple[int, int]]:
    """Lengths and repeats of repeat copy that were tested; those trained on come first."""
    matches = (re.fullmatch(r"repeat_copy_(\d+)x(\d+)_.*_targets", name) for name in result.arrays)
    return sorted({(int(match[1]), int(match[2])) for match in matches if match})


def figure_3(result: Result) -> Figure | None:
    """Figure 3: learning to copy."""
    return curves(result, "copy", 10)[0]


def figure_4(result: Result) -> Figure | None:
    """Figure 4: the NTM copies sequences longer than those that it was trained on."""
    return _copies(result, _best_ntm(result, "copy"))


def figure_5(result: Result) -> Figure | None:
    """Figure 5: the LSTM without memory does not."""
    return _copies(result, "baseline")


def figure_6(result: Result) -> Figure | None:
    """Figure 6: what the NTM writes and reads, and where, while it copies."""
    return _memory(result, "copy", f"copy_{_of_any(result, 'copy_{}_trained_up_to')}")


def figure_7(result: Result) -> Figure | None:
    """Figure 7: learning to copy repeatedly."""
    return curves(result, "repeat_copy", 200)[0]


def figure_8(result: Result) -> Figure | None:
    """Figure 8: twice the length, and twice the repeats, of repeat copy; the last bit is the end marker."""
    tested = _repeats(result)[1:]
    if not tested:
        return None
    first = "repeat_copy_{}x{}".format(*tested[0])
    kinds = [kind for kind in MODELS if f"{first}_{kind}_outputs" in result.arrays]
    height = 0.5 + 0.55 * (1 + len(kinds))
    figure, axes = subplots(len(tested), width=9, height=height * len(tested), squeeze=False)
    for axis, (length, repeats) in zip(axes[:, 0], tested[::-1], strict=True):
        name = f"repeat_copy_{length}x{repeats}"
        blocks = {f"{length} vectors, {repeats} times": _scored(result, name, kinds)}
        answers(axis, blocks, ["target", *(MODELS[kind][0] for kind in kinds)])
    return figure


def figure_9(result: Result) -> Figure | None:
    """Figure 9: memory use in repeat copy: the same locations once a repeat."""
    tested = _repeats(result)
    name = "repeat_copy_{}x{}".format(*tested[0]) if tested else ""
    return _memory(result, "repeat_copy", name)


def figure_10(result: Result) -> Figure | None:
    """Figure 10: learning to recall the item after the one asked for."""
    return curves(result, "associative_recall", 20)[0]


def figure_11(result: Result) -> Figure | None:
    """Figure 11: the cost of recall among more items than trained on."""
    trained = _of_any(result, "associative_recall_{}_trained_up_to")
    scored, targets = (
        _of_any(result, f"associative_recall_{{}}_{x}") for x in ("scored", "targets")
    )
    if scored is None:
        return None
    pattern, chance = r"associative_recall_{}_bits_(\d+)", scored.sum() * targets.shape[1]
    return swept(result, pattern, trained, "items in the sequence", "cost a sequence, bits", chance)


def figure_12(result: Result) -> Figure | None:
    """Figure 12: memory use in associative recall."""
    return _memory(result, "associative_recall", "associative_recall")


def figure_13(result: Result) -> Figure | None:
    """Figure 13: learning to predict N-grams; below the optimal estimator (10) nobody can be for long."""
    figure, axis = curves(result, "ngrams", 0)
    if figure is not None:
        best = result.metrics["ngrams_optimal_validation_bits"]
        axis.axhline(best, color=DATA, ls=":", label="optimal estimator")
        axis.set_ylim(0.98 * best, max(1.2 * best, axis.get_ylim()[1]))
        axis.legend(frameon=False)
    return figure


def figure_14(result: Result) -> Figure | None:
    """Figure 14: the predicted probability of a 1 along one sequence, and the optimal one."""
    kinds = [kind for kind in MODELS if f"ngrams_{kind}_outputs" in result.arrays]
    if not kinds:
        return None
    bits = result.arrays[f"ngrams_{kinds[0]}_targets"][:, 0]
    best = result.arrays["ngrams_optimal"]
    figure, axes = subplots(
        len(kinds), width=9, height=1.5 * len(kinds) + 0.5, sharex=True, squeeze=False
    )
    for axis, kind in zip(axes[:, 0], kinds, strict=True):
        label, color = MODELS[kind]
        axis.plot(best, color=DATA, lw=0.9, label="optimal")
        axis.plot(result.arrays[f"ngrams_{kind}_outputs"][:, 0], color=color, label=label)
        axis.plot(1.16 * bits - 0.08, "|", color=GUIDE, ms=5, mew=1, label="the bit that came")
        axis.set(ylim=(-0.15, 1.15), yticks=(0, 0.5, 1), xlim=(-2, len(bits) + 1), ylabel="P(1)")
        axis.set_title(label, color=color)
    axes[-1, 0].set_xlabel("bit of the sequence")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles[::2], labels[::2], loc="outside lower center", ncols=2, frameon=False, numpoints=1
    )
    return figure


def figure_15(result: Result) -> Figure | None:
    """Figure 15: memory use in N-grams; triangles are steps at which one of two contexts has come."""
    targets = _of_any(result, "ngrams_{}_targets")
    if targets is None:
        return None
    context = int(result.arrays["ngrams_context"])
    bits = "".join("01"[int(bit)] for bit in targets[:, 0])
    came = {t: bits[t - context : t] for t in range(context, len(bits))}
    marks = {
        f"after {which}": ([t for t, before in came.items() if before == which], color)
        for (which, _), color in zip(Counter(came.values()).most_common(2), (MODEL, "#d1495b"))
    }
    return _memory(result, "ngrams", "ngrams", marks)


def figure_16(result: Result) -> Figure | None:
    """Figure 16: an example of priority sort: vectors with priorities, and the sorted ones."""
    inputs, targets = (_of_any(result, f"priority_sort_{{}}_{x}") for x in ("inputs", "targets"))
    if inputs is None:
        return None
    shown, bits = int(inputs[:, -1].argmax()), targets.shape[1]
    targets, priorities = targets[shown + 1 :], inputs[:shown, bits]
    panels = {
        "input": (inputs[:shown, :bits], priorities),
        "target: the highest first": (targets, np.sort(priorities)[::-1][: len(targets)]),
    }
    figure, axes = subplots(
        2, 2, width=7, height=3, height_ratios=(2, 1), width_ratios=(shown, len(targets))
    )
    for (above, below), (title, (vectors, beside)) in zip(axes.T, panels.items(), strict=True):
        above.imshow(vectors.T, cmap=BITS, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        above.set(title=title, xticks=[], yticks=[])
        above.spines[:].set_visible(False)
        below.bar(range(len(beside)), beside, color=MODEL)
        below.axhline(0, color=GUIDE, lw=0.8)
        below.set(ylim=(-1, 1), xlim=(-0.5, len(beside) - 0.5), xticks=[])
        below.spines["bottom"].set_visible(False)
    axes[1, 0].set_ylabel("priority")
    return figure


def figure_17(result: Result) -> Figure | None:
    """Figure 17: the NTM writes where linear functions of the priority say, and reads in order.

    Of the write heads it is the one that they fit best.
    """
    kind = _best_ntm(result, "priority_sort")
    if kind is None:
        return None
    inputs = result.arrays[f"priority_sort_{kind}_inputs"]
    weightings = result.arrays[f"priority_sort_{kind}_weightings"]
    reading = result.arrays[f"priority_sort_{kind}_reads"].shape[1]
    shown, rows = int(inputs[:, -1].argmax()), weightings.shape[-1]
    priorities, written = inputs[:shown, -2], weightings[:shown, reading:]
    fits = along_priority(written[None], priorities[None])
    head = max(range(len(fits)), key=lambda i: fits[i].coherence)
    _, slope, (profile,) = fits[head]
    peak = (profile >= np.roll(profile, 1)) & (profile > np.roll(profile, -1))
    lines = np.flatnonzero(peak & (profile > profile.max() / 2))

    figure, axes = subplots(1, 3, width=9, height=3.4, sharey=True)
    step, row = np.nonzero(written[:, head] > 0.05)
    share = written[step, head, row]
    axes[0].scatter(
        *(priorities[step], row),
        **{"s": 12 + 60 * share, "color": MODEL, "alpha": 0.7, "lw": 0},
        label="written (size: share)",
    )
    ends = np.array([-1, 1])
    for line in lines:
        axes[0].plot(ends, line + slope * ends, color=DATA, lw=0.8)
        axes[1].plot(
            (line + slope * priorities) % rows, "o", mfc="none", color="white", ms=4, mew=0.6
        )
    axes[0].plot([], [], color=DATA, lw=0.8, label=f"lines, {slope:g} rows a unit")
    axes[0].set(xlabel="priority", ylabel="row of the memory")
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    reads = weightings[shown + 1 :, :reading].max(axis=1)
    for axis, values, title in (
        (axes[1], written[:, head], f"head {head + 1} writes; circles: the lines"),
        (axes[2], reads, "all heads read"),
    ):
        axis.imshow(values.T, cmap=FOCUS, vmin=0, vmax=0.4, aspect="auto", interpolation="nearest")
        axis.set(title=title, xlabel="step")
    axes[0].set_ylim(rows - 0.5, -0.5)
    return figure


def figure_18(result: Result) -> Figure | None:
    """Figure 18: learning to sort."""
    return curves(result, "priority_sort", 140)[0]


def figure_generalisation(result: Result) -> Figure | None:
    """Figures 4 and 5 in numbers: the share of bits that are wrong against the length of a copy."""
    trained = _of_any(result, "copy_{}_trained_up_to")
    return swept(result, r"copy_{}_wrong_(\d+)", trained, "vectors", "share of wrong bits", 0.5)


def figure_heads(result: Result) -> list[Image.Image] | None:
    """An animation: the heads while the NTM copies a sequence as long as any trained on."""
    kind = _best_ntm(result, "copy")
    if kind is None:
        return None
    return moving_heads(result, f"copy_{result.arrays[f'copy_{kind}_trained_up_to']}", kind)


def _of(task: str, *kinds: str, beside: str = "") -> tuple[str, ...]:
    return (*(f"{task}_{kind}" for kind in kinds or MODELS), *([beside] if beside else []))


NTMS = ("feedforward", "lstm")
FIGURES = {
    "figure_3": Drawn(figure_3, _of("copy")),
    "figure_4": Drawn(figure_4, _of("copy", *NTMS)),
    "figure_5": Drawn(figure_5, _of("copy", "baseline")),
    "figure_6": Drawn(figure_6, _of("copy", *NTMS)),
    "figure_7": Drawn(figure_7, _of("repeat_copy")),
    "figure_8": Drawn(figure_8, _of("repeat_copy")),
    "figure_9": Drawn(figure_9, _of("repeat_copy", *NTMS)),
    "figure_10": Drawn(figure_10, _of("associative_recall")),
    "figure_11": Drawn(figure_11, _of("associative_recall")),
    "figure_12": Drawn(figure_12, _of("associative_recall", *NTMS)),
    "figure_13": Drawn(figure_13, _of("ngrams", beside="ngrams_optimal")),
    "figure_14": Drawn(figure_14, _of("ngrams", beside="ngrams_optimal")),
    "figure_15": Drawn(figure_15, _of("ngrams", *NTMS, beside="ngrams_optimal")),
    "figure_16": Drawn(figure_16, _of("priority_sort", "lstm")),
    "figure_17": Drawn(figure_17, _of("priority_sort", *NTMS)),
    "figure_18": Drawn(figure_18, _of("priority_sort")),
    "generalisation": Drawn(figure_generalisation, _of("copy")),
    "heads": Drawn(figure_heads, _of("copy", *NTMS)),
}
