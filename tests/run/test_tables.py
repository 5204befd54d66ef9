"""Tables: how numbers are written, markers filled, and what is committed."""

import dataclasses
import math

import pytest

from lib.base.errors import UserError
from lib.base.files import write_json
from lib.report.tables import (
    claims_markdown,
    claims_text,
    number,
    ours,
    render,
    time_on_record,
)
from lib.run.claims import KINDS
from lib.run.paper import load_paper
from tests.benchmarks.keep import rows


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
    base = {"id": "a", "kind": "result", "where": "Table 1", "statement": "It works"}
    base |= {"paper": "225 ± 2", "ours": 220.0, "std": 3.0, "n": 4, "unit": "nats"}
    base |= {"verdict": "holds", "why": "at least 3", "bound": "at least 3", "moved": []}
    return base | changes


def made(rows=(), preset="smoke", part="momentum", **changes):
    """A record of one part."""
    run = {"seeds": [0], "device": "cpu", "date": "2026-01-02", "command": "c", "bounds": {}}
    run |= {"seconds": {"compile": 1.0, "run": 179.0}, "data": [], "versions": {}}
    base = {"paper": "toy", "preset": preset, "config": {}, "overrides": {}, "seeds": [0]}
    base |= {"parts": {part: [run]}, "metrics": {}, "claims": list(rows)}
    return base | changes


@pytest.fixture
def kept(monkeypatch):
    """`kept(name=record, ...)`: what the toy's records are; `-` is written as two underscores."""

    def kept(**records):
        records = {name.replace("__", "-"): record for name, record in records.items()}
        monkeypatch.setattr(type(load_paper("papers.toy")), "records", lambda self: records)

    kept()
    return kept


def rendered(marker):
    text = render(f"<!-- begin {marker} -->\n<!-- end -->", "papers", load_paper("papers.toy"))
    return text.partition("\n")[2].rpartition("\n")[0]


def test_our_number_in_a_table():
    assert ours(row()) == "220.0 ± 3.000 nats (n = 4)"
    assert ours(row(std=None, unit="", n=1)) == "220.0 (n = 1)"
    assert ours(row(std=None, n=0)) == "220.0 nats"
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
    rows = [row(), row(verdict="fails", why="too short"), row(verdict=None, why="")]
    rows += [row(verdict="undecided", why="x", moved=["at least 0"])]
    lines = claims_markdown(rows).splitlines()
    assert lines[0] == "| claim | where | paper | ours ± std | holds? |"
    cells = "| It works | Table 1 | 225 ± 2 | 220.0 ± 3.000 nats (n = 4) |"
    assert lines[2] == f"{cells} yes (at least 3) |"
    assert lines[3] == f"{cells} **no** (too short) |"
    assert lines[4] == f"{cells} – |"
    assert lines[5] == f"{cells} undecided (x; bound moved after the run, from at least 0) |"


def test_a_table_in_the_terminal():
    lines = claims_text([row(statement="long " * 30), row()], width=20).splitlines()
    assert len(lines) == 3 and lines[1].startswith("long long long long…  225 ± 2")
    assert len({line.index("225") for line in lines[1:]}) == 1


TEXT = """# Title
<!-- begin main toy -->
<!-- end -->
<!-- begin claims toy smoke -->
stale
<!-- end -->
between
<!-- begin papers -->
<!-- end -->
<!-- begin speed toy -->
<!-- end -->
"""


def test_rendering_fills_the_markers_and_only_them_and_twice_is_once(kept):
    once = render(TEXT, "papers")
    assert "stale" not in once and once.startswith("# Title\n") and "\nbetween\n" in once
    assert "- Table 1: not run; not timed yet: `python -m papers.toy smoke" in once
    assert "experiments/toy/README.md" in once and "Not run." in once
    assert render(once, "papers") == once
    own = render(TEXT.replace(" toy", ""), "papers", load_paper("papers.toy"))
    assert "- Table 1: not run" in own


@pytest.mark.parametrize(
    "marker",
    [
        "claims",
        "claims smok",
        "claims smoke-nope",
        "claims tyo smoke",
        "main tyo",
        "nope",
        "speeed",
    ],
)
def test_a_marker_that_names_nothing_is_named(marker, kept):
    for paper in (None, load_paper("papers.toy")):
        with pytest.raises(UserError, match=f"README.md: the marker '{marker}' names nothing"):
            render(f"<!-- begin {marker} -->\n<!-- end -->", "papers", paper)


def test_speed_is_beside_a_peers_where_there_is_one(tmp_path):
    benches = [
        {"group": group, "name": name, "stats": {"median": seconds}, "extra_info": about}
        for group, name, seconds, about in (
            ("update", "test_ours", 0.5, {"steps": 10}),
            ("update", "test_pytorch", 0.1, {"steps": 1}),
            ("search", "test_ours", 0.4, {"steps": 100, "alone": True}),
            ("skipped", "test_ours", 0.4, {"steps": 1}),
        )
    ]
    about = {"device": "cpu", "versions": "some", "command": "make bench"}
    speed = {"rows": rows({"benchmarks": benches}), **about}
    (tmp_path / "results").mkdir()
    write_json(tmp_path / "results" / "speed.json", speed)
    paper = dataclasses.replace(load_paper("papers.toy"), folder=tmp_path)
    text = render("<!-- begin speed -->\n<!-- end -->", "papers", paper)
    assert "| update | 50.00 | 100.0 | 0.500 |\n| search | 4.000 | – | – |\n\ncpu" in text
    assert "skipped" not in text


def test_kinds_stand_apart_and_what_is_no_result_folded(kept):
    rows = [row(id=kind, statement=kind, kind=kind) for kind in KINDS]
    kept(smoke=made(rows))
    text = rendered("claims smoke")
    open_, folded = text.split("<details>")
    assert "| result | where |" in open_ and "| mechanism | where |" in open_
    for kind in KINDS:
        assert f"| {kind} | Table 1 |" in (open_ if kind in ("result", "mechanism") else folded)
    assert folded.index("</summary>") < folded.index("| pipeline |") < folded.index("</details>")


def test_what_is_not_run_is_a_line_a_group_and_no_row(kept):
    paper = load_paper("papers.toy")
    text = rendered("claims paper")
    line = "- Section 1: not run; about 1 s on a H100: `python -m papers.toy paper --only adam`"
    assert text == line  # momentum and points decide nothing in `paper`
    kept(smoke=made([row()]), smoke__more=made([row()], part="points"))
    lines = [line for line in rendered("claims smoke").splitlines() if "not run" in line]
    assert len(lines) == 1 and lines[0].startswith("- Section 1: not run; not timed yet")
    assert "not run" not in rendered("claims smoke-more")
    same = {n: dataclasses.replace(p, covers="Tables") for n, p in paper.parts.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("papers.toy.config.PARTS", same)
        kept()
        assert rendered("claims smoke") == (
            "- Tables: not run; not timed yet: "
            "`python -m papers.toy smoke --only adam momentum points`"
        )


def test_what_a_record_is_of_is_said_below_its_table(kept):
    record = made([row()], overrides={"steps": [20, 40]})
    (run,) = record["parts"]["momentum"]
    run["data"] = [{"name": "points", "split": "all", "real": True}]
    record["parts"]["momentum"].append(dict(run, seeds=[3, 4], device="gpu"))
    record["parts"]["points"] = [dict(run, together=["points", "adam"])]
    record["parts"]["adam"] = [dict(run, together=["points", "adam"])]
    kept(smoke=record)
    assert (
        "`smoke, steps 20 of 40`; points `all`; seeds 0, 3, 4 on cpu, 2026-01-02 and gpu, "
        "2026-01-02: momentum 6 min; seed 0 on cpu, 2026-01-02: points, adam 3 min. "
        "[Record](results/smoke.json)."
    ) in rendered("claims smoke")
    run["seconds"] = {}
    assert "(time not kept)" in rendered("claims smoke")


def test_times_on_record_are_those_of_the_preset(kept):
    paper = load_paper("papers.toy")
    kept(laptop=made(preset="laptop"), smoke__odd=made(overrides={"steps": [1, 2]}))
    assert time_on_record(paper, "momentum", "laptop") == "took 3 min (1 seed, cpu)"
    assert time_on_record(paper, "momentum", "paper") == ""
    assert time_on_record(paper, "adam", "paper") == "not run; about 1 s on a H100"


def test_a_table_leaves_out_claims_about_other_data_and_a_variants_what_it_is_not_for(kept):
    whys = {"kept": "at least 3", "other": "needs mnist", "later": "decided by paper"}
    whys["newer"] = "not measured"  # a claim made after the run
    rows = [row(statement=name, id=name, why=why) for name, why in whys.items()]
    kept(smoke=made(rows), smoke__half=made(rows))

    def statements(name):
        return {statement for statement in whys if f"| {statement} |" in rendered(f"claims {name}")}

    assert statements("smoke") == {"kept", "later"}
    assert statements("smoke-half") == {"kept"}


def test_the_first_table_has_the_headlines_from_the_record_that_decides_them(kept):
    heading = "| | paper | ours ± std | setting | holds? |\n|---|---|---|---|---|\n"
    assert rendered("main") == f"{heading}| a net fits its points | 0 | – | not run | – |"
    laptop = made([row(id="fits", ours=1.0)], preset="laptop")
    paper = made([row(id="fits", ours=2.0, verdict="fails")], preset="paper")
    shown = made([row(id="fits", ours=3.0, verdict=None)], preset="paper")
    kept(laptop=laptop, paper=shown)
    assert "| 1.000 ± 3.000 nats (n = 4) | laptop | yes |" in rendered("main")
    kept(laptop=laptop, paper=paper)
    assert "| 2.000 ± 3.000 nats (n = 4) | paper | **no** |" in rendered("main")
    paper["overrides"] = {"steps": [100, 1000]}
    kept(laptop=laptop, paper=paper)
    assert "| laptop | yes |" in rendered("main")  # a preset as it is comes first
    kept(paper=paper)
    assert "| paper, steps 100 of 1000 | **no** |" in rendered("main")
    paper["overrides"] = {"momentum.steps": [100, 1000], "adam.steps": [1, 2]}
    paper["parts"]["adam"] = paper["parts"]["momentum"]
    assert "| paper, momentum.steps 100 of 1000 | **no** |" in rendered("main")


def test_the_list_of_papers_counts_results_of_presets_as_they_are(kept):
    def verdicts(preset="laptop", kind="result", overrides=(), **rows):
        rows = [row(id=name, kind=kind, verdict=v) for name, v in rows.items()]
        return made(rows, preset=preset, overrides=dict(overrides))

    first = verdicts(a="holds", b="holds", c=None, fits="holds")
    kept(laptop=first, laptop__more=verdicts(b="fails", c="undecided"))
    text = rendered("papers")
    assert "| laptop: 2 of 4, 1 undecided; paper: not run |" in text
    assert text.endswith("| Reproduced: a net fits its points. |")
    kept(
        laptop=verdicts(a="holds"),
        laptop__odd=verdicts(b="fails", overrides={"steps": [1, 2]}),
        laptop__math=verdicts(c="holds", kind="identity"),
        paper__half=verdicts("paper", fits="fails", overrides={"steps": [1, 2]}),
    )
    text = rendered("papers")
    assert "| laptop: 1 of 1; paper: only with other settings |" in text
    assert text.endswith("| Not reproduced: a net fits its points. |")


def test_a_papers_own_tables(tmp_path, monkeypatch, kept):
    import sys
    import types

    monkeypatch.setattr(type(load_paper("papers.toy")), "results", tmp_path)
    own = types.ModuleType("papers.toy.tables")
    own.TABLES = {"lines": lambda record: f"{record['n']} lines"}
    monkeypatch.setitem(sys.modules, "papers.toy.tables", own)
    assert rendered("lines") == "Not run."
    (tmp_path / "lines.json").write_text('{"n": 3}')
    assert rendered("lines") == "3 lines"
