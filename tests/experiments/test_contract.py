"""What every paper keeps to, whichever it is; a paper that does not is named, with what it lacks."""

import ast
import dataclasses
import json
import re
from pathlib import Path

import pytest

from lib.report.records import judged, make_record, segments_of
from lib.report.tables import render
from lib.run.paper import PRESETS, Figure, load_paper

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    path.parent.name for path in ROOT.glob("experiments/*/config.py") if path.parent.name[0] != "_"
)
EACH = pytest.mark.parametrize("name", [*NAMES, "_template"])
PUBLISHED = pytest.mark.parametrize("name", NAMES)
OWN_TABLES = re.compile(r"<!-- begin (main|claims|speed)")


def paper(name):
    return load_paper(f"experiments.{name}")


@EACH
def test_it_loads_and_each_field_says_what_it_is(name):
    for preset in PRESETS:
        config = paper(name).presets[preset]
        for cls in {type(config)} | {
            type(getattr(config, f.name))
            for f in dataclasses.fields(config)
            if dataclasses.is_dataclass(getattr(config, f.name))
        }:
            assert undocumented(cls) == [], cls


def undocumented(cls):
    """Fields of a dataclass and its bases in the same module that no docstring follows."""
    import inspect

    lacks = []
    for base in (b for b in cls.__mro__ if dataclasses.is_dataclass(b)):
        (tree,) = ast.parse(inspect.getsource(base)).body
        for field, after in zip(tree.body, [*tree.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign):
                is_doc = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                # Those with a name that says it all, and a type of its own, may go without.
                own = dataclasses.is_dataclass(getattr(cls, field.target.id, None))
                if not is_doc and not own:
                    lacks.append(field.target.id)
    return lacks


@EACH
def test_every_part_is_computed_and_every_figure_is_of_parts(name):
    computed = paper(name).module("experiment").PARTS
    assert list(computed) == list(paper(name).parts)
    for figure, drawn in paper(name).module("figures").FIGURES.items():
        assert isinstance(drawn, Figure) and drawn.parts, figure
        assert set(drawn.parts) <= paper(name).parts.keys(), figure


@EACH
def test_each_preset_computes_something_and_knows_its_data(name):
    for preset in PRESETS:
        assert paper(name).chosen(paper(name).presets[preset])


@EACH
def test_claims_are_whole(name):
    claims = paper(name).claims
    assert 1 <= sum(bool(claim.headline) for claim in claims) <= 6
    for claim in claims:
        assert claim.statement and claim.where and claim.paper, claim.id
        if claim.kind == "reference":
            assert claim.target != claim.target, f"{claim.id} has a bound that decides nothing"
        else:
            assert claim.presets, f"{claim.id} is decided nowhere"
        if claim.headline:
            assert claim.kind == "result", f"{claim.id}: only results are headlines"
            assert len(claim.headline) <= 80, f"{claim.id}: a headline is a few words"


@EACH
def test_a_smoke_run_makes_every_metric_that_is_claimed_of_its_parts(name, smoke):
    config, _, result = smoke(name)
    for part in paper(name).chosen(config):
        for claim in (claim for claim in paper(name).claims if claim.part == part):
            metrics = {claim.metric} | ({claim.baseline.metric} if claim.baseline else set())
            optional = paper(name).presets["smoke"] != config or claim.dataset
            assert optional or "smoke" not in claim.presets or metrics <= result.metrics.keys()


@PUBLISHED
def test_its_records_carry_the_verdicts_of_the_claims_as_they_are(name):
    for record_name, record in paper(name).records().items():
        assert record["paper"] == name and record["preset"] == record_name.split("-")[0]
        assert json.loads(json.dumps(judged(paper(name), record))) == record["claims"], record_name
        segments = segments_of(record, record_name)
        again = make_record(paper(name), record["preset"], record["config"], segments)
        assert json.loads(json.dumps(again)) == record, record_name


@PUBLISHED
def test_its_readme_begins_with_its_results_and_equals_its_rendering(name):
    path = ROOT / "experiments" / name / "README.md"
    text = path.read_text()
    markers = OWN_TABLES.findall(text)
    assert markers[0] == "main" and {"claims", "speed"} <= set(markers)
    assert text[: text.index("<!-- begin main")].count("\n") < 12, "main comes first"
    assert render(text, "experiments", paper(name)) == text


@EACH
def test_its_folder_has_what_a_paper_has(name):
    folder = ROOT / "experiments" / name
    for file in ("__init__", "__main__", "config", "experiment", "figures"):
        assert ast.get_docstring(ast.parse((folder / f"{file}.py").read_text())), file
    assert (folder / "README.md").exists()


@PUBLISHED
def test_it_has_a_notebook_a_benchmark_and_a_place_on_the_front_page(name):
    assert (ROOT / "notebooks" / f"{name}.ipynb").exists()
    assert (ROOT / "tests" / "benchmarks" / f"test_{name}.py").exists()
    assert f"experiments/{name}/results/" in (ROOT / "README.md").read_text()


def test_the_front_page_equals_its_rendering():
    text = (ROOT / "README.md").read_text()
    assert render(text, "experiments") == text
