"""A run's folder: config, metrics, checkpoints; and what to do about Ctrl-C and bad numbers."""

import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lib.errors import UserError
from lib.run.checkpoints import Checkpoints
from lib.run.files import disk_errors, flat, read_json, write_atomically, write_json
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
        signal.signal(signal.SIGINT, self._on_sigint)
        self._saved_at = time.monotonic()
        pause = 0.1 if sys.stderr.isatty() else 15.0
        self._bar = tqdm(
            total=steps, initial=done, desc=training, unit="step", mininterval=pause, leave=True
        )
        if done >= steps:
            self.close()

    def chunk(self, training: str, step: int, state: PyTree, row: Row, *, last: bool) -> None:
        due = time.monotonic() - self._saved_at >= self._every
        saving = last or due or self._interrupted
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
        self._bar.update(step - self._bar.n)
        if saving:
            with disk_errors(
                f"checkpoint {step} of {training} could not be written to {self._folder}; "
                f"last good one: {self._last_good[training] or 'none yet'}"
            ):
                self._checkpoints[training].save(step, state)
            self._last_good[training] = step
            self._saved_at = time.monotonic()
        if self._interrupted:
            raise UserError(
                f"interrupted; {training} is saved at step {step}. Continue: {self._again}",
                INTERRUPTED,
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

    def _on_sigint(self, number, frame):
        self._interrupted = True  # seen at the chunk's end

    def close(self) -> None:
        """Ends what `began`: Ctrl-C raises KeyboardInterrupt again, the bar's line ends."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextlib.contextmanager
def answer_interrupts(again: str) -> Iterator[None]:
    """The first Ctrl-C is acknowledged, a second one ends the process, both at once.

    Python runs its signal handlers between two of its own instructions, and one call into XLA can
    compile or compute for minutes; but the system's byte on the wake-up pipe comes without delay.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def listen():
        interrupts = 0
        while received := os.read(reading, 1):
            if received[0] != signal.SIGINT:
                continue
            interrupts += 1
            if interrupts == 1:
                line = "interrupted: leaving when what is under way is saved"
                tqdm.write(f"{line} (Ctrl-C again to leave at once)", file=sys.stderr)
            else:
                tqdm.write(f"left at once. Continue: {again}", file=sys.stderr)
                os._exit(INTERRUPTED)
        os.close(reading)

    threading.Thread(target=listen, daemon=True).start()
    signal.set_wakeup_fd(writing)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        os.close(writing)


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
    kept, asked = flat(kept), flat(asked)
    for name in sorted(kept.keys() | asked.keys()):
        if kept.get(name) != asked.get(name):
            raise UserError(
                f"{folder} holds another run: its {name} is {kept.get(name)!r}, "
                f"not {asked.get(name)!r}",
                2,
            )


def _read_rows(path: Path) -> dict[str, list[Row]]:
    """Rows by training, up to the first that is torn: a kill may leave such a last line."""
    history: dict[str, list[Row]] = {}
    for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            history.setdefault(row["training"], []).append(row)
        except (ValueError, KeyError, TypeError):
            break
    return history


def _tensorboard(folder: Path):
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))
