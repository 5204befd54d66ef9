"""A replay memory on the host: a ring of single frames, from which histories are rebuilt.

The same memory as in `replay`, for frames too many for a device: in NumPy, and in files if wanted.
"""

import math
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lib.base.errors import UserError
from lib.base.files import disk_errors, reading
from lib.base.memory import free_memory


class Batch(NamedTuple):
    """n transitions; the last axis of an observation goes from the oldest frame to the newest."""

    observation: np.ndarray
    """uint8 `[n, *shape, history]`; frames from before the episode began are zeros."""
    action: np.ndarray
    """int32 `[n]`."""
    reward: np.ndarray
    """float32 `[n]`, as it was given."""
    terminal: np.ndarray
    """bool `[n]`."""
    next_observation: np.ndarray
    """uint8 `[n, *shape, history]`; where `terminal`, of the next episode."""


class FrameMemory:
    """The last `rows` time steps of `envs` games (Mnih et al., 2015, Methods: N = 1 million).

    Row t holds the frame observed at time t, whether it begins an episode, the action taken on it
    and what that brought; the next observation ends at row t + 1. A frame is stored once, though it
    is part of several histories. With `folder` the rows are files there, and a folder that has them
    goes on where it ended, the next row beginning new episodes: no emulator outlives its process.

    `rows` is at least `history` + 2, else ValueError. Raises UserError if the folder cannot be
    written, lacks the space, or holds something damaged or of another size.
    """

    def __init__(
        self,
        rows: int,
        envs: int,
        history: int,
        shape: tuple[int, int] = (84, 84),
        folder: Path | None = None,
    ):
        if history < 1 or rows < history + 2:
            raise ValueError(f"{rows} rows hold no transition with a history of {history}")
        # `added` comes last in a flush too: it must never promise rows that aren't there.
        layout = _layout(rows, envs, shape) | {"added": ((1,), np.int64)}
        if folder is None:
            self._rings = {name: np.zeros(*ring) for name, ring in layout.items()}
        else:
            if not folder.is_dir() or not any(folder.iterdir()):
                _create(folder, layout)
            self._rings = {name: _open(folder, name, *ring) for name, ring in layout.items()}
        self._rows, self._envs, self._history = rows, envs, history
        self.begin_anew()

    @property
    def added(self) -> int:
        """Rows ever written."""
        return int(self._rings["added"][0])

    def __len__(self) -> int:
        """Rows held."""
        return min(self.added, self._rows)

    def begin_anew(self) -> None:
        """Lets the next row begin new episodes, whatever its `first` says."""
        self._anew = True

    def add(self, frames, first, action, reward, terminal) -> None:
        """Writes a row, over the oldest when the ring is full.

        `frames` uint8 `[envs, *shape]`, `first` bool, `action` int32, `reward` float32, `terminal`
        bool `[envs]`. Raises ValueError for other shapes, or frames that are not uint8.
        """
        row = {"frames": frames, "first": np.asarray(first, bool) | self._anew}
        row |= {"action": action, "reward": reward, "terminal": terminal}
        for name, values in row.items():
            row[name] = values = np.asarray(values)
            if values.shape != self._rings[name].shape[1:]:
                raise ValueError(f"{name}: {values.shape}, not {self._rings[name].shape[1:]}")
        if row["frames"].dtype != np.uint8:
            raise ValueError(f"frames are {row['frames'].dtype}, not uint8")
        at = self.added % self._rows
        for name, values in row.items():
            self._rings[name][at] = values
        self._anew = False
        # Last, so that a row that a killed process left half written doesn't count.
        self._rings["added"][0] += 1

    def sample(self, rng: np.random.Generator, n: int) -> Batch:
        """`n` transitions with replacement, uniform over all valid ones.

        Those are valid whose history is held and whose next frame is known or, the row being
        terminal, not needed: not the newest row, nor one after which a game was cut or begun anew.
        Raises ValueError if there is none.
        """
        oldest, end = self._whole()
        time, env = np.zeros((2, n), np.int64)
        wanted = np.ones(n, bool)
        while wanted.any():
            k = np.count_nonzero(wanted)
            time[wanted] = rng.integers(oldest, end, k)
            env[wanted] = rng.integers(self._envs, size=k)
            wanted = ~self._valid(time, env)
            if wanted.all() and not self._any_valid():
                raise ValueError(f"no valid transition in {len(self)} rows")
        return self._at(time, env)

    def newest(self, n: int) -> Batch:
        """The last `n` valid transitions of game 0, in order, for learning without replay.

        Raises ValueError if there are fewer.
        """
        oldest, end = self._whole()
        span = n
        while True:
            time = np.arange(max(oldest, end - span), end)
            time = time[self._valid(time, 0)]
            if len(time) >= n:
                return self._at(time[len(time) - n :], np.zeros(n, np.int64))
            if span >= end - oldest:
                raise ValueError(f"{len(time)} valid transitions, not {n}")
            span *= 2

    def flush(self) -> None:
        """Waits until the rows are on the disk, if they are files."""
        for ring in self._rings.values():
            if isinstance(ring, np.memmap):
                ring.flush()

    def close(self) -> None:
        """Flushes and lets go of the arrays; nothing works afterwards."""
        self.flush()
        self._rings = {}

    def _whole(self) -> tuple[int, int]:
        """Times (rows counted from the first ever) `oldest ... end - 1` have history and next row.

        Raises ValueError if there are none.
        """
        added = self.added
        # The row that the next one replaces counts as lost: it may be half written already, by a
        # process that was killed. Before time 0 there is nothing to lose: row 0 begins episodes.
        oldest = added - self._rows + self._history if added >= self._rows else 0
        if added - 1 <= oldest:
            raise ValueError(f"no valid transition in {len(self)} rows")
        return oldest, added - 1

    def _valid(self, time: np.ndarray, env: np.ndarray | int) -> np.ndarray:
        """Whether a transition's next frame is the same episode's, or isn't needed."""
        terminal, first = self._rings["terminal"], self._rings["first"]
        return terminal[time % self._rows, env] | ~first[(time + 1) % self._rows, env]

    def _any_valid(self) -> bool:
        time = np.arange(*self._whole())
        return any(self._valid(time, env).any() for env in range(self._envs))

    def _at(self, time: np.ndarray, env: np.ndarray) -> Batch:
        rings, row = self._rings, time % self._rows
        spread = (time[:, None] + np.arange(1 - self._history, 2)) % self._rows
        frames = rings["frames"][spread, env[:, None]]
        first = rings["first"][spread, env[:, None]]
        # In this order: what is no part of an observation is none of the next one either.
        return Batch(
            _of_one_episode(frames[:, :-1], first[:, :-1]),
            rings["action"][row, env],
            rings["reward"][row, env],
            rings["terminal"][row, env],
            _of_one_episode(frames[:, 1:], first[:, 1:]),
        )


def _of_one_episode(frames: np.ndarray, first: np.ndarray) -> np.ndarray:
    """`[n, history, *shape]` -> `[n, *shape, history]`, with zeros for earlier episodes' frames.

    These become zeros in `frames` too: they are few, and to multiply all by a mask takes longest here.
    """
    later = np.cumsum(first[:, ::-1], axis=1)[:, ::-1] - first  # beginnings after each frame
    frames[later > 0] = 0
    return np.stack(list(frames.swapaxes(0, 1)), axis=-1)  # three times as fast as a transpose


def _layout(rows: int, envs: int, shape: tuple[int, int]) -> dict[str, tuple]:
    """Shape and type of each ring."""
    kinds = {"first": bool, "action": np.int32, "reward": np.float32, "terminal": bool}
    frames = {"frames": ((rows, envs, *shape), np.uint8)}
    return frames | {name: ((rows, envs), kind) for name, kind in kinds.items()}


def _create(folder: Path, layout: dict[str, tuple]) -> None:
    """Makes `folder` with files of zeros: all of them, or none and UserError (code 2)."""
    part = folder.with_name(f".{folder.name}.part")
    with disk_errors(f"cannot make room for the replay memory in {folder}", code=2):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            for name, (shape, kind) in layout.items():
                path = part / f"{name}.npy"
                np.lib.format.open_memmap(path, "w+", kind, shape)
                # The file is sparse: a disk that filled up later would end the process by a signal.
                if hasattr(os, "posix_fallocate"):
                    with path.open("r+b") as file:
                        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            part.replace(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _open(folder: Path, name: str, shape: tuple[int, ...], kind: type) -> np.memmap:
    with reading(folder / f"{name}.npy"):
        # "r+" alone would lengthen a file that is too short; "r" refuses it.
        for mode in ("r", "r+"):
            ring = np.lib.format.open_memmap(folder / f"{name}.npy", mode)
    if (ring.shape, ring.dtype) != (shape, np.dtype(kind)):
        raise UserError(f"{folder} holds a replay memory of another size ({name}: {ring.shape})", 2)
    return ring


def bytes_needed(rows: int, envs: int, shape: tuple[int, int] = (84, 84)) -> int:
    """Of memory or disk, for a `FrameMemory` of that size."""
    rings = _layout(rows, envs, shape).values()
    return sum(math.prod(size) * np.dtype(kind).itemsize for size, kind in rings)


def check_memory(bytes_: int, frames: int) -> None:
    """Raises UserError (code 2) if `bytes_`, for `frames` frames, is more than is free.

    Where the system doesn't tell what is, nothing is checked.
    """
    free = free_memory()
    if free is not None and bytes_ > free:
        needs, has = bytes_ / 2**30, free / 2**30
        raise UserError(
            f"the replay memory needs {needs:.1f} GiB ({frames} frames), this machine has "
            f"{has:.1f} GiB free: use a smaller --replay",
            2,
        )
