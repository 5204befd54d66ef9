"""Section 6: the networks, side by side, and how later parts find them; one of them on more and more data."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial import attacks
from experiments.adversarial.config import Config
from experiments.adversarial.data import Data
from experiments.adversarial.nets import logits_of, make_training, pixels
from lib.run.loop import initialise, member, train
from lib.run.result import Result
from lib.run.watch import Watch

KINDS = {
    "softmax": ("softmax", False),
    "maxout": ("maxout", False),
    "relu": ("relu", False),
    "trained": ("maxout", True),
}
"""Network -> its kind, and whether it is trained adversarially: "trained" is maxout but for that."""


class Nets(NamedTuple):
    """The trained networks of one seed: `logits` and `params` by name."""

    logits: dict[str, attacks.Logits]
    params: dict[str, attacks.Params]


def nets_of(config: Config, trained: Result, seed: int) -> Nets:
    """Those that the part `training` left, of replica `seed`."""
    logits = {n: logits_of(kind, config.units, config.pieces) for n, (kind, _) in KINDS.items()}
    params = {name: member(trained.weights[name][0], seed) for name in KINDS}
    return Nets(logits, jax.tree.map(jnp.asarray, params))


def fit(config: Config, name: str, kinds, images, labels, keys, watch, *, steps: int):
    """`Trained` of networks side by side on one training set."""
    init, step = make_training(
        kinds,
        images.shape[1],
        config.units,
        config.pieces,
        epsilon=config.epsilon,
        alpha=config.alpha,
        learning_rate=config.learning_rate,
        batch=config.batch,
    )
    return train(
        name,
        initialise(init, keys),
        step,
        keys,
        (jnp.asarray(images), jnp.asarray(labels)),
        steps=steps,
        every=config.every,
        watch=watch,
    )


def training(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """All networks side by side, on the same minibatches."""
    trained = fit(config, "networks", KINDS, *data.train, keys, watch, steps=config.steps)
    x, labels = pixels(jnp.asarray(data.test[0])), jnp.asarray(data.test[1])
    metrics: dict[str, list[float]] = {}
    weights = {}
    for name, (kind, _) in KINDS.items():
        params = trained.state[name].params
        logits = logits_of(kind, config.units, config.pieces)
        metrics[f"clean_{name}"] = [
            attacks.judged(logits, member(params, i), x, labels).error for i in range(len(keys))
        ]
        weights[name] = (params, {"paper": "adversarial", "network": name})
    falls = np.subtract(metrics["clean_maxout"], metrics["clean_trained"])
    metrics["clean_falls"] = falls.tolist()
    return Result(metrics, {"networks": trained.history}, weights=weights)


def more_data(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """A maxout network trained as long on more and more images: its errors, clean and adversarial."""
    x, labels = pixels(jnp.asarray(data.test[0])), jnp.asarray(data.test[1])
    logits = logits_of("maxout", config.units, config.pieces)
    error = np.zeros((len(keys), len(config.sizes), 2))
    for k, size in enumerate(config.sizes):
        images, own = (array[:size] for array in data.train)
        kinds = {"maxout": KINDS["maxout"]}
        trained = fit(
            config, f"data-{size}", kinds, images, own, keys, watch, steps=config.data_steps
        )
        for i in range(len(keys)):
            params = member(trained.state["maxout"].params, i)
            moved = attacks.compiled(attacks.fgsm)(logits, params, x, labels, config.data_epsilon)
            for m, seen in enumerate((x, moved)):
                error[i, k, m] = attacks.judged(logits, params, seen, labels).error
    left = error[:, -1] / np.maximum(error[:, 0], 1e-9)
    metrics = {
        "data_left": left[:, 1].tolist(),
        "data_clean_left": left[:, 0].tolist(),
        "data_error_fewest": error[:, 0, 1].tolist(),
        "data_error_most": error[:, -1, 1].tolist(),
    }
    arrays = {"data_sizes": np.array(config.sizes), "data_error": error}
    return Result(metrics, arrays=arrays)
