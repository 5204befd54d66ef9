"""What a finished run leaves: the record, one value a seed, figures that can be drawn again."""

import json
import shutil
import sys
import types

import pytest
from conftest import TWO_SEEDS


def record(folder):
    return json.loads((folder / "result.json").read_text())


def test_the_record_follows_the_schema(whole):
    made = record(whole)
    assert set(made) == {
        "paper", "preset", "config", "seeds", "data", "metrics", "claims", "device", "versions",
        "seconds", "command",
    }  # fmt: skip
    assert (made["paper"], made["preset"], made["seeds"]) == ("toy", "smoke", [0, 1])
    assert made["config"]["tuning"] == {"steps": 40}
    assert set(made["data"][0]) == {"name", "split", "fingerprint", "real"}
    assert all(set(m) == {"mean", "std", "per_seed"} for m in made["metrics"].values())
    for claim in made["claims"]:
        assert set(claim) == {
            "id", "where", "statement", "paper", "ours", "std", "n", "unit", "holds", "why",
        }  # fmt: skip
    assert [claim["holds"] for claim in made["claims"]] == [True, None]
    assert set(made["seconds"]) == {"compile", "run"} and min(made["seconds"].values()) >= 0
    assert {"jax", "flax", "python"} <= set(made["versions"])
    assert made["command"] == f"python -m papers.toy {' '.join(TWO_SEEDS)} --out {whole}"


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
    assert set(drawn) == {"curve.png"}
    shutil.rmtree(folder / "figures")
    assert run("figures", folder).code == 0
    assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == drawn


def test_a_metric_that_is_not_a_number_is_recorded_as_a_claim_that_fails(
    run, tmp_path, monkeypatch
):
    from papers.toy import experiment

    def run_badly(*arguments):
        return experiment.Result({"loss": [0.1, float("nan")]}, history={"adam": []})

    monkeypatch.setattr(experiment, "run", run_badly)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").touch()
    monkeypatch.setattr("papers.toy.figures.FIGURES", {})
    ended = run("smoke", "--seeds", 2, "--out", tmp_path / "run")
    assert ended.code == 0
    made = record(tmp_path / "run")
    assert made["metrics"]["loss"] == {"mean": None, "std": None, "per_seed": [0.1, None]}
    assert made["claims"][0]["holds"] is False and "finite" in ended.out


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


def test_a_kept_record_is_judged_anew_and_rendered(whole, spawn, tmp_path):
    from conftest import HERE

    papers = shutil.copytree(HERE / "papers", tmp_path / "papers")
    readme = papers / "toy" / "README.md"
    readme.write_text("<!-- begin claims smoke -->\n<!-- end -->\n")
    process = spawn("keep", whole, "wide", PYTHONPATH=f"{tmp_path}:{HERE.parent.parent}")
    assert process.wait() == 0, process.said()
    kept = papers / "toy" / "results"
    assert {path.name for path in kept.iterdir()} == {"smoke-wide.json", "smoke-wide-curve.png"}
    assert json.loads((kept / "smoke-wide.json").read_text())["claims"] == record(whole)["claims"]
    assert "not run" in readme.read_text()  # `smoke` itself was not kept
    process = spawn("keep", whole, PYTHONPATH=f"{tmp_path}:{HERE.parent.parent}")
    assert process.wait() == 0, process.said()
    assert "yes (at most 10)" in readme.read_text()
