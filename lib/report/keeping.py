"""What is kept of runs: their parts merged into one record, and the figures that these allow."""

import dataclasses
import functools
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lib.base.errors import UserError
from lib.base.files import disk_errors, flat, read_json, reading, write_json
from lib.base.words import read_options
from lib.report.records import Segment, make_record, plain, read_record, segments_of
from lib.run.folder import different, owner_of
from lib.run.paper import PRESETS, Paper
from lib.run.recorder import check_segment
from lib.run.result import Result, load_part


@dataclasses.dataclass(frozen=True)
class Keep:
    """What to keep, and under which name."""

    variant: str | None = None
    """Keep it beside the preset's own record, as <preset>-<variant>."""


def keep(paper: Paper, words: Sequence[str]) -> None:
    """`keep RUN... [--variant NAME]`: RUN is a run's folder, or a record that was kept before.

    Raises:
      UserError: a run is not of this paper, damaged, or does not go with the others.
    """
    from lib.report.tables import write_readmes

    runs = []
    words = list(words)
    while words and not words[0].startswith("-"):
        runs.append(Path(words.pop(0)))
    if not runs or words[:1] in (["--help"], ["-h"]):
        raise UserError(f"usage: python -m {paper.package} keep RUN... [--variant NAME]", 2)
    variant = read_options(Keep, words, prog="keep", description="").variant
    if variant is not None and not re.fullmatch(r"[\w.]+(-[\w.]+)*", variant):
        raise UserError(f"--variant {variant!r} is not made of letters, digits, _ and -", 2)
    if "site-packages" in paper.folder.parts:
        raise UserError(f"{paper.folder} is an installed copy: keep records in a checkout", 2)
    preset, config, segments = gather(paper, runs)
    record = make_record(paper, preset, config, segments)
    name = preset if variant is None else f"{preset}-{variant}"
    with disk_errors(f"cannot write to {paper.results}"):
        paper.results.mkdir(exist_ok=True)
        write_json(paper.results / f"{name}.json", record)
        folders = [run for run in runs if run.is_dir()]
        complete = {
            part
            for part, computed in record["parts"].items()
            if {s for r in computed for s in r["seeds"]} <= seeds_of(folders, part)
        }
        results = {n: r for n, r in read_results(folders).items() if n in complete}
        for _ in draw(paper, results, paper.results, f"{name}-"):
            pass
    write_readmes(paper)
    print(f"kept as {paper.results / name}.json; READMEs rendered")


def gather(paper: Paper, runs: Sequence[Path]) -> tuple[str, dict, list[Segment]]:
    """`(preset, config, computations)` of runs and records of one config.

    Raises:
      UserError: one of them has another config (code 2), or is damaged.
    """
    first, segments = None, []
    for run in runs:
        if run.is_dir() or run.suffix != ".json":
            identity, ours = read_run(paper, run)
        else:
            identity = read_record(run, paper)
            ours = segments_of(identity, str(run))
        here = plain({"preset": identity["preset"], "config": identity["config"]})
        first = first or here
        if name := different(flat(here), flat(first)):
            mine, theirs = flat(here).get(name), flat(first).get(name)
            raise UserError(
                f"{run} is of another config than {runs[0]}: its {name} is {mine!r}, not {theirs!r}",
                2,
            )
        segments += ours
    return first["preset"], first["config"], segments


def read_run(paper: Paper, run: Path) -> tuple[dict[str, Any], list[Segment]]:
    """`(config.json, the finished parts)` of a run's folder; raises UserError if it is not one."""
    identity = read_json(run / "config.json")
    with reading(run / "config.json"):
        if identity["paper"] != paper.name:
            raise UserError(f"{run} is a run of {identity['paper']}, not of {paper.name}", 2)
        if identity["preset"] not in PRESETS:
            raise ValueError(f"the preset {identity['preset']!r} is none of {', '.join(PRESETS)}")
        dict.items(identity["config"])
    segments = []
    for folder in finished(run):
        about = read_json(folder / "result.json")
        with reading(folder / "result.json"):
            check_segment(about, owner_of(identity))
            segments.append(Segment(folder.name, str(run), about, about["metrics"]))
    if not segments:
        raise UserError(f"{run} has no finished part", 2)
    return identity, segments


def finished(run: Path) -> list[Path]:
    """The folders of a run's finished parts; what begins with a dot is none, a link is another run's."""
    parts = (run / "parts").glob("[!.]*")
    return sorted(path for path in parts if path.is_dir() and not path.is_symlink())


def seeds_of(runs: Sequence[Path], part: str) -> set[int]:
    """The seeds of a part that these runs' folders hold."""
    files = [run / "parts" / part / "result.json" for run in runs]
    return {seed for file in files if file.exists() for seed in read_json(file)["seeds"]}


def read_results(runs: Sequence[Path]) -> dict[str, Result]:
    """The parts' results, each over the seeds of all runs, in the order of the seeds."""
    computed: dict[str, list[tuple[list[int], Result]]] = {}
    for run in runs:
        for folder in finished(run):
            result, about = load_part(folder)
            computed.setdefault(folder.name, []).append((about["seeds"], result))
    return {name: _together(results) for name, results in computed.items()}


def _together(results: Sequence[tuple[list[int], Result]]) -> Result:
    """Results of one part for different seeds as one; of a seed that is there twice, the first."""
    where = {}
    for i, (seeds, _) in enumerate(results):
        for j, seed in enumerate(seeds):
            where.setdefault(seed, (i, j))
    ordered = [where[seed] for seed in sorted(where)]

    def join(pick: Callable[[Result], Any]) -> Any:
        values = [pick(result) for _, result in results]
        if not isinstance(values[0], list):
            return values[0]
        each = [len(v) // len(seeds) for v, (seeds, _) in zip(values, results, strict=True)]
        return [x for i, j in ordered for x in values[i][j * each[i] : (j + 1) * each[i]]]

    first = results[ordered[0][0]][1]
    metrics = {name: join(lambda r, n=name: r.metrics[n]) for name in first.metrics}
    history = {
        name: [
            {key: join(lambda r, n=name, i=i, k=key: r.history[n][i][k]) for key in row}
            for i, row in enumerate(rows[: min(len(r.history[name]) for _, r in results)])
        ]
        for name, rows in first.history.items()
    }
    return Result(metrics, history, first.arrays, first.data)


def draw(
    paper: Paper, results: Mapping[str, Result], folder: Path, prefix: str = ""
) -> Iterator[Path]:
    """Draws every figure that `results`, by part, allow, as `folder/<prefix><name>.png`."""
    allowed = {}
    for name, figure in paper.module("figures").FIGURES.items():
        there = [results[part] for part in figure.parts if part in results]
        if there and (figure.any_of or len(there) == len(figure.parts)):
            allowed[name] = figure, there
    if allowed:
        import matplotlib  # a second that a run without figures does not wait

        matplotlib.use("Agg")
        from lib.plots.style import save
    for name, (figure, there) in allowed.items():
        drawn = figure.draw(functools.reduce(operator.or_, there))
        if drawn is not None:
            path = folder / f"{prefix}{name}.png"
            save(drawn, path)
            yield path
