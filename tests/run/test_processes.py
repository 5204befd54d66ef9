"""Two processes that compute one run over the loopback address; what ends one ends both."""

import json
import signal
import socket
import time

import pytest
from toy_runs import assert_same_arrays, assert_same_part, parts, rows_by_training, state, until

from lib.base.errors import UserError
from lib.scale import processes
from lib.scale.processes import Team, team_of


@pytest.fixture
def two(spawn):
    """`two(*words)`: both processes of a run."""

    def two(*words):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        team = ("--coordinator", f"127.0.0.1:{port}", "--processes", 2, "--process")
        words = ("smoke", "--only", "adam", "--steps", 150, *words)
        return [spawn(*words, *team, i) for i in range(2)]

    return two


def rows(folder):
    """How many chunks it has come through."""
    file = folder / "metrics.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def said_by(process):
    """Its lines that are neither bars nor Gloo's."""
    lines = process.said().replace("\r", "\n").splitlines()
    return [x for x in lines if x.strip() and "adam:" not in x and "[Gloo]" not in x]


def test_two_processes_are_ended_together_and_end_where_undisturbed_ones_do(two, tmp_path, capfd):
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "run"
    ended = two("--out", undisturbed)
    assert [p.wait(120) for p in ended] == [0, 0], [p.said() for p in ended]
    assert json.loads((undisturbed / "result.json").read_text())["seeds"] == [0]

    # A scheduler's signal to process 1: both save, and leave.
    first = two("--out", folder)
    until(lambda: rows(folder) > 3 or first[0].poll() is not None, within=120)
    first[1].send_signal(signal.SIGTERM)
    assert [p.wait(60) for p in first] == [143, 143], [p.said() for p in first]
    assert "adam is saved at step " in said_by(first[0])[-1]

    # Process 1 dies without a word.
    before = rows(folder)
    second = two("--out", folder, "--resume")
    until(lambda: rows(folder) > before + 3 or second[0].poll() is not None, within=120)
    second[1].kill()
    began = time.monotonic()
    assert second[0].wait(60) == processes.GONE, second[0].said()
    assert time.monotonic() - began < 30
    (line,) = said_by(second[0])
    assert "process 0 of 2: another process is gone" in line and "--resume" in line

    third = two("--out", folder, "--resume")
    assert [p.wait(120) for p in third] == [0, 0], [p.said() for p in third]
    assert parts(folder) == ["adam"]
    assert rows_by_training(folder) == rows_by_training(undisturbed)
    assert_same_part(folder, undisturbed, "adam")
    assert_same_arrays(state(folder, "adam"), state(undisturbed, "adam"))


@pytest.mark.parametrize(
    "given, words",
    [
        (("host:1", 2, None), "--coordinator, --processes and --process go together"),
        ((None, None, 1), "--coordinator, --processes and --process go together"),
        (("host", 2, 0), "--coordinator host: not of the form HOST:PORT"),
        (("host:0", 2, 0), "--coordinator host:0: not of the form HOST:PORT"),
        (("host:1", 0, 0), "--processes must be at least 1, not 0"),
        (("host:1", 2, 2), "--process must be from 0 to 1, not 2"),
    ],
)
def test_what_makes_no_team_is_refused_in_one_line(given, words):
    with pytest.raises(UserError, match=words) as refused:
        team_of(*given)
    assert refused.value.code == 2


def test_slurm_tells_who_is_who(monkeypatch):
    assert team_of(None, None, None) is None
    for name, value in (("STEP_NUM_TASKS", "4"), ("STEP_NODELIST", "n[1-4]"), ("PROCID", "3")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    team = team_of(None, None, None)
    assert team == Team(None, 4, 3) and not team.leads
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")  # as a job of `launch` has it
    assert team_of(None, None, None) is None


def test_one_process_is_no_team():
    assert team_of("host:1", 1, 0) is None


class Store:
    """jax.distributed's store, of a process that another one has left."""

    def __init__(self, others):
        self._all = dict(others)

    def key_value_set(self, key, value, allow_overwrite):
        self._all[key] = value

    def key_value_dir_get(self, prefix):
        return list(self._all.items())


def test_who_gives_no_sign_of_life_is_told_by_number(monkeypatch):
    """A hung process breaks no connection."""
    members = processes.Members.__new__(processes.Members)
    members.team, members._store = Team("host:1", 3, 0), Store({"beat/2": "5"})
    members._ending, lost = processes.threading.Event(), []
    monkeypatch.setattr(members, "lost", lambda why: (lost.append(why), members._ending.set()))
    monkeypatch.setattr(processes, "BEAT", 0.001)
    monkeypatch.setattr(processes, "PATIENCE", 0.05)
    members._watch_over()
    assert lost == ["process 2 is gone"]
