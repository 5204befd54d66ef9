"""Parts: computed one by one, in any order, anywhere; each once, with the same bits as together."""

import json
import shutil
import signal

import pytest
from papers.toy import config as toy_config
from papers.toy import experiment as toy_experiment
from toy_runs import TWO_SEEDS, assert_same_part, assert_same_run, parts

from lib.base.errors import UserError
from lib.run.paper import Part, load_paper
from lib.run.result import Result


def test_parts_one_by_one_in_any_order_end_as_together(whole, spawn, run, tmp_path):
    folder = tmp_path / "run"
    assert run(*TWO_SEEDS, "--out", folder, "--only", "points").code == 0
    process = spawn(*TWO_SEEDS, "--out", folder, "--only", "adam", "--resume")
    assert process.wait() == 0, process.said()
    assert run(*TWO_SEEDS, "--out", folder, "--resume").code == 0
    assert_same_run(folder, whole)


def test_a_part_brings_along_what_it_needs_and_no_more(whole, run, tmp_path):
    ended = run(*TWO_SEEDS, "--only", "momentum", "--out", tmp_path / "run")
    assert ended.code == 0 and "parts: adam, momentum\n" in ended.out
    assert parts(tmp_path / "run") == ["adam", "momentum"]
    for part in ("adam", "momentum"):
        assert_same_part(tmp_path / "run", whole, part)
    drawn = sorted(path.stem for path in (tmp_path / "run" / "figures").iterdir())
    assert drawn == ["both", "curve"]


def test_figures_are_those_that_the_parts_allow(run, tmp_path):
    ended = run("smoke", "--only", "adam", "--out", tmp_path / "run")
    assert ended.code == 0
    assert [path.name for path in (tmp_path / "run" / "figures").iterdir()] == ["curve.png"]
    assert [
        row["id"] for row in json.loads((tmp_path / "run/result.json").read_text())["claims"]
    ] == ["adam-fits"]


def test_a_finished_part_is_never_computed_again(whole, run, tmp_path, monkeypatch):
    def again(*arguments):
        raise AssertionError("computed again")

    folder = shutil.copytree(whole, tmp_path / "run")
    monkeypatch.setitem(toy_experiment.PARTS, "adam", again)
    monkeypatch.setitem(toy_experiment.PARTS, "points", again)
    shutil.rmtree(folder / "parts" / "momentum")
    assert run(*TWO_SEEDS, "--out", folder, "--resume").code == 0
    assert_same_run(folder, whole)


def test_only_the_data_that_the_parts_need_is_loaded(run, tmp_path, monkeypatch):
    asked = []

    def load_data(config, data_dir, only):
        asked.append(only)
        raise UserError("that is enough")

    monkeypatch.setattr(toy_experiment, "load_data", load_data)
    for words in ((), ("--only", "adam"), ("--only", "points"), ("--only", "momentum", "points")):
        run("smoke", *words, "--out", tmp_path / "run")
    both = {"points", "more_points"}
    assert asked == [both, {"points"}, {"more_points"}, both]


KILL = """
import os, runpy, signal, sys
import lib.run.result as result
def kill(*_): os.kill(os.getpid(), signal.SIGKILL)
setattr(result, sys.argv.pop(1), kill)
runpy.run_module("papers.toy", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("where", ["write_json", "save_weights"])
def test_a_kill_while_a_part_is_written_leaves_no_part(where, whole, spawn, run, tmp_path):
    folder = tmp_path / "run"
    process = spawn(where, *TWO_SEEDS, "--out", folder, command=("-c", KILL))
    assert process.wait() == -signal.SIGKILL, process.said()
    assert parts(folder) == [] and (folder / "parts" / ".adam.part").exists()
    assert run(*TWO_SEEDS, "--out", folder, "--resume").code == 0
    assert_same_run(folder, whole)


@pytest.mark.parametrize(
    "name, content",
    [
        ("result.json", b"{"),
        ("result.json", b"[]"),
        ("result.json", b"null"),
        ("result.json", b'{"metrics": {}}'),
        ("arrays.npz", b"PK"),
        ("history.jsonl", b"7\n"),
        ("weights-adam.safetensors", b"no"),
        ("arrays.npz", None),
    ],
)
def test_a_damaged_part_is_named_put_aside_and_computed_again(name, content, whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "parts" / "adam" / name).unlink()
    if content is not None:
        (folder / "parts" / "adam" / name).write_bytes(content)
    ended = run(*TWO_SEEDS, "--out", folder, "--resume")
    assert ended.code == 0 and ended.err.count("put aside") == 1
    assert str(folder / "parts" / "adam" / name) in ended.err
    assert (folder / "parts" / ".damaged-adam.0").exists()
    assert_same_run(folder, whole)


def test_another_runs_part_is_not_used(whole, run, tmp_path):
    other = tmp_path / "other"
    assert run(*TWO_SEEDS, "--seed", 7, "--only", "points", "--out", other).code == 0
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "parts" / "points")
    shutil.copytree(other / "parts" / "points", folder / "parts" / "points")
    ended = run(*TWO_SEEDS, "--out", folder, "--resume")
    assert ended.code == 0 and "another run's" in ended.err
    assert_same_run(folder, whole)


def test_a_moved_folder_is_resumed(whole, spawn, run, tmp_path):
    folder, moved = tmp_path / "run", tmp_path / "elsewhere" / "moved"
    assert run(*TWO_SEEDS, "--only", "adam", "--out", folder).code == 0
    moved.parent.mkdir()
    shutil.move(folder, moved)
    assert run(*TWO_SEEDS, "--out", moved, "--resume").code == 0
    assert_same_run(moved, whole)


def test_fields_that_choose_parts_leave_a_runs_identity(run, tmp_path, monkeypatch):
    monkeypatch.setattr(toy_config, "SELECTS", ("busy",), raising=False)
    part = Part("Section 1", ("loss_adam",), data=("points",), default=lambda c: c.busy != 1)
    monkeypatch.setitem(toy_config.PARTS, "adam", part)
    monkeypatch.setitem(
        toy_config.PARTS,
        "momentum",
        Part("Table 1", ("loss",), needs=("adam",), default=lambda c: not c.busy),
    )
    assert run("smoke", "--busy", 1, "--out", tmp_path / "run").code == 0
    assert parts(tmp_path / "run") == ["points"]
    assert run("smoke", "--busy", 2, "--out", tmp_path / "run", "--resume").code == 0
    assert parts(tmp_path / "run") == ["adam", "points"]
    assert "busy" not in json.loads((tmp_path / "run" / "result.json").read_text())["config"]


def test_a_part_that_makes_what_it_does_not_declare_is_a_mistake(run, tmp_path, monkeypatch):
    monkeypatch.setitem(toy_experiment.PARTS, "points", lambda *_: Result({"other": 1.0}))
    with pytest.raises(ValueError, match="the part points made other"):
        run("smoke", "--only", "points", "--out", tmp_path / "a")
    monkeypatch.setitem(toy_experiment.PARTS, "points", lambda *_: Result({"points_there": [1.0]}))
    with pytest.raises(ValueError, match="points_there has 1 values for 2 seeds"):
        run(*TWO_SEEDS, "--only", "points", "--out", tmp_path / "b")


def test_notebooks_get_the_same_numbers(whole):
    import jax

    config = toy_config.PRESETS["smoke"]
    result = toy_experiment.run(config, jax.random.key(1), toy_experiment.load_data(config))
    record = json.loads((whole / "result.json").read_text())
    assert result.metrics["loss"] == record["metrics"]["loss"]["per_seed"][1:]
    assert result.metrics["points_there"] == 64
    assert [words["name"] for words in result.data] == ["points"]


MISTAKES = {
    "PRESETS lacks paper": lambda m: m.delitem(toy_config.PRESETS, "paper"),
    "is not a frozen dataclass": lambda m: m.setitem(toy_config.PRESETS, "paper", {}),
    "has no field precision": lambda m: m.delitem(
        toy_config.Config.__dataclass_fields__, "precision"
    ),
    "has no field nope": lambda m: m.setattr(toy_config, "SELECTS", ("nope",), raising=False),
    "the part adam needs momentum, which is no part declared before it": lambda m: m.setitem(
        toy_config.PARTS, "adam", Part("x", ("loss_adam",), needs=("momentum",))
    ),
    "the claim fits reads loss, which the part momentum does not make": lambda m: m.setitem(
        toy_config.PARTS, "momentum", Part("x", ("lost",))
    ),
    "the claim many is measured by points, which is no part": lambda m: m.delitem(
        toy_config.PARTS, "points"
    ),
    "papers.toy.config has no CLAIMS": lambda m: m.delattr(toy_config, "CLAIMS"),
    "2 claims are called fits": lambda m: m.setattr(
        toy_config, "CLAIMS", toy_config.CLAIMS[:1] * 2
    ),
    "more than 6 claims have a headline": lambda m: m.setattr("lib.run.paper.MOST_HEADLINES", 0),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_in_a_paper_is_named_when_it_is_loaded(said, run, monkeypatch):
    MISTAKES[said](monkeypatch)
    with pytest.raises(UserError) as caught:
        load_paper("papers.toy")
    words = said.replace("more than 6", "more than 0")
    assert words in str(caught.value) and "\n" not in str(caught.value)
    ended = run("--help")
    assert ended.code == 1 and words in ended.err and len(ended.err.splitlines()) == 1
