"""Checkpoints of one training: atomic (Orbax), verified by content, the last few kept."""

import hashlib
import itertools
import logging
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

PyTree = Any


def digest(tree: PyTree) -> str:
    """SHA-256 over the paths, dtypes, shapes and bytes of a tree's leaves."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        sha.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array))
    return sha.hexdigest()


def _without_empty(tree: PyTree) -> PyTree:
    """`tree` with a zero for each array without elements, which Orbax does not take."""
    return jax.tree.map(lambda x: np.zeros(1, x.dtype) if np.size(x) == 0 else x, tree)


def _print_unraisable(unraisable) -> None:
    # When one of several reads or writes fails, the others report to a loop that is gone.
    if "Event loop is closed" not in str(unraisable.exc_value):
        sys.__unraisablehook__(unraisable)


class Checkpoints:
    """The checkpoints of one training in `folder`, made by the run that `owner` identifies.

    A checkpoint is written under a temporary name and renamed when complete. It carries its owner
    and a digest of its content; one that is damaged or another run's is put aside under a name that
    says so, never used and never deleted.
    """

    def __init__(self, folder: Path, owner: str, keep: int = 3):
        # What Orbax, its event loop and TensorStore print about a damaged file or a full disk, our
        # one line says.
        for name in ("absl", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        sys.unraisablehook = _print_unraisable
        self._folder, self._owner = Path(folder).absolute(), owner
        self._folder.mkdir(parents=True, exist_ok=True)
        alone = ocp.options.MultiprocessingOptions(
            primary_host=0, active_processes={0}, barrier_sync_key_prefix="process-0"
        )
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep,
                enable_async_checkpointing=False,
                cleanup_tmp_directories=True,
                create=False,  # Orbax would wait for all processes
                multiprocessing_options=alone,
            ),
        )

    def save(self, step: int, state: PyTree) -> None:
        """Writes `state` as step `step`; raises OSError when the disk does not take it."""
        about = {"owner": self._owner, "sha256": digest(state)}
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(_without_empty(state)), about=ocp.args.JsonSave(about)
            ),
            force=True,  # or Orbax may decide, in silence, that it is not worth saving
        )

    def steps(self) -> list[int]:
        """The steps there are, ascending."""
        return sorted(self._manager.all_steps())

    def newest(self, like: PyTree, recorded: Container[int]) -> tuple[int, PyTree, list[str]]:
        """The newest sound checkpoint's `(step, state)`, and a line for each that was put aside.

        `like` gives structure, shapes and dtypes; it is what comes back, with step 0, when there is
        no sound checkpoint. Of the steps that are not `recorded` the history is lost: a run
        continued from there would lack it.
        """
        aside = []
        for step in reversed(self.steps()):
            kind, why, state = "unrecorded", "metrics.jsonl lacks its row", None
            if step in recorded:
                kind, why, state = self._read(step, like)
            if state is not None:
                return step, state, aside
            folder = self._folder / str(step)
            names = (folder.with_name(f"{kind}-{step}.{i}") for i in itertools.count())
            folder.rename(next(name for name in names if not name.exists()))
            aside.append(f"checkpoint {folder} is {kind} ({why}): put aside, not used")
            self._manager.reload()  # it keeps the steps in mind, and would not save this one anew
        return 0, like, aside

    def _read(self, step: int, like: PyTree) -> tuple[str, str, PyTree | None]:
        try:
            about = self._manager.restore(
                step, args=ocp.args.Composite(about=ocp.args.JsonRestore())
            )["about"]
            if about["owner"] != self._owner:
                return "foreign", "another run's", None
            state = self._manager.restore(
                step, args=ocp.args.Composite(state=ocp.args.StandardRestore(_without_empty(like)))
            )["state"]
            state = jax.tree.map(lambda x, kept: x if np.size(x) == 0 else kept, like, state)
            if digest(state) != about["sha256"]:
                return "damaged", "its content does not match its digest", None
            return "", "", state
        # Whatever Orbax and TensorStore raise on damaged files: their types are not documented.
        except Exception as error:  # noqa: BLE001
            why = str(error).strip() or type(error).__name__
            return "damaged", why.splitlines()[0][:120], None
