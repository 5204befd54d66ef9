"""The parts of a paper, computed one after another: each once, from what those before it left."""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from lib.run.paper import Paper, Part
from lib.run.precision import products
from lib.run.result import Result
from lib.run.watch import Watch

Compute = Callable[[Any, jax.Array, Any, Watch, Mapping[str, Result]], Result]
"""`part(config, keys [n], data, watch, results of the parts it needs) -> Result`."""


def run_parts(
    paper: Paper,
    config: Any,
    keys: jax.Array,
    data: Any,
    watch: Watch | None = None,
    only: Sequence[str] = (),
) -> Result:
    """What the parts find together.

    Args:
      keys: one root key, or `[n]` of them: a replica each.
      data: what the paper's `load_data` returned; its `about` describes it, by the names that
        `Part.data` has.
      only: these parts and those that they need; without any, those that `config` asks for.
    """
    watch, keys = watch or Watch(), jnp.atleast_1d(keys)
    compute: Mapping[str, Compute] = paper.module("experiment").PARTS
    results: dict[str, Result] = {}
    for name in paper.chosen(config, only):
        part = paper.parts[name]
        result = watch.finished(name)
        if result is None:
            watch.part_begins(name)
            needs = {other: results[other] for other in part.needs}
            with products(config.precision):
                result = compute[name](config, keys, data, watch, needs)
            about = [words for source in part.data for words in data.about[source]]
            result = checked(name, part, replace(result, data=_once(about)), len(keys))
            watch.part_ends(name, result)
        results[name] = result
    return functools.reduce(operator.or_, results.values())


def checked(name: str, part: Part, result: Result, seeds: int) -> Result:
    """`result`, if it is what `part` declares. Raises ValueError: that is a mistake in the experiment."""
    for metric, values in result.metrics.items():
        if not part.makes(metric):
            raise ValueError(f"the part {name} made {metric}, which its metrics do not declare")
        if not isinstance(values, (int, float)) and (not len(values) or len(values) % seeds):
            raise ValueError(f"{metric} has {len(values)} values for {seeds} seeds")
    return result


def _once(items: Sequence[Any]) -> list[Any]:
    return [item for i, item in enumerate(items) if item not in items[:i]]
