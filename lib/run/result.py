"""What a run found, and the record that is kept of it."""

import dataclasses
import io
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lib.run.claims import Claim, judge, summarise
from lib.run.files import read_json, reading, write_atomically

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy")


@dataclass(frozen=True)
class Result:
    """What `run(config, key, data)` returns; all on the host.

    Attributes:
      metrics: name -> values, one a replica (a seed's own replicas included).
      history: name of a training -> its rows (see `lib.run.loop.Trained`).
      arrays: name -> what the figures draw.
      data: descriptions of the datasets used (`Dataset.describe()`).
      weights: name -> (parameters of a trained network, what to know of it), kept as files.
    """

    metrics: Mapping[str, Sequence[float]]
    history: Mapping[str, list[dict]] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    data: Sequence[Mapping[str, Any]] = ()
    weights: Mapping[str, tuple[Any, Mapping[str, str]]] = field(default_factory=dict)

    def __or__(self, other: "Result") -> "Result":
        """Both results; their names must differ."""
        ours, theirs = vars(self), vars(other)
        merged = {}
        for name in ("metrics", "history", "arrays", "weights"):
            twice = ours[name].keys() & theirs[name].keys()
            if twice:
                raise ValueError(f"both results have the {name} {', '.join(sorted(twice))}")
            merged[name] = {**ours[name], **theirs[name]}
        data = list(self.data) + [d for d in other.data if d not in self.data]
        return Result(**merged, data=data)


def record(
    result: Result,
    *,
    paper: str,
    preset: str,
    config: Any,
    seeds: Sequence[int],
    claims: Sequence[Claim],
    device: str,
    seconds: Mapping[str, float],
    command: str,
) -> dict[str, Any]:
    """The record (`result.json`) of a run."""
    metrics = {name: summarise(values) for name, values in result.metrics.items()}
    versions = {p: version(p) for p in PACKAGES} | {"python": platform.python_version()}
    return {
        "paper": paper,
        "preset": preset,
        "config": as_json(config),
        "seeds": list(seeds),
        "data": list(result.data),
        "metrics": metrics,
        "claims": judge(claims, metrics, preset, result.data),
        "device": device,
        "versions": versions,
        "seconds": {k: round(v, 1) for k, v in seconds.items()},
        "command": command,
    }


def as_json(config: Any) -> dict[str, Any]:
    """A frozen dataclass as plain JSON values (tuples become lists)."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes `arrays` as one .npz, atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def load_result(run: Path) -> Result:
    """Reads a finished run's folder back; raises UserError if it is not one."""
    found = read_json(run / "result.json")
    with reading(run / "result.json"):
        metrics = {name: m["per_seed"] for name, m in found["metrics"].items()}
        data = found["data"]
    history: dict[str, list[dict]] = {}
    with reading(run / "metrics.jsonl"):
        for line in (run / "metrics.jsonl").read_text().splitlines():
            row = json.loads(line)
            history.setdefault(row["training"], []).append(row)
    with reading(run / "arrays.npz"), np.load(run / "arrays.npz") as arrays:
        return Result(metrics, history, dict(arrays), data)
