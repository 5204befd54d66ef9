"""What the network adds to an image: where, how much, at which factors; and what that looks like."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from experiments.vdsr.config import Config
from experiments.vdsr.images import Data, first_test, first_test_pairs
from experiments.vdsr.training import Params, replicas, upscaler
from lib.batches.super_resolution import Pair, pair, planes
from lib.metrics.super_resolution import mean_psnr, shaved_psnr
from lib.ops.color import ycbcr_to_rgb
from lib.ops.crops import modcrop
from lib.ops.resize import resize
from lib.run.result import Result
from lib.run.watch import Watch

SCALE = 3
"""Of the crops (paper: 3) and of the residuals."""
FRACTIONAL = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
"""Figure 5's factors."""
SMALL = 5 / 255
"""A residual no larger than this is next to nothing: 2% of the range."""
STEEPEST = 0.2
"""The fraction of pixels that count as edges: where the upscaled image is steepest."""
BINS = np.linspace(-0.2, 0.2, 82)
CORNERS = {
    **{"astronaut": (90, 170), "camera": (95, 190), "china": (60, 185)},
    **{"butterfly": (100, 80), "bird": (40, 90), "woman": (20, 60)},
}
"""Top left corners of crops worth looking at; in other images it is the middle."""
SIDE = 96


def residuals(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """How large the residuals are and where they lie: r = y - x, and what the network says of it."""
    upscale, members = trained(config, needs["table_3"])
    pairs = first_test_pairs(data)[SCALE]
    names = ("small", "edge_energy", "edge_correlation")
    metrics = {f"learned_{name}": [] for name in names}
    truths = [p.truth / np.float32(255) - p.bicubic for p in pairs]
    steep = [steepness(p.bicubic[:, :, 0]) for p in pairs]

    def measures(maps):
        small = np.mean([np.mean(np.abs(r) <= SMALL) for r in maps])
        edges = [edge_measures(r[:, :, 0], s) for r, s in zip(maps, steep, strict=True)]
        return [float(small), *np.mean(edges, axis=0).tolist()]

    for i, params in enumerate(members):
        learned = [np.asarray(upscale(params, p.bicubic)) - p.bicubic for p in pairs]
        for name, value in zip(names, measures(learned), strict=True):
            metrics[f"learned_{name}"].append(value)
        if i == 0:
            first = learned
    for name, value in zip(names, measures(truths), strict=True):
        metrics[f"residual_{name}"] = value
    arrays = {
        "residual_histogram": histogram(truths),
        "learned_histogram": histogram(first),
        "residual_image": pairs[0].bicubic[:, :, 0],
        "residual_true": truths[0][:, :, 0],
        "residual_learned": first[0][:, :, 0],
    }
    return Result(metrics, arrays=arrays)


def trained(config: Config, table_3: Result) -> tuple[Callable, list[Params]]:
    """`(upscale(params, bicubic), parameters of each replica)` of Table 3's network."""
    return upscaler(config.depth, config.width), replicas(table_3.weights["vdsr"][0])


def histogram(maps: list[np.ndarray]) -> np.ndarray:
    """The density, over `BINS`, of the pixels of all `maps`; some lie outside."""
    pixels = np.concatenate([np.ravel(r) for r in maps])
    return np.histogram(pixels, BINS)[0] / (len(pixels) * np.diff(BINS))


def steepness(image: np.ndarray) -> np.ndarray:
    """The length of the gradient of `[H, W]`, by central differences."""
    return np.hypot(*np.gradient(image))


def edge_measures(residual: np.ndarray, steep: np.ndarray) -> tuple[float, float]:
    """The share of `residual`'s energy where `steep` is in its top `STEEPEST`; |residual|'s correlation."""
    edges = steep >= np.quantile(steep, 1 - STEEPEST)
    energy = float((residual[edges] ** 2).sum() / (residual**2).sum())
    return energy, float(np.corrcoef(np.abs(residual).ravel(), steep.ravel())[0, 1])


def figure_5(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Figure 5: gain over bicubic in dB at factors between those trained on, and at those."""
    upscale, members = trained(config, needs["table_3"])
    metrics = {}
    for factor in FRACTIONAL:
        pairs = [_fractional_pair(image, factor) for image in first_test(data).values()]
        bicubic = mean_psnr(lambda b: b, pairs)
        metrics[f"fractional_bicubic_x{factor:g}"] = bicubic
        metrics[f"fractional_gain_x{factor:g}"] = [
            mean_psnr(lambda b, p=p: upscale(p, b), pairs) - bicubic for p in members
        ]
    between = [metrics[f"fractional_gain_x{factor}"] for factor in (2.5, 3.5)]
    metrics["fractional_least_gain"] = np.min(between, axis=0).tolist()
    return Result(metrics)


def _fractional_pair(image: np.ndarray, factor: float) -> Pair:
    """`lib.batches.super_resolution.pair` for a factor that need not be whole; nothing is cut off."""
    truth = planes(image)
    height, width = truth.shape[:2]
    small = resize(truth / np.float32(255), (round(height / factor), round(width / factor)))
    return Pair(truth, resize(small, (height, width)), int(np.ceil(factor)))


def figures_6_7(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Figures 6 and 7: crops of bicubic upscaling, of the first seed's and of the truth, in colour."""
    upscale, (params, *_) = trained(config, needs["table_3"])
    return Result({}, arrays=crops(lambda y: upscale(params, y), first_test(data)))


def crops(
    upscale: Callable[[np.ndarray], jax.Array], images: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Of three images at `SCALE`: names; crops of the truth, of bicubic, and of `upscale(y)`; PSNR in dB."""
    names = [name for name in CORNERS if name in images] or list(images)
    arrays = {}
    for n, name in enumerate(names[:3]):
        grey = images[name].ndim == 2
        planed = pair(images[name], SCALE, "y" if grey else "ycbcr")
        y = planed.bicubic[:, :, :1]
        side = min(SIDE, *y.shape[:2])
        middle = tuple((length - side) // 2 for length in y.shape[:2])
        top, left = CORNERS.get(name, middle)
        window = np.s_[top : top + side, left : left + side]
        arrays[f"crop_{n}_name"] = np.array(name)
        arrays[f"crop_{n}_truth"] = modcrop(planes(images[name], "rgb"), SCALE)[window]
        for method, output in {"bicubic": y, "ours": np.asarray(upscale(y))}.items():
            ycbcr = np.concatenate([output, planed.bicubic[:, :, 1:]], axis=2)
            rgb = np.repeat(output, 3, axis=2) if grey else ycbcr_to_rgb(ycbcr)
            arrays[f"crop_{n}_{method}"] = np.clip(rgb, 0, 1)[window]
            psnr = shaved_psnr(output, planed.truth[:, :, :1], SCALE)
            arrays[f"crop_{n}_{method}_psnr"] = np.asarray(psnr)
    return arrays
