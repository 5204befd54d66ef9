"""Begun as noise: a class's score that grows; a dream into which one zooms."""

import jax
import numpy as np

from experiments.deepdream.config import Config
from experiments.deepdream.data import Data, photographs_of
from experiments.deepdream.dreaming import Item, dreams, goal_of, noise, settings_of
from experiments.deepdream.goals import Network, of_classes, to_pixels
from experiments.deepdream.layers import LAYERS, SCORES
from experiments.deepdream.measures import correlation, magnified, means
from experiments.deepdream.network import posterior
from experiments.deepdream.octaves import dream
from lib.ops.resize import zoomed
from lib.pretrained.classes import CLASSES
from lib.run.keys import purpose
from lib.run.loop import train_on_host
from lib.run.result import Result
from lib.run.watch import Watch


def classes(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """From noise towards a class's score, with and without the prior of natural images."""
    network = data.network
    settings = settings_of(config, iterations=config.class_iterations)
    items = {}
    for name in config.classes:
        goal = of_classes(SCORES, [CLASSES[name]])
        for arm, power in (("prior", config.coarse), ("plain", 0.0)):
            items[f"{name} {arm}"] = Item(
                (config.class_size,) * 2, goal, settings._replace(coarse=power), name
            )
    dreamt = dreams("classes", network, items, keys, watch)

    def share(arm: str, judge: Network) -> list[float]:
        hits = []
        for name in config.classes:
            five = [
                np.argsort(-posterior(judge, to_pixels(network, x)))[:5]
                for x in dreamt.images[f"{name} {arm}"]
            ]
            hits.append([float(CLASSES[name] in top) for top in five])
        return means(hits)

    prior, plain = share("prior", data.judge), share("plain", data.judge)
    metrics = {
        "classes_found": prior,
        "classes_found_plain": plain,
        "classes_prior_gain": np.subtract(prior, plain).tolist(),
        "classes_own": share("prior", network),
        "judged_by_another": float(data.judge.name != network.name),
    }
    arrays = {"classes": np.array(config.classes)}
    for i, name in enumerate(config.classes):
        for arm in ("prior", "plain"):
            arrays[f"class_{arm}_{i}"] = to_pixels(network, dreamt.images[f"{name} {arm}"][0])
    return Result(metrics, {"classes": dreamt.rows}, arrays)


def zoom(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """From noise, each frame a dream of the one before, magnified."""
    network = data.network
    shape = next(iter(photographs_of(config, data).values())).shape[:2]
    goal, settings = goal_of(network, LAYERS[network.name].default), settings_of(config)
    begins = np.stack([noise(network, purpose(key, "zoom noise"), shape) for key in keys])
    state = {"frames": np.zeros((config.frames, *begins.shape), np.float32)}

    def chunk(state, done, length):
        del length
        frames, curves = np.array(state["frames"]), []
        for i, key in enumerate(keys):
            begin = zoomed(frames[done - 1, i], config.zoom) if done else begins[i]
            key = jax.random.fold_in(purpose(key, "zoom"), done)
            frame = dream(network, np.asarray(begin, np.float32), goal, key, settings)
            frames[done, i] = frame.image
            curves.append(float(frame.curve[-1, 1]))
        return {"frames": frames}, {"objective": curves}

    trained = train_on_host(
        f"zoom-{network.name}", state, chunk, steps=config.frames, every=1, watch=watch
    )
    frames = np.asarray(trained.state["frames"])
    follows, old = [], []
    for i in range(len(keys)):
        mine = frames[:, i]
        pairs = zip(mine[:-1], mine[1:], strict=True)
        follows.append(np.mean([correlation(zoomed(a, config.zoom), b) for a, b in pairs]))
        old.append(correlation(magnified(mine[0], config.zoom, config.frames - 1), mine[-1]))
    metrics = {"zoom_follows": [float(x) for x in follows], "zoom_old": [float(x) for x in old]}
    rows = [{"step": row["step"], "objective": row["objective"]} for row in trained.history]
    shown = {"zoom_frames": np.stack([to_pixels(network, frame) for frame in frames[:, 0]])}
    return Result(metrics, {"zoom": rows}, shown)
