"""Eight virtual devices of a CPU against one, for each learning rule; in one process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from lib.ops.rows import across_devices
from lib.scale.mesh import mesh_for

ROOT = Path(__file__).parent.parent.parent
RULES = ("supervised", "simultaneous", "alternating", "q_learning", "pixels: several images")


@pytest.fixture(scope="module")
def found():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, "-m", "tests.scale.eight_devices"],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("rule", RULES)
def test_eight_devices_that_share_a_minibatch_learn_what_one_learns(found, rule):
    assert found[rule]["largest"] < 1e-5


@pytest.mark.parametrize("rule", RULES[:4])
def test_and_they_do_share_it(found, rule):
    """Sums over the rows are taken device by device, and then over the devices: other last bits."""
    assert not found[rule]["same bits"]
    assert found["told"][rule] > 0


def test_the_parameters_gradients_are_what_is_all_reduced(found):
    """A row a device has no more to tell the others than its gradient, and a few numbers."""
    gradient = found["gradient bytes"]
    assert gradient <= found["told"]["supervised"] < 2 * gradient + 1000


def test_a_device_plays_its_own_game_and_learns_from_its_own_transitions(found):
    assert found["frames"] == ["f32[1,10,5,2]", "f32[2,10,5,2]"]


def test_parameters_in_pieces_are_the_same_parameters(found):
    assert found["spread"]["largest"] < 1e-5
    assert found["told"]["spread"] != found["told"]["simultaneous"], "pieces have to be gathered"


@pytest.mark.parametrize("seeds", ["eight seeds", "pixels: an image a replica"])
def test_a_seed_alone_on_a_device_has_the_bits_that_it_has_on_one(found, seeds):
    assert found[seeds]["same bits"]
    assert found["told"][seeds] < 4000, "a chunk's metrics, and nothing in a step"


def test_seeds_that_do_not_divide_the_devices_share_them(found):
    """Three seeds on four rows of two devices."""
    assert found["three seeds"]["largest"] < 1e-5
    assert found["layouts"] == {
        "1": {"seeds": 1, "rows": 8},
        "2": {"seeds": 2, "rows": 4},
        "3": {"seeds": 4, "rows": 2},
        "5": {"seeds": 8, "rows": 1},
        "8": {"seeds": 8, "rows": 1},
        "9": {"seeds": 8, "rows": 1},
    }


def test_a_streamed_batch_lies_across_the_devices(found):
    assert found["streamed"] == {"same": True, "last": True}


def test_every_device_has_a_place_however_many_seeds_there_are():
    for devices in (1, 2, 3, 4, 6, 8, 12):
        for seeds in range(1, 20):
            shape = mesh_for(seeds, [f"device {i}" for i in range(devices)]).devices.shape
            assert np.prod(shape) == devices
            assert shape[0] >= min(seeds, devices)


def test_without_a_mesh_nothing_is_said_of_a_minibatch():
    batch = {"x": np.ones((8, 2), np.float32), "n": np.float32(3)}
    assert across_devices(batch) is batch
    assert "sharding" not in str(jax.make_jaxpr(across_devices)(batch))
