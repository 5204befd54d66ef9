"""Arrows run one way (DESIGN.md), and a command line answers before anything heavy is imported."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "ops": {"ops"},
    "nn": {"ops", "nn"},
    "models": {"ops", "nn", "models"},
    "steps": {"ops"},
    "metrics": {"ops", "metrics"},
}
"""Of `lib`, what each pure package may import."""
BELOW = {
    "base": {"base"},
    "plots": {"base", "plots"},
    "pictures": {"base", "pictures"},
    "data": {"base", "data"},
    "batches": {"base", "ops", "data", "batches"},
    "pretrained": {"base", "ops", "nn", "models", "data", "pretrained"},
    "envs": {"base", "ops", "envs"},
    "scale": {"base", "ops", "scale"},
    "run": {"base", "data", "report", "run", "scale"},
    "report": {"base", "plots", "report", "run"},
    "jobs": {"base", "report", "run", "jobs"},
}
"""The same of packages that may touch the disk: base at the bottom; run and report, which know one
another, above the others."""
IMPURE = {
    *("os", "io", "sys", "pathlib", "shutil", "tempfile", "glob", "pickle", "importlib"),
    *("time", "datetime", "random", "subprocess", "socket", "urllib", "logging"),
}
"""Disk, clock, network, hidden state: not for a pure package."""


def imports(path: str, source: str) -> list[str]:
    """Every name that `source`, the file `path`, imports, dotted and absolute.

    `from a import b` is "a.b": b may be a module, and if it is not, the prefix says enough.
    """
    package = path.removesuffix(".py").split("/")[:-1]
    found = []
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


def calls_open(source: str) -> bool:
    calls = [n.func for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    return any(isinstance(f, ast.Name) and f.id == "open" for f in calls)


def violations(sources: dict[str, str]) -> list[str]:
    """What in `sources` (path from the root -> text) breaks the rules, one line each."""
    broken, allowed = [], MAY_IMPORT | BELOW
    for path, source in sources.items():
        top, *rest = path.split("/")
        pure = MAY_IMPORT.get(rest[0]) if top == "lib" else None
        for name in imports(path, source):
            to, *inner = name.split(".")
            within = inner[0] if inner else "*"
            if top == "lib" and to == "experiments":
                broken.append(f"{path}: lib imports {name}")
            elif top == "experiments" and to == "experiments":
                # `experiments/__main__.py` belongs to no paper; nothing may be imported from it.
                if len(rest) == 1 or within != rest[0]:
                    broken.append(f"{path}: an experiment imports {name}")
            elif to == "lib" and top == "lib" and within not in allowed.get(rest[0], {within}):
                broken.append(f"{path}: {rest[0]} imports {name}")
            elif pure is not None and to in IMPURE:
                broken.append(f"{path}: a pure package imports {name}")
        if pure is not None and calls_open(source):
            broken.append(f"{path}: a pure package opens a file")
    return broken


def our_sources() -> dict[str, str]:
    paths = [p for top in ("lib", "experiments") for p in sorted((ROOT / top).rglob("*.py"))]
    return {p.relative_to(ROOT).as_posix(): p.read_text() for p in paths}


def test_arrows_run_one_way():
    sources = our_sources()
    assert {"lib/steps/adversarial.py", "experiments/gan/experiment.py"} <= sources.keys()
    assert violations(sources) == []


def test_data_know_no_jax():
    of_data = {path: text for path, text in our_sources().items() if path.startswith("lib/data/")}
    found = {name.split(".")[0] for path, text in of_data.items() for name in imports(path, text)}
    assert "numpy" in found and found.isdisjoint({"jax", "flax", "optax"})


def test_every_folder_of_lib_is_either_pure_or_known_not_to_be():
    folders = {path.split("/")[1] for path in our_sources() if path.count("/") > 1}
    folders -= {path.split("/")[1] for path in our_sources() if path.startswith("experiments")}
    assert folders == {*MAY_IMPORT, *BELOW}


@pytest.mark.parametrize(
    "path, source",
    [
        ("lib/ops/a.py", "from lib.nn.maxout import Maxout"),
        ("lib/ops/a.py", "from ..nn import maxout"),
        ("lib/nn/a.py", "import lib.models.gan"),
        ("lib/nn/a.py", "import lib"),
        ("lib/models/a.py", "from lib import steps"),
        ("lib/models/a.py", "def f():\n    from lib.run.loop import train"),
        ("lib/steps/a.py", "from lib.models.mlp import MLP"),
        ("lib/steps/a.py", "from lib.nn import maxout as m"),
        ("lib/metrics/a.py", "from lib.data import load"),
        ("lib/metrics/a.py", "from lib.plots.style import figure"),
        ("lib/metrics/a.py", "from lib.base.errors import UserError"),
        ("lib/nn/a.py", "import jax, os"),
        ("lib/nn/a.py", "import os.path"),
        ("lib/steps/a.py", "from pathlib import Path"),
        ("lib/steps/a.py", "from time import perf_counter"),
        ("lib/metrics/a.py", "def f():\n    return open('x').read()"),
        ("lib/data/a.py", "import experiments.gan.config"),
        ("lib/run/a.py", "from experiments import gan"),
        ("lib/base/errors.py", "from experiments.gan import ring"),
        ("lib/base/files.py", "from lib.run.loop import train"),
        ("lib/base/files.py", "from lib.ops.resize import resize"),
        ("lib/data/a.py", "from lib.run.loop import train"),
        ("lib/data/a.py", "from lib.batches.indices import shuffled_indices"),
        ("lib/batches/a.py", "from lib.models.vgg import VGG"),
        ("lib/data/a.py", "from lib.pretrained import load"),
        ("lib/data/a.py", "from lib.models.vgg import VGG"),
        ("lib/pretrained/a.py", "from lib.run.devices import keep_compiled"),
        ("lib/pictures/a.py", "from lib.data import images"),
        ("lib/envs/a.py", "from lib.run.files import write_json"),
        ("lib/envs/a.py", "def f():\n    from lib.data import load"),
        ("lib/plots/a.py", "from lib.run.record import read"),
        ("lib/run/a.py", "from lib.models.vgg import VGG"),
        ("lib/report/a.py", "from lib.data import load"),
        ("experiments/dcgan/a.py", "from experiments.gan import theory"),
        ("experiments/dcgan/a.py", "from experiments import gan"),
        ("experiments/dcgan/a.py", "from ..gan.config import Ring"),
        ("experiments/dcgan/a.py", "import experiments"),
        ("experiments/__main__.py", "from experiments.gan import config"),
    ],
)
def test_an_arrow_in_the_wrong_direction_is_found(path, source):
    assert len(violations({"lib/ops/fine.py": "import jax", path: source})) == 1


@pytest.mark.parametrize(
    "path, source",
    [
        ("lib/nn/a.py", "from lib.ops.resize import resize\nfrom lib.nn import maxout"),
        ("lib/models/a.py", "from ..nn.maxout import Maxout\nfrom . import mlp"),
        (
            "lib/steps/a.py",
            "import jax, optax\nfrom collections.abc import Callable\nimport lib.ops.gram",
        ),
        ("lib/run/a.py", "import os, time\nfrom lib.data import load\nopen('x')"),
        ("lib/base/errors.py", "import sys"),
        (
            "experiments/gan/a.py",
            "from experiments.gan import ring\nfrom . import theory\nimport lib.run.cli",
        ),
        ("experiments/__main__.py", "from lib.run.paper import all_papers"),
    ],
)
def test_an_arrow_in_the_right_direction_is_not(path, source):
    assert violations({path: source}) == []


HEAVY = {"jax", "flax", "optax", "orbax", "tensorflow_datasets", "sklearn", "matplotlib"}

AS_MODULE = """
import atexit, runpy, sys
module, *sys.argv[1:] = sys.argv[1:]
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
"""`python -m`, with the modules that were imported on stderr."""


@pytest.mark.parametrize(
    "command, answer",
    [
        (["experiments.gan", "--help"], "--learning-rate"),
        (["experiments.vdsr", "--help"], "--clip"),
        (["experiments.ntm", "--help"], "--copy.sequences"),
        (["experiments.dqn", "--help"], "--target-every"),
        (["experiments.neural_style", "--help"], "--small-iterations"),
        (["experiments.seq2seq", "--help"], "--tuning"),
        (["experiments"], "gan: Generative Adversarial Nets"),
    ],
)
def test_a_question_is_answered_at_once_and_imports_nothing_heavy(command, answer):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", AS_MODULE, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert answer in done.stdout
    imported = set(done.stderr.split())
    paper = command[0] if "." in command[0] else "experiments.gan"
    assert f"{paper}.config" in imported
    assert imported.isdisjoint(HEAVY)
    assert seconds < 3
