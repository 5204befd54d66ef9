"""The VDSR paper, in the order in which it happens: images, references, the network, analyses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from experiments.vdsr.analyses import CURVE_SCALE, figure_3, table_1, table_2
from experiments.vdsr.config import SCALES, Config
from experiments.vdsr.details import crops, figure_5, figures_6_7, residuals
from experiments.vdsr.images import (
    Data,
    first_test,
    first_test_pairs,
    load_data,
    test_pairs,
    training_patches,
)
from experiments.vdsr.training import replicas, train_network, upscaler
from lib.base.weights import load_weights
from lib.batches.super_resolution import Pair
from lib.metrics.image_quality import ssim
from lib.metrics.super_resolution import mean_psnr, shaved_psnr
from lib.ops.crops import shave, to_uint8
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]


def run(
    config: Config,
    key: jax.Array,
    data: Data,
    watch: Watch | None = None,
    only: Sequence[str] = (),
) -> Result:
    """Everything the paper claims, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.vdsr"), config, key, data, watch, only)


def references(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Bicubic upscaling and, if they are there, the authors' weights, scored as ours are."""
    methods = {"bicubic": lambda bicubic: bicubic}
    if data.authors is not None:
        width = data.authors["conv1"]["kernel"].shape[3]
        network = upscaler(len(data.authors), width)
        methods["authors"] = lambda bicubic: network(data.authors, bicubic)
    metrics = {}
    for name, upscale in methods.items():
        for dataset, scale, pairs in test_pairs(data):
            for measure, value in mean_quality(upscale, pairs).items():
                metrics[f"{name}_{measure}_{dataset}_x{scale}"] = value
    first = next(iter(data.test))  # what the analyses compare with
    metrics |= {f"bicubic_x{scale}": metrics[f"bicubic_psnr_{first}_x{scale}"] for scale in SCALES}
    return Result(metrics)


def table_3(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Trains one network for all scales and scores it on every set."""
    upscale = upscaler(config.depth, config.width)
    curve = first_test_pairs(data)[CURVE_SCALE]
    trained = train_network(
        "vdsr",
        config,
        training_patches(config, data, "train"),
        keys,
        watch,
        steps=config.steps,
        depth=config.depth,
        width=config.width,
        every=config.every,
        score=lambda p: {"psnr": mean_psnr(lambda b: upscale(p, b), curve)},
    )
    params = jax.device_get(trained.state.params)
    metrics = {}
    for dataset, scale, pairs in test_pairs(data):
        bicubic = mean_psnr(lambda b: b, pairs)
        scores = [mean_quality(lambda b, p=p: upscale(p, b), pairs) for p in replicas(params)]
        for measure in scores[0]:
            metrics[f"ours_{measure}_{dataset}_x{scale}"] = [score[measure] for score in scores]
        metrics[f"gain_{dataset}_x{scale}"] = [score["psnr"] - bicubic for score in scores]
    about = {"paper": "vdsr", "depth": str(config.depth), "width": str(config.width)}
    about |= {"scales": " ".join(map(str, SCALES)), "trained on": ", ".join(config.train)}
    return Result(metrics, {"vdsr": trained.history}, weights={"vdsr": (params, about)})


KEPT = Path(__file__).parent / "results/weights-vdsr.safetensors"


def kept_weights(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Scores the weights that come with the paper, as Table 3 does its network's; and Figures 6 and 7."""
    params, about = load_weights(KEPT)
    upscale = upscaler(int(about["depth"]), int(about["width"]))
    metrics = {}
    for dataset, scale, pairs in test_pairs(data):
        for measure, value in mean_quality(lambda b: upscale(params, b), pairs).items():
            metrics[f"kept_{measure}_{dataset}_x{scale}"] = value
    cut = crops(lambda y: upscale(params, y), first_test(data))
    return Result(metrics, arrays={f"kept_{name}": array for name, array in cut.items()})


def mean_quality(upscale: Callable[[np.ndarray], jax.Array], pairs: Iterable[Pair]) -> dict:
    """Table 3's measures: the means over images of `psnr` (dB) and `ssim`."""
    outputs = [(np.asarray(upscale(p.bicubic)), p.truth, p.scale) for p in pairs]
    return {
        name: float(np.mean([measure(*output) for output in outputs]))
        for name, measure in {"psnr": shaved_psnr, "ssim": _shaved_ssim}.items()
    }


def _shaved_ssim(output: np.ndarray, truth: np.ndarray, scale: int) -> jax.Array:
    return _ssim(*(shave(x, scale)[:, :, 0] for x in (to_uint8(output), truth)))


_ssim = jax.jit(ssim)

PARTS = {
    "references": references,
    "kept_weights": kept_weights,
    "table_3": table_3,
    "residuals": residuals,
    "figure_5": figure_5,
    "figures_6_7": figures_6_7,
    "table_1": table_1,
    "table_2": table_2,
    "figure_3": figure_3,
}
