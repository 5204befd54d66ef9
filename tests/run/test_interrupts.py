"""Ctrl-C saves and says how to continue; twice, it leaves at once."""

import os
import shlex
import shutil
import signal
import time

from conftest import TWO_SEEDS, assert_same_run, until


def continuation(said):
    """The words after `python` of the command that a message ends with."""
    line = next(line for line in said.splitlines() if "Continue: " in line)
    python, *words = shlex.split(line.partition("Continue: ")[2])
    assert python == "python"
    return words


def test_an_interrupted_training_is_saved_and_its_message_continues_it(spawn, run, tmp_path):
    folder, undisturbed = tmp_path / "run", tmp_path / "undisturbed"
    words = ("smoke", "--steps", 100)
    # A cache of its own: the signal arrives while the first chunk is compiled.
    process = spawn(*words, "--out", folder, XDG_CACHE_HOME=str(tmp_path / "cache"))
    until(lambda: "adam:" in process.said())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    said = process.said()
    assert "Ctrl-C again to leave at once" in said and "Traceback" not in said
    assert "interrupted; adam is saved at step " in said
    again = spawn(command=continuation(said))
    assert again.wait(60) == 0, again.said()
    assert run(*words, "--out", undisturbed).code == 0
    assert_same_run(folder, undisturbed)


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
    with monkeypatch.context() as patch:
        patch.setattr("papers.toy.experiment.wait", interrupted)
        ended = run(*TWO_SEEDS, "--out", folder)
    assert ended.code == 130 and not (folder / "result.json").exists()
    words = continuation(ended.err)
    assert words[:2] == ["-m", "papers.toy"]
    assert run(*words[2:]).code == 0
    assert_same_run(folder, whole)


def test_an_interrupt_before_the_run_begins_writes_nothing(run, tmp_path, monkeypatch):
    def interrupted(config, data_dir):
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
    assert run("smoke", "--out", tmp_path / "run").code == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.set_wakeup_fd(-1) == -1
