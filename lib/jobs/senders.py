"""Where jobs are computed: SLURM, or processes of this machine; both by submitit."""

import contextlib
import importlib.util
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from lib.base.errors import UserError

LONG = 60 * 24 * 365
"""Minutes; processes of this machine end when they are done."""


def work(command: list[str], log: str, environment: dict[str, str]) -> int:
    """A job: runs `command`, which adds what it says to `log`; returns its exit code."""
    with open(log, "ab") as file:
        env = os.environ | environment
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=env)
        Path(log).with_suffix(".pid").write_text(str(process.pid))
        return process.wait()


class Sender:
    """Sends jobs, and tells how they are.

    Args:
      folder: of submitit's own files.
      settings: see `lib.jobs.launch.Launch`.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]):
        if importlib.util.find_spec("submitit") is None:
            raise UserError("launch needs one more package: pip install submitit", 2)
        self._folder, self._settings = Path(folder), settings
        self._slurm = settings["on"] == "slurm"
        self._jobs: dict[str, Any] = {}

    def executor(self):
        """submitit's."""
        import submitit

        settings = self._settings
        if not self._slurm:
            executor = submitit.LocalExecutor(self._folder)
            executor.update_parameters(timeout_min=LONG)
            return executor
        try:
            executor = submitit.SlurmExecutor(self._folder)
        except RuntimeError as error:  # there is no srun
            raise UserError(f"--on slurm: {error}", 2) from None
        optional = {
            "partition": settings["partition"],
            "gpus_per_node": settings["gpus"] or None,
            "cpus_per_task": settings["cpus"],
            "account": settings["account"],
        }
        executor.update_parameters(
            job_name="deep-morning",
            time=settings["minutes"],
            **{name: value for name, value in optional.items() if value is not None},
        )
        return executor

    def send(self, command: list[str], log: Path) -> str:
        """The number of the job that runs `command`. It outlasts this process and its terminal."""
        # submitit empties CUDA_VISIBLE_DEVICES for processes of this machine.
        here = (
            {} if self._slurm else {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES")}
        )
        with _ignoring(signal.SIGINT, signal.SIGHUP):
            given = {name: value for name, value in here.items() if value is not None}
            job = self.executor().submit(work, command, str(log), given)
        self._jobs[job.job_id] = job
        return job.job_id

    def state(self, number: str) -> tuple[str, int | None]:
        """`("waiting" | "running" | "ended", exit code)`; without a code it was killed."""
        job = self._job(number)
        if job.paths.result_pickle.exists():
            return "ended", None if job.exception() is not None else job.result()
        if self._slurm:
            if job.done():
                return "ended", None
            return (
                "waiting" if job.state in ("PENDING", "UNKNOWN", "REQUEUED") else "running"
            ), None
        process = getattr(job, "_process", None)
        alive = _alive(int(number)) if process is None else process.poll() is None
        return ("running" if alive else "ended"), None

    def _job(self, number: str):
        import submitit

        kind = submitit.SlurmJob if self._slurm else submitit.LocalJob
        if number not in self._jobs:  # sent by a launcher that has left since
            self._jobs[number] = kind(self._folder, number)
        return self._jobs[number]


@contextlib.contextmanager
def _ignoring(*numbers: int):
    """What begins in here does not hear these signals: neither Ctrl-C nor the terminal's end."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _alive(pid: int) -> bool:
    """Whether process `pid` is one of submitit's."""
    try:
        return b"submitit" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    with contextlib.suppress(ProcessLookupError):  # a system without /proc
        os.kill(pid, 0)
        return True
    return False
