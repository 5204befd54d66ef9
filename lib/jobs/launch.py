"""`launch`: a paper as jobs, a part and seed each, on a cluster or on this machine.

What is known is on the disk: any launcher may leave at any time, and another one comes back to it.
"""

import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lib.base.errors import UserError
from lib.base.files import only_writer, read_json, write_json
from lib.base.streams import printable
from lib.base.words import read_options
from lib.jobs.plan import (
    Plan,
    Unit,
    bar_of,
    is_done,
    last_line,
    link_needs,
    make_plan,
    read_plan,
    write_plan,
)
from lib.jobs.senders import Sender
from lib.run.paper import Paper, load_paper

AGAIN = 3
"""Times that a unit is sent again."""
SAVED = 75
"""The exit code of a run that left in time; that is no failure."""
USAGE = (
    "python -m experiments launch PAPER [PRESET] [--only PART ...] [--seeds N] [fields] --on here|slurm, "
    "or launch --watch FOLDER"
)


@dataclass(frozen=True)
class Launch:
    """How jobs are sent."""

    on: Literal["here", "slurm"] = "here"
    """Where: processes of this machine, or a cluster."""
    jobs: int = 2
    """At most so many at once, on this machine."""
    partition: Annotated[str | None, tyro.conf.arg(metavar="P")] = None
    """SLURM's."""
    account: Annotated[str | None, tyro.conf.arg(metavar="A")] = None
    """SLURM's."""
    gpus: int = 0
    """That each job gets, on SLURM."""
    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Cores that each job gets, on SLURM."""
    minutes: Annotated[int | None, tyro.conf.arg(metavar="M")] = None
    """A job's limit; what is not finished then is saved, and sent again."""
    folder: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Of all of it (default: runs/<paper>/launch-<time>)."""
    dry_run: bool = False
    """Print the commands, do nothing."""

    def __post_init__(self):
        if self.jobs < 1 or self.gpus < 0:
            raise ValueError("--jobs must be at least 1, --gpus at least 0")
        if self.minutes is not None and self.minutes < 1:
            raise ValueError(f"--minutes must be at least 1, not {self.minutes}")
        if self.on == "slurm" and self.minutes is None:
            raise ValueError("--on slurm needs --minutes, a job's limit")


def main(words: Sequence[str]) -> int:
    """Answers `launch ...`; returns the exit code."""
    words = list(words)
    if words[:1] == ["--watch"]:
        if len(words) != 2:
            raise UserError("usage: python -m experiments launch --watch FOLDER", 2)
        folder = Path(words[1])
        return follow(folder, *read_plan(folder))
    if not words or words[0].startswith("-"):
        raise UserError(f"usage: {USAGE}", 2)
    paper = _paper(words.pop(0))
    own, rest = _split(words)
    launch = read_options(Launch, own, prog="launch", description=USAGE)
    settings = {k: v for k, v in asdict(launch).items() if k not in ("folder", "dry_run")}
    plan = make_plan(paper, rest, settings)
    stamp = f"launch-{datetime.now():%Y%m%d-%H%M%S}"
    folder = (launch.folder or Path("runs") / paper.name / stamp).absolute()
    if launch.dry_run:
        for unit in plan.units:
            after = f"   # after {', '.join(unit.needs)}" if unit.needs else ""
            print(printable(shlex.join(plan.command(unit, folder)) + after))
        return 0
    sender = Sender(folder / "jobs", settings)
    if launch.on == "slurm":
        sender.executor()  # or refuse before anything is written
    write_plan(plan, folder)
    print(printable(f"{len(plan.units)} units in {folder}; this may be left and come back to:"))
    print(
        printable(f"  python -m experiments launch --watch {shlex.quote(str(folder))}"), flush=True
    )
    return follow(folder, paper, plan, sender)


def _paper(name: str) -> Paper:
    try:
        return load_paper(name if "." in name else f"experiments.{name}")
    except ModuleNotFoundError:
        raise UserError(f"no paper {name!r}; python -m experiments lists them", 2) from None


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The launcher's own words, and the run's."""
    kinds = {f"--{f.name.replace('_', '-')}": f.type is bool for f in fields(Launch)}
    own, rest, words = [], [], list(words)
    while words:
        word = words.pop(0)
        name = word.partition("=")[0].replace("_", "-")
        if name not in kinds and word not in ("--help", "-h"):
            rest.append(word)
            continue
        own.append(word)
        if name in kinds and not kinds[name] and "=" not in word and words:
            own.append(words.pop(0))
    return own, rest


@dataclass
class Row:
    """What the table says of a unit."""

    state: str
    said: str = ""


class Round:
    """Looks at every unit, and sends what is to be sent."""

    def __init__(self, folder: Path, plan: Plan, sender: Sender):
        self._folder, self._plan, self._sender = folder, plan, sender
        self._codes: dict[str, int | None] = {}

    def __call__(self) -> dict[str, Row]:
        """A row a unit; the states are waiting, running, done and failed."""
        sent = self._sent()
        rows = {unit.name: self._row(unit, sent.get(unit.name, [])) for unit in self._plan.units}
        busy = sum(row.state in ("running", "sent") for row in rows.values())
        here = self._plan.settings["on"] == "here"
        for unit in self._plan.units:
            row = rows[unit.name]
            before = [rows[f"{need}-{unit.seed}"].state for need in unit.needs]
            if row.state in ("waiting", "again") and "failed" in before:
                failed = next(n for n in unit.needs if rows[f"{n}-{unit.seed}"].state == "failed")
                rows[unit.name] = Row("failed", f"not begun: it needs {failed}")
            elif row.state in ("waiting", "again"):
                row.state = "waiting"
                ready = all(state == "done" for state in before)
                if ready and not (here and busy >= self._plan.settings["jobs"]):
                    self._send(unit, sent)
                    busy += 1
                    row.state = "sent"
        for row in rows.values():
            row.state = {"sent": "waiting"}.get(row.state, row.state)
        return rows

    def _sent(self) -> dict[str, list[str]]:
        path = self._folder / "sent.json"
        return read_json(path) if path.exists() else {}

    def _send(self, unit: Unit, sent: dict[str, list[str]]) -> None:
        link_needs(unit, self._folder)
        command = self._plan.command(unit, self._folder)
        number = self._sender.send(command, self._folder / "logs" / f"{unit.name}.txt")
        sent.setdefault(unit.name, []).append(number)
        write_json(self._folder / "sent.json", sent)

    def _row(self, unit: Unit, jobs: Sequence[str]) -> Row:
        if not jobs:
            return Row("done" if is_done(unit, self._folder) else "waiting")
        state, code = self._sender.state(jobs[-1])
        log = self._folder / "logs" / f"{unit.name}.txt"
        log = log.read_text(errors="replace") if log.exists() else ""
        if state == "running":
            return Row("running", bar_of(log))
        if state == "waiting":
            return Row("sent")
        if is_done(unit, self._folder):
            return Row("done")
        failures = sum(self._code(number) != SAVED for number in jobs)
        if code == 2 or failures > AGAIN:
            return Row("failed", last_line(log) or "killed without a word")
        return Row("again", f"sent {len(jobs)} times; {last_line(log)}")

    def _code(self, number: str) -> int | None:
        if number not in self._codes:
            self._codes[number] = self._sender.state(number)[1]
        return self._codes[number]


def follow(
    folder: Path,
    paper: Paper,
    plan: Plan,
    sender: Sender | None = None,
    *,
    pause: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Sends, shows and sends again until every unit is done or has failed; then merges.

    Raises:
      UserError: units have failed (code 1), or another launcher is at work in `folder` (code 2).
    """
    with only_writer(folder):
        look = Round(folder, plan, sender or Sender(folder / "jobs", plan.settings))
        table = Table()
        while True:
            rows = look()
            table.show(rows)
            if all(row.state in ("done", "failed") for row in rows.values()):
                break
            sleep(pause)
        merge(folder, paper, plan)
    failed = [name for name, row in rows.items() if row.state == "failed"]
    if failed:
        raise UserError(f"failed: {', '.join(failed)}; what they said is in {folder / 'logs'}")
    return 0


class Table:
    """Redraws itself on a terminal; elsewhere prints what has changed."""

    def __init__(self):
        self._live, self._lines, self._before = sys.stdout.isatty(), 0, {}

    def show(self, rows: dict[str, Row]) -> None:
        """A line a unit."""
        lines = {
            name: printable(f"{name:24} {row.state:8} {row.said}".rstrip())[:150]
            for name, row in rows.items()
        }
        if self._live:
            up = f"\x1b[{self._lines}A\x1b[J" if self._lines else ""
            shown = self._fitting(rows, lines)
            print(up + "\n".join(shown), flush=True)
            self._lines = len(shown)
            return
        for name, row in rows.items():
            if self._before.get(name) != row.state:
                print(lines[name], flush=True)
            self._before[name] = row.state

    def _fitting(self, rows: dict[str, Row], lines: dict[str, str]) -> list[str]:
        """As many lines as the terminal has, what is under way first, and a count of all."""
        columns, height = shutil.get_terminal_size()
        order = ("running", "failed", "waiting", "done")
        names = sorted(rows, key=lambda name: order.index(rows[name].state))[: max(height - 2, 0)]
        states = Counter(row.state for row in rows.values())
        count = ", ".join(f"{states[state]} {state}" for state in order)
        return [lines[n][: columns - 1] for n in rows if n in names] + [count[: columns - 1]]


def merge(folder: Path, paper: Paper, plan: Plan) -> None:
    """Every finished unit's result as one: result.json, figures, and the claims."""
    from lib.report.keeping import draw, gather, read_results
    from lib.report.records import make_record
    from lib.report.tables import claims_text

    runs = [folder / "units" / unit.name for unit in plan.units if is_done(unit, folder)]
    if not runs:
        return
    record = make_record(paper, *gather(paper, runs))
    write_json(folder / "result.json", record)
    (folder / "figures").mkdir(exist_ok=True)
    for path in draw(paper, read_results(runs), folder / "figures"):
        print(printable(f"figure: {path}"))
    print(claims_text(record["claims"]))
    print(printable(f"keep it: python -m {paper.package} keep {folder / 'units'}/*"))
