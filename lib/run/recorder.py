"""A run's folder: config, metrics, checkpoints, and the parts that are finished."""

import contextlib
import itertools
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lib.base.errors import UserError
from lib.base.files import disk_errors, read_json, reading, write_atomically, write_json
from lib.base.signals import Stop
from lib.base.weights import save_weights
from lib.report.records import check_about, check_metric
from lib.run.checkpoints import Checkpoints
from lib.run.folder import owner_of
from lib.run.result import Result, first_seed, load_part, save_part
from lib.run.watch import Bars, PyTree, Row

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy")


class Recorder(Bars):
    """Keeps `folder` for one run; see `lib.run.watch.Watch` for when its methods are called.

    Metrics reach the disk before the checkpoint of the same step does: what a kill leaves behind is
    a checkpoint whose history is complete, and at most some later rows, which `restore` drops. A part's
    folder appears under its name when it is whole.

    Args:
      folder: the run's folder, held by this process (`lib.base.files.only_writer`).
      identity: what decides the run's numbers (paper, preset, config, seeds); JSON values, checked
        against the folder by `check_folder`.
      about: for the parts' records: `device`, `command`, and `bounds`, the claims' by part.
      compiling: tells the seconds spent compiling so far.
      resume: continue the run in `folder` instead of starting one.
      checkpoint_seconds: at least this long between two checkpoints of a training (the last one
        is always written).
      again: the command that continues this run, for messages.
      stop: is asked whether to leave, at the end of each chunk and before each part.
      tensorboard: also write metrics for TensorBoard.
    """

    def __init__(
        self,
        folder: Path,
        identity: dict[str, Any],
        about: Mapping[str, Any],
        *,
        compiling: Callable[[], float] = lambda: 0.0,
        resume: bool = False,
        checkpoint_seconds: float = 30.0,
        again: str = "",
        stop: Stop | None = None,
        tensorboard: bool = False,
    ):
        super().__init__(seconds=0.1 if sys.stderr.isatty() else 15.0)
        self._folder, self._again = Path(folder), again
        self._identity, self._about = identity, about
        self._compiling, self._stop = compiling, stop or Stop()
        self._every, self._saved_at, self._chunk_at = checkpoint_seconds, 0.0, 0.0
        self._owner = owner_of(identity)
        self._checkpoints: dict[str, Checkpoints] = {}
        self._last_good: dict[str, int] = {}
        self._history: dict[str, list[Row]] = {}
        self._part, self._began = "", (0.0, 0.0)
        if resume:
            self._history = _read_rows(self._folder / "metrics.jsonl")
        else:
            with disk_errors(f"cannot write to {self._folder}"):
                write_json(self._folder / "config.json", identity)
        self._board = _tensorboard(self._folder) if tensorboard else None

    def finished(self, part: str) -> Result | None:
        folder = self._folder / "parts" / part
        if not folder.exists():
            return None
        try:
            result, about = load_part(folder)
            with reading(folder / "result.json"):
                check_segment(about, self._owner)
            return result
        except UserError as error:
            names = (folder.with_name(f".damaged-{part}.{i}") for i in itertools.count())
            aside = next(name for name in names if not name.exists())
            folder.rename(aside)
            tqdm.write(f"{error}: the part is put aside in {aside} and computed again", sys.stderr)
            return None

    def part_begins(self, part: str) -> None:
        if reason := self._stop.due(0):
            raise UserError(
                f"{reason.said}; {part} is not begun. Continue: {self._again}", reason.code
            )
        self._part, self._began = part, (time.monotonic(), self._compiling())

    def part_ends(self, part: str, result: Result) -> None:
        clock = self._save_clock()
        about = {"part": part, "owner": self._owner, "seeds": self._identity["seeds"]}
        about["device"] = ", then ".join(clock["devices"])
        about["versions"] = {p: version(p) for p in PACKAGES} | {
            "python": platform.python_version()
        }
        about |= {"date": date.today().isoformat(), "seconds": clock["seconds"]}
        about |= {"command": self._about["command"], "bounds": self._about["bounds"].get(part, {})}
        with disk_errors(f"cannot write to {self._folder}"):
            save_part(self._folder / "parts" / part, result, about)
        for name, (params, words) in result.weights.items():
            words = {**words, "command": self._about["command"]}
            path = self._folder / f"weights-{name}.safetensors"
            save_weights(path, first_seed(params), words)
        self._part = ""

    def _save_clock(self) -> dict[str, Any]:
        """Adds the time since it was last saved to the part's; returns the part's."""
        path = self._folder / "clock.json"
        try:
            clocks = dict(read_json(path))
        except (UserError, TypeError, ValueError):
            clocks = {}
        clock = clocks.setdefault(self._part, {"seconds": {"compile": 0, "run": 0}, "devices": []})
        now, compiling = time.monotonic(), self._compiling()
        spent = compiling - self._began[1]
        clock["seconds"]["compile"] = round(clock["seconds"]["compile"] + spent, 3)
        rest = now - self._began[0] - spent
        clock["seconds"]["run"] = round(clock["seconds"]["run"] + rest, 3)
        if self._about["device"] not in clock["devices"]:
            clock["devices"].append(self._about["device"])
        self._began = (now, compiling)
        with contextlib.suppress(OSError):  # a full disk is told by what matters
            write_json(path, clocks)
        return clock

    def restore(self, training: str, state: PyTree) -> tuple[int, PyTree, list[Row]]:
        checkpoints = Checkpoints(self._folder / "checkpoints" / training, self._owner)
        self._checkpoints[training] = checkpoints
        rows = self._history.get(training, [])
        with disk_errors(f"cannot write to {self._folder}"):
            done, state, aside = checkpoints.newest(state, {row["step"] for row in rows})
        for line in aside:
            tqdm.write(line, file=sys.stderr)
        self._last_good[training] = done
        self._history[training] = rows = [row for row in rows if row["step"] <= done]
        with disk_errors(f"cannot write to {self._folder}"):
            everything = [row for rows in self._history.values() for row in rows]
            text = "".join(json.dumps(row) + "\n" for row in everything)
            write_atomically(self._folder / "metrics.jsonl", text.encode())
        return done, state, list(rows)

    def began(self, training: str, done: int, steps: int) -> None:
        self._stop.training = True
        self._saved_at = self._chunk_at = time.monotonic()
        super().began(training, done, steps)

    def chunk(self, training: str, step: int, state: PyTree, row: Row, *, last: bool) -> None:
        now = time.monotonic()
        leaving = self._stop.due(now - self._chunk_at)
        self._chunk_at = now
        saving = last or now - self._saved_at >= self._every or leaving
        with disk_errors(f"cannot write to {self._folder}"):
            with (self._folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
                if saving:  # a checkpoint without its history is of no use
                    file.flush()
                    os.fsync(file.fileno())
        self._history[training].append(row)
        if self._board is not None:
            for name, values in row.items():
                if isinstance(values, list):
                    self._board.add_scalar(f"{training}/{name}", sum(values) / len(values), step)
        super().chunk(training, step, state, row, last=last)
        if saving:
            with disk_errors(
                f"checkpoint {step} of {training} could not be written to {self._folder}; "
                f"last good one: {self._last_good[training] or 'none yet'}"
            ):
                self._checkpoints[training].save(step, state)
            self._last_good[training] = step
            self._saved_at = time.monotonic()
            self._save_clock()
        if leaving:
            raise UserError(
                f"{leaving.said}; {training} is saved at step {step}. Continue: {self._again}",
                leaving.code,
            )
        if last:
            self.close()

    def folder(self, training: str) -> Path:
        return self._folder / "memory" / training

    def non_finite(self, training: str, step: int, metric: str) -> None:
        good = self._last_good[training]
        kept = self._folder / "checkpoints" / training / str(good)
        where = str(kept) if good else "none yet"
        raise UserError(
            f"{training}: {metric} is not finite at step {step}; last good checkpoint: {where}"
        )

    def close(self) -> None:
        """Ends what `began`: signals raise again, the bar's line ends."""
        self._stop.training = False
        super().close()

    def leave(self) -> None:
        """Ends the run, wherever it is."""
        self.close()
        if self._part:
            self._save_clock()


def check_segment(about: Mapping[str, Any], owner: str) -> None:
    """Raises KeyError, TypeError or ValueError if a part's `result.json` is not whole, or another run's."""
    check_about(about)
    if about["owner"] != owner:
        raise ValueError("another run's")
    for name, metric in about["metrics"].items():
        check_metric(name, metric, len(about["seeds"]))


def _read_rows(path: Path) -> dict[str, list[Row]]:
    """Rows by training, up to the first that is torn: a kill may leave such a last line."""
    history: dict[str, list[Row]] = {}
    text = ""
    if path.exists():
        with reading(path):
            text = path.read_text(errors="replace")
    for line in text.splitlines():
        try:
            row = json.loads(line)
            history.setdefault(row["training"], []).append(row)
        except (ValueError, KeyError, TypeError):
            break
    return history


def _tensorboard(folder: Path):
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))
