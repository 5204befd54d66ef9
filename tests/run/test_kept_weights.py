"""A run keeps the weights that its result names, beside the record."""

import json

import jax
import numpy as np
import pytest

from lib.base.weights import load_weights
from lib.run.result import Result, first_seed, load_part


def test_a_run_keeps_its_first_seeds_weights_with_words_about_them(whole):
    params, about = load_weights(whole / "weights-momentum.safetensors")
    command = json.loads((whole / "result.json").read_text())["parts"]["adam"][0]["command"]
    assert about == {"paper": "toy", "of": "a line, momentum", "command": command}
    assert "python -m papers.toy smoke --seeds 2" in command
    arrays = np.load(whole / "parts" / "momentum" / "arrays.npz")
    # The toy's arrays are the leaves of both seeds' final state.
    ours = sorted(x.tobytes() for x in jax.tree.leaves(params))
    theirs = {x[0].tobytes() for x in arrays.values()}
    assert len(ours) == 4 and theirs.issuperset(ours)


def test_a_part_keeps_those_of_every_seed(whole):
    stacked, about = load_part(whole / "parts" / "momentum")[0].weights["momentum"]
    first = load_weights(whole / "weights-momentum.safetensors")[0]
    assert about == {"paper": "toy", "of": "a line, momentum"}
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x[0], y), stacked, first)
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y), first_seed(stacked), first)
    assert all(len(x) == 2 for x in jax.tree.leaves(stacked))


def test_two_results_keep_both_weights_and_refuse_the_same_name_twice():
    a, b = (Result({}, weights={name: ({}, {"of": name})}) for name in "ab")
    assert (a | b).weights == {"a": ({}, {"of": "a"}), "b": ({}, {"of": "b"})}
    with pytest.raises(ValueError, match="both results have the weights a"):
        a | a
