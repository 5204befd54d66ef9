"""The deformable paper, in the order in which it happens: digits, scenes, where the taps go."""

from collections.abc import Mapping, Sequence

import jax

from experiments.deformable import dense, digits
from experiments.deformable.config import Config
from experiments.deformable.data import Data, load_data
from experiments.deformable.dense import table_1, table_2, table_3
from experiments.deformable.detection import detection
from experiments.deformable.digits import fine_tuning, scaled_digits, turned_digits
from experiments.deformable.fields import receptive_field
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
    """Everything the paper claims, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.deformable"), config, key, data, watch, only)


def table_4(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """What each network costs: of no seed, and nothing is trained."""
    return Result(digits.costs(config) | dense.costs(config))


PARTS = {
    "scaled_digits": scaled_digits,
    "turned_digits": turned_digits,
    "fine_tuning": fine_tuning,
    "table_1": table_1,
    "table_3": table_3,
    "table_2": table_2,
    "detection": detection,
    "table_4": table_4,
    "receptive_field": receptive_field,
}
