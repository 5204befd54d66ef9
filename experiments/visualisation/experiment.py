"""The papers, in the order in which it happens: saliency, occlusion, classes, a DeConvNet on digits."""

from collections.abc import Sequence

import jax

from experiments.visualisation.class_images import class_images
from experiments.visualisation.config import Config
from experiments.visualisation.data import Data, load_data
from experiments.visualisation.patches import deconvnet
from experiments.visualisation.sensitivity import occlusion, saliency
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
    only: Sequence[str] = (),
) -> Result:
    """Everything the papers claim, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.visualisation"), config, key, data, watch, only)


PARTS = {
    "saliency": saliency,
    "occlusion": occlusion,
    "class_images": class_images,
    "deconvnet": deconvnet,
}
