"""Every notebook runs from top to bottom at `smoke` size, and defines no model of its own."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def code(notebook: Path) -> str:
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(notebook, smoke, monkeypatch):
    import matplotlib.pyplot as plt

    experiment = importlib.import_module(f"experiments.{notebook.stem}.experiment")
    presets = importlib.import_module(f"experiments.{notebook.stem}.config").PRESETS
    run, (config, _, result) = experiment.run, smoke(notebook.stem)

    def once(asked, *arguments, **options):
        """The parts of the smoke run, which other tests have made; any other is run."""
        return result if asked == config else run(asked, *arguments, **options)

    monkeypatch.setattr(experiment, "run", once)
    monkeypatch.setitem(presets, "notebook", presets["smoke"])
    exec(compile(code(notebook), notebook.name, "exec"), {"__name__": "__main__"})
    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert figures and all(figure.axes for figure in figures)
    for axis in (axis for figure in figures for axis in figure.axes if axis.axison):
        drawn = [line.get_ydata(orig=False) for line in axis.lines] + [
            i.get_array() for i in axis.images
        ]
        assert axis.has_data() and all(np.isfinite(np.ma.filled(d, 0)).any() for d in drawn)
    plt.close("all")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_imports_its_models_and_keeps_no_output(notebook):
    assert "nn.Module" not in code(notebook)
    assert 'PRESETS["notebook"]' in code(notebook) and "keep_compiled()" in code(notebook)
    cells = json.loads(notebook.read_text())["cells"]
    assert not any(c.get("outputs") for c in cells)
