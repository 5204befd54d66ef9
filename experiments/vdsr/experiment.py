"""The VDSR paper, in the order in which it happens: images, the network, Table 3, analyses."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.vdsr import analyses, details
from experiments.vdsr.config import SCALES, Config
from experiments.vdsr.training import Params, make_patches, train_network, upscaler
from lib.data import pretrained
from lib.data.super_resolution import Pair, Patches, load_sets, pair
from lib.metrics.image_quality import ssim
from lib.metrics.super_resolution import mean_psnr, shaved_psnr
from lib.ops.crops import shave, to_uint8
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["load_data", "run"]


class Data(NamedTuple):
    """Images, uint8 `[H, W, 3]` or `[H, W]`.

    Attributes:
      train: what the network learns from; analysed: what those of the analyses learn from.
      test: set -> image -> pixels.
      about: the sets, for the record.
      authors: the parameters that the authors gave out, if asked for.
    """

    train: list[np.ndarray]
    analysed: list[np.ndarray]
    test: dict[str, dict[str, np.ndarray]]
    about: list[dict]
    authors: Params | None


def load_data(config: Config, data_dir: Path | None = None) -> Data:
    """The images that `config` names, and the authors' network if it names one."""
    authors = pretrained.vdsr(Path(config.weights).expanduser()) if config.weights else None

    train = load_sets(config.train, "train", data_dir)
    analysed = load_sets(config.analysed, "train", data_dir)
    test = load_sets(config.test, "test", data_dir)
    about = [dataset.describe() for dataset in train + analysed + test]
    about = [words for i, words in enumerate(about) if words not in about[:i]]
    return Data(
        [image for dataset in train for image in dataset.arrays.values()],
        [image for dataset in analysed for image in dataset.arrays.values()],
        {dataset.name: dict(dataset.arrays) for dataset in test},
        about,
        authors,
    )


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None) -> Result:
    """Everything the paper claims. `key` is one root key, or `[n]` of them: a replica each."""
    watch = watch or Watch()
    keys = jnp.atleast_1d(key)
    images = next(iter(data.test.values()))
    tests = {scale: [pair(image, scale) for image in images.values()] for scale in SCALES}
    patches = make_patches(config, data.train)

    result, params = network(config, patches, keys, data, tests, watch)
    result |= references(data)
    result |= details.run(images, tests, params, upscaler(config.depth, config.width))

    if config.analysed != config.train:
        patches = make_patches(config, data.analysed)
    result |= analyses.residual_or_plain(config, patches, keys, tests, watch)
    result |= analyses.scales_and_depths(config, patches, keys, tests, watch)
    return result


def network(
    config: Config,
    patches: Patches,
    keys: jax.Array,
    data: Data,
    tests: dict[int, list[Pair]],
    watch: Watch,
) -> tuple[Result, Params]:
    """Trains one network for all scales; Table 3's scores, and the parameters stacked over seeds."""
    upscale = upscaler(config.depth, config.width)
    trained = train_network(
        "vdsr",
        config,
        patches,
        keys,
        watch,
        steps=config.steps,
        depth=config.depth,
        width=config.width,
        every=config.every,
        score=lambda p: {"psnr": mean_psnr(lambda b: upscale(p, b), tests[analyses.CURVE_SCALE])},
    )
    params = trained.state.params
    metrics = {}
    for dataset, scale, pairs in _every(data.test):
        bicubic = mean_psnr(lambda b: b, pairs)
        found = [
            mean_quality(lambda b, p=member(params, i): upscale(p, b), pairs)
            for i in range(len(keys))
        ]
        for measure in found[0]:
            metrics[f"ours_{measure}_{dataset}_x{scale}"] = [f[measure] for f in found]
        metrics[f"gain_{dataset}_x{scale}"] = [f["psnr"] - bicubic for f in found]
    about = {"paper": "vdsr", "depth": str(config.depth), "width": str(config.width)}
    about |= {"scales": " ".join(map(str, SCALES)), "trained on": ", ".join(config.train)}
    weights = {"vdsr": (jax.device_get(member(params, 0)), about)}
    return Result(metrics, {"vdsr": trained.history}, data=data.about, weights=weights), params


def references(data: Data) -> Result:
    """Bicubic upscaling and, if they are there, the authors' weights, scored as ours are."""
    methods = {"bicubic": lambda bicubic: bicubic}
    if data.authors is not None:
        shape = data.authors["conv1"]["kernel"].shape
        network = upscaler(len(data.authors), shape[3])
        methods["authors"] = lambda bicubic: network(data.authors, bicubic)
    metrics = {}
    for name, upscale in methods.items():
        for dataset, scale, pairs in _every(data.test):
            for measure, value in mean_quality(upscale, pairs).items():
                metrics[f"{name}_{measure}_{dataset}_x{scale}"] = [value]
    return Result(metrics)


def _every(test: dict[str, dict[str, np.ndarray]]) -> Iterable[tuple[str, int, list[Pair]]]:
    """`(set, scale, its pairs)`; made one after another, as they may be large."""
    for dataset, images in test.items():
        for scale in SCALES:
            yield dataset, scale, [pair(image, scale) for image in images.values()]


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
