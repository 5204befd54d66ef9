"""The fast gradient sign method: error by epsilon, and on networks that examples were not made on."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial import attacks
from experiments.adversarial.config import Config
from experiments.adversarial.data import Data
from experiments.adversarial.nets import pixels
from experiments.adversarial.training import KINDS, Nets, nets_of
from lib.run.keys import purpose
from lib.run.result import Result
from lib.run.watch import Watch

PAIRS = (("maxout", "relu"), ("relu", "maxout"))
"""Made on, tried on."""
SHOWN = 6
"""Examples in a figure."""


def fgsm(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Error and confidence by epsilon, of every network; random signs; how straight the networks are."""
    x, labels = pixels(jnp.asarray(data.test[0])), jnp.asarray(data.test[1])
    epsilons = np.array(config.epsilons, np.float32)
    at = config.epsilons.index(config.epsilon)
    shape = (len(keys), len(KINDS), len(epsilons))
    error, confidence, noise = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    straight, farthest, arrays = [], [], {}
    for i, key in enumerate(keys):
        nets = nets_of(config, needs["training"], i)
        coins = attacks.random_signs(purpose(key, "random signs"), x.shape)
        for j, name in enumerate(KINDS):
            logits, params = nets.logits[name], nets.params[name]
            direction = attacks.compiled(gradient_of)(logits, params, x, labels)
            for k, epsilon in enumerate(epsilons):
                moved = attacks.signed_step(x, direction, epsilon)
                judgement = attacks.judged(logits, params, moved, labels)
                error[i, j, k], confidence[i, j, k] = judgement
                tossed = attacks.signed_step(x, coins, epsilon)
                noise[i, j, k] = attacks.judged(logits, params, tossed, labels).error
                if k == at and name == "maxout":
                    farthest.append(float(jnp.abs(moved - x).max()) / max(config.epsilon, 1e-9))
                    if i == 0:
                        arrays |= shown(nets, name, x, moved, labels, direction)
        some = slice(0, min(1000, len(x)))
        line = jnp.linspace(0.0, config.epsilon, 11)
        r2 = attacks.compiled(attacks.straightness)(
            nets.logits["maxout"], nets.params["maxout"], x[some], labels[some], line
        )
        straight.append(float(jnp.mean(r2)))
    names = list(KINDS)
    metrics = {f"fgsm_{n}": error[:, j, at].tolist() for j, n in enumerate(names)}
    metrics |= {f"confidence_{n}": confidence[:, j, at].tolist() for j, n in enumerate(names)}
    metrics |= {f"noise_{n}": noise[:, j, at].tolist() for j, n in enumerate(names)}
    maxout, trained = names.index("maxout"), names.index("trained")
    metrics["fgsm_over_noise"] = (error[:, maxout, at] - noise[:, maxout, at]).tolist()
    metrics["adversarial_falls"] = (error[:, maxout, at] - error[:, trained, at]).tolist()
    clean = needs["training"].metrics
    metrics["fgsm_clean_worst"] = np.max([clean[f"clean_{n}"] for n in names], axis=0).tolist()
    metrics["straight_maxout"] = straight
    metrics["farthest"] = farthest
    arrays |= {"fgsm_names": np.array(names), "fgsm_epsilons": epsilons, "fgsm_error": error}
    arrays |= {"fgsm_confidence": confidence, "fgsm_noise": noise}
    return Result(metrics, arrays=arrays)


def gradient_of(logits, params, x, labels):
    """Of the loss of the true labels with respect to the images, `[n, d]`."""
    return jax.grad(lambda x: attacks.cross_entropy(logits, params, x, labels).sum())(x)


def shown(nets: Nets, name: str, x, moved, labels, direction) -> dict[str, np.ndarray]:
    """For the figure: the first images that are right before and wrong after."""
    logits, params = nets.logits[name], nets.params[name]
    before, after = (jax.nn.softmax(logits(params, images)) for images in (x, moved))
    right = (before.argmax(axis=1) == labels) & (after.argmax(axis=1) != labels)
    chosen = np.flatnonzero(np.asarray(right))[:SHOWN]
    return {
        "fgsm_before": np.asarray(x[chosen]),
        "fgsm_signs": np.asarray(jnp.sign(direction[chosen])),
        "fgsm_after": np.asarray(moved[chosen]),
        "fgsm_said": np.asarray(
            [before.argmax(axis=1)[chosen], after.argmax(axis=1)[chosen]], np.int32
        ),
        "fgsm_sure": np.asarray([before.max(axis=1)[chosen], after.max(axis=1)[chosen]]),
    }


def transfer(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Examples made on each network, tried on every other."""
    x, labels = pixels(jnp.asarray(data.test[0])), jnp.asarray(data.test[1])
    names = list(KINDS)
    table = np.zeros((len(keys), len(names), len(names)))
    noise = np.zeros((len(keys), len(names)))
    for i, key in enumerate(keys):
        nets = nets_of(config, needs["training"], i)
        coins = attacks.random_signs(purpose(key, "random signs"), x.shape)
        tossed = attacks.signed_step(x, coins, config.epsilon)
        for j, source in enumerate(names):
            moved = attacks.compiled(attacks.fgsm)(
                nets.logits[source], nets.params[source], x, labels, config.epsilon
            )
            for k, target in enumerate(names):
                judge = (nets.logits[target], nets.params[target])
                table[i, j, k] = attacks.judged(*judge, moved, labels).error
            noise[i, j] = attacks.judged(
                nets.logits[source], nets.params[source], tossed, labels
            ).error
    cells = [(names.index(a), names.index(b)) for a, b in PAIRS]
    error = np.mean([table[:, a, b] for a, b in cells], axis=0)
    own = np.mean([table[:, a, a] for a, _ in cells], axis=0)
    by_noise = np.mean([noise[:, b] for _, b in cells], axis=0)
    metrics = {
        "transfer_error": error.tolist(),
        "transfer_over_noise": (error - by_noise).tolist(),
        "transfer_share": (error / np.maximum(own, 1e-9)).tolist(),
    }
    arrays = {"transfer_table": table, "transfer_noise": noise, "transfer_names": np.array(names)}
    return Result(metrics, arrays=arrays)
