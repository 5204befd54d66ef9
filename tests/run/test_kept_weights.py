"""A run keeps the weights that its result names, beside the record."""

import json

import jax
import numpy as np
import pytest

from lib.run.result import Result, load_result
from lib.run.weights import load_weights


def test_a_run_keeps_its_weights_with_words_about_them(whole):
    params, about = load_weights(whole / "weights-line.safetensors")
    command = json.loads((whole / "result.json").read_text())["command"]
    assert about == {"paper": "toy", "of": "a line", "command": command}
    assert "python -m papers.toy smoke --seeds 2" in command
    arrays = load_result(whole).arrays
    # The toy's arrays are the leaves of both seeds' final state; its weights the first seed's.
    ours = sorted(x.tobytes() for x in jax.tree.leaves(params))
    theirs = {x[0].tobytes() for x in arrays.values()}
    assert len(ours) == 4 and theirs.issuperset(ours)


def test_a_resumed_run_keeps_the_same_weights(whole, run, tmp_path):
    again = tmp_path / "run"
    words = ("smoke", "--seeds", "2", "--out", again)
    assert run(*words).code == 0
    (again / "weights-line.safetensors").unlink()
    assert run(*words, "--resume").code == 0
    (first, about), (second, other) = (
        load_weights(folder / "weights-line.safetensors") for folder in (whole, again)
    )
    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert about["command"] != other["command"] and other["command"].endswith("--resume")


def test_drawing_and_keeping_read_no_weights(whole, run):
    assert load_result(whole).weights == {}
    assert run("figures", whole).code == 0


def test_two_results_keep_both_weights_and_refuse_the_same_name_twice():
    a, b = (Result({}, weights={name: ({}, {"of": name})}) for name in "ab")
    assert (a | b).weights == {"a": ({}, {"of": "a"}), "b": ({}, {"of": "b"})}
    with pytest.raises(ValueError, match="both results have the weights a"):
        a | a
