"""What a run tells the outside world, and nothing more.

An experiment's parts are pure; whatever touches the disk, the terminal or a signal is a `Watch`. The
one here does nothing and is the default, for notebooks and tests; `lib.run.recorder.Recorder` keeps a
run's folder.
"""

from pathlib import Path
from typing import Any

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
