"""The SRCNN paper, in the order in which it happens: images, networks, scores, ablations."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.srcnn import ablations, beyond, crops, references
from experiments.srcnn.config import Config, sizes_of
from experiments.srcnn.training import train_network, upscaler
from lib.data.super_resolution import Pair, load_sets, pair, patches
from lib.base.errors import UserError
from lib.metrics.super_resolution import mean_psnr, mean_quality
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["load_data", "run"]

Tests = dict[str, dict[str, Pair]]
"""Set -> image -> pair."""


class Data(NamedTuple):
    """Images, uint8 `[H, W, 3]` or `[H, W]`; `about` describes the sets for the record."""

    train: list[np.ndarray]
    test: dict[str, dict[str, np.ndarray]]
    about: list[dict]
    authors: list[references.Network]


def load_data(config: Config, data_dir: Path | None = None) -> Data:
    """The images of `config.train` and `config.test`, and the authors' networks if asked for."""
    authors = references.load_authors(Path(config.weights).expanduser()) if config.weights else []
    train = load_sets(config.train, "train", data_dir)
    test = load_sets(config.test, "test", data_dir)
    images = [image for dataset in train for image in dataset.arrays.values()]
    if all(min(image.shape[:2]) < config.patch + max(config.scales) for image in images):
        raise UserError(f"--patch {config.patch}: no training image is as large", 2)
    if all(image.ndim == 2 for image in test[0].arrays.values()):
        raise UserError(f"--test {config.test[0]}: Table 5 needs an image in colour", 2)
    return Data(
        images,
        {dataset.name: dict(dataset.arrays) for dataset in test},
        [dataset.describe() for dataset in train + test],
        authors,
    )


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None) -> Result:
    """Everything the paper claims. `key` is one root key, or `[n]` of them: a replica each."""
    watch = watch or Watch()
    keys = jnp.atleast_1d(key)
    result = Result({}, data=data.about)
    trained = {}
    for scale in config.scales:
        found, trained[scale] = network(config, scale, keys, data, watch)
        result |= found
    for scale in sorted({*config.scales, *(net.scale for net in data.authors)}):
        result |= references.scores(data.authors, tests_of(data, scale), scale)

    scale = config.compared_scale
    tests = tests_of(data, scale)
    classical, sparse = references.sparse_coding(config, data.train, tests, scale)
    result |= classical | over_sparse(result, classical, next(iter(tests)), scale)
    result |= ablations.filter_sizes(config, keys, data.train, tests, trained[scale], watch)
    result |= ablations.color_strategies(config, keys, data.train, data.test, watch)
    result |= beyond.repeated(config, data.test, trained[2])
    result |= beyond.ill_posed(config, data.test, trained[scale])
    result |= crops.shown(config, data.test, trained[scale], sparse)
    return result


def tests_of(data: Data, scale: int) -> Tests:
    """The test images at one factor, Y only."""
    return {
        name: {image: pair(pixels, scale) for image, pixels in images.items()}
        for name, images in data.test.items()
    }


def network(config: Config, scale: int, keys, data: Data, watch: Watch):
    """Trains the network of one factor; Table 2's scores, and the parameters stacked over seeds."""
    tests = tests_of(data, scale)
    curve_set = list(next(iter(tests.values())).values())
    upscale = upscaler(sizes_of(config.sizes), config.widths)
    pairs = [pair(image, scale) for image in data.train]
    name = f"{config.sizes}-x{scale}"
    trained = train_network(
        name,
        config,
        patches(pairs, size=config.patch, stride=config.stride),
        keys,
        watch,
        sizes=config.sizes,
        steps=config.steps,
        score=lambda p: {"psnr": mean_psnr(lambda b: upscale(p, b), curve_set)},
    )
    params = trained.state.params
    metrics = {}
    for dataset, images in tests.items():
        bicubic = mean_quality(lambda b: b, images.values())["psnr"]
        found = [
            mean_quality(lambda b, p=member(params, i): upscale(p, b), images.values())
            for i in range(len(keys))
        ]
        for measure in found[0]:
            metrics[f"ours_{measure}_{dataset}_x{scale}"] = [f[measure] for f in found]
        metrics[f"gain_{dataset}_x{scale}"] = [f["psnr"] - bicubic for f in found]
    first = next(iter(tests))
    level = metrics[f"ours_psnr_{first}_x{scale}"][0] - metrics[f"gain_{first}_x{scale}"][0]
    if scale == config.compared_scale:
        metrics["crossing"] = [_crossing(trained.history, i, level) for i in range(len(keys))]
    trained_on = ", ".join(config.train)
    weights = {
        f"x{scale}": (
            jax.device_get(member(params, 0)),
            {
                "paper": "srcnn",
                "sizes": config.sizes,
                "scale": str(scale),
                "trained on": trained_on,
            },
        )
    }
    return Result(metrics, {name: trained.history}, weights=weights), params


def _crossing(rows: list[dict], replica: int, level: float) -> float:
    """The fraction of the training after which the learning curve is above `level`; 1 if never."""
    above = (row["step"] for row in rows if "psnr" in row and row["psnr"][replica] > level)
    return next(above, rows[-1]["step"]) / rows[-1]["step"]


def over_sparse(ours: Result, classical: Result, dataset: str, scale: int) -> Result:
    """What SRCNN gains over sparse coding, in dB."""
    (baseline,) = classical.metrics[f"sparse_psnr_{dataset}_x{scale}"]
    found = ours.metrics[f"ours_psnr_{dataset}_x{scale}"]
    return Result({"gain_over_sparse": [psnr - baseline for psnr in found]})
