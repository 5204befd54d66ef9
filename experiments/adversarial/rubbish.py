"""Nguyen et al.: what is no digit and is named with certainty: by gradient ascent, and by evolution."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial import attacks
from experiments.adversarial.config import Config
from experiments.adversarial.data import Data
from experiments.adversarial.evolution import evolve, patterns, pixelwise
from experiments.adversarial.nets import CLASSES, pixels
from experiments.adversarial.training import nets_of
from lib.run.keys import purpose
from lib.run.result import Result
from lib.run.watch import Watch


def rubbish(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Noise, driven towards each class of the maxout network; how far from digits it stays."""
    train_images = pixels(jnp.asarray(data.train[0]))
    tests = pixels(jnp.asarray(data.test[0]))[: config.rubbish_images]
    count, d = config.rubbish_images, train_images.shape[1]
    targets = jnp.arange(count) % CLASSES
    medians, before, far, agreed, arrays = [], [], [], [], {}
    usual = nearest(tests, train_images)
    for i, key in enumerate(keys):
        nets = nets_of(config, needs["training"], i)
        logits, params = nets.logits["maxout"], nets.params["maxout"]
        noise = jax.random.uniform(purpose(key, "rubbish"), (count, d))
        ascended = _ascend(config.rubbish_step, config.rubbish_steps)(
            logits, params, noise, targets
        )
        own = jnp.arange(count)
        sure = [
            jax.nn.softmax(logits(params, images))[own, targets] for images in (noise, ascended)
        ]
        before.append(float(jnp.median(sure[0])))
        medians.append(float(jnp.median(sure[1])))
        far.append(nearest(ascended, train_images) / usual)
        other = nets.logits["relu"](nets.params["relu"], ascended).argmax(axis=1)
        agreed.append(float(jnp.mean(other == targets)))
        if i == 0:
            arrays = {"rubbish_images": np.asarray(ascended[:CLASSES])}
            arrays["rubbish_sure"] = np.asarray(sure[1][:CLASSES])
    metrics = {
        "rubbish_median": medians,
        "rubbish_before": before,
        "rubbish_far": far,
        "rubbish_other_agrees": agreed,
    }
    return Result(metrics, arrays=arrays)


def nearest(images: jax.Array, others: jax.Array) -> float:
    """Mean distance of `[n, d]` to the nearest of `[m, d]`."""
    products = images @ others.T
    squares = (images**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :]
    return float(jnp.sqrt(jnp.maximum(squares - 2 * products, 0).min(axis=1)).mean())


def evolution(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Images evolved, directly and as patterns, for each class of the maxout network; and a random search."""
    train_images, tests = pixels(jnp.asarray(data.train[0])), pixels(jnp.asarray(data.test[0]))
    usual, d = nearest(tests[: config.rubbish_images], train_images), train_images.shape[1]
    encodings = {"direct": pixelwise(d), "pattern": patterns(d)}
    metrics, arrays = {}, {}
    for i, key in enumerate(keys):
        nets = nets_of(config, needs["training"], i)
        logits, params = nets.logits["maxout"], nets.params["maxout"]
        for name, encoding in encodings.items():
            row = {}
            for arm, inherited in (("", True), ("_random", False)):
                elites, curve = evolve(
                    logits,
                    params,
                    purpose(key, f"evolution {name}"),
                    encoding,
                    inherited,
                    generations=config.generations,
                    children=config.children,
                )
                row[f"median{arm}"] = float(jnp.median(elites.sure))
                if i == 0:
                    arrays[f"evolved_{name}{arm}_curve"] = np.asarray(curve)
                if inherited:
                    images = jax.vmap(encoding.express)(elites.genomes)
                    other = nets.logits["relu"](nets.params["relu"], images).argmax(axis=1)
                    row["far"] = nearest(images, train_images) / usual
                    row["other_agrees"] = float(jnp.mean(other == jnp.arange(CLASSES)))
                    if i == 0:
                        arrays[f"evolved_{name}_images"] = np.asarray(images)
                        arrays[f"evolved_{name}_sure"] = np.asarray(elites.sure)
            for metric, number in row.items():
                metrics.setdefault(f"evolved_{name}_{metric}", []).append(number)
    return Result(metrics, arrays=arrays)


def _ascend(step: float, steps: int):
    def ascend(logits, params, x, targets):
        return attacks.ascend(logits, params, x, targets, step=step, steps=steps)

    return jax.jit(ascend, static_argnums=0)
