"""The tables that only the SRCNN paper's README has."""

import json

from lib.report.tables import render
from lib.run.paper import load_paper


def test_time_to_quality(tmp_path, monkeypatch):
    paper = load_paper("experiments.srcnn")
    monkeypatch.setattr(type(paper), "results", tmp_path)
    text = "<!-- begin time_to_quality -->\n<!-- end -->"
    assert "Not run." in render(text, "experiments", paper)
    record = {"what": "dB", "levels": [31.5, 32.5]}
    record |= {"device": "cpu", "versions": "v", "command": "c"}
    record["seconds"] = {"ours": [12.0, 60.0], "PyTorch": [99.5, None]}
    record["curves"] = {"ours": [[60.0, 32.6]], "PyTorch": [[99.5, 31.6], [240.0, 31.9]]}
    (tmp_path / "time_to_quality.json").write_text(json.dumps(record))
    lines = render(text, "experiments", paper).splitlines()
    assert lines[1] == "| dB | ours, s | PyTorch, s |"
    assert lines[3:5] == ["| 31.5 | 12.00 | 99.50 |", "| 32.5 | 60.00 | not in 240.0 |"]
    assert lines[6] == "cpu; v; `c`."
