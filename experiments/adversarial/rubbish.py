"""Nguyen et al.: what is no digit and is named with certainty."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial import attacks
from experiments.adversarial.config import Config
from experiments.adversarial.data import Data
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

    def nearest(images) -> float:
        """Mean distance to the nearest training image."""
        products = images @ train_images.T
        squares = (images**2).sum(axis=1)[:, None] + (train_images**2).sum(axis=1)[None, :]
        return float(jnp.sqrt(jnp.maximum(squares - 2 * products, 0).min(axis=1)).mean())

    for i, key in enumerate(keys):
        nets = nets_of(config, needs["training"], i)
        logits, params = nets.logits["maxout"], nets.params["maxout"]
        noise = jax.random.uniform(purpose(key, "rubbish"), (count, d))
        found = _ascend(config.rubbish_step, config.rubbish_steps)(logits, params, noise, targets)
        own = jnp.arange(count)
        sure = [jax.nn.softmax(logits(params, images))[own, targets] for images in (noise, found)]
        before.append(float(jnp.median(sure[0])))
        medians.append(float(jnp.median(sure[1])))
        far.append(nearest(found) / nearest(tests))
        other = nets.logits["relu"](nets.params["relu"], found).argmax(axis=1)
        agreed.append(float(jnp.mean(other == targets)))
        if i == 0:
            arrays = {"rubbish_images": np.asarray(found[:CLASSES])}
            arrays["rubbish_sure"] = np.asarray(sure[1][:CLASSES])
    metrics = {
        "rubbish_median": medians,
        "rubbish_before": before,
        "rubbish_far": far,
        "rubbish_other_agrees": agreed,
    }
    return Result(metrics, arrays=arrays)


def _ascend(step: float, steps: int):
    def ascend(logits, params, x, targets):
        return attacks.ascend(logits, params, x, targets, step=step, steps=steps)

    return jax.jit(ascend, static_argnums=0)
