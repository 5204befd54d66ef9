"""The papers, in the order in which it happens: networks, one step, transfer, least change, rubbish, data."""

from collections.abc import Sequence

import jax

from experiments.adversarial.config import Config
from experiments.adversarial.data import Data, load_data
from experiments.adversarial.least_change import lbfgs
from experiments.adversarial.photographs import panda
from experiments.adversarial.rubbish import evolution, rubbish
from experiments.adversarial.signs import fgsm, transfer
from experiments.adversarial.training import more_data, training
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
    return run_parts(load_paper("experiments.adversarial"), config, key, data, watch, only)


PARTS = {
    "training": training,
    "fgsm": fgsm,
    "transfer": transfer,
    "lbfgs": lbfgs,
    "rubbish": rubbish,
    "evolution": evolution,
    "more_data": more_data,
    "panda": panda,
}
