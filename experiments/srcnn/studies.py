"""What the paper varies about 9-1-5: the images (section 4.1), the filters' number (4.3.1), the layers'
number (4.3.3), and the last layer's learning rate (3.3); each by the same training."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from experiments.srcnn.ablations import seconds_of
from experiments.srcnn.config import Config, sizes_of
from experiments.srcnn.data import Data, first_set, tests_of
from experiments.srcnn.training import Params, train_network, upscaler
from lib.batches.super_resolution import Pair, Patches, pair, patches
from lib.metrics.super_resolution import mean_psnr
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch


class Bench:
    """Trains networks beside one another and keeps what they reach on the first test set, in dB."""

    def __init__(self, config: Config, keys: jax.Array, data: Data, watch: Watch, needs):
        self.config, self.keys, self.watch = config, keys, watch
        scale, (dataset, _) = config.compared_scale, first_set(data)
        self.where, self.history = f"{dataset}_x{scale}", {}
        self.images: list[Pair] = list(tests_of(data, scale)[dataset].values())
        self.level = needs["bicubic"].metrics[f"bicubic_psnr_{self.where}"]

    def cut(self, images: Sequence[np.ndarray]) -> Patches:
        """Sub-images of training images."""
        config = self.config
        pairs = [pair(image, config.compared_scale) for image in images]
        return patches(pairs, size=config.patch, stride=config.stride)

    def train(
        self, name: str, cut: Patches, *, sizes: str, widths: tuple[int, ...], **changed
    ) -> tuple[Params, list[float]]:
        """`(parameters, PSNR of each replica)`; `changed`: fields of the config."""
        upscale = upscaler(sizes_of(sizes), widths)
        trained = train_network(
            name,
            dataclasses.replace(self.config, **changed),
            cut,
            self.keys,
            self.watch,
            sizes=sizes,
            widths=widths,
            steps=self.config.steps,
            score=lambda params: {"psnr": mean_psnr(lambda b: upscale(params, b), self.images)},
        )
        self.history[name] = trained.history
        params = trained.state.params
        replicas = [member(params, i) for i in range(len(self.keys))]
        return params, [mean_psnr(lambda b, p=p: upscale(p, b), self.images) for p in replicas]

    def over_bicubic(self, psnr: list[float]) -> list[float]:
        """What is gained, in dB."""
        return [value - self.level for value in psnr]

    def rows(self, name: str, psnr: list[float]) -> dict[str, list[float]]:
        """What a network called `name` reaches, and what it gains."""
        return {
            f"{name}_psnr_{self.where}": psnr,
            f"{name}_over_bicubic_{self.where}": self.over_bicubic(psnr),
        }


def _gain(better: list[float], than: list[float]) -> list[float]:
    return [a - b for a, b in zip(better, than, strict=True)]


def section_4_1(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """The same network, as many updates, on few images and on more."""
    bench, study = Bench(config, keys, data, watch, needs), config.studies
    psnr = {}
    for name, images in data.studied.items():
        cut = bench.cut(images)
        _, psnr[name] = bench.train(f"data-{name}", cut, sizes=study.sizes, widths=config.widths)
    where = bench.where
    metrics = {f"data_{name}_psnr_{where}": values for name, values in psnr.items()}
    metrics[f"data_gain_{where}"] = _gain(psnr["large"], psnr["small"])
    metrics[f"data_small_over_bicubic_{where}"] = bench.over_bicubic(psnr["small"])
    return Result(metrics, bench.history)


def section_4_3_1(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """More filters and fewer: PSNR, and time an image."""
    bench, study = Bench(config, keys, data, watch, needs), config.studies
    cut, where = bench.cut(data.train), bench.where
    psnr, metrics = {}, {}
    for filters in study.filters:
        widths, name = (filters, filters // 2), f"{filters}-{filters // 2}"
        params, psnr[name] = bench.train(f"filters-{name}", cut, sizes=study.sizes, widths=widths)
        metrics |= bench.rows(f"number_{name}", psnr[name])
        upscale = upscaler(sizes_of(study.sizes), widths)
        metrics[f"number_{name}_seconds"] = seconds_of(upscale, member(params, 0), bench.images)
    names = list(psnr)
    for more, fewer in zip(names[:-1], names[1:], strict=True):
        metrics[f"number_gain_{more}_{where}"] = _gain(psnr[more], psnr[fewer])
    return Result(metrics, bench.history)


def section_4_3_3(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """Networks with a third layer before the last one, each beside the same without."""
    bench, study = Bench(config, keys, data, watch, needs), config.studies
    cut, where = bench.cut(data.train), bench.where
    psnr, metrics = {}, {}
    for deeper in study.deeper:
        base = study.without(deeper)
        for sizes in (base, deeper):
            if sizes not in psnr:
                widths = config.widths + (study.extra,) * (sizes == deeper)
                _, psnr[sizes] = bench.train(f"layers-{sizes}", cut, sizes=sizes, widths=widths)
                metrics[f"layers_{sizes}_psnr_{where}"] = psnr[sizes]
        metrics[f"layers_gain_{deeper}_{where}"] = _gain(psnr[deeper], psnr[base])
        metrics[f"layers_{deeper}_over_bicubic_{where}"] = bench.over_bicubic(psnr[deeper])
    return Result(metrics, bench.history)


def section_3_3(config: Config, keys, data: Data, watch: Watch, needs) -> Result:
    """The last layer's learning rate: a tenth of the others', as they say, and the same."""
    bench, study = Bench(config, keys, data, watch, needs), config.studies
    cut, where, psnr, metrics = bench.cut(data.train), bench.where, {}, {}
    for name, share in (("tenth", 0.1), ("same", 1.0)):
        rate = share * config.learning_rate
        _, psnr[name] = bench.train(
            f"last-{name}", cut, sizes=study.sizes, widths=config.widths, last_learning_rate=rate
        )
        metrics |= bench.rows(f"last_{name}", psnr[name])
    metrics[f"last_gain_{where}"] = _gain(psnr["tenth"], psnr["same"])
    return Result(metrics, bench.history)
