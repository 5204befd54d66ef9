"""What is to be computed of a paper, a part and seed at a time, and what of it a folder holds already.

FOLDER/plan.json            what was asked for
FOLDER/sent.json            the jobs that were sent for each unit
FOLDER/units/PART-SEED/     a run's folder each
FOLDER/logs/PART-SEED.txt   what it said, of all its jobs
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lib.base.errors import UserError
from lib.base.files import read_json, reading, write_json
from lib.run.options import parse
from lib.run.paper import Paper, load_paper

OWN = ("--out", "--resume", "--coordinator", "--processes", "--process")
"""What a launcher decides by itself."""


@dataclass(frozen=True)
class Unit:
    """One part of one seed; `needs`: the parts of this seed that come before it."""

    part: str
    seed: int
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.part}-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """`words`: preset and fields, as typed. `settings`: how jobs are sent (see `lib.jobs.launch.Launch`)."""

    package: str
    words: tuple[str, ...]
    units: tuple[Unit, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def command(self, unit: Unit, folder: Path) -> list[str]:
        """What computes `unit`, or goes on with it."""
        run = folder / "units" / unit.name
        words = [sys.executable, "-m", self.package, *self.words]
        words += ["--only", unit.part, "--seed", str(unit.seed), "--out", str(run)]
        if minutes := self.settings.get("minutes"):
            # So long before the end a run begins to leave.
            words += ["--minutes", f"{max(minutes - 3, minutes / 2):g}"]
        return words + ["--resume"] * (run / "config.json").exists()


def make_plan(paper: Paper, words: Sequence[str], settings: dict[str, Any]) -> Plan:
    """The plan of a run's command line; raises UserError (code 2) for what cannot be."""
    for word in words:
        if word.split("=")[0] in OWN:
            raise UserError(f"{word.split('=')[0]} is for a run alone; a launcher decides it", 2)
    _, config, options = parse(paper, list(words))
    chosen = paper.chosen(config, options.only)
    before: dict[str, tuple[str, ...]] = {}
    for part in chosen:
        direct = paper.parts[part].needs
        every = {name for other in direct for name in (*before[other], other)}
        before[part] = tuple(name for name in chosen if name in every)
    units = tuple(
        Unit(part, seed, before[part])
        for part in chosen
        for seed in range(options.seed, options.seed + options.seeds)
    )
    return Plan(paper.package, tuple(_without(words)), units, settings)


def _without(words: Sequence[str]) -> list[str]:
    """`words` less --only, --seed and --seeds, which differ from unit to unit."""
    kept, dropping = [], 0
    for word in words:
        name, _, value = word.partition("=")
        if name in ("--seed", "--seeds"):
            dropping = 0 if value else 1
        elif name == "--only":
            dropping = 10**6
        elif dropping and not word.startswith("--"):
            dropping -= 1
        else:
            dropping = 0
            kept.append(word)
    return kept


def write_plan(plan: Plan, folder: Path) -> None:
    """Makes `folder`; raises UserError (code 2) if there is a plan in it already."""
    if (folder / "plan.json").exists():
        raise UserError(
            f"{folder} holds a plan already: launch --watch {folder} goes on with it", 2
        )
    for name in ("units", "logs", "jobs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_json(folder / "plan.json", asdict(plan))


def read_plan(folder: Path) -> tuple[Paper, Plan]:
    """`(paper, plan)` of a folder."""
    kept = read_json(folder / "plan.json")
    with reading(folder / "plan.json"):
        units = tuple(Unit(u["part"], u["seed"], tuple(u["needs"])) for u in kept["units"])
        plan = Plan(kept["package"], tuple(kept["words"]), units, dict(kept["settings"]))
    return load_paper(plan.package), plan


def is_done(unit: Unit, folder: Path) -> bool:
    """Whether its result is there."""
    return (folder / "units" / unit.name / "parts" / unit.part / "result.json").exists()


def link_needs(unit: Unit, folder: Path) -> None:
    """Shows a unit's run what it needs, in the runs that have computed it."""
    parts = folder / "units" / unit.name / "parts"
    for need in unit.needs:
        parts.mkdir(parents=True, exist_ok=True)
        if not (parts / need).exists():
            (parts / need).symlink_to(Path("../..") / f"{need}-{unit.seed}" / "parts" / need)


def bar_of(log: str) -> str:
    """Where a run is, by the last bar in its log: "adam 420/4000, 05:55 left"."""
    for line in reversed(re.split(r"[\r\n]", log[-4000:])):
        if match := re.match(r"([\w.-]+):.*?(\d+)/(\d+) \[[\d:]+<([\d:?]+)", line):
            name, done, steps, left = match.groups()
            return f"{name} {done}/{steps}" + ("" if "?" in left else f", {left} left")
    return ""


def last_line(log: str) -> str:
    """The last line that is not a bar."""
    lines = [line for line in re.split(r"[\r\n]", log[-4000:]) if line.strip()]
    return next((x.strip() for x in reversed(lines) if not re.match(r"[\w.-]+: +\d+%\|", x)), "")
