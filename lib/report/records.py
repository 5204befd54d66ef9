"""Records: what is kept of runs, part by part, from wherever each was computed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.base.errors import UserError
from lib.base.files import flat, read_json, reading
from lib.run.claims import judge, summarise, values_of
from lib.run.paper import PRESETS, Paper

ABOUT = ("seeds", "device", "versions", "date", "seconds", "command", "data", "bounds", "together")
"""What a record knows of each computation of a part. `together`: the parts that `seconds` is of, where it
is not of this one alone; no `seconds` were kept of runs that were resumed before parts were."""
SAME = 1e-3
"""Relative difference up to which a number of no seed counts as the same on another device."""


@dataclass(frozen=True)
class Segment:
    """One computation of a part: some seeds, on one machine.

    Attributes:
      source: where it was read, for messages.
      about: `seeds`, `device`, `versions`, `date`, `seconds`, `command`, `data` and `bounds`.
      metrics: summaries (see `lib.run.claims.summarise`).
    """

    part: str
    source: str
    about: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]


def make_record(
    paper: Paper, preset: str, config: Mapping[str, Any], segments: Sequence[Segment]
) -> dict[str, Any]:
    """The record of parts of one config.

    Seeds of a part that were computed apart stand one after another. A seed that is there twice with
    the same numbers counts once.

    Args:
      config: as `Paper.identity` gives it.

    Raises:
      UserError: a part is there twice with different numbers, or its metrics differ (code 2).
    """
    parts, metrics = {}, {}
    for name in paper.parts:
        if ours := [segment for segment in segments if segment.part == name]:
            parts[name], merged = _merge(ours)
            metrics |= {metric: {"part": name, **values} for metric, values in merged.items()}
    ordered = {"paper": paper.name, "preset": preset, "config": dict(config)}
    ordered["overrides"] = overrides(paper, preset, config)
    ordered["seeds"] = sorted(
        {seed for runs in parts.values() for r in runs for seed in r["seeds"]}
    )
    ordered |= {"parts": parts, "metrics": metrics}
    ordered["claims"] = judged(paper, ordered)
    return ordered


def judged(paper: Paper, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of today's claims for a record's numbers."""
    data, bounds = {}, {}
    for name, runs in record["parts"].items():
        data[name] = [words for run in runs for words in run["data"]]
        for run in runs:
            for claim, bound in run["bounds"].items():
                bounds.setdefault(claim, []).append(bound)
    return judge(paper.claims, record["metrics"], record["preset"], data, bounds)


def overrides(paper: Paper, preset: str, config: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Fields that are not the preset's: name -> [value here, value of the preset]."""
    here, there = flat(dict(config)), flat(plain(paper.identity(paper.presets[preset])))
    names = [name for name in there if here.get(name) != there[name]]
    return {name: [here.get(name), there[name]] for name in names}


def plain(values: Any) -> Any:
    """`values` as JSON would give them back."""
    if isinstance(values, Mapping):
        return {name: plain(value) for name, value in values.items()}
    return [plain(v) for v in values] if isinstance(values, (list, tuple)) else values


def _merge(segments: Sequence[Segment]) -> tuple[list[dict], dict[str, dict]]:
    """Of one part: `(what is known of each computation, summaries over all seeds)`."""
    first = segments[0]
    blocks: dict[int, dict[str, list[float]]] = {}
    constants: dict[str, float] = {}
    owner: dict[int, Segment] = {}
    for segment in segments:
        where = f"{segment.part}: {segment.source} and {first.source}"
        if other := segment.metrics.keys() ^ first.metrics.keys():
            raise UserError(f"{where} do not have the same metrics ({min(other)})", 2)
        for name, metric in segment.metrics.items():
            if "value" in metric:
                (value,) = values_of(metric)
                kept = constants.setdefault(name, value)
                time = name.startswith("seconds_")
                if not (time or math.isclose(kept, value, rel_tol=SAME, abs_tol=1e-6)):
                    raise UserError(f"{where} have different numbers ({name}: {value}, {kept})", 2)
        for i, seed in enumerate(segment.about["seeds"]):
            mine = {
                n: _block(m, i, segment) for n, m in segment.metrics.items() if "value" not in m
            }
            if seed not in owner:
                owner[seed], blocks[seed] = segment, mine
                continue
            where = f"{segment.part}, seed {seed}: {segment.source} and {owner[seed].source}"
            for name, values in mine.items():
                if [*map(str, values)] != [*map(str, blocks[seed][name])]:
                    kept = blocks[seed][name][0]
                    raise UserError(
                        f"{where} have different numbers ({name}: {values[0]:g}, {kept:g})", 2
                    )
    ordered = sorted(blocks)
    runs = []
    for segment in segments:
        seeds = [seed for seed in ordered if owner[seed] is segment]
        if seeds:
            known = {key: segment.about[key] for key in ABOUT if key in segment.about}
            runs.append({**known, "seeds": seeds})
    runs.sort(key=lambda run: run["seeds"])
    merged = {
        name: summarise(
            constants[name] if name in constants else [v for s in ordered for v in blocks[s][name]]
        )
        for name in first.metrics
    }
    return runs, merged


def _block(metric: Mapping[str, Any], i: int, segment: Segment) -> list[float]:
    values, seeds = values_of(metric), len(segment.about["seeds"])
    each = len(values) // seeds
    return values[i * each : (i + 1) * each]


def segments_of(record: Mapping[str, Any], source: str) -> list[Segment]:
    """The computations that a record was made of, each with its own numbers."""
    segments = []
    for name, runs in record["parts"].items():
        ordered = sorted(seed for run in runs for seed in run["seeds"])
        metrics = {m: v for m, v in record["metrics"].items() if v["part"] == name}
        for run in runs:
            own = {}
            for metric, known in metrics.items():
                values = values_of(known)
                if "value" not in known:
                    each = len(values) // len(ordered)
                    at = [ordered.index(seed) * each for seed in run["seeds"]]
                    values = [v for start in at for v in values[start : start + each]]
                own[metric] = summarise(values[0] if "value" in known else values)
            segments.append(Segment(name, source, run, own))
    return segments


def read_record(path: Path, paper: Paper) -> dict[str, Any]:
    """A record of `paper`, checked as a whole before any of it is used.

    Raises:
      UserError: it is missing, damaged, or another paper's; the line names the file.
    """
    record = read_json(path)
    with reading(path):
        if record["paper"] != paper.name:
            raise UserError(f"{path} is of {record['paper']!r}, not of {paper.name}", 2)
        if record["preset"] not in PRESETS:
            raise ValueError(f"the preset {record['preset']!r} is none of {', '.join(PRESETS)}")
        dict.items(record["config"]), dict.items(record["overrides"])
        for name, runs in dict.items(record["parts"]):
            for run in runs:
                check_about(run)
            seeds = [seed for run in runs for seed in run["seeds"]]
            if not runs or len(set(seeds)) < len(seeds):
                raise ValueError(f"the part {name} has the seeds {seeds}")
        for name, metric in dict.items(record["metrics"]):
            seeds = sum(len(run["seeds"]) for run in record["parts"][metric["part"]])
            check_metric(name, metric, seeds)
        for row in record["claims"]:
            (row["id"], row["verdict"], row["why"], row["ours"], row["n"])
    return record


def check_about(run: Mapping[str, Any]) -> None:
    """Raises KeyError, TypeError or ValueError if what is known of a computation is not whole."""
    for seed in run["seeds"]:
        if type(seed) is not int:
            raise ValueError(f"a seed is {seed!r}")
    for name in ("versions", "seconds", "bounds"):
        dict.items(run[name])
    sum(float(seconds) for seconds in run["seconds"].values())
    for words in run["data"]:
        (words["name"], words["split"], words["real"])
    for name in ("device", "date", "command"):
        str.strip(run[name])


def check_metric(name: str, metric: Mapping[str, Any], seeds: int) -> None:
    """Raises KeyError, TypeError or ValueError if a metric's summary is not one over `seeds` seeds."""
    values = values_of(metric)
    if "per_seed" in metric:
        (metric["mean"], metric["std"])
        if not isinstance(metric["per_seed"], list) or not values or len(values) % seeds:
            raise ValueError(f"{name} has {len(values)} values for {seeds} seeds")
