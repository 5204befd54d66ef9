"""What the paper varies: the filters' sizes (section 4.3.2) and the channels (Table 5)."""

import time
from collections.abc import Sequence

import jax
import numpy as np

from experiments.srcnn.config import Config, sizes_of
from experiments.srcnn.training import Params, train_network, upscaler
from lib.data.super_resolution import Pair, pair, patches
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


def filter_sizes(
    config: Config,
    keys: jax.Array,
    train: Sequence[np.ndarray],
    tests: dict[str, dict[str, Pair]],
    main: Params,
    watch: Watch,
) -> Result:
    """The compared sizes beside `main` (of `config.sizes`): PSNR on the first set, time an image."""
    dataset, images = next(iter(tests.items()))
    images, scale = list(images.values()), config.compared_scale
    data = patches([pair(x, scale) for x in train], size=config.patch, stride=config.stride)
    params, history = {config.sizes: main}, {}
    for sizes in config.compared:
        upscale = upscaler(sizes_of(sizes), config.widths)
        trained = train_network(
            f"{sizes}-x{scale}",
            config,
            data,
            keys,
            watch,
            sizes=sizes,
            steps=config.steps,
            score=lambda p, f=upscale: {"psnr": mean_psnr(lambda b: f(p, b), images)},
        )
        params[sizes], history[f"{sizes}-x{scale}"] = trained.state.params, trained.history

    metrics = {}
    for sizes, stacked in params.items():
        upscale = upscaler(sizes_of(sizes), config.widths)
        members = [member(stacked, i) for i in range(len(keys))]
        metrics[f"psnr_{sizes}"] = [
            mean_psnr(lambda b, p=p: upscale(p, b), images) for p in members
        ]
        metrics[f"seconds_{sizes}"] = [_seconds(upscale, members[0], images)]
    for sizes in config.compared:
        pairs = zip(metrics[f"psnr_{config.sizes}"], metrics[f"psnr_{sizes}"], strict=True)
        metrics[f"gain_over_{sizes}"] = [larger - smaller for larger, smaller in pairs]
    return Result(metrics, history)


def _seconds(upscale, params: Params, pairs: Sequence[Pair]) -> float:
    """Mean over images of the shortest of three runs."""

    def once(bicubic):
        began = time.perf_counter()
        jax.block_until_ready(upscale(params, bicubic))
        return time.perf_counter() - began

    return float(np.mean([min(once(p.bicubic) for _ in range(3)) for p in pairs]))


def color_strategies(
    config: Config,
    keys: jax.Array,
    train: Sequence[np.ndarray],
    test: dict[str, dict[str, np.ndarray]],
    watch: Watch,
) -> Result:
    """Table 5: PSNR of Y, Cb, Cr and RGB on the colour images of the first set, by strategy."""
    scale, setting = config.compared_scale, config.colors
    images = [x for x in next(iter(test.values())).values() if x.ndim == 3]
    metrics: dict[str, list[float]] = {}
    history = {}
    for strategy, (planes, phases) in STRATEGIES.items():
        data = patches(
            [pair(x, scale, planes) for x in train], size=config.patch, stride=config.stride
        )
        params = None
        for phase, channels in enumerate(phases, start=1):
            name = f"color-{strategy}-{phase}"
            trained = train_network(
                name,
                config,
                data,
                keys,
                watch,
                sizes=setting.sizes,
                steps=setting.steps // len(phases),
                channels=channels,
                start=params,
            )
            params, history[name] = trained.state.params, trained.history
        upscale = upscaler(sizes_of(setting.sizes), config.widths, len(channels))
        for i in range(len(keys)):
            found = [
                _color_psnr(
                    image,
                    scale,
                    lambda bicubic, p=member(params, i), upscale=upscale: upscale(p, bicubic),
                    planes,
                )
                for image in images
            ]
            for channel in found[0]:
                mean = float(np.mean([f[channel] for f in found]))
                metrics.setdefault(f"color_{strategy}_{channel}", []).append(mean)
    bicubic = [_color_psnr(image, scale, lambda bicubic: bicubic, "rgb") for image in images]
    for channel in bicubic[0]:
        metrics[f"color_bicubic_{channel}"] = [float(np.mean([f[channel] for f in bicubic]))]
    joint = zip(metrics["color_y_y"], metrics["color_ycbcr_y"], strict=True)
    metrics["color_y_over_ycbcr"] = [alone - together for alone, together in joint]
    three = zip(metrics["color_rgb_rgb"], metrics["color_y_rgb"], strict=True)
    metrics["color_rgb_over_y"] = [rgb - y for rgb, y in three]
    return Result(metrics, history)


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
    found = {
        channel: shaved_psnr(ycbcr[:, :, i], truth.truth[:, :, i], scale)
        for i, channel in enumerate(("y", "cb", "cr"))
    }
    found["rgb"] = shaved_psnr(output, rgb.truth, scale)
    return {channel: float(value) for channel, value in found.items()}
