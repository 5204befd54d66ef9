"""`keep`: parts and seeds from different runs become one record; what does not go together is refused."""

import json
import shutil

import pytest
from papers.toy import config as toy_config
from toy_runs import HERE, TWO_SEEDS

from lib.run.claims import values_of
from lib.run.paper import load_paper


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder of the toy's records: an empty one."""
    folder = tmp_path / "results"
    monkeypatch.setattr(type(load_paper("papers.toy")), "results", folder)
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory, whole):
    """The same config with other seeds: `{name: folder}`."""
    from lib.run.cli import main

    base = tmp_path_factory.mktemp("seeds")
    folders = {"whole": whole}
    words = {"seed 2": ("--seed", "2"), "seeds 1 to 2": ("--seed", "1", "--seeds", "2")}
    words["all"] = ("--seeds", "3")
    for name, more in words.items():
        folders[name] = base / name.replace(" ", "-")
        main("papers.toy", ["smoke", *more, "--out", str(folders[name])])
    return folders


def kept(results, name="smoke"):
    return json.loads((results / f"{name}.json").read_text())


def numbers(record):
    return {k: record[k] for k in ("config", "overrides", "seeds", "metrics", "claims")}


def test_seeds_of_different_runs_are_one_record_as_if_run_together(run, three, results):
    assert run("keep", three["seed 2"], three["whole"]).code == 0
    apart = kept(results)
    assert run("keep", three["all"]).code == 0
    assert numbers(apart) == numbers(kept(results))
    assert [r["seeds"] for r in apart["parts"]["momentum"]] == [[0, 1], [2]]
    assert [r["command"][-20:] for r in apart["parts"]["momentum"]][1].endswith("seed-2")


def test_a_seed_that_is_there_twice_counts_once(run, three, results):
    assert run("keep", three["whole"], three["seeds 1 to 2"]).code == 0
    both = kept(results)
    assert run("keep", three["all"]).code == 0
    assert numbers(both) == numbers(kept(results))
    assert [r["seeds"] for r in both["parts"]["adam"]] == [[0, 1], [2]]


def test_parts_of_different_runs_are_one_record(run, whole, tmp_path, results):
    for part in ("adam", "momentum", "points"):
        assert run(*TWO_SEEDS, "--only", part, "--out", tmp_path / part).code == 0
    assert run("keep", tmp_path / "adam", tmp_path / "points").code == 0
    assert list(kept(results)["parts"]) == ["adam", "points"]
    assert sorted(p.name for p in results.iterdir()) == ["smoke-curve.png", "smoke.json"]
    assert run("keep", *(tmp_path / part for part in ("points", "momentum"))).code == 0
    merged = kept(results)
    assert run("keep", whole).code == 0
    assert numbers(merged) == numbers(kept(results))


def test_a_record_goes_on_when_its_run_is_gone(run, three, results):
    assert run("keep", three["whole"]).code == 0
    assert run("keep", results / "smoke.json", three["seed 2"]).code == 0
    merged = kept(results)
    assert run("keep", three["all"]).code == 0
    assert numbers(merged) == numbers(kept(results))
    assert run("keep", results / "smoke.json").code == 0
    assert numbers(merged) == numbers(kept(results))


def test_figures_are_drawn_over_all_seeds_or_left_alone(run, three, results):
    assert run("keep", three["whole"], three["seed 2"]).code == 0
    first = (results / "smoke-curve.png").read_bytes()
    (results / "smoke-curve.png").write_bytes(b"mine")
    assert run("keep", results / "smoke.json", three["seed 2"]).code == 0
    assert (results / "smoke-curve.png").read_bytes() == b"mine"
    assert run("keep", three["all"]).code == 0
    assert (results / "smoke-curve.png").read_bytes() == first


def edited(folder, part, change):
    path = folder / "parts" / part / "result.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


def test_conflicts_are_refused_in_one_line(run, three, whole, tmp_path, results):
    other = tmp_path / "other"
    assert run("smoke", "--steps", 39, "--seed", 5, "--only", "adam", "--out", other).code == 0
    numbers, constant, fewer = (
        shutil.copytree(whole, tmp_path / name) for name in ("numbers", "constant", "fewer")
    )
    edited(numbers, "momentum", lambda a: a["metrics"]["loss"]["per_seed"].__setitem__(1, 0.5))
    edited(constant, "points", lambda a: a["metrics"]["points_there"].update(value=65.0))
    edited(fewer, "points", lambda a: a["metrics"].clear())
    said = {
        other: "is of another config than",
        numbers: "momentum, seed 1:",
        constant: "different numbers (points_there: 65.0, 64.0)",
        fewer: "do not have the same metrics (points_there)",
    }
    for folder, words in said.items():
        ended = run("keep", whole, folder)
        assert ended.code == 2 and words in ended.err, ended.err
        assert str(folder) in ended.err and len(ended.err.splitlines()) == 1
    assert not results.exists()


def test_times_and_last_bits_of_other_devices_are_no_conflict(run, three, tmp_path, results):
    near = shutil.copytree(three["seed 2"], tmp_path / "near")
    edited(near, "points", lambda a: a["metrics"]["points_there"].update(value=64.001))
    assert run("keep", three["whole"], near).code == 0
    assert kept(results)["metrics"]["points_there"]["value"] == 64


def test_a_bound_that_moved_after_the_run_is_marked(run, whole, results, monkeypatch):
    from dataclasses import replace

    tighter = (replace(toy_config.CLAIMS[0], target=0.01), *toy_config.CLAIMS[1:])
    monkeypatch.setattr(toy_config, "CLAIMS", tighter)
    assert run("keep", whole).code == 0
    row = kept(results)["claims"][0]
    assert (row["id"], row["bound"], row["moved"]) == ("fits", "at most 0.01", ["at most 10"])
    assert row["verdict"] == "fails"
    # ... also when the record is judged again.
    assert run("keep", results / "smoke.json").code == 0
    assert kept(results)["claims"][0]["moved"] == ["at most 10"]
    assert run("keep", whole, "--variant", "wide").code == 0
    assert (results / "smoke-wide.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(preset="../../x"),
        lambda r: r.update(paper="gan"),
        lambda r: r.update(config=[]),
        lambda r: r["parts"].update(adam=[]),
        lambda r: r["parts"]["adam"].append(r["parts"]["adam"][0]),
        lambda r: r["parts"]["adam"][0].update(seeds="01"),
        lambda r: (
            r["parts"]["adam"][0].update(seeds=[0]) or r["metrics"]["loss_adam"].update(per_seed=[])
        ),
        lambda r: r["parts"]["adam"][0].pop("device"),
        lambda r: r["metrics"]["loss"].update(per_seed="12"),
        lambda r: r["metrics"]["loss"].update(per_seed=[1.0, None]),
        lambda r: r["metrics"]["loss"].update(per_seed=[1.0, 2.0, 3.0]),
        lambda r: r["metrics"]["loss"].update(part="nope"),
        lambda r: r.pop("metrics"),
    ],
)
def test_an_edited_record_is_checked_as_a_whole(change, run, whole, results, tmp_path):
    assert run("keep", whole).code == 0
    record = kept(results)
    change(record)
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(record))
    before = sorted(tmp_path.rglob("*"))
    ended = run("keep", path)
    assert ended.code != 0 and str(path) in ended.err and len(ended.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", ["", "7", "null", "[" * 100_000, '"words"'])
def test_what_is_no_record_at_all(content, run, tmp_path, results):
    path = tmp_path / "x.json"
    path.write_text(content)
    ended = run("keep", path)
    assert ended.code != 0 and str(path) in ended.err and len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("variant", ["../x", "a/b", "", "-x", "a b"])
def test_a_variants_name_is_a_word(variant, run, whole, results):
    ended = run("keep", whole, f"--variant={variant}")
    assert ended.code == 2 and "is not made of" in ended.err
    assert not results.exists()


def test_a_run_without_a_finished_part(run, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "parts")
    ended = run("keep", folder)
    assert ended.code == 2 and "has no finished part" in ended.err


def test_a_kept_record_is_rendered(whole, spawn, tmp_path):
    papers = shutil.copytree(HERE / "papers", tmp_path / "papers")
    readme = papers / "toy" / "README.md"
    readme.write_text("<!-- begin claims smoke -->\n<!-- end -->\n")
    variables = {"PYTHONPATH": f"{tmp_path}:{HERE.parent.parent}", "TOY_FIGURES": "all"}
    process = spawn("keep", whole, **variables)
    assert process.wait() == 0, process.said()
    folder = papers / "toy" / "results"
    names = {path.name for path in folder.iterdir()}
    assert names == {"smoke.json", "smoke-curve.png", "smoke-both.png"}
    assert "yes (at most 10)" in readme.read_text()


def test_values_come_back_as_they_were():
    assert values_of({"per_seed": [1.0, "inf", "nan"]})[:2] == [1.0, float("inf")]
    assert values_of({"value": 3.0}) == [3.0]
