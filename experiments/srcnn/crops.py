"""What the figures show: crops in colour, first-layer filters, feature maps."""

import jax
import numpy as np

from experiments.srcnn.config import Config, sizes_of
from experiments.srcnn.data import Data, first_set, in_color
from experiments.srcnn.sparse_coding import Dictionaries, upscale
from experiments.srcnn.training import Params, upscaler
from lib.batches.super_resolution import pair, planes
from lib.metrics.super_resolution import shaved_psnr
from lib.ops.color import ycbcr_to_rgb
from lib.ops.crops import modcrop
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

CORNERS = {"butterfly": (60, 80), "astronaut": (90, 170), "chelsea": (85, 110)}
"""Top left corners of crops worth looking at; in other images it is the middle."""
SIDE = 96


def figure_14(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """Crops of the first replica's output beside bicubic, sparse coding and the truth."""
    scale = config.compared_scale
    network = upscaler(sizes_of(config.sizes), config.widths)
    first = member(needs["table_2"].weights[f"x{scale}"][0], 0)
    learned = needs["sparse_coding"].arrays
    dictionaries = Dictionaries(*(learned[f"sparse_{name}"] for name in Dictionaries._fields))
    images = in_color(first_set(data)[1])
    names = [name for name in CORNERS if name in images] or list(images)
    arrays = {"filters": np.asarray(first["conv1"]["kernel"][:, :, 0])}
    for n, name in enumerate(names[:3]):
        color = pair(images[name], scale, "ycbcr")
        y = color.bicubic[:, :, :1]
        sparse = upscale(dictionaries, y[:, :, 0], scale)[:, :, None]
        outputs = {"bicubic": y, "sparse": sparse, "ours": np.asarray(network(first, y))}
        side = min(SIDE, *y.shape[:2])
        middle = tuple((length - side) // 2 for length in y.shape[:2])
        top, left = CORNERS.get(name, middle)
        window = np.s_[top : top + side, left : left + side]
        arrays[f"crop_{n}_name"] = np.array(name)
        arrays[f"crop_{n}_truth"] = modcrop(planes(images[name], "rgb"), scale)[window]
        for method, output in outputs.items():
            ycbcr = np.concatenate([output, color.bicubic[:, :, 1:]], axis=2)
            arrays[f"crop_{n}_{method}"] = np.clip(ycbcr_to_rgb(ycbcr), 0, 1)[window]
            psnr = shaved_psnr(output, color.truth[:, :, :1], scale)
            arrays[f"crop_{n}_{method}_psnr"] = np.asarray(psnr)
        if n == 0:
            arrays["feature_maps"] = _first_layer(first, y[window])
    return Result({}, arrays=arrays)


def _first_layer(params: Params, y: np.ndarray) -> np.ndarray:
    """F1(Y) `[h, w, n1]`, where the filters fit inside."""
    kernel, bias = params["conv1"]["kernel"], params["conv1"]["bias"]
    maps = jax.lax.conv_general_dilated(
        y[None], kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return np.asarray(jax.nn.relu(maps + bias.reshape(1, 1, 1, -1))[0])
