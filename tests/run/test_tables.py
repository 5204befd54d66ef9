"""Tables: how numbers are written, markers filled, and what is committed."""

import json
import math

import pytest

from lib.run.claims import judge
from lib.run.paper import all_papers, load_paper
from lib.report.tables import claims_markdown, claims_text, number, ours, readmes, render


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0.000"),
        (0.085, "0.085"),
        (-0.5, "−0.500"),
        (9.9994, "9.999"),
        (12.345, "12.35"),
        (225.13, "225.1"),
        (-1234.5, "−1234"),
        (2.1e-7, "2.1e−07"),
        (123456.0, "123456"),
        (1.3e8, "1.3e+08"),
        (math.nan, "nan"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def row(**changes):
    base = {"id": "a", "where": "Table 1", "statement": "It works", "paper": "225 ± 2"}
    base |= {"ours": 220.0, "std": 3.0, "n": 4, "unit": "nats", "holds": True, "why": "at least 3"}
    return base | changes


def test_our_number_in_a_table():
    assert ours(row()) == "220.0 ± 3.000 nats (n = 4)"
    assert ours(row(std=None, unit="", n=1)) == "220.0 (n = 1)"
    assert ours(row(ours=None, why="not run")) == "not run"
    assert ours(row(ours=None, why="needs mnist")) == "–"


def test_a_median_shows_the_range():
    assert (
        ours(row(ours=4.0, std=None, range=[1.0, 12.0], n=3))
        == "4.000 (1.000 to 12.00) nats (n = 3)"
    )
    assert (
        ours(row(ours=4.0, std=None, range=[1.0, None], n=3))
        == "4.000 (1.000 to never) nats (n = 3)"
    )
    assert ours(row(ours=4.0, std=None, range=[4.0, 4.0], n=1)) == "4.000 nats (n = 1)"


def test_a_table_in_markdown():
    lines = claims_markdown([row(), row(holds=False, why="too short"), row(holds=None, why="")])
    lines = lines.splitlines()
    assert lines[0] == "| claim | where | paper | ours ± std | holds? |"
    cells = "| It works | Table 1 | 225 ± 2 | 220.0 ± 3.000 nats (n = 4) |"
    assert lines[2] == f"{cells} yes (at least 3) |"
    assert lines[3] == f"{cells} **no** (too short) |"
    assert lines[4] == f"{cells} – |"


def test_a_table_in_the_terminal():
    lines = claims_text([row(statement="long " * 30), row()], width=20).splitlines()
    assert len(lines) == 3 and lines[1].startswith("long long long long…  225 ± 2")
    assert len({line.index("225") for line in lines[1:]}) == 1


TEXT = """# Title
<!-- begin claims toy smoke -->
stale
<!-- end -->
between
<!-- begin papers -->
<!-- end -->
<!-- begin speed toy -->
<!-- end -->
"""


def test_rendering_fills_the_markers_and_only_them_and_twice_is_once():
    once = render(TEXT, "papers")
    assert "stale" not in once and once.startswith("# Title\n") and "\nbetween\n" in once
    assert "| The net fits its points | section 1 | 0 | not run |" in once
    assert "experiments/toy/README.md" in once and "Not run." in once
    assert render(once, "papers") == once
    own = render(TEXT.replace(" toy", ""), "papers", load_paper("papers.toy"))
    assert "| The net fits its points | section 1 | 0 | not run |" in own


def test_seconds_of_a_resumed_run_are_not_called_the_whole(monkeypatch):
    paper = load_paper("papers.toy")
    made = {"seeds": [0], "data": [], "device": "cpu", "seconds": {"compile": 1, "run": 179}}
    made |= {"command": "c", "claims": []}
    text = "<!-- begin claims smoke -->\n<!-- end -->"
    monkeypatch.setattr(type(paper), "records", lambda self: {"smoke": made})
    assert "3 min in all" in render(text, "papers", paper)
    made["resumed"] = True
    assert "3 min since it was last resumed" in render(text, "papers", paper)


def test_a_table_leaves_out_claims_about_other_data_and_a_variants_what_it_is_not_for(monkeypatch):
    paper = load_paper("papers.toy")
    whys = {"kept": "at least 3", "other": "needs mnist", "later": "decided by paper"}
    whys |= {"absent": "not run"}
    rows = [row(statement=name, id=name, why=why) for name, why in whys.items()]
    made = {"seeds": [0], "data": [], "device": "cpu", "seconds": {"compile": 1, "run": 1}}
    made |= {"command": "c", "claims": rows}
    half = [row(statement="theirs", id="theirs", why="at least 3")]
    records = {
        "smoke": {**made, "claims": [*rows, row(statement="theirs", id="theirs", why="not run")]}
    }
    records["smoke-half"] = {**made, "claims": rows + half}
    monkeypatch.setattr(type(paper), "records", lambda self: records)

    def statements(name):
        text = render(f"<!-- begin claims {name} -->\n<!-- end -->", "papers", paper)
        return {statement for statement in (*whys, "theirs") if f"| {statement} |" in text}

    assert statements("smoke") == {"kept", "later", "absent"}
    assert statements("smoke-half") == {"kept", "theirs"}


def test_a_claim_holds_in_the_list_of_papers_if_it_does_in_every_record_that_decides_it(
    monkeypatch,
):
    def made(**verdicts):
        return {"claims": [row(id=name, holds=holds) for name, holds in verdicts.items()]}

    records = {"laptop": made(a=True, b=True, c=None), "laptop-more": made(b=False, c=True)}
    monkeypatch.setattr(type(load_paper("papers.toy")), "records", lambda self: records)
    text = render("<!-- begin papers -->\n<!-- end -->", "papers")
    assert "| 2 of 3 | not run |" in text


def test_time_to_quality(tmp_path, monkeypatch):
    paper = load_paper("papers.toy")
    monkeypatch.setattr(type(paper), "results", tmp_path)
    text = "<!-- begin quality -->\n<!-- end -->"
    assert "Not run." in render(text, "papers", paper)
    found = {"what": "dB", "levels": [31.5, 32.5], "device": "cpu", "versions": "v", "command": "c"}
    found["seconds"] = {"ours": [12.0, 60.0], "PyTorch": [99.5, None]}
    found["curves"] = {"ours": [[60.0, 32.6]], "PyTorch": [[99.5, 31.6], [240.0, 31.9]]}
    (tmp_path / "time_to_quality.json").write_text(json.dumps(found))
    lines = render(text, "papers", paper).splitlines()
    assert lines[1] == "| dB | ours, s | PyTorch, s |"
    assert lines[3:5] == ["| 31.5 | 12.00 | 99.50 |", "| 32.5 | 60.00 | not in 240.0 |"]


def test_time_to_solve(tmp_path, monkeypatch):
    paper = load_paper("papers.toy")
    monkeypatch.setattr(type(paper), "results", tmp_path)
    text = "<!-- begin solve -->\n<!-- end -->"
    assert "Not run." in render(text, "papers", paper)
    rows = [{"seed": 0, "seconds": 7.5, "sequences": 4000}]
    rows += [{"seed": 1, "seconds": None, "sequences": 9000}]
    found = {"what": "no wrong bit", "cap": 60.0, "rows": rows, "solved": 1, "median": 7.5}
    found["peer"] = {"name": "peer", "seconds": 675, "sequences": 13_500, "why": "elsewhere"}
    found |= {"device": "cpu", "versions": "v", "command": "c"}
    (tmp_path / "time_to_solve.json").write_text(json.dumps(found))
    table = render(text, "papers", paper)
    assert "| 0 | 7.500 | 4000 |" in table and "| 1 | not in 60.00 | 9000 |" in table
    assert "1 of 2 seeds, in 7.500 s (median)" in table and "675 s, 13500 sequences" in table


@pytest.mark.parametrize("path", readmes(), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_committed_readme_equals_its_rendering(path):
    if not path.exists():
        pytest.skip("not written yet")
    text = path.read_text()
    assert render(text, "experiments", readmes()[path]) == text


@pytest.mark.parametrize("paper", all_papers(), ids=lambda paper: paper.name)
def test_committed_records_carry_the_verdicts_of_the_claims_as_they_are(paper):
    for name, made in paper.records().items():
        assert made["paper"] == paper.name and made["preset"] == name.split("-")[0]
        again = judge(paper.claims, made["metrics"], made["preset"], made["data"])
        assert json.loads(json.dumps(again)) == made["claims"], name


@pytest.mark.parametrize("paper", all_papers(), ids=lambda paper: paper.name)
def test_claims_have_their_own_names(paper):
    names = [claim.id for claim in paper.claims]
    assert len(set(names)) == len(names)
