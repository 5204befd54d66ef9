"""Strict flags for every test, one compile cache, and one smoke run that many tests look at."""

import os
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import jax
import pytest

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"

# Compiled programs outlive the process: the second run of the suite compiles nothing.
os.environ.setdefault("XDG_CACHE_HOME", str(CACHE))

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture(scope="session", autouse=True)
def compile_cache():
    from lib.run.devices import keep_compiled

    keep_compiled(CACHE / "deep-morning")


@pytest.fixture(scope="session")
def squeezenet():
    """SqueezeNet's weights, from the cache, the publisher or the package index."""
    from lib.data.weights import WeightsNotFound, load

    try:
        return load("squeezenet1_1")
    except WeightsNotFound as error:
        pytest.skip("; ".join(f"{place}: {reason}" for place, reason in error.attempts))


@pytest.fixture(scope="session")
def given_weights():
    """`given_weights(name)`: a network of the folder that DEEP_MORNING_WEIGHTS names."""
    from lib.data.weights import at_hand, load

    folder = os.environ.get("DEEP_MORNING_WEIGHTS")

    def given_weights(name):
        if not folder:
            pytest.skip("DEEP_MORNING_WEIGHTS names no folder of pretrained networks")
        if not at_hand(name, Path(folder)):
            pytest.skip(f"no {name} in {folder}")
        return load(name, Path(folder))

    return given_weights


@pytest.fixture(scope="session")
def gan_smoke(tmp_path_factory):
    """`(config, data, result)` of one smoke run of the GAN paper, in this process."""
    from experiments.gan.config import PRESETS
    from experiments.gan.experiment import load_data, run

    config = PRESETS["smoke"]
    data = load_data(config)
    return config, data, run(config, jax.random.key(0), data)


@pytest.fixture(scope="session")
def srcnn_smoke():
    """`(config, data, result)` of one smoke run of the SRCNN paper, in this process."""
    from experiments.srcnn.config import PRESETS
    from experiments.srcnn.experiment import load_data, run

    config = PRESETS["smoke"]
    data = load_data(config)
    return config, data, run(config, jax.random.key(0), data)


@pytest.fixture(scope="session")
def vdsr_smoke():
    """`(config, data, result)` of one smoke run of the VDSR paper, in this process."""
    from experiments.vdsr.config import PRESETS
    from experiments.vdsr.experiment import load_data, run

    config = PRESETS["smoke"]
    data = load_data(config)
    return config, data, run(config, jax.random.key(0), data)


@pytest.fixture(scope="session")
def ntm_smoke():
    """`(config, data, result)` of one smoke run of the NTM paper, in this process."""
    from experiments.ntm.config import PRESETS
    from experiments.ntm.experiment import load_data, run

    config = PRESETS["smoke"]
    data = load_data(config)
    return config, data, run(config, jax.random.key(0), data)


@pytest.fixture(scope="session")
def dqn_smoke():
    """`(config, data, result)` of one smoke run of the DQN paper, in this process."""
    from experiments.dqn.config import PRESETS
    from experiments.dqn.experiment import load_data, run

    config = PRESETS["smoke"]
    data = load_data(config)
    return config, data, run(config, jax.random.key(0), data)


@pytest.fixture(scope="session")
def neural_style_smoke(squeezenet):
    """`(config, data, result)` of one smoke run of the neural style paper, in this process."""
    from experiments.neural_style.config import PRESETS
    from experiments.neural_style.experiment import load_data, run

    config = PRESETS["smoke"]
    data = load_data(config)
    return config, data, run(config, jax.random.key(0), data)
