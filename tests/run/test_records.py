"""What a finished run leaves: the record, one value a seed, figures that can be drawn again."""

import json
import shutil
import sys
import time
import types

import pytest
from papers.toy import experiment
from toy_runs import TWO_SEEDS

from lib.report.tables import setting
from lib.run.result import Result


def record(folder):
    return json.loads((folder / "result.json").read_text())


def test_the_record_follows_the_schema(whole):
    made = record(whole)
    assert list(made) == [
        "paper", "preset", "config", "overrides", "seeds", "parts", "metrics", "claims",
    ]  # fmt: skip
    assert (made["paper"], made["preset"], made["seeds"]) == ("toy", "smoke", [0, 1])
    assert made["config"]["tuning"] == {"steps": 40} and made["overrides"] == {}
    assert list(made["parts"]) == ["adam", "momentum", "points"]
    for runs in made["parts"].values():
        (part,) = runs
        assert set(part) == {
            "seeds", "device", "versions", "date", "seconds", "command", "data", "bounds",
        }  # fmt: skip
        assert part["seeds"] == [0, 1] and set(part["data"][0]) == {
            "name", "split", "fingerprint", "real",
        }  # fmt: skip
        assert set(part["seconds"]) == {"compile", "run"} and min(part["seconds"].values()) >= 0
        assert {"jax", "flax", "python"} <= set(part["versions"])
        assert part["command"] == f"python -m papers.toy {' '.join(TWO_SEEDS)} --out {whole}"
    assert made["parts"]["momentum"][0]["bounds"] == {"fits": "at most 10", "real": "at most 10"}
    assert set(made["metrics"]["loss"]) == {"part", "mean", "std", "per_seed"}
    assert made["metrics"]["points_there"] == {"part": "points", "value": 64.0}
    for claim in made["claims"]:
        assert set(claim) == {
            "id", "part", "kind", "where", "statement", "paper", "unit", "ours", "std", "n",
            "verdict", "why", "bound", "moved",
        }  # fmt: skip
    verdicts = {claim["id"]: claim["verdict"] for claim in made["claims"]}
    assert verdicts == {"fits": "holds", "real": None, "adam-fits": "holds", "many": "holds"}


@pytest.mark.parametrize("seeds", [1, 3])
def test_there_is_one_value_a_seed(seeds, run, whole, tmp_path):
    ended = run("smoke", "--seed", 1, "--seeds", seeds, "--out", tmp_path / "run")
    assert ended.code == 0
    values = record(tmp_path / "run")["metrics"]["loss"]["per_seed"]
    assert len(values) == len(set(values)) == seeds
    # Seed 1 is the same alone, among three, and second of two.
    assert values[0] == record(whole)["metrics"]["loss"]["per_seed"][1]
    row = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert row["training"] == "adam" and row["step"] == 5 and len(row["loss"]) == seeds


def test_the_first_line_says_where_and_what(run, tmp_path):
    ended = run("smoke", "--seed", 4, "--out", tmp_path / "a", "--device", "cpu")
    first = ended.out.splitlines()[0]
    assert first.startswith("toy smoke: cpu (") and "float32, seed 4, in" in first
    ended = run("smoke", "--seed", 4, "--seeds", 2, "--out", tmp_path / "b")
    assert "seeds 4 to 5" in ended.out.splitlines()[0]


def test_figures_are_drawn_again_byte_for_byte(whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    drawn = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert set(drawn) == {"curve.png", "both.png"}
    shutil.rmtree(folder / "figures")
    assert run("figures", folder).code == 0
    assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == drawn


def test_a_metric_that_is_not_a_number_is_recorded_as_a_claim_that_fails(
    run, tmp_path, monkeypatch
):
    def badly(*arguments):
        return Result({"loss_adam": [0.1, float("nan")]}, history={"adam": []})

    monkeypatch.setitem(experiment.PARTS, "adam", badly)
    monkeypatch.setattr("papers.toy.figures.FIGURES", {})
    ended = run("smoke", "--seeds", 2, "--only", "adam", "--out", tmp_path / "run")
    assert ended.code == 0
    made = record(tmp_path / "run")
    assert made["metrics"]["loss_adam"] == {
        "part": "adam", "mean": None, "std": None, "per_seed": [0.1, "nan"],
    }  # fmt: skip
    assert made["claims"][0]["verdict"] == "fails" and "finite" in ended.out


def test_what_is_overridden_is_shown(run, tmp_path):
    ended = run("smoke", "--steps", 20, "--only", "points", "--out", tmp_path / "run")
    assert ended.code == 0
    assert record(tmp_path / "run")["overrides"] == {"steps": [20, 40]}
    assert setting(record(tmp_path / "run")) == "smoke, steps 20 of 40"


def test_times_add_up_over_resumes(run, tmp_path, monkeypatch):
    waits = []

    def slow(rounds):
        waits.append(rounds)
        time.sleep(0.3)
        if len(waits) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "wait", slow)
    words = ("smoke", "--only", "momentum", "--out", tmp_path / "run")
    assert run(*words).code == 130
    assert run(*words, "--resume").code == 0
    (made,) = record(tmp_path / "run")["parts"]["momentum"]
    assert len(waits) == 2 and 0.6 < sum(made["seconds"].values()) < 60


def test_tensorboard_gets_each_metric(run, tmp_path, monkeypatch):
    said = []

    class SummaryWriter:
        def __init__(self, folder):
            self.folder = folder

        def add_scalar(self, name, value, step):
            said.append((name, value, step))

    module = types.ModuleType("tensorboardX")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: module)
    assert run("smoke", "--steps", 10, "--out", tmp_path / "run", "--tensorboard").code == 0
    row = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[1])
    assert said[1] == ("adam/loss", row["loss"][0], 10)
