"""Szegedy et al.: the least change that makes an image another class, and noise as large."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial import attacks
from experiments.adversarial.config import Config
from experiments.adversarial.data import Data
from experiments.adversarial.nets import CLASSES, weights_from
from experiments.adversarial.training import nets_of
from lib.run.keys import purpose
from lib.run.result import Result
from lib.run.watch import Watch

SHOWN = 6
"""Examples in the figure."""


def lbfgs(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """The least change of some test images to the next class, maxout network; and noise as large."""
    x = np.asarray(data.test[0][: config.lbfgs_examples], np.float32) / 255
    labels = data.test[1][: config.lbfgs_examples]
    weights = np.array(weights_from(10.0, 2.0, config.lbfgs_weights))
    found_share, distortions, noisy, arrays = [], [], [], {}
    for i, key in enumerate(keys):
        nets = nets_of(config, needs["training"], i)
        logits, params = nets.logits["maxout"], nets.params["maxout"]
        changed, rms = [], []
        for image, label in zip(x, labels, strict=True):
            target = int(label + 1) % CLASSES
            least = attacks.minimal_perturbation(
                logits,
                params,
                image,
                target,
                weights=weights,
                iterations=config.lbfgs_iterations,
            )
            changed.append(least.image)
            if least.image is not None:
                rms.append(float(np.sqrt(np.mean((least.image - image) ** 2))))
        share = len(rms) / len(x)
        distortion = float(np.mean(rms)) if rms else 1.0
        noise = np.asarray(jax.random.normal(purpose(key, "noise"), x.shape)) * distortion
        before, after = (
            np.asarray(logits(params, jnp.asarray(images)).argmax(axis=1))
            for images in (x, np.clip(x + noise, 0, 1))
        )
        found_share.append(share)
        distortions.append(distortion)
        noisy.append(float(np.mean(before != after)))
        if i == 0:
            some = [n for n, image in enumerate(changed) if image is not None][:SHOWN]
            arrays["lbfgs_before"] = x[some]
            arrays["lbfgs_after"] = np.array([changed[n] for n in some]).reshape(len(some), -1)
            arrays["lbfgs_targets"] = np.array([(labels[n] + 1) % CLASSES for n in some], np.int32)
    metrics = {
        "lbfgs_found": found_share,
        "lbfgs_distortion": distortions,
        "lbfgs_noise": noisy,
    }
    return Result(metrics, arrays=arrays)
