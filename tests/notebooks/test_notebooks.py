"""Every notebook runs from top to bottom at `smoke` size, and defines no model of its own."""

import importlib
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def code(notebook: Path) -> str:
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(notebook, smoke, monkeypatch):
    import matplotlib.pyplot as plt

    experiment = importlib.import_module(f"experiments.{notebook.stem}.experiment")
    run, (config, _, result) = experiment.run, smoke(notebook.stem)

    def once(asked, *arguments, **options):
        """The smoke run, which other tests have made; any other is run."""
        whole = asked == config and len(arguments) == 2 and not options
        return result if whole else run(asked, *arguments, **options)

    monkeypatch.setattr(experiment, "run", once)
    exec(compile(code(notebook), notebook.name, "exec"), {"__name__": "__main__"})
    assert plt.get_fignums()
    plt.close("all")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_imports_its_models_and_keeps_no_output(notebook):
    assert "nn.Module" not in code(notebook)
    cells = json.loads(notebook.read_text())["cells"]
    assert not any(c.get("outputs") for c in cells)
