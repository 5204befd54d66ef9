"""Ctrl-C, SIGTERM, SIGHUP and --minutes save and say how to continue; twice, they leave at once."""

import os
import shlex
import shutil
import signal
import time

import pytest
from toy_runs import TWO_SEEDS, assert_same_run, parts, signals_heard, until

from lib.base.signals import WORDS
from lib.run import recorder


def continuation(said):
    """The words after `python` of the command that a message ends with."""
    line = next(line for line in said.splitlines() if "Continue: " in line)
    python, *words = shlex.split(line.partition("Continue: ")[2])
    assert python == "python"
    return words


@pytest.mark.parametrize(
    "number, code, word",
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "hung up"),
    ],
)
def test_an_interrupted_training_is_saved_and_its_message_continues_it(
    number, code, word, spawn, run, tmp_path
):
    folder, undisturbed = tmp_path / "run", tmp_path / "undisturbed"
    words = ("smoke", "--steps", 100)
    # With a cache of its own the signal arrives while the first chunk is compiled.
    cold = {"XDG_CACHE_HOME": str(tmp_path / "cache")} if number == signal.SIGINT else {}
    process = spawn(*words, "--out", folder, **cold)
    until(lambda: "adam:" in process.said())
    process.send_signal(number)
    if number != signal.SIGINT:  # as `timeout` does
        until(lambda: "leaving" in process.said() or process.poll() is not None)
        process.send_signal(number)
    assert process.wait(60) == code
    said = process.said()
    assert " to leave at once)" in said and "Traceback" not in said
    assert f"{word}; adam is saved at step " in said
    again = spawn(command=continuation(said))
    assert again.wait(60) == 0, again.said()
    assert run(*words, "--out", undisturbed).code == 0
    assert_same_run(folder, undisturbed)


def test_time_that_is_up_before_anything_is_computed_is_said_as_such(run, tmp_path):
    ended = run("smoke", "--minutes", 1e-6, "--out", tmp_path / "run")
    assert (ended.code, ended.err) == (75, "toy: the time is up\n")
    assert run("smoke", "--out", tmp_path / "run").code == 0


def test_a_run_leaves_in_time_and_goes_on(run, tmp_path, monkeypatch):
    """The clock jumps: the time is up in the middle of the first training."""
    clock, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + clock[0])
    chunks = []
    chunk = recorder.Recorder.chunk

    def counted(self, *words, **more):
        chunks.append(words[:2])
        clock[0] += 60.0 * (len(chunks) == 3)
        chunk(self, *words, **more)

    monkeypatch.setattr(recorder.Recorder, "chunk", counted)
    words = ("smoke", "--minutes", 1, "--out", tmp_path / "run")
    ended = run(*words)
    assert ended.code == 75 and len(chunks) == 3, ended.err
    assert "toy: the time is up; adam is saved at step 15. Continue: " in ended.err
    monkeypatch.undo()
    again = continuation(ended.err)
    assert run(*again[2:]).code == 0
    assert run("smoke", "--out", tmp_path / "undisturbed").code == 0
    assert_same_run(tmp_path / "run", tmp_path / "undisturbed")


def test_a_chunk_that_would_not_end_in_time_is_not_begun(run, tmp_path, monkeypatch):
    real, slow = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + slow[0])
    chunk = recorder.Recorder.chunk

    def long(self, *words, **more):
        slow[0] += 25.0
        chunk(self, *words, **more)

    monkeypatch.setattr(recorder.Recorder, "chunk", long)
    ended = run("smoke", "--minutes", 1, "--out", tmp_path / "run")
    assert ended.code == 75 and "adam is saved at step 10" in ended.err


def test_no_part_is_begun_when_the_time_is_up(run, tmp_path, monkeypatch):
    real, late = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + late[0])
    ends = recorder.Recorder.part_ends

    def late_then(self, *words):
        ends(self, *words)
        late[0] = 600.0

    monkeypatch.setattr(recorder.Recorder, "part_ends", late_then)
    ended = run("smoke", "--minutes", 5, "--out", tmp_path / "run")
    assert ended.code == 75 and "the time is up; momentum is not begun. Continue" in ended.err
    assert parts(tmp_path / "run") == ["adam"]


def test_the_time_may_be_up_during_an_evaluation(run, tmp_path, monkeypatch):
    monkeypatch.setattr("papers.toy.experiment.wait", lambda rounds: time.sleep(30))
    began = time.monotonic()
    ended = run("smoke", "--minutes", 0.15, "--out", tmp_path / "run")
    assert ended.code == 75 and time.monotonic() - began < 20
    assert "the time is up" in ended.err and "Continue: " in ended.err


def test_a_second_interrupt_leaves_at_once_although_xla_is_busy(spawn, tmp_path):
    folder = tmp_path / "run"
    process = spawn("smoke", "--busy", 2 * 10**9, "--out", folder)
    until(lambda: "momentum: 100%" in process.said())
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    until(lambda: "Ctrl-C again" in process.said(), within=5)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    assert "left at once" in process.said() and "Traceback" not in process.said()
    assert continuation(process.said())[-1] == "--resume"


def test_an_interrupt_during_the_evaluation(run, whole, tmp_path, monkeypatch):
    def interrupted(rounds):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch, signals_heard():
        patch.setattr("papers.toy.experiment.wait", interrupted)
        ended = run(*TWO_SEEDS, "--out", folder)
    assert ended.code == 130 and not (folder / "result.json").exists()
    words = continuation(ended.err)
    assert words[:2] == ["-m", "papers.toy"]
    assert run(*words[2:]).code == 0
    assert_same_run(folder, whole)


def test_an_interrupt_before_the_run_begins_writes_nothing(run, tmp_path, monkeypatch):
    def interrupted(config, data_dir, only):
        raise KeyboardInterrupt

    monkeypatch.setattr("papers.toy.experiment.load_data", interrupted)
    ended = run("smoke", "--out", tmp_path / "run")
    assert ended.code == 130 and ended.err == "toy: interrupted\n"
    assert not (tmp_path / "run").exists()


def test_an_interrupt_while_figures_are_drawn(run, whole, tmp_path, monkeypatch):
    def interrupted(figure, path):
        raise KeyboardInterrupt

    folder = shutil.copytree(whole, tmp_path / "run")
    monkeypatch.setattr("lib.plots.style.save", interrupted)
    ended = run(*TWO_SEEDS, "--out", folder, "--resume")
    assert ended.code == 130 and "Continue: " in ended.err


def test_handlers_are_as_before_when_a_run_has_ended(run, tmp_path):
    before = {number: signal.getsignal(number) for number in WORDS}
    assert run("smoke", "--out", tmp_path / "run", "--minutes", 9).code == 0
    assert {number: signal.getsignal(number) for number in WORDS} == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.set_wakeup_fd(-1) == -1
