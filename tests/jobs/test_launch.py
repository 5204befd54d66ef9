"""A paper as jobs: what is sent when, what is sent again, and what SLURM would get."""

import contextlib
import importlib
import json
import os
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest

from lib.base.errors import UserError
from lib.jobs import launch
from lib.jobs.plan import Plan, Unit, bar_of, last_line, make_plan, read_plan, write_plan
from lib.jobs.senders import Sender
from lib.run.paper import load_paper

with contextlib.suppress(ImportError):
    # Now: at its first import it closes what absl logs to, which in a test may be pytest's own stream.
    import submitit  # noqa: F401

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SETTINGS = {"on": "here", "jobs": 2, "minutes": None}


@pytest.fixture(autouse=True)
def toy_paper(monkeypatch):
    """The toy of the run engine's tests, here and in jobs."""
    monkeypatch.syspath_prepend(ROOT / "tests" / "run")
    importlib.import_module("papers.toy.figures")  # with figures, for who uses it here afterwards
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "tests" / "run"))))
    monkeypatch.setenv("TOY_FIGURES", "none")


def toy(*words, **settings):
    return make_plan(load_paper("papers.toy"), ["smoke", *words], SETTINGS | settings)


class Cluster:
    """Jobs that end as the test says: `ends[unit]` is the codes of its jobs, one after another."""

    def __init__(self, folder, ends):
        self.folder, self.ends, self.sent, self.states = folder, ends, [], {}

    def send(self, command, log):
        self.sent.append((log.stem, "--resume" in command))
        number = str(len(self.sent))
        self.states[number] = ("running", None)
        code = self.ends.get(log.stem, [0]).pop(0)
        run = Path(command[command.index("--out") + 1])
        part = command[command.index("--only") + 1]
        for need in (run / "parts").glob("*") if (run / "parts").exists() else ():
            assert (need / "result.json").exists(), "what it needs is there"
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.json").write_text("{}")
        if code == 0:
            (run / "parts" / part).mkdir(parents=True)
            (run / "parts" / part / "result.json").write_text("{}")
        log.write_text(
            f"{part}: 50%|#####     | 20/40 [00:08<00:12, 4.85step/s]\rtoy: code {code}\n"
        )
        self.states[number] = ("ended", code)
        return number

    def state(self, number):
        return self.states[number]


def follow(tmp_path, plan, ends):
    """Until all has ended; `(what was sent, the last table)`."""
    write_plan(plan, tmp_path)
    cluster = Cluster(tmp_path, ends)
    look = launch.Round(tmp_path, plan, cluster)
    for _ in range(20):
        rows = look()
        if all(row.state in ("done", "failed") for row in rows.values()):
            return cluster.sent, rows
    raise AssertionError(rows)


def test_a_part_comes_after_those_that_it_needs_and_each_seed_by_itself(tmp_path):
    sent, rows = follow(tmp_path, toy("--seeds", "2", "--seed", "3"), {})
    order = [name for name, _ in sent]
    assert sorted(order) == sorted(rows) and len(set(order)) == 6
    for seed in (3, 4):
        assert order.index(f"adam-{seed}") < order.index(f"momentum-{seed}")
    assert {row.state for row in rows.values()} == {"done"}


def test_what_is_preempted_or_fails_is_sent_again_three_times_and_goes_on(tmp_path):
    ends = {"adam-0": [143, 1, None, 0], "points-0": [1] * 9}
    sent, rows = follow(tmp_path, toy(), ends)
    assert [resumed for name, resumed in sent if name == "adam-0"] == [False, True, True, True]
    assert rows["adam-0"].state == rows["momentum-0"].state == "done"
    assert [name for name, _ in sent].count("points-0") == 1 + launch.AGAIN
    assert rows["points-0"] == launch.Row("failed", "toy: code 1")


def test_leaving_in_time_is_no_failure(tmp_path):
    sent, rows = follow(tmp_path, toy("--only", "adam"), {"adam-0": [75] * 8 + [0]})
    assert len(sent) == 9 and rows["adam-0"].state == "done"


def test_what_cannot_be_is_not_asked_again_and_what_needs_it_is_not_begun(tmp_path):
    sent, rows = follow(tmp_path, toy(), {"adam-0": [2]})
    assert [name for name, _ in sent].count("adam-0") == 1
    assert rows["momentum-0"] == launch.Row("failed", "not begun: it needs adam")


def test_this_machine_has_no_more_jobs_at_once_than_asked_for(tmp_path):
    plan = toy("--seeds", "4", "--only", "adam", jobs=3)
    write_plan(plan, tmp_path)
    cluster = Cluster(tmp_path, {})
    look = launch.Round(tmp_path, plan, cluster)
    cluster.state = lambda number: ("running", None)
    look(), look()
    assert len(cluster.sent) == 3


def test_another_launcher_finds_what_the_first_has_sent(tmp_path):
    plan = toy("--only", "adam")
    write_plan(plan, tmp_path)
    first = Cluster(tmp_path, {})
    launch.Round(tmp_path, plan, first)()
    paper, again = read_plan(tmp_path)
    assert paper.name == "toy" and again == plan
    second = Cluster(tmp_path, {})
    second.states = first.states
    assert launch.Round(tmp_path, again, second)()["adam-0"].state == "done"
    assert second.sent == []


def test_jobs_of_this_machine_end_to_end_one_preempted_one_failing(tmp_path, monkeypatch, capsys):
    """submitit's local executor, three real processes and a signal."""
    pytest.importorskip("submitit")
    monkeypatch.chdir(ROOT)
    of_plan, preempted = Plan.command, []

    def command(self, unit, folder):
        fails = [sys.executable, "-c", "print('no luck'); raise SystemExit(1)"]
        return fails if unit.part == "points" else of_plan(self, unit, folder)

    def sleep(seconds):
        run = tmp_path / "run" / "units" / "adam-0"
        rows = run / "metrics.jsonl"
        if not preempted and rows.exists() and rows.read_text().count("\n") > 1:
            pid = int((tmp_path / "run" / "logs" / "adam-0.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            preempted.append(pid)
        launch.time.sleep(0.05)

    monkeypatch.setattr(Plan, "command", command)
    plan = toy("--steps", "40000", "--every", "20", "--only", "adam", "points")
    write_plan(plan, tmp_path / "run")
    with pytest.raises(UserError, match="failed: points-0; what they said is in") as ended:
        launch.follow(tmp_path / "run", load_paper("papers.toy"), plan, sleep=sleep)
    assert ended.value.code == 1
    said = capsys.readouterr().out
    sent = json.loads((tmp_path / "run" / "sent.json").read_text())
    assert preempted and len(sent["adam-0"]) == 2 and len(sent["points-0"]) == 1 + launch.AGAIN
    assert re.search(r"points-0 +failed +no luck", said) and re.search(r"adam-0 +done", said)
    log = (tmp_path / "run" / "logs" / "adam-0.txt").read_text()
    assert "toy: terminated; " in log and "Traceback" not in log
    assert set(json.loads((tmp_path / "run" / "result.json").read_text())["parts"]) == {"adam"}
    assert "Adam alone fits them" in said and "keep it: python -m papers.toy keep" in said


def test_what_sbatch_would_get(tmp_path, monkeypatch):
    """No cluster is at hand: a stand-in for sbatch keeps what it is given."""
    pytest.importorskip("submitit")
    for name, line in (
        ("sbatch", f"cp $1 {tmp_path}/given.sh; echo Submitted batch job 4"),
        ("srun", ":"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    settings = {
        "on": "slurm",
        "partition": "P",
        "gpus": 1,
        "cpus": 8,
        "account": None,
        "minutes": 60,
    }
    plan = toy("--only", "adam", **settings)
    sender = Sender(tmp_path / "jobs", plan.settings)
    command = plan.command(Unit("adam", 0), tmp_path)
    assert sender.send(command, tmp_path / "log.txt") == "4"
    given = (tmp_path / "given.sh").read_text()
    given = given.replace(str(tmp_path), "FOLDER").replace(shlex.quote(sys.executable), "PYTHON")
    assert given == (HERE / "sbatch.golden").read_text()
    assert command[1:] == [
        *("-m", "papers.toy", "smoke", "--only", "adam", "--seed", "0"),
        *("--out", f"{tmp_path}/units/adam-0", "--minutes", "57"),
    ]


def test_a_dry_run_prints_the_commands_and_writes_nothing(tmp_path, capsys):
    words = ["papers.toy", "smoke", "--seeds", "2", "--folder", str(tmp_path / "x"), "--dry-run"]
    assert launch.main([*words, "--steps", "7", "--only", "momentum"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and not (tmp_path / "x").exists()
    assert all(" -m papers.toy smoke --steps 7 --only " in line for line in lines)
    assert lines[2].endswith("# after adam") and "--only momentum --seed 0" in lines[2]


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "usage: "),
        (["--watch"], "usage: "),
        (["--watch", "nowhere"], "nowhere/plan.json: no such file"),
        (["nothing", "smoke"], "no paper 'nothing'"),
        (["papers.toy", "huge"], "unknown preset 'huge'"),
        (["papers.toy", "smoke", "--only", "x"], "--only: no part 'x'"),
        (["papers.toy", "smoke", "--out", "x"], "--out is for a run alone"),
        (["papers.toy", "smoke", "--on", "slurm"], "--on slurm needs --minutes"),
        (["papers.toy", "smoke", "--jobs", "0"], "--jobs must be at least 1"),
        (["papers.toy", "smoke", "--on", "mars"], "mars"),
    ],
)
def test_mistakes_are_one_line_and_code_2(words, said):
    with pytest.raises(UserError) as refused:
        launch.main(words)
    assert refused.value.code == 2 and said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_cluster_that_is_not_there_is_told_in_one_line(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    words = [
        "papers.toy",
        "smoke",
        "--on",
        "slurm",
        "--minutes",
        "9",
        "--folder",
        str(tmp_path / "x"),
    ]
    with pytest.raises(UserError, match="--on slurm: ") as refused:
        launch.main(words)
    assert refused.value.code == 2 and not (tmp_path / "x" / "plan.json").exists()


def test_a_log_tells_where_a_run_is_and_what_it_said_last():
    log = "toy smoke: cpu\n\radam:  50%|#####     | 20/40 [00:08<00:12, 4.85step/s]\r"
    assert bar_of(log) == "adam 20/40, 00:12 left"
    assert last_line(log) == "toy smoke: cpu"
    assert bar_of("adam:   0%|          | 0/40 [00:00<?, ?step/s]") == "adam 0/40"
    assert (bar_of(""), last_line("")) == ("", "")


def test_a_table_that_is_longer_than_the_terminal_shows_what_is_under_way(monkeypatch, capsys):
    rows = {f"part-{i}": launch.Row("waiting") for i in range(50)}
    rows["part-40"] = launch.Row("running", "part 3/4")
    monkeypatch.setattr(launch.shutil, "get_terminal_size", lambda: os.terminal_size((60, 10)))
    monkeypatch.setattr(launch.sys.stdout, "isatty", lambda: True, raising=False)
    table = launch.Table()
    table.show(rows)
    table.show(rows)
    first, second = capsys.readouterr().out.split("\x1b[9A\x1b[J")
    assert first == second and len(first.splitlines()) == 9
    assert re.search(r"part-40 +running +part 3/4", first)
    assert first.splitlines()[-1] == "1 running, 0 failed, 49 waiting, 0 done"
