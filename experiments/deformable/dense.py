"""Naming every pixel: how many layers to deform, what dilation does instead, where the taps go."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.deformable.config import Config
from experiments.deformable.data import Data
from experiments.deformable.learning import (
    Learned,
    Schedule,
    Task,
    count,
    fastest,
    fresh,
    learn,
    trial_of,
)
from experiments.deformable.scenes import CLASSES, SIDE, SIZES, Scenes
from lib.batches.indices import shuffled_indices
from lib.metrics.segmentation import confusion, mean_iou
from lib.models.deformable import LAST, Segmenter, deform
from lib.ops.sampling import effective_dilation, sampling_points
from lib.run.keys import purpose
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

AT_ONCE = 50
"""Scenes in one compiled forward pass."""
STRIDE = 4
"""Pixels of the image from one of the segmenter's positions to the next."""
NAMES = {"shapes": len(CLASSES), "camvid": 11, "voc2012_masks": 21}
"""Classes of each set, the ground among them where it is one."""


def make_net(config: Config) -> Segmenter:
    """The plain network: a dilation of 2 in the last three convolutions, as the paper's."""
    return Segmenter(NAMES[config.dense.dataset], (config.dense.width,) * 6)


def inputs(images: jax.Array) -> jax.Array:
    """uint8 images in -1..1."""
    return images.astype(jnp.float32) / 127.5 - 1


@functools.lru_cache(maxsize=32)
def _named(net: Segmenter):
    def named(params, images, classes):
        logits = net.apply({"params": params}, inputs(images))
        full = jax.image.resize(logits, (*images.shape[:3], net.classes), "bilinear")
        return confusion(full.argmax(axis=-1), classes, net.classes)

    return jax.jit(named)


def miou(net: Segmenter, params, scenes: Scenes) -> float:
    """Mean intersection over union at the images' own size, in percent."""
    total = sum(
        np.asarray(_named(net)(params, *(a[i : i + AT_ONCE] for a in scenes[:2])))
        for i in range(0, len(scenes.images), AT_ONCE)
    )
    return 100 * float(mean_iou(jnp.asarray(total)))


@functools.cache
def make_draw(batch: int) -> Callable:
    """The t-th minibatch of (images, classes): scenes, and the class in the middle of each position."""

    def draw(data, key, t):
        images, classes = data
        i = shuffled_indices(purpose(key, "order"), t, size=len(images), batch=batch)
        return images[i], classes[i, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]

    return draw


def cross_entropy(net: Segmenter, params, batch) -> jax.Array:
    """Mean over the positions that have a class."""
    images, classes = batch
    logits = net.apply({"params": params}, inputs(images))
    known = classes < net.classes
    labels = jnp.where(known, classes, 0).astype(jnp.int32)
    each = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return (each * known).sum() / jnp.maximum(known.sum(), 1)


def make_task(config: Config, data: Data) -> Task:
    """Naming pixels, at the network's own positions."""
    train = data.scenes["train"]

    def score(net, params):
        return miou(net, params, data.scenes["valid"])

    arrays = jnp.asarray(train.images), jnp.asarray(train.classes)
    return Task(arrays, make_draw(config.dense.batch), cross_entropy, score)


class Arms(NamedTuple):
    """What several networks reached, as a part's result, and the networks."""

    metrics: dict
    history: dict
    ended: dict[str, Learned]


def train_arms(
    nets: Mapping[str, Segmenter], config: Config, keys: jax.Array, data: Data, watch: Watch
) -> Arms:
    """Each net from the same weights on the same scenes; mIoU on test scenes."""
    task = make_task(config, data)
    steps = config.dense.steps
    rates, trial = config.dense.rates, trial_of(steps)
    schedule = Schedule(steps, rates, trial, config.every, config.branch_rate)
    shape = (1, *data.scenes["train"].images.shape[1:])
    metrics, history, ended = {}, {}, {}
    for name, net in nets.items():
        params = fresh(net, keys, *shape)
        arm = learn(f"dense-{name}", net, params, task, keys, watch, schedule)
        metrics[f"miou_{name}"] = [miou(net, p, data.scenes["test"]) for p in arm.params]
        metrics[f"dense_rate_{name}"] = arm.rates
        history |= arm.history
        ended[name] = arm
    return Arms(metrics, history, ended)


def costs(config: Config) -> dict[str, float]:
    """Parameters of each network, and the seconds of its features of 50 scenes (the fastest of five).

    Where fewer are scored, of those.
    """
    scenes = min(AT_ONCE, config.dense.test_scenes)
    images, metrics, plain = jnp.zeros((scenes, SIDE, SIDE, 3)), {}, make_net(config)
    for k in config.dense.deformed:
        net = deform(plain, k)
        params = jax.jit(net.init)(jax.random.key(0), images[:1])["params"]
        apply = jax.jit(lambda params, net=net: net.apply({"params": params}, images))
        metrics[f"parameters_dense_{k}"] = count(net, 1, SIDE, SIDE, 3)
        metrics[f"seconds_dense_{k}"] = fastest(lambda apply=apply, p=params: apply(p))
    return metrics


def table_1(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """mIoU by the number of deformable convolutions."""
    plain = make_net(config)
    arms = train_arms(
        {f"deformable_{k}": deform(plain, k) for k in config.dense.deformed},
        *(config, keys, data, watch),
    )
    metrics = arms.metrics
    for k in config.dense.deformed[1:]:
        metrics[f"miou_gain_{k}"] = _differences(metrics, f"deformable_{k}", "deformable_0")
    if {3, 6} <= set(config.dense.deformed):
        metrics["miou_gain_6_over_3"] = _differences(metrics, "deformable_6", "deformable_3")
    about = {
        "paper": "deformable",
        "dataset": config.dense.dataset,
        "width": str(config.dense.width),
    }
    weights = {
        name: (
            jax.tree.map(lambda *x: np.stack(x), *arm.params),
            about | {"deformed": name.removeprefix("deformable_")},
        )
        for name, arm in arms.ended.items()
        if name in ("deformable_0", f"deformable_{LAST}")
    }
    return Result(metrics, arms.history, weights=weights)


def table_3(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """mIoU by the dilation of the last three convolutions, beside deformable ones."""
    plain = make_net(config)
    arms = train_arms(
        {f"atrous_{d}": plain.clone(dilation=d) for d in config.dense.dilations},
        *(config, keys, data, watch),
    )
    metrics = arms.metrics
    deformable = needs["table_1"].metrics[f"miou_deformable_{LAST}"]
    regular = [needs["table_1"].metrics["miou_deformable_0"]]
    regular += [metrics[f"miou_atrous_{d}"] for d in config.dense.dilations]
    best = np.max(regular, axis=0)
    metrics["miou_best_atrous"] = best.tolist()
    metrics["miou_gain_of_dilation"] = (best - np.asarray(regular[0])).tolist()
    metrics["miou_gain_over_atrous"] = (np.asarray(deformable) - best).tolist()
    return Result(metrics, arms.history)


def _differences(metrics: Mapping, one: str, other: str) -> list[float]:
    pairs = zip(metrics[f"miou_{one}"], metrics[f"miou_{other}"], strict=True)
    return [a - b for a, b in pairs]


# --- Where the taps go --------------------------------------------------------------------------


@functools.lru_cache(maxsize=4)
def places(net: Segmenter):
    """`places(params, images)`: where each deformable convolution looks, `[n, h, w, 9, 2]` by its name."""

    def of_images(params, images):
        _, kept = net.apply({"params": params}, inputs(images), mutable=["intermediates"])
        points = {}
        for name, sown in kept["intermediates"].items():
            late = int(name.removeprefix("conv")) > len(net.widths) - LAST
            dilation = net.dilation if late else 1
            points[name] = sampling_points(
                sown["offsets"][0], (3, 3), dilation=dilation, padding=(dilation, dilation)
            )[..., 0, :, :]
        return points

    return jax.jit(of_images)


def table_2(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """The effective dilation of the last three convolutions by what their middle lies on; Figure 6."""
    net, test = deform(make_net(config), LAST), data.scenes["test"]
    stacked = needs["table_1"].weights[f"deformable_{LAST}"][0]
    middle = slice(STRIDE // 2, None, STRIDE)
    on = test.sizes[:, middle, middle].reshape(-1)
    metrics: dict[str, list[float]] = {}
    for i in range(len(keys)):
        params = member(stacked, i)
        parts = [
            places(net)(params, test.images[s : s + AT_ONCE])
            for s in range(0, len(test.images), AT_ONCE)
        ]
        for layer in parts[0]:
            wide = np.concatenate([effective_dilation(p[layer], (3, 3)).reshape(-1) for p in parts])
            means = {size: float(wide[on == j].mean()) for j, size in enumerate(SIZES)}
            for size, mean in means.items():
                metrics.setdefault(f"dilation_{layer}_{size}", []).append(mean)
            ratio = means["large"] / means["small"]
            metrics.setdefault(f"dilation_{layer}_ratio", []).append(ratio)
    return Result(metrics, arrays=figure_6_arrays(net, member(stacked, 0), test))


SHOWN = 3
"""Scenes in Figure 6."""


def figure_6_arrays(net: Segmenter, params, test: Scenes) -> dict[str, np.ndarray]:
    """Scenes, and where a unit on the ground, on a small and on a large object looks; none at an edge.

    `figure_6_images` `[s, h, w, 3]`, `figure_6_units` `[s, 3, 2]` and `figure_6_points` `[s, 3, 729, 2]`, in
    pixels of the image.
    """
    middle = slice(STRIDE // 2, None, STRIDE)
    coarse = test.sizes[:, middle, middle]
    wanted = [SIZES.index(size) for size in ("background", "small", "large")]
    shown, units = [], []
    for i, on in enumerate(coarse):
        inside = [_most_inside(on == w) for w in wanted if (on == w).any()]
        deep = len(inside) == len(wanted) and min(depth for _, depth in inside) > 1
        if deep and len(shown) < SHOWN:
            shown.append(i)
            units.append([position for position, _ in inside])
    units = np.array(units, int)
    points = []
    if shown:
        looks = {k: np.asarray(v) for k, v in places(net)(params, test.images[shown]).items()}
        points = [
            [stacked_points({k: v[s] for k, v in looks.items()}, unit) for unit in units[s]]
            for s in range(len(shown))
        ]
    return {
        "figure_6_images": test.images[shown],
        "figure_6_units": in_pixels(units.reshape(-1, len(wanted), 2)),
        "figure_6_points": in_pixels(np.reshape(points, (-1, len(wanted), 9**LAST, 2))),
    }


def in_pixels(positions: np.ndarray) -> np.ndarray:
    """The middles of the segmenter's positions, which name `STRIDE` x `STRIDE` pixels, in pixels."""
    return (np.asarray(positions, float) + 0.5) * STRIDE - 0.5


def _most_inside(region: np.ndarray) -> tuple[tuple[int, int], float]:
    """The position of a region, bool `[h, w]`, that is farthest from what is not of it, and how far."""
    inside = np.argwhere(region)
    outside = np.argwhere(~np.pad(region, 1)) - 1
    distance = np.linalg.norm(inside[:, None] - outside[None], axis=-1).min(axis=1)
    return tuple(inside[distance.argmax()]), distance.max()


def stacked_points(looks: Mapping[str, np.ndarray], unit: np.ndarray) -> np.ndarray:
    """Where a unit of the last convolution looks through all of them, `[9^layers, 2]` positions.

    A point that lies between positions, or outside, sees what the nearest one does.

    Args:
      looks: layer -> `[h, w, 9, 2]`; the last layer's name sorts last.
    """
    points = np.asarray(unit, float)[None]
    for layer in sorted(looks, reverse=True):
        height, width = looks[layer].shape[:2]
        nearest = np.clip(np.rint(points), 0, [height - 1, width - 1]).astype(int)
        own = looks[layer][nearest[:, 0], nearest[:, 1]] - nearest[:, None]
        points = (points[:, None] + own).reshape(-1, 2)
    return points
