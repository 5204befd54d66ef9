"""What a run tells the outside world, and nothing more.

An experiment's parts are pure; whatever touches the disk, the terminal or a signal is a `Watch`. The
first here does nothing and is the default, the second shows how far a computation is, for notebooks;
`lib.run.recorder.Recorder` also keeps a run's folder.
"""

from pathlib import Path
from typing import Any

from tqdm import tqdm

from lib.run.result import Result

PyTree = Any
Row = dict[str, Any]


class Watch:
    """Sees nothing, restores nothing."""

    def finished(self, part: str) -> Result | None:
        """The result of a part that was computed before."""
        return None

    def part_begins(self, part: str) -> None:
        """A part's computation begins."""

    def part_ends(self, part: str, result: Result) -> None:
        """... and has ended."""

    def restore(self, training: str, state: PyTree) -> tuple[int, PyTree, list[Row]]:
        """`(steps done, state, history)` to continue from; `state` is the one at step 0."""
        del training
        return 0, state, []

    def began(self, training: str, done: int, steps: int) -> None:
        """A training starts at step `done` of `steps`."""

    def chunk(self, training: str, step: int, state: PyTree, row: Row, *, last: bool) -> None:
        """`state` after `step` steps; `row` has the chunk's mean metrics, lists over seeds."""

    def folder(self, training: str) -> Path | None:
        """Where `training` may keep what is too large for a checkpoint, for good; None: nowhere."""
        return None

    def non_finite(self, training: str, step: int, metric: str) -> None:
        """Raises: update `step` (counted from 1) made `metric` non-finite."""
        raise FloatingPointError(f"{training}: {metric} is not finite at step {step}")


class Bars(Watch):
    """Names each part that begins, and draws a bar for each training.

    Args:
      seconds: at least this long between two drawings of a bar.
    """

    def __init__(self, seconds: float = 0.2):
        self._bar, self._pause = None, seconds

    def part_begins(self, part: str) -> None:
        print(f"{part} ...", flush=True)

    def began(self, training: str, done: int, steps: int) -> None:
        self._bar = tqdm(
            total=steps, initial=done, desc=training, unit="step", mininterval=self._pause
        )
        if done >= steps:
            self.close()

    def chunk(self, training: str, step: int, state: PyTree, row: Row, *, last: bool) -> None:
        self._bar.update(step - self._bar.n)
        if last:
            self.close()

    def close(self) -> None:
        """Ends the line of what `began`."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
