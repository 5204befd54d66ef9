"""DeepDream, in the order in which it happens: dreams, layers, dogs, guides, classes, zoom."""

from collections.abc import Callable, Collection

import jax

from experiments.deepdream.config import Config
from experiments.deepdream.data import Data, load_data
from experiments.deepdream.dogs import dogs
from experiments.deepdream.enhancement import layers, the_dream
from experiments.deepdream.from_noise import classes, zoom
from experiments.deepdream.guides import guided_dreams
from experiments.deepdream.imbalance import imbalance
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]


def run(
    config: Config,
    key: jax.Array,
    data: Data,
    watch: Watch | None = None,
    only: Collection[str] = (),
) -> Result:
    """What the parts find, or those in `only`. `key` is one root key, or `[n]` of them: a replica each."""
    return run_parts(load_paper("experiments.deepdream"), config, key, data, watch, tuple(only))


PARTS: dict[str, Callable[..., Result]] = {
    "dream": the_dream,
    "layers": layers,
    "dogs": dogs,
    "imbalance": imbalance,
    "guided": guided_dreams,
    "classes": classes,
    "zoom": zoom,
}
