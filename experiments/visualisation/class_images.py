"""Simonyan's Figure 1, and what each of Yosinski's four regularisers does to it."""

import jax
import numpy as np

from experiments.visualisation import maps
from experiments.visualisation.ascent import Rules, ascend, roughness
from experiments.visualisation.config import Config
from experiments.visualisation.data import Data, classifier
from lib.ops.resize import resize
from lib.pretrained.classes import CLASSES
from lib.run.keys import purpose
from lib.run.loop import train_on_host
from lib.run.result import Result
from lib.run.watch import Watch

ARMS = {
    "none": Rules(),
    "probability": Rules(probability=1.0),
    "decay": Rules(decay=0.05),
    "blur": Rules(blur=1.0),
    "norm": Rules(small_norm=0.5),
    "contribution": Rules(small_contribution=0.5),
    "together": Rules(decay=0.01, blur=0.8, small_norm=0.1, small_contribution=0.1),
}
"""Each but "together" differs from "none" in one thing. The paper's four mixtures: blur 0.5 with half of the
norms; decay 0.3 with a fifth; blur 1.0 with decay 0.0001; blur 0.5 with 0.9 of the contributions."""
NOISE = 10.0
"""Of what one begins with, about the mean image, in levels of 255: seeds differ in it alone."""


def class_images(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """For each class and arm the image that raises the score most, and what another network sees in it."""
    logits, params = classifier(data.network)
    mean = np.asarray(data.network.network.mean, np.float32)
    labels = np.array([CLASSES[name] for name in config.classes], np.int32)
    side = config.class_side
    scores = jax.jit(logits)
    judge, judge_params = classifier(data.judge)

    def judged(images) -> np.ndarray:
        """What the other network says of images at its own size: `[n, 1000]`."""
        shape = (data.judge.network.side,) * 2
        seen = np.stack([np.clip(resize(np.rint(x), shape), 0, 255) for x in images])
        return maps.probabilities(judge, judge_params, seen, batch=len(seen))

    shape = (len(labels), side, side, 3)
    noises = [np.asarray(jax.random.normal(purpose(key, "class images"), shape)) for key in keys]
    begins = [mean + NOISE * noise for noise in noises]

    def climb(state, done, length):
        """All classes of one arm."""
        del length
        arm, rules = list(ARMS.items())[done]
        settings = {"mean": mean, "steps": config.class_steps}
        made = [ascend(logits, params, begin, labels, rules, **settings) for begin in begins]
        return {**state, arm: np.stack(made)}, {}

    nothing = {arm: np.zeros((len(keys), *shape), np.float32) for arm in ARMS}
    climbed = train_on_host("class-images", nothing, climb, steps=len(ARMS), every=1, watch=watch)

    metrics: dict[str, list[float]] = {}
    arrays = {"class_names": np.array(config.classes)}
    for i in range(len(keys)):
        for arm in ARMS:
            images = climbed.state[arm][i]
            own = np.asarray(scores(params, images))[np.arange(len(labels)), labels]
            p = judged(images)
            five = np.argsort(-p, axis=1)[:, :5]
            row = {
                "rough": np.mean([roughness(image) for image in images]),
                "score": own.mean(),
                "sure": p[np.arange(len(labels)), labels].mean(),
                "found": np.mean([label in top for label, top in zip(labels, five, strict=True)]),
            }
            for name, number in row.items():
                metrics.setdefault(f"class_{name}_{arm}", []).append(float(number))
            if i == 0:
                arrays[f"class_{arm}"] = np.clip(images + 0.5, 0, 255).astype(np.uint8)

    def of(name: str) -> np.ndarray:
        return np.array(metrics[f"class_{name}"])

    metrics["class_found_gain"] = (of("found_together") - of("found_none")).tolist()
    metrics["class_rough_left"] = (of("rough_blur") / of("rough_none")).tolist()
    metrics["class_score_left"] = (of("score_probability") / of("score_none")).tolist()
    metrics["class_judged_by_another"] = float(data.judge.network.name != data.network.network.name)
    return Result(metrics, arrays=arrays)
