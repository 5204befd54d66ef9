"""The SRCNN paper, in the order in which it happens: references, networks, comparisons."""

import jax
import numpy as np

from experiments.srcnn import ablations, anchored, beyond, crops, studies
from experiments.srcnn import sparse_coding as classical
from experiments.srcnn.config import Config, sizes_of
from experiments.srcnn.data import Data, first_set, load_data, tests_of
from experiments.srcnn.references import scores
from experiments.srcnn.training import train_network, upscaler
from lib.base.errors import UserError
from lib.batches.super_resolution import pair, patches
from lib.metrics.super_resolution import mean_psnr, mean_quality
from lib.run.loop import Trained, member
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run", "tests_of", "train_scale"]


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None, only=()) -> Result:
    """Everything the paper claims, or the parts `only`. `key`: a root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.srcnn"), config, key, data, watch, only)


def bicubic(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """What there is before any learning."""
    metrics = {}
    for scale in config.scales:
        metrics |= scores("bicubic", lambda image: image, tests_of(data, scale), scale)
    return Result(metrics)


def authors(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """The authors' networks in our code, by our metrics."""
    metrics = {}
    for net in data.authors:
        tests = tests_of(data, net.scale)
        metrics |= scores(f"authors {net.name}", net.upscale, tests, net.scale)
    return Result(metrics)


def table_2(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """A network a scale: its quality on every test set, and its gain in dB over bicubic."""
    metrics, history, weights = {}, {}, {}
    upscale = upscaler(sizes_of(config.sizes), config.widths)
    for scale in config.scales:
        name, trained = train_scale(config, scale, keys, data, watch)
        params = jax.device_get(trained.state.params)
        for dataset, images in tests_of(data, scale).items():
            reached = [
                mean_quality(lambda b, p=member(params, i): upscale(p, b), images.values())
                for i in range(len(keys))
            ]
            for measure in reached[0]:
                metrics[f"ours_{measure}_{dataset}_x{scale}"] = [r[measure] for r in reached]
            level = needs["bicubic"].metrics[f"bicubic_psnr_{dataset}_x{scale}"]
            metrics[f"gain_{dataset}_x{scale}"] = [r["psnr"] - level for r in reached]
        about = {"paper": "srcnn", "sizes": config.sizes, "scale": str(scale)}
        weights[f"x{scale}"] = params, about | {"trained on": ", ".join(config.train)}
        history[name] = trained.history
    return Result(metrics, history, weights=weights)


def train_scale(config: Config, scale: int, keys, data: Data, watch: Watch) -> tuple[str, Trained]:
    """Trains the network of one factor, a replica a key; the training's name, and what it gave."""
    scored = list(tests_of(data, scale)[first_set(data)[0]].values())
    upscale = upscaler(sizes_of(config.sizes), config.widths)
    pairs = [pair(image, scale) for image in data.train]
    name = f"{config.sizes}-x{scale}"
    return name, train_network(
        name,
        config,
        patches(pairs, size=config.patch, stride=config.stride),
        keys,
        watch,
        sizes=config.sizes,
        steps=config.steps,
        score=lambda p: {"psnr": mean_psnr(lambda b: upscale(p, b), scored)},
    )


def sparse_coding(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """Learns the coupled dictionaries from the training images; their scores."""
    scale, setting = config.compared_scale, config.sparse_coding
    pairs = [pair(image, scale) for image in data.train]
    try:
        learned = classical.learn(pairs, atoms=setting.atoms, samples=setting.samples, seed=0)
    except ValueError as error:
        raise UserError(f"--sparse-coding: {error}", 2) from error
    # As they are when they are read from a file: products of another layout have other last bits.
    learned = classical.Dictionaries(*map(np.ascontiguousarray, learned))

    def upscale(image):
        return classical.upscale(learned, image[:, :, 0], scale)[:, :, None]

    arrays = {f"sparse_{name}": array for name, array in learned._asdict().items()}
    return Result(scores("sparse", upscale, tests_of(data, scale), scale), arrays=arrays)


def a_plus(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """Learns A+'s maps about the dictionaries' atoms; its scores, and what lies between it and SRCNN."""
    scale, setting = config.compared_scale, config.sparse_coding
    parts = (
        needs["sparse_coding"].arrays[f"sparse_{name}"] for name in classical.Dictionaries._fields
    )
    dictionaries = classical.Dictionaries(*parts)
    pairs = [pair(image, scale) for image in data.train]
    maps = anchored.learn(
        dictionaries, pairs, pool=setting.pool, neighbours=setting.neighbours, seed=0
    )

    def upscale(image):
        return anchored.upscale(dictionaries, maps, image[:, :, 0], scale)[:, :, None]

    metrics = scores("a_plus", upscale, tests_of(data, scale), scale)
    where = f"{first_set(data)[0]}_x{scale}"
    ours = needs["table_2"].metrics
    psnr, ifc = (metrics[f"a_plus_{measure}_{where}"] for measure in ("psnr", "ifc"))
    metrics[f"a_plus_over_bicubic_{where}"] = (
        psnr - needs["bicubic"].metrics[f"bicubic_psnr_{where}"]
    )
    metrics[f"a_plus_psnr_behind_{where}"] = [x - psnr for x in ours[f"ours_psnr_{where}"]]
    metrics[f"a_plus_ifc_ahead_{where}"] = [ifc - x for x in ours[f"ours_ifc_{where}"]]
    return Result(metrics)


def figure_1(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """When the learning curve crosses bicubic; what SRCNN gains over sparse coding, in dB."""
    scale, (dataset, _) = config.compared_scale, first_set(data)
    where = f"{dataset}_x{scale}"
    level = needs["bicubic"].metrics[f"bicubic_psnr_{where}"]
    baseline = needs["sparse_coding"].metrics[f"sparse_psnr_{where}"]
    rows = needs["table_2"].history[f"{config.sizes}-x{scale}"]
    reached = needs["table_2"].metrics[f"ours_psnr_{where}"]
    return Result(
        {
            "crossing": [crossing(rows, i, level) for i in range(len(keys))],
            f"lead_over_sparse_{where}": [psnr - baseline for psnr in reached],
            f"lead_of_sparse_{where}": baseline - level,
        }
    )


def crossing(rows: list[dict], replica: int, level: float) -> float:
    """The fraction of the training after which the learning curve is above `level`; 1 if never."""
    above = (row["step"] for row in rows if "psnr" in row and row["psnr"][replica] > level)
    return next(above, rows[-1]["step"]) / rows[-1]["step"]


PARTS = {
    "bicubic": bicubic,
    "authors": authors,
    "table_2": table_2,
    "sparse_coding": sparse_coding,
    "figure_1": figure_1,
    "section_4_3_2": ablations.section_4_3_2,
    "a_plus": a_plus,
    "section_3_3": studies.section_3_3,
    "section_4_1": studies.section_4_1,
    "section_4_3_1": studies.section_4_3_1,
    "section_4_3_3": studies.section_4_3_3,
    "table_5": ablations.table_5,
    "repeated": beyond.repeated,
    "ill_posed": beyond.ill_posed,
    "figure_14": crops.figure_14,
}
