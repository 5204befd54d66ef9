"""What the paper varies: the filters' sizes (section 4.3.2) and the channels (Table 5)."""

import time
from collections.abc import Sequence

import jax
import numpy as np

from experiments.srcnn.config import Config, sizes_of
from experiments.srcnn.data import Data, first_set, in_color, tests_of
from experiments.srcnn.training import Params, train_network, upscaler
from lib.batches.super_resolution import Pair, pair, patches
from lib.metrics.super_resolution import mean_psnr, shaved_psnr
from lib.ops.color import rgb_to_ycbcr, ycbcr_to_rgb
from lib.ops.crops import to_uint8
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

STRATEGIES = {
    "y": ("y", [(1.0,)]),
    "ycbcr": ("ycbcr", [(1.0, 1.0, 1.0)]),
    "y_pretrained": ("ycbcr", [(1.0, 0.0, 0.0), (1.0, 1.0, 1.0)]),
    "cbcr_pretrained": ("ycbcr", [(0.0, 1.0, 1.0), (1.0, 1.0, 1.0)]),
    "rgb": ("rgb", [(1.0, 1.0, 1.0)]),
}
"""Table 5: the planes a network sees, and for each phase of training how each channel counts."""


def section_4_3_2(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """The compared sizes beside Table 2's network: PSNR on the first set, time an image."""
    scale, dataset = config.compared_scale, first_set(data)[0]
    images = list(tests_of(data, scale)[dataset].values())
    cut = patches([pair(x, scale) for x in data.train], size=config.patch, stride=config.stride)
    params, history = {config.sizes: needs["table_2"].weights[f"x{scale}"][0]}, {}
    for sizes in config.compared:
        upscale = upscaler(sizes_of(sizes), config.widths)
        trained = train_network(
            f"{sizes}-x{scale}",
            config,
            cut,
            keys,
            watch,
            sizes=sizes,
            steps=config.steps,
            score=lambda p, f=upscale: {"psnr": mean_psnr(lambda b: f(p, b), images)},
        )
        params[sizes], history[f"{sizes}-x{scale}"] = trained.state.params, trained.history

    metrics, psnr = {}, {}
    level = needs["bicubic"].metrics[f"bicubic_psnr_{dataset}_x{scale}"]
    for sizes, stacked in params.items():
        upscale = upscaler(sizes_of(sizes), config.widths)
        members = [member(stacked, i) for i in range(len(keys))]
        psnr[sizes] = [mean_psnr(lambda b, p=p: upscale(p, b), images) for p in members]
        metrics[f"filters_{sizes}_psnr_{dataset}_x{scale}"] = psnr[sizes]
        over = [value - level for value in psnr[sizes]]
        metrics[f"filters_{sizes}_over_bicubic_{dataset}_x{scale}"] = over
        metrics[f"seconds_{sizes}"] = seconds_of(upscale, members[0], images)
    for sizes in config.compared:
        gains = [a - b for a, b in zip(psnr[config.sizes], psnr[sizes], strict=True)]
        metrics[f"filters_gain_over_{sizes}_{dataset}_x{scale}"] = gains
    return Result(metrics, history)


def seconds_of(upscale, params: Params, pairs: Sequence[Pair]) -> float:
    """Mean over images of the shortest of three runs."""

    def once(bicubic):
        began = time.perf_counter()
        jax.block_until_ready(upscale(params, bicubic))
        return time.perf_counter() - began

    return float(np.mean([min(once(p.bicubic) for _ in range(3)) for p in pairs]))


def table_5(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """PSNR of Y, Cb, Cr and RGB on the first set's images in colour, by strategy."""
    scale, setting = config.compared_scale, config.colors
    dataset, images = first_set(data)
    images = list(in_color(images).values())
    metrics: dict[str, float | list[float]] = {}
    history = {}
    for strategy, (planes, phases) in STRATEGIES.items():
        cut = patches(
            [pair(x, scale, planes) for x in data.train], size=config.patch, stride=config.stride
        )
        params = None
        for phase, channels in enumerate(phases, start=1):
            name = f"color-{strategy}-{phase}"
            trained = train_network(
                name,
                config,
                cut,
                keys,
                watch,
                sizes=setting.sizes,
                steps=setting.steps // len(phases),
                channels=channels,
                start=params,
            )
            params, history[name] = trained.state.params, trained.history
        network = upscaler(sizes_of(setting.sizes), config.widths, len(channels))
        for i in range(len(keys)):
            replica = member(params, i)
            for channel, psnr in _mean_psnr(
                images, scale, lambda bicubic, p=replica, f=network: f(p, bicubic), planes
            ).items():
                metrics.setdefault(f"color_{strategy}_{channel}", []).append(psnr)
    level = _mean_psnr(images, scale, lambda bicubic: bicubic, "rgb")
    metrics |= {f"color_bicubic_{channel}": psnr for channel, psnr in level.items()}
    where = f"{dataset}_x{scale}"
    y = metrics["color_y_y"]
    metrics[f"color_y_over_bicubic_{where}"] = [alone - level["y"] for alone in y]
    joint = zip(y, metrics["color_ycbcr_y"], strict=True)
    metrics[f"color_y_over_ycbcr_{where}"] = [alone - together for alone, together in joint]
    three = zip(metrics["color_rgb_rgb"], metrics["color_y_rgb"], strict=True)
    metrics[f"color_rgb_over_y_{where}"] = [rgb - alone for rgb, alone in three]
    return Result(metrics, history)


def _mean_psnr(images: Sequence[np.ndarray], scale: int, upscale, planes: str) -> dict[str, float]:
    """Means over images of `_color_psnr`; infinite if an image has no colour to be wrong about."""
    scores = [_color_psnr(image, scale, upscale, planes) for image in images]
    return {channel: float(np.mean([s[channel] for s in scores])) for channel in scores[0]}


def _color_psnr(image: np.ndarray, scale: int, upscale, planes: str) -> dict[str, float]:
    """PSNR in dB of each channel; with `planes` "y", Cb and Cr are bicubic."""
    truth = pair(image, scale, "ycbcr")
    rgb = pair(image, scale, "rgb")
    if planes == "y":
        y = np.asarray(upscale(truth.bicubic[:, :, :1]))
        ycbcr = np.concatenate([y, truth.bicubic[:, :, 1:]], axis=2)
    elif planes == "ycbcr":
        ycbcr = np.asarray(upscale(truth.bicubic))
    if planes == "rgb":
        output = np.asarray(upscale(rgb.bicubic))
        ycbcr = rgb_to_ycbcr(to_uint8(output) / np.float32(255))
    else:
        output = ycbcr_to_rgb(to_uint8(ycbcr) / np.float32(255))
    psnr = {
        channel: shaved_psnr(ycbcr[:, :, i], truth.truth[:, :, i], scale)
        for i, channel in enumerate(("y", "cb", "cr"))
    }
    psnr["rgb"] = shaved_psnr(output, rgb.truth, scale)
    return {channel: float(value) for channel, value in psnr.items()}
