"""Several processes, here or on many hosts, that compute one run: `jax.distributed`.

All do the same, step by step; XLA's collectives join what they compute. Process 0 alone writes, and
decides what depends on more than numbers: what is resumed, when to leave. A process that dies takes the
others with it, within seconds.
"""

import contextlib
import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from lib.base.errors import UserError
from lib.base.signals import Stop, Stopped
from lib.base.streams import printable

BEAT = 1.0
"""Seconds between two signs of life."""
PATIENCE = 15.0
"""Without one for so long a process counts as dead."""
START = 120
"""Seconds within which all must have come."""
END = 3600
"""... and, at the end, for process 0 to draw its figures."""
GONE = 1
"""The exit code of those that another one's death ends."""


@dataclass(frozen=True)
class Team:
    """`process` of `processes`, which meet at `coordinator`; None: SLURM tells."""

    coordinator: str | None
    processes: int
    process: int

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes."""
        return self.process == 0

    def __str__(self) -> str:
        return f"process {self.process} of {self.processes}"


def team_of(coordinator: str | None, processes: int | None, process: int | None) -> Team | None:
    """The team that the options name, or SLURM's step; None: this process is alone.

    Raises:
      UserError: one option without the others, or an impossible one (code 2).
    """
    given = (coordinator, processes, process)
    if given == (None, None, None):
        tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
        if tasks == 1 or "SLURM_STEP_NODELIST" not in os.environ:
            return None
        return Team(None, tasks, int(os.environ["SLURM_PROCID"]))
    if None in given:
        raise UserError("--coordinator, --processes and --process go together", 2)
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise UserError(f"--coordinator {coordinator}: not of the form HOST:PORT", 2)
    if processes < 1:
        raise UserError(f"--processes must be at least 1, not {processes}", 2)
    if not 0 <= process < processes:
        raise UserError(f"--process must be from 0 to {processes - 1}, not {process}", 2)
    return Team(*given) if processes > 1 else None


def join(team: Team, name: str) -> "Members":
    """Meets the others, before JAX starts; `name` begins what is said of them.

    If they have not all come in time this process ends, with one line and code 1.
    """
    # What C++ logs of a dead process, our one line says.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import jax

    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM from us
    # When its own time is up JAX aborts the process, and prints a stack.
    about = {"initialization_timeout": 2 * START, "shutdown_timeout_seconds": END}
    if team.coordinator is not None:
        about |= {
            "coordinator_address": team.coordinator,
            "num_processes": team.processes,
            "process_id": team.process,
            "cluster_detection_method": "deactivate",
        }
    where = team.coordinator or "SLURM's first host"
    line = f"{team}: not all have come to {where} within {START} seconds"
    late = threading.Timer(START, _end, (name, line, GONE))
    late.daemon = True
    late.start()
    try:
        jax.distributed.initialize(**about, heartbeat_timeout_seconds=10 * int(PATIENCE))
    except Exception as error:  # gRPC's, as various types
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        _end(name, f"{team}: they do not meet at {where} ({why})", GONE)
    late.cancel()
    return Members(team, name)


class Members:
    """What processes that have met do together, and how they end."""

    def __init__(self, team: Team, name: str):
        # JAX has no public way to its own store of keys and values, which Orbax uses as well.
        from jax._src.distributed import global_state

        self.team, self._name, self._store = team, name, global_state.client
        self._ending, self._said = threading.Event(), threading.Lock()
        threading.Thread(target=self._watch_over, daemon=True).start()

    def __enter__(self) -> "Members":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self.finish()
        elif isinstance(error, UserError):
            self.end(str(error), error.code)
        elif isinstance(error, KeyboardInterrupt):
            self.end("interrupted", 130)
        elif why := _of_another(error):
            self.lost(f"another process is gone ({why})")
        else:
            traceback.print_exception(error)
            self.end(f"{self.team} ends", 1)

    def asked(self, number: int) -> int:
        """The greatest of the numbers that all give."""
        import numpy as np
        from jax.experimental.multihost_utils import process_allgather

        return int(process_allgather(np.int32(number)).max())

    def decided(self, function: Callable[..., Any], *args, **named) -> Any:
        """What `function` returns in process 0, or the UserError that it raises there: in all."""
        kind, value = "returned", None
        if self.team.leads:
            try:
                value = function(*args, **named)
            except UserError as error:
                kind, value = "raised", (str(error), error.code)
        kind, value = self._told((kind, value))
        if kind == "raised":
            raise UserError(*value)
        return value

    def _told(self, value: Any) -> Any:
        """Process 0's `value`, in all."""
        import numpy as np
        from jax.experimental.multihost_utils import broadcast_one_to_all

        content = pickle.dumps(value) if self.team.leads else b""
        length = int(broadcast_one_to_all(np.int32(len(content))))
        # One program for all lengths up to a power of two.
        buffer = np.zeros(2 ** max(12, (length - 1).bit_length()), np.uint8)
        buffer[: len(content)] = np.frombuffer(content, np.uint8)
        return pickle.loads(broadcast_one_to_all(buffer)[:length].tobytes())

    def finish(self) -> None:
        """Waits for all to come to their end, and parts from them."""
        import jax

        self._ending.set()
        with contextlib.suppress(Exception):  # process 0 may be gone already, as it may
            jax.distributed.shutdown()

    def end(self, line: str, code: int) -> None:
        """Ends this process at once, with one line: whoever waits for it will notice."""
        self._said.acquire()
        _end(self._name, line, code)

    def lost(self, why: str) -> None:
        """Ends this process, as another one has died."""
        self.end(f"{self.team}: {why}; add --resume to all to go on from what was saved", GONE)

    def _watch_over(self) -> None:
        """Gives a sign of life, looks for those of the others."""
        seen: dict[str, tuple[str, float]] = {}
        beat = 0
        while not self._ending.is_set():
            beat += 1
            try:
                me = f"beat/{self.team.process}"
                self._store.key_value_set(me, str(beat), allow_overwrite=True)
                now, beats = time.monotonic(), self._store.key_value_dir_get("beat/")
            except Exception:  # whatever gRPC raises
                if not self._ending.wait(2 * BEAT):
                    self.lost("process 0 is gone")
                return
            for name, value in beats:
                if seen.get(name, ("", 0))[0] != value:
                    seen[name] = value, now
                elif now - seen[name][1] > PATIENCE:
                    self.lost(f"process {name.rpartition('/')[2]} is gone")
            self._ending.wait(BEAT)


class PatientStop(Stop):
    """One that no signal makes leave but at the end of a chunk or of a part, as all leave together."""

    training = property(lambda self: True, lambda self, value: None)


class Together:
    """The watch (see `lib.run.watch`) of each process of several: process 0's decides.

    Args:
      watch: process 0's own; None elsewhere.
      stop: has this process been asked to leave? Then all leave.
    """

    def __init__(self, members: Members, watch: Any, stop: PatientStop):
        self._members, self._watch, self._stop = members, watch, stop

    def _decided(self, method: str, *args, **named) -> Any:
        return self._members.decided(getattr(self._watch, method, None), *args, **named)

    def _agree(self) -> None:
        number = self._stop.asked.number if self._stop.asked else 0
        if number := self._members.asked(number):
            self._stop.asked = Stopped(number)

    def finished(self, part):
        return self._decided("finished", part)

    def part_begins(self, part):
        self._agree()
        self._decided("part_begins", part)

    def part_ends(self, part, result):
        self._decided("part_ends", part, result)

    def restore(self, training, state):
        return self._decided("restore", training, _on_host(state))

    def began(self, training, done, steps):
        self._decided("began", training, done, steps)

    def chunk(self, training, step, state, row, *, last):
        self._agree()
        self._decided("chunk", training, step, _on_host(state), row, last=last)

    def non_finite(self, training, step, metric):
        self._decided("non_finite", training, step, metric)

    def folder(self, training):
        raise UserError(f"{training} keeps a memory on the disk: one process only", 2)


def _end(name: str, line: str, code: int) -> None:
    # Python's own way out would wait for the others.
    sys.stdout.flush()
    tqdm.write(printable(f"{name}: {line}"), file=sys.stderr)
    sys.stderr.flush()
    os._exit(code)


def _of_another(error: BaseException) -> str | None:
    """What a collective says whose other end is gone: XLA raises it as several types."""
    why = (str(error).splitlines() or [""])[0][:200]
    return why if any(word in why for word in ("Gloo", "NCCL", "onnection")) else None


def _on_host(tree: Any) -> Any:
    import jax
    import numpy as np

    return jax.tree.map(lambda x: np.asarray(x) if isinstance(x, jax.Array) else x, tree)
