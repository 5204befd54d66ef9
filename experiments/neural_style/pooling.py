"""Methods: average pooling in place of max-pooling, of which the paper says that gradients flow better."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.neural_style.config import Config
from experiments.neural_style.network import pooled
from experiments.neural_style.studies import Study
from experiments.neural_style.style import losses, style_of
from lib.run.result import Result
from lib.run.watch import Watch


def pooling(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """One photograph in one style with either, each normalised as it pools: what is left of the style loss.

    Of a network's own loss of the photograph, as losses of two networks are no one scale.
    """
    calibration = data.calibration if config.unit_mean else []
    left, arrays = {}, {}
    for kind in ("avg", "max"):
        network = pooled(data.plain, kind, config.precision, calibration)
        study = Study.begin(config, keys, data._replace(network=network), watch)
        task = study.task()
        trained = study.optimise(f"pooling_{kind}", task)
        at_photograph = style_of(losses(network, jnp.asarray(study.content), task))
        left[kind] = np.array(style_of(trained.history[-1])) / at_photograph
        arrays[f"pooling_{kind}"] = study.pictures(trained)[0]
    metrics = {f"pooling_{kind}_style_left": values.tolist() for kind, values in left.items()}
    metrics["max_over_avg"] = (left["max"] / left["avg"]).tolist()
    return Result(metrics, arrays=arrays)
