"""The papers' figures, from a `Result`."""

import numpy as np
from matplotlib.figure import Figure as Drawing

from experiments.visualisation.maps import cells
from lib.plots.images import show
from lib.plots.style import subplots
from lib.run.paper import Figure
from lib.run.result import Result


def maps(result: Result) -> Drawing:
    """Photographs, what saliency finds in them, and the fall of the class's probability by occlusion."""
    arrays = result.arrays
    count = min(6, len(arrays["photographs"]))
    figure, axes = subplots(3, count, width=2 * count, height=6.4, squeeze=False)
    for i in range(count):
        title = f"class {int(arrays[f'label_{i}'])}, {float(arrays[f'sure_{i}']):.0%}"
        show(axes[0, i], arrays[f"image_{i}"], title)
        # A strided network's gradient has its grid; means over a few pixels do not show it.
        show(axes[1, i], bright(cells(arrays[f"saliency_{i}"], 4)), "" if i else "saliency")
        fall = arrays[f"occlusion_{i}"]
        most = max(float(np.abs(fall).max()), 1e-6)
        axes[2, i].imshow(fall, cmap="RdBu_r", vmin=-most, vmax=most)
        axes[2, i].set_axis_off()
        axes[2, i].set_title(f"occlusion, up to {fall.max():.2f}", fontsize=8)
    return figure


def bright(saliency: np.ndarray) -> np.ndarray:
    """A map in [0, 1], its brightest per cent white."""
    return np.clip(saliency / max(np.percentile(saliency, 99), 1e-12), 0, 1)


ROWS = {
    "none": "score alone",
    "decay": "L2 decay",
    "blur": "blur",
    "together": "all four",
}
MORE_ROWS = {
    "probability": "probability",
    "norm": "small norm",
    "contribution": "contribution",
}
"""Of the two figures of class images, an arm each: rough images take many bytes."""


def class_images(result: Result) -> Drawing:
    """A class a column: the score alone, and what keeps the image natural."""
    return _class_images(result, ROWS)


def more_class_images(result: Result) -> Drawing:
    """The other arms: the probability as the objective, and two ways to clip."""
    return _class_images(result, MORE_ROWS)


def _class_images(result: Result, rows: dict[str, str]) -> Drawing:
    arrays = result.arrays
    names = [str(name) for name in arrays["class_names"]]
    side = min(1.1, 9 / len(names))
    size = {"width": side * len(names) + 0.2, "height": (side + 0.02) * len(rows) + 0.2}
    figure, axes = subplots(len(rows), len(names), squeeze=False, **size)
    words = {"va": "center", "ha": "center", "rotation": 90, "fontsize": 7}
    for row, (arm, label) in zip(axes, rows.items(), strict=True):
        for i, axis in enumerate(row):
            show(axis, arrays[f"class_{arm}"][i], names[i] if axis in axes[0] else "")
            axis.title.set_fontsize(8)
        row[0].text(-0.08, 0.5, label, transform=row[0].transAxes, **words)
    return figure


def patches(result: Result) -> Drawing:
    """Zeiler's Figure 2: of some maps the patches that excite them most, beside their projections."""
    arrays = result.arrays
    count = sum(name.startswith("patches_") for name in arrays)
    figure, axes = subplots(2, count, width=3 * count, height=6.6, squeeze=False)
    for i in range(count):
        show(axes[0, i], sheet(arrays[f"patches_{i}"]), "" if i else "patches")
        show(axes[1, i], sheet(arrays[f"projected_{i}"]), "" if i else "projected by the DeConvNet")
    return figure


def sheet(images: np.ndarray, columns: int = 3, gap: int = 2) -> np.ndarray:
    """Grey images `[n, h, w]`, each stretched to [0, 1], in rows with white between."""
    n, h, w = images.shape
    rows = -(-n // columns)
    canvas = np.ones((rows * (h + gap) - gap, columns * (w + gap) - gap))
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        span = max(float(image.max() - image.min()), 1e-12)
        canvas[top : top + h, left : left + w] = (image - image.min()) / span
    return canvas


FIGURES = {
    "class_images": Figure(class_images, ("class_images",)),
    "more_class_images": Figure(more_class_images, ("class_images",)),
    "maps": Figure(maps, ("saliency", "occlusion")),
    "patches": Figure(patches, ("deconvnet",)),
}
