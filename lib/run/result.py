"""What a part found, and the folder that keeps it."""

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lib.base.files import read_json, reading, write_atomically, write_json
from lib.base.weights import load_weights, save_weights
from lib.run.claims import summarise, values_of


@dataclass(frozen=True)
class Result:
    """What a part, or several together, found; all on the host.

    Attributes:
      metrics: name -> values, as many for each seed (a seed's own replicas included), or one number
        that belongs to no seed. A name that begins with "seconds_" is a time, which no run repeats.
      history: name of a training -> its rows (see `lib.run.loop.Trained`).
      arrays: name -> what the figures draw, of the first seed.
      data: descriptions of the datasets used (`Dataset.describe()`).
      weights: name -> (parameters of a trained network with a leading axis over seeds, what to know of
        it), kept as files.
    """

    metrics: Mapping[str, float | Sequence[float]]
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


def first_seed(params: Any) -> Any:
    """The first seed's parameters, of those of `Result.weights`."""
    if isinstance(params, Mapping):
        return {name: first_seed(inside) for name, inside in params.items()}
    return np.asarray(params[0])


def save_part(folder: Path, result: Result, about: Mapping[str, Any]) -> None:
    """Writes a part's result into a folder that is whole or absent.

    `about` becomes its `result.json`, with the metrics in it.

    Raises:
      OSError: the disk refuses.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    metrics = {name: summarise(values) for name, values in result.metrics.items()}
    write_json(temporary / "result.json", {**about, "metrics": metrics, "data": list(result.data)})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **result.arrays)
    write_atomically(temporary / "arrays.npz", buffer.getvalue())
    rows = [[name, row] for name, rows in result.history.items() for row in rows]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(temporary / "history.jsonl", text.encode())
    for name, (params, words) in result.weights.items():
        save_weights(temporary / f"weights-{name}.safetensors", params, words)
    temporary.rename(folder)


def load_part(folder: Path) -> tuple[Result, dict[str, Any]]:
    """`(result, its result.json)` as `save_part` was given them.

    Raises:
      UserError: a file is missing or damaged; the line names it.
    """
    about = read_json(folder / "result.json")
    with reading(folder / "result.json"):
        metrics = {
            name: values_of(m) if "per_seed" in m else float(m["value"])
            for name, m in about["metrics"].items()
        }
        data = list(about["data"])
    history: dict[str, list[dict]] = {}
    with reading(folder / "history.jsonl"):
        for line in (folder / "history.jsonl").read_text().splitlines():
            name, row = json.loads(line)
            history.setdefault(name, []).append(dict(row))
    path = folder / "arrays.npz"
    with reading(path), path.open("rb") as file, np.load(file) as kept:
        arrays = dict(kept)
    files = sorted(folder.glob("weights-*.safetensors"))
    weights = {f.stem.removeprefix("weights-"): load_weights(f) for f in files}
    return Result(metrics, history, arrays, data, weights), about
