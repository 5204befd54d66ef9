"""Two questions that the study notes ask: enlarging again and again, and what cannot be known."""

from collections.abc import Callable

import numpy as np

from experiments.srcnn.config import Config, sizes_of
from experiments.srcnn.data import Data, first_set
from experiments.srcnn.training import Params, upscaler
from lib.batches.super_resolution import planes
from lib.metrics.super_resolution import shaved_psnr
from lib.ops.crops import modcrop
from lib.ops.resize import resize
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

DOUBLINGS = (1, 2, 3, 4)
SHOWN = 240
"""Side of what is shown, in pixels."""
SIDE = 96
"""Of the image that has a twin, in pixels; a multiple of 2, 3 and 4."""


def repeated(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """The x2 network applied to its own output: gain in dB over bicubic at once, at x2 to x16."""
    network = upscaler(sizes_of(config.sizes), config.widths)
    params, _ = needs["table_2"].weights["x2"]
    replicas = len(params["conv1"]["bias"])
    images = list(first_set(data)[1].values())
    metrics, arrays = {}, {}
    for doublings in DOUBLINGS:
        factor = 2**doublings
        gains = np.zeros((replicas, len(images)))
        for j, image in enumerate(images):
            truth = modcrop(planes(image), 2 ** DOUBLINGS[-1])
            height, width = truth.shape[:2]
            exact = truth / np.float32(255)
            small = resize(exact, (height // factor, width // factor))
            bicubic = resize(small, (height, width))
            baseline = shaved_psnr(bicubic, truth, factor)
            for i in range(replicas):
                again = _double(network, member(params, i), small, doublings)
                gains[i, j] = shaved_psnr(again, truth, factor) - baseline
                if i == j == 0:
                    arrays[f"repeated_x{factor}"] = _middle(again)
                    arrays[f"repeated_bicubic_x{factor}"] = _middle(bicubic)
                    arrays["repeated_truth"] = _middle(exact)
        metrics[f"repeated_gain_x{factor}"] = gains.mean(axis=1).tolist()
    first, last = (metrics[f"repeated_gain_x{2**n}"] for n in (DOUBLINGS[0], DOUBLINGS[-1]))
    pairs = zip(first, last, strict=True)
    metrics["repeated_gain_kept"] = [end / start if start else np.nan for start, end in pairs]
    return Result(metrics, arrays=arrays)


def _middle(image: np.ndarray) -> np.ndarray:
    top, left = ((length - min(length, SHOWN)) // 2 for length in image.shape[:2])
    return image[top : top + SHOWN, left : left + SHOWN, 0]


def _double(network: Callable, params: Params, image: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        height, width = image.shape[:2]
        image = np.asarray(network(params, resize(image, (2 * height, 2 * width))))
    return image


def ill_posed(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """Two images whose low-resolution image is one and the same, and what the network says.

    Shrinking is linear; what its null space holds can be added to an image unseen. Here that is
    the part of a striped pattern which shrinking loses.
    """
    scale = config.compared_scale
    params, _ = needs["table_2"].weights[f"x{scale}"]
    pixels = planes(next(iter(first_set(data)[1].values())))
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    image = (
        pixels[top : top + SIDE, left : left + SIDE, 0] / 255 * 0.6 + 0.2
    )  # room for the pattern

    shrink = resize(np.eye(SIDE), (SIDE // scale, SIDE))
    keeps = np.linalg.pinv(shrink) @ shrink  # projects a column onto what shrinking keeps of it
    row, column = np.indices((SIDE, SIDE))
    stripes = np.where((row + column) // 2 % 2, 1.0, -1.0)
    lost = stripes - keeps @ stripes @ keeps.T
    twin = image + 0.2 * lost / np.abs(lost).max()

    smalls = [shrink @ x @ shrink.T for x in (image, twin)]
    bicubic = resize(smalls[0].astype(np.float32)[:, :, None], (SIDE, SIDE))
    network = upscaler(sizes_of(config.sizes), config.widths)
    answer = np.asarray(network(member(params, 0), bicubic))[:, :, 0]
    return Result(
        {
            "twins_differ": float(255 * np.sqrt(np.mean((image - twin) ** 2))),
            "twins_shrunk_differ": float(255 * np.abs(smalls[0] - smalls[1]).max()),
        },
        arrays={"twin_a": image, "twin_b": twin, "twin_small": smalls[0], "twin_answer": answer},
    )
