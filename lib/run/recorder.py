"""A run's folder: config, metrics, checkpoints; and what to do about Ctrl-C and bad numbers."""

import hashlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lib.errors import UserError
from lib.run.checkpoints import Checkpoints
from lib.run.files import disk_errors, read_json, write_atomically, write_json
from lib.run.watch import PyTree, Row, Watch

INTERRUPTED = 130


class Recorder(Watch):
    """Keeps `folder` for one run; see `lib.run.watch.Watch` for when its methods are called.

    Metrics reach the disk before the checkpoint of the same step does: what a kill leaves behind is
    a checkpoint whose history is complete, and at most some later rows, which `restore` drops.

    Args:
      folder: the run's folder, held by this process (`lib.run.files.only_writer`).
      identity: what decides the run's numbers (paper, preset, config, seeds); JSON values, checked
        against the folder by `check_folder`.
      resume: continue the run in `folder` instead of starting one.
      checkpoint_seconds: at least this long between two checkpoints of a training (the last one
        is always written).
      again: the command that continues this run, for messages.
      tensorboard: also write metrics for TensorBoard.
    """

    def __init__(
        self,
        folder: Path,
        identity: dict[str, Any],
        *,
        resume: bool = False,
        checkpoint_seconds: float = 30.0,
        again: str = "",
        tensorboard: bool = False,
    ):
        self._folder, self._again = Path(folder), again
        self._every, self._saved_at = checkpoint_seconds, 0.0
        self._owner = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self._checkpoints: dict[str, Checkpoints] = {}
        self._last_good: dict[str, int] = {}
        self._history: dict[str, list[Row]] = {}
        self._bar: tqdm | None = None
        self._interrupted = False
        self.resumed = resume
        if resume:
            self._history = _read_rows(self._folder / "metrics.jsonl")
        else:
            with disk_errors(f"cannot write to {self._folder}"):
                write_json(self._folder / "config.json", identity)
        self._board = _tensorboard(self._folder) if tensorboard else None

    def restore(self, training: str, state: PyTree) -> tuple[int, PyTree, list[Row]]:
        checkpoints = Checkpoints(self._folder / "checkpoints" / training, self._owner)
        self._checkpoints[training] = checkpoints
        done, state, aside = checkpoints.newest(state)
        for line in aside:
            self._say(line)
        self._last_good[training] = done
        rows = [row for row in self._history.get(training, []) if row["step"] <= done]
        self._history[training] = rows
        if (rows[-1]["step"] if rows else 0) != done:
            raise UserError(f"{self._folder / 'metrics.jsonl'} lacks rows up to step {done}")
        with disk_errors(f"cannot write to {self._folder}"):
            everything = [row for rows in self._history.values() for row in rows]
            text = "".join(json.dumps(row) + "\n" for row in everything)
            write_atomically(self._folder / "metrics.jsonl", text.encode())
        return done, state, list(rows)

    def began(self, training: str, done: int, steps: int) -> None:
        signal.signal(signal.SIGINT, self._on_sigint)
        self._saved_at = time.monotonic()
        pause = 0.1 if sys.stderr.isatty() else 15.0
        self._bar = tqdm(
            total=steps, initial=done, desc=training, unit="step", mininterval=pause, leave=True
        )
        if done >= steps:
            self._end()

    def chunk(self, training: str, step: int, state: PyTree, row: Row, *, last: bool) -> None:
        with disk_errors(f"cannot write to {self._folder}"):
            with (self._folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
        self._history[training].append(row)
        if self._board is not None:
            for name, values in row.items():
                if isinstance(values, list):
                    self._board.add_scalar(f"{training}/{name}", sum(values) / len(values), step)
        self._bar.update(step - self._bar.n)
        due = time.monotonic() - self._saved_at >= self._every
        if last or due or self._interrupted:
            with disk_errors(
                f"checkpoint {step} of {training} could not be written to {self._folder}; "
                f"the last good one is {self._last_good[training]}"
            ):
                self._checkpoints[training].save(step, state)
            self._last_good[training] = step
            self._saved_at = time.monotonic()
        if self._interrupted:
            self._end()
            raise UserError(
                f"interrupted; {training} is saved at step {step}. Continue: {self._again}",
                INTERRUPTED,
            )
        if last:
            self._end()

    def non_finite(self, training: str, step: int, metric: str) -> None:
        self._end()
        good = self._last_good[training]
        kept = self._folder / "checkpoints" / training / str(good)
        where = str(kept) if good else "none yet"
        raise UserError(
            f"{training}: {metric} is not finite at step {step}; last good checkpoint: {where}"
        )

    def _on_sigint(self, number, frame):
        if self._interrupted:  # a second Ctrl-C does not wait for the chunk's end
            raise KeyboardInterrupt
        self._interrupted = True
        self._say("interrupted: saving after the steps under way (Ctrl-C again to leave at once)")

    def _end(self):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _say(self, line):
        tqdm.write(line, file=sys.stderr)


def check_folder(folder: Path, identity: dict[str, Any], *, resume: bool) -> dict[str, Any]:
    """`identity` as JSON gives it back, if `folder` is fit for this run.

    Raises UserError (code 2) if a new run would write over another one, or a resumed one is not the
    run that the folder holds; the field that differs is named.
    """
    identity = json.loads(json.dumps(identity))
    config = folder / "config.json"
    if resume:
        _check_same(folder, read_json(config), identity)
    elif config.exists():
        raise UserError(
            f"{folder} holds a run already; add --resume to continue it, "
            "or name another folder with --out",
            2,
        )
    return identity


def _check_same(folder: Path, kept: dict, asked: dict) -> None:
    def flat(tree, prefix=""):
        for name, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    kept, asked = dict(flat(kept)), dict(flat(asked))
    for name in sorted(kept.keys() | asked.keys()):
        if kept.get(name) != asked.get(name):
            raise UserError(
                f"{folder} holds another run: its {name} is {kept.get(name)!r}, "
                f"not {asked.get(name)!r}",
                2,
            )


def _read_rows(path: Path) -> dict[str, list[Row]]:
    """Rows by training; a torn last line, which a kill may leave, is dropped."""
    history: dict[str, list[Row]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            break
        history.setdefault(row["training"], []).append(row)
    return history


def _tensorboard(folder: Path):
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise UserError(
            "--tensorboard needs one more package: pip install tensorboardX", 2
        ) from None
    return SummaryWriter(str(folder / "tensorboard"))
