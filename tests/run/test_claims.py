"""Claims against numbers: what holds, what does not, and what this run cannot tell."""

import math

import numpy as np
import pytest

from lib.run.claims import Claim, judge, summarise


def claim(**changes):
    values = {"holds_if": "at least", "target": 3.0, "id": "a", "where": "Table 1"}
    values |= {"statement": "It works", "paper": "3", "metric": "m"}
    return Claim(**(values | changes))


@pytest.mark.parametrize(
    "holds_if, value, met",
    [
        ("at least", 3.0, True),
        ("at least", 2.999, False),
        ("at least", math.inf, True),
        ("at most", 3.0, True),
        ("at most", 3.001, False),
        ("within", 2.5, True),
        ("within", 3.5, True),
        ("within", 3.51, False),
        ("within", 2.49, False),
        ("at least", math.nan, False),
        ("at most", math.nan, False),
        ("within", math.nan, False),
    ],
)
def test_met_by(holds_if, value, met):
    assert claim(holds_if=holds_if, tolerance=0.5).met_by(value) is met


def test_criterion_is_said_in_words():
    assert claim().criterion() == "at least 3"
    assert claim(holds_if="within", tolerance=0.5).criterion() == "within 3 ± 0.5"


def judged(value=4.0, preset="laptop", data=(), **changes):
    metrics = {} if value is None else {"m": summarise([value])}
    (row,) = judge([claim(**changes)], metrics, preset, data)
    return row


def real(name, is_real=True):
    return {"name": name, "split": "test", "fingerprint": "0", "real": is_real}


def test_a_claim_that_holds_and_one_that_does_not():
    assert judged()["holds"] is True and judged()["why"] == "at least 3"
    row = judged(2.0, failed_because="too short a run")
    assert row["holds"] is False and row["why"] == "too short a run" and row["ours"] == 2.0
    assert judged(2.0)["why"] == "at least 3"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_never_holds(value):
    for holds_if in ("at least", "at most", "within"):
        row = judged(value, holds_if=holds_if)
        assert row["holds"] is False and row["ours"] is None and "finite" in row["why"]


def test_a_metric_that_was_not_measured():
    row = judged(None)
    assert row["holds"] is None and row["ours"] is None and row["n"] == 0
    assert row["why"] == "not run"


def test_a_preset_that_does_not_decide_shows_its_number_without_a_verdict():
    row = judged(preset="smoke")
    assert row["holds"] is None and row["ours"] == 4.0 and "laptop and paper" in row["why"]
    assert judged(preset="laptop", presets=("paper",))["holds"] is None


@pytest.mark.parametrize(
    "data",
    [
        (),
        [real("fashion_mnist")],
        [real("mnist", False)],
        [real("mnist"), real("mnist", False)],
    ],
    ids=["none", "another", "not real", "partly real"],
)
def test_other_data_never_fills_a_row_about_real_data(data):
    row = judged(data=data, dataset="mnist")
    assert row["holds"] is None and row["ours"] is None and row["std"] is None
    assert row["why"] == "needs mnist"


def test_real_data_fills_its_row():
    assert judged(data=[real("mnist"), real("digits", False)], dataset="mnist")["holds"] is True


def test_a_part_of_the_test_set_fills_no_row():
    part = real("set5") | {"split": "test[:2]"}
    assert judged(data=[part], dataset="set5")["why"] == "needs set5"
    training = real("mnist") | {"split": "train[:50000]"}
    assert judged(data=[training, real("mnist")], dataset="mnist")["holds"] is True


@pytest.mark.parametrize("n", [2, 3, 10])
def test_summaries_are_numpys(n):
    values = np.random.default_rng(n).normal(100, 3, n)
    found = summarise(values)
    np.testing.assert_allclose(found["mean"], values.mean(), rtol=1e-14)
    np.testing.assert_allclose(found["std"], values.std(ddof=1), rtol=1e-12)
    assert found["per_seed"] == values.tolist()


def test_one_value_has_no_spread():
    assert summarise([3]) == {"mean": 3.0, "std": None, "per_seed": [3.0]}


@pytest.mark.parametrize(
    "values, holds_if, ours, shown, holds",
    [
        ([1.0, 9.0, 2.0], "at most", 2.0, [1.0, 9.0], True),
        ([1.0, math.inf, 2.0], "at most", 2.0, [1.0, None], True),
        ([math.inf, math.inf, 2.0], "at most", None, [2.0, None], False),
        ([4.0, math.nan, 5.0], "at least", 4.0, [None, 5.0], True),
        ([1.0, 6.0], "at least", 3.5, [1.0, 6.0], True),
    ],
)
def test_a_median_forgives_few_failures(values, holds_if, ours, shown, holds):
    metrics = {"m": summarise(values)}
    one = claim(statistic="median", holds_if=holds_if)
    (row,) = judge([one], metrics, "laptop", ())
    assert (row["ours"], row["range"], row["holds"], row["std"]) == (ours, shown, holds, None)
    assert row["n"] == len(values)
