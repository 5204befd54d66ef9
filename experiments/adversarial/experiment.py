"""The papers, in the order in which it happens: networks, one step, transfer, least change, rubbish, data."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial import attacks
from experiments.adversarial.config import Config, check
from experiments.adversarial.nets import (
    CLASSES,
    logits_of,
    make_training,
    pixels,
    weights_from,
)
from lib.data import load
from lib.ops.resize import resize
from lib.pretrained import Pretrained, recognition
from lib.pretrained import load as load_pretrained
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]

SOURCES = ("train", "test", "network", "photographs")
KINDS = {
    "softmax": ("softmax", False),
    "maxout": ("maxout", False),
    "relu": ("relu", False),
    "trained": ("maxout", True),
}
"""Network -> its kind, and whether it is trained adversarially: "trained" is maxout but for that."""
PAIRS = (("maxout", "relu"), ("relu", "maxout"))
"""Made on, tried on."""
SHOWN = 6
"""Examples in a figure."""


class Data(NamedTuple):
    """What parts need; what was not asked for is empty, or None.

    Attributes:
      train, test: flattened images, uint8 `[n, d]`, and labels, int32 `[n]`.
      network: pretrained.
      photographs: uint8 `[h, w, 3]` by name.
      about: for the record, descriptions of each of `SOURCES` that was loaded.
    """

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    network: Pretrained | None
    photographs: dict[str, np.ndarray]
    about: dict[str, list[dict]]


def load_data(
    config: Config,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    *,
    only: Collection[str] | None = None,
) -> Data:
    """The two splits, the pretrained network and the photographs, or those of `SOURCES` that `only` names."""
    check(config)
    only = SOURCES if only is None else only
    splits, about, network, photographs = {}, {}, None, {}
    for split, count in (("train", config.examples), ("test", config.test_examples)):
        splits[split] = (np.zeros((0, 0), np.uint8), np.zeros(0, np.int32))
        if split in only:
            whole = load(config.dataset, split, data_dir=data_dir)
            part = split if count == len(whole) else f"{split}[:{count}]"
            found = load(config.dataset, part, data_dir=data_dir)
            images = found.arrays["image"].reshape(len(found), -1)
            splits[split] = (images, found.arrays["label"])
            about[split] = [found.describe()]
    if "network" in only and config.photographs:
        network = load_pretrained(config.network, weights_dir)
        about["network"] = [network.describe()]
    if "photographs" in only and config.photographs:
        sets = [load("photographs", split, data_dir=data_dir) for split in ("train", "test")]
        for name in config.photographs:
            image = next(s.arrays[name] for s in sets if name in s.arrays)
            image = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
            photographs[name] = image
        about["photographs"] = [s.describe() for s in sets]
    return Data(splits["train"], splits["test"], network, photographs, about)


def run(
    config: Config,
    key: jax.Array,
    data: Data,
    watch: Watch | None = None,
    only: Sequence[str] = (),
) -> Result:
    """Everything the papers claim, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.adversarial"), config, key, data, watch, only)


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
                found = attacks.judged(logits, params, moved, labels)
                error[i, j, k], confidence[i, j, k] = found
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
            found = attacks.minimal_perturbation(
                logits,
                params,
                image,
                target,
                weights=weights,
                iterations=config.lbfgs_iterations,
            )
            changed.append(found.image)
            if found.image is not None:
                rms.append(float(np.sqrt(np.mean((found.image - image) ** 2))))
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


def panda(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """Figure 1 on photographs: one step against the class that the pretrained network names."""
    pretrained = data.network
    seen = recognition.make_classifier(pretrained)
    images = np.stack([square(p, pretrained.network.side) for p in data.photographs.values()])
    x = jnp.asarray(images, jnp.float32) / 255

    def logits(params, x):
        return seen(params, 255 * x)

    epsilon, params = config.photograph_epsilon, jax.device_put(pretrained.params)
    p = jax.jit(lambda params, x: jax.nn.softmax(logits(params, x)))
    before = p(params, x)
    labels = before.argmax(axis=1)
    moved = jax.jit(attacks.fgsm, static_argnums=0)(logits, params, x, labels, epsilon)
    after = p(params, moved)
    changed = float(jnp.mean(after.argmax(axis=1) != labels))
    tossed = []
    for key in keys:
        coins = attacks.random_signs(purpose(key, "photographs"), x.shape)
        signs = attacks.signed_step(x, coins, epsilon)
        tossed.append(float(jnp.mean(p(params, signs).argmax(axis=1) != labels)))
    direction = jnp.sign(moved - x)
    arrays = {
        "panda_before": images[0],
        "panda_signs": np.asarray(127.5 * (direction[0] + 1)).astype(np.uint8),
        "panda_after": np.asarray(jnp.rint(255 * moved[0])).astype(np.uint8),
        "panda_said": np.array([before[0].argmax(), after[0].argmax()], np.int32),
        "panda_sure": np.array([before[0].max(), after[0].max()]),
        "panda_epsilon": np.array(epsilon),
    }
    metrics = {
        "panda_changed": changed,
        "panda_noise": tossed,
        "panda_sure_before": float(before.max(axis=1).mean()),
        "panda_sure_after": float(after.max(axis=1).mean()),
    }
    return Result(metrics, arrays=arrays)


def square(image: np.ndarray, side: int) -> np.ndarray:
    """The square in the middle of uint8 `[h, w, 3]`, at `side`."""
    least = min(image.shape[:2])
    top, left = ((length - least) // 2 for length in image.shape[:2])
    middle = image[top : top + least, left : left + least].astype(np.float32)
    return np.clip(resize(middle, (side, side)) + 0.5, 0, 255).astype(np.uint8)


PARTS = {
    "training": training,
    "fgsm": fgsm,
    "transfer": transfer,
    "lbfgs": lbfgs,
    "rubbish": rubbish,
    "more_data": more_data,
    "panda": panda,
}
