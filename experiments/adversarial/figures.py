"""The papers' figures, from a `Result`."""

import numpy as np
from matplotlib.figure import Figure as Drawing

from lib.plots.images import show, tile
from lib.plots.style import DATA, DISCRIMINATOR, GUIDE, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result

COLORS = {"softmax": GUIDE, "maxout": DATA, "relu": DISCRIMINATOR, "trained": MODEL}
LABELS = {
    "softmax": "softmax",
    "maxout": "maxout",
    "relu": "rectified",
    "trained": "maxout, adversarially trained",
}


def sweep(result: Result) -> Drawing:
    """Error by epsilon, with signs of the gradient (lines) and random ones (dashed)."""
    arrays = result.arrays
    figure, axes = subplots(1, 2, width=9.5, height=3)
    for j, name in enumerate(str(n) for n in arrays["fgsm_names"]):
        for axis, values in zip(axes, ("fgsm_error", "fgsm_confidence"), strict=True):
            mean = arrays[values][:, j].mean(axis=0)
            axis.plot(arrays["fgsm_epsilons"], mean, color=COLORS[name], label=LABELS[name])
        noise = arrays["fgsm_noise"][:, j].mean(axis=0)
        axes[0].plot(arrays["fgsm_epsilons"], noise, color=COLORS[name], linestyle="--")
    axes[0].set(xlabel="ε", ylabel="error (dashed: random signs)", ylim=(0, 1))
    axes[1].set(xlabel="ε", ylabel="mean probability of what is said", ylim=(0, 1))
    axes[0].legend(fontsize=7)
    return figure


def examples(result: Result) -> Drawing | None:
    """Digits before, the signs, and after: what the maxout network says of them, and how sure it is."""
    arrays = result.arrays
    count = len(arrays["fgsm_before"])
    if not count:
        return None
    figure, axes = subplots(3, count, width=1.6 * count, height=5.2, squeeze=False)
    rows = (arrays["fgsm_before"], (arrays["fgsm_signs"] + 1) / 2, arrays["fgsm_after"])
    for r, (row, images) in enumerate(zip(axes, rows, strict=True)):
        for i, axis in enumerate(row):
            title = ""
            if r != 1:
                which = r // 2
                said, sure = arrays["fgsm_said"][which, i], arrays["fgsm_sure"][which, i]
                title = f"{said}, {sure:.0%}"
            show(axis, tile(images[i : i + 1], 1), title)
    return figure


def transfer(result: Result) -> Drawing:
    """Error of each network (columns) on examples made on each (rows)."""
    arrays = result.arrays
    names = [LABELS[str(n)] for n in arrays["transfer_names"]]
    table = arrays["transfer_table"].mean(axis=0)
    figure, axis = subplots(width=6, height=3.6)
    axis.imshow(table, cmap="Greys", vmin=0, vmax=1)
    for (i, j), error in np.ndenumerate(table):
        color = "white" if error > 0.5 else "black"
        axis.text(j, i, f"{error:.0%}", ha="center", va="center", color=color)
    axis.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set(xlabel="tried on", ylabel="made on")
    return figure


def least_change(result: Result) -> Drawing | None:
    """Szegedy's figure: before, the change ten times as strong, and after, named as the title says."""
    arrays = result.arrays
    count = len(arrays["lbfgs_before"])
    if not count:
        return None
    figure, axes = subplots(3, count, width=1.6 * count, height=5.2, squeeze=False)
    before, after = arrays["lbfgs_before"], arrays["lbfgs_after"]
    strong = np.clip(0.5 + 10 * (after - before) / 2, 0, 1)
    for r, images in enumerate((before, strong, after)):
        for i, axis in enumerate(axes[r]):
            title = f"now a {arrays['lbfgs_targets'][i]}" if r == 2 else ""
            show(axis, tile(images[i : i + 1], 1), title)
    return figure


def rubbish(result: Result) -> Drawing:
    """Noise driven to each class, and the probability of that class."""
    arrays = result.arrays
    images, sure = arrays["rubbish_images"], arrays["rubbish_sure"]
    figure, axes = subplots(1, len(images), width=1.2 * len(images), height=1.6, squeeze=False)
    for digit, axis in enumerate(axes[0]):
        show(axis, tile(images[digit : digit + 1], 1), f"{digit}, {sure[digit]:.1%}")
        axis.title.set_fontsize(8)
    return figure


def evolved(result: Result) -> Drawing:
    """Nguyen's Figures 4 and 5: of each class the image evolved furthest, and its probability."""
    arrays = result.arrays
    count = len(arrays["evolved_pattern_sure"])
    figure, axes = subplots(2, count, width=1.2 * count, height=3.1, squeeze=False)
    for row, name in zip(axes, ("direct", "pattern"), strict=True):
        images, sure = arrays[f"evolved_{name}_images"], arrays[f"evolved_{name}_sure"]
        for digit, axis in enumerate(row):
            show(axis, tile(images[digit : digit + 1], 1), f"{digit}, {sure[digit]:.2%}")
            axis.title.set_fontsize(8)
    return figure


def more_data(result: Result) -> Drawing:
    """Clean and adversarial error by the number of training images; a point a seed."""
    arrays = result.arrays
    figure, axis = subplots(width=5, height=3)
    sizes, error = arrays["data_sizes"], arrays["data_error"]
    for m, (label, color) in enumerate((("test set", DATA), ("adversarial", DISCRIMINATOR))):
        axis.plot(sizes, error[:, :, m].mean(axis=0), color=color, label=label)
        for of_seed in error[:, :, m]:
            axis.plot(sizes, of_seed, ".", color=color, markersize=4)
    axis.set(xscale="log", xlabel="training images", ylabel="error", ylim=(0, 1))
    axis.legend()
    return figure


def panda(result: Result) -> Drawing:
    """Figure 1: a photograph, the signs, and the photograph with a little of them."""
    arrays = result.arrays
    figure, axes = subplots(1, 3, width=9, height=3.4)
    said, sure = arrays["panda_said"], arrays["panda_sure"]
    titles = (
        f"class {said[0]}, {sure[0]:.1%}",
        f"+ {float(arrays['panda_epsilon']):.3f} × signs",
        f"class {said[1]}, {sure[1]:.1%}",
    )
    names = ("panda_before", "panda_signs", "panda_after")
    for axis, name, title in zip(axes, names, titles, strict=True):
        show(axis, arrays[name], title)
    return figure


FIGURES = {
    "sweep": Figure(sweep, ("fgsm",)),
    "examples": Figure(examples, ("fgsm",)),
    "transfer": Figure(transfer, ("transfer",)),
    "least_change": Figure(least_change, ("lbfgs",)),
    "rubbish": Figure(rubbish, ("rubbish",)),
    "evolved": Figure(evolved, ("evolution",)),
    "more_data": Figure(more_data, ("more_data",)),
    "panda": Figure(panda, ("panda",)),
}
