"""Which pixels of a photograph a pretrained network's class depends on: two maps, and what they find."""

from collections.abc import Mapping

import jax
import numpy as np

from experiments.visualisation import maps
from experiments.visualisation.config import Config
from experiments.visualisation.data import Data, classifier
from lib.ops.resize import resize
from lib.run.keys import purpose
from lib.run.result import Result
from lib.run.watch import Watch


def saliency(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """What is lost of the likeliest class when the most salient cells are hidden, and as many at random."""
    logits, params = classifier(data.network)
    arrays, salient, at_random = {"photographs": np.array(list(data.photographs))}, [], []
    for i, (name, pixels) in enumerate(data.photographs.items()):
        image = pixels.astype(np.float32)
        before = maps.probabilities(logits, params, image[None])[0]
        label = int(before.argmax())
        slopes = maps.saliency(logits, params, image, label)
        by_cell = maps.cells(slopes, config.cell)
        count = max(1, round(config.share * by_cell.size))
        order = np.argsort(-by_cell.ravel())

        def mask(chosen, shape=by_cell.shape):
            hides = np.zeros(shape, bool)
            hides.ravel()[chosen] = True
            return hides

        choices = [order[:count]]
        for key in keys:
            shuffled = jax.random.permutation(purpose(key, f"cells {name}"), by_cell.size)
            choices.append(np.asarray(shuffled)[:count])
        images = np.stack([maps.hidden(image, mask(c), config.cell) for c in choices])
        after = maps.probabilities(logits, params, images)[:, label]
        lost = 1 - after / before[label]
        salient.append(float(lost[0]))
        at_random.append(lost[1:].tolist())
        arrays |= {f"image_{i}": pixels, f"saliency_{i}": slopes}
        arrays |= {f"label_{i}": np.array(label), f"sure_{i}": np.array(before[label])}
    lost_random = np.mean(at_random, axis=0)
    metrics = {
        "saliency_lost": float(np.mean(salient)),
        "saliency_lost_random": lost_random.tolist(),
        "saliency_gain": (np.mean(salient) - lost_random).tolist(),
    }
    return Result(metrics, arrays=arrays)


def occlusion(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """The fall of the likeliest class under a grey square, and whether saliency finds the same places."""
    logits, params = classifier(data.network)
    before = needs["saliency"].arrays
    arrays, falls, occlusions, salient = {}, [], [], []
    for i, pixels in enumerate(data.photographs.values()):
        image, label = pixels.astype(np.float32), int(before[f"label_{i}"])
        fall = maps.occlusion(logits, params, image, label, side=config.square, grid=config.grid)
        falls.append(float(fall.max() / before[f"sure_{i}"]))
        shrunk = resize(before[f"saliency_{i}"].astype(np.float32), (config.grid, config.grid))
        occlusions.append(fall)
        salient.append(shrunk)
        arrays[f"occlusion_{i}"] = fall
    table = np.array([[maps.rank_correlation(a, b) for b in salient] for a in occlusions])
    own = float(np.mean(np.diag(table)))
    others = float(table[~np.eye(len(table), dtype=bool)].mean())
    metrics = {
        "occlusion_falls": float(np.mean(falls)),
        "occlusion_own": own,
        "occlusion_others": others,
        "occlusion_agreement": own - others,
    }
    return Result(metrics, arrays=arrays)
