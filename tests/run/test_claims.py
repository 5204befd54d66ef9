"""Claims against numbers: what holds, what does not, and what this run cannot tell."""

import math

import numpy as np
import pytest

from lib.run.claims import Baseline, Claim, judge, summarise


def claim(**changes):
    values = {"holds_if": "at least", "target": 3.0, "id": "a", "where": "Table 1"}
    values |= {"statement": "It works", "paper": "3", "metric": "m", "part": "p", "kind": "result"}
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
    assert claim().bound() == "at least 3"
    assert claim(holds_if="within", tolerance=0.5).bound() == "within 3 ± 0.5"
    assert claim(kind="reference").bound() is None
    learned = Baseline("b", "at least", 0.7, "it has not learned")
    assert claim(baseline=learned).bound() == "at least 3, where b is at least 0.7"


def judged(*values, preset="laptop", data=(), bounds=None, **changes):
    metrics = {"m": summarise(list(values))} if values else {}
    (row,) = judge([claim(**changes)], metrics, preset, {"p": data}, bounds)
    return row


def real(name, is_real=True):
    return {"name": name, "split": "test", "fingerprint": "0", "real": is_real}


def test_a_claim_that_holds_and_one_that_does_not():
    assert judged(4.0)["verdict"] == "holds" and judged(4.0)["why"] == "at least 3"
    row = judged(2.0, failed_because="too short a run")
    assert row["verdict"] == "fails" and row["why"] == "too short a run" and row["ours"] == 2.0
    assert judged(2.0)["why"] == "at least 3"


ROUND_THREE = [3.1, 2.9, 3.2, 2.8, 3.0, 3.05]


@pytest.mark.parametrize(
    "values, holds_if, verdict",
    [
        # Below five values, every one of them.
        ([3.0, 3.1, 9.0, 4.0], "at least", "holds"),
        ([2.9, 3.1, 9.0, 4.0], "at least", "undecided"),
        ([1.0, 1.1], "at least", "fails"),
        ([2.0, 2.9], "at least", "undecided"),  # 2.45 + 2 x 0.45 reaches 3
        ([2.9], "at least", "fails"),
        # From five on, the mean and two standard errors.
        ([2.9, 3.5, 3.6, 3.7, 3.5], "at least", "holds"),
        (ROUND_THREE, "at least", "undecided"),
        ([2.9, 2.8, 2.7, 2.85, 2.75], "at least", "fails"),
        ([2.9, 2.8, 2.7, 2.85, 2.75], "at most", "holds"),
        (ROUND_THREE, "at most", "undecided"),
        (ROUND_THREE, "within", "holds"),
        ([3.4, 3.6, 3.5, 3.45, 3.55], "within", "undecided"),
        ([4.4, 4.6, 4.5, 4.45, 4.55], "within", "fails"),
        ([0.0, 6.0, 1.0, 5.0, 3.0], "within", "undecided"),  # wider than the tolerance
    ],
)
def test_the_verdict_looks_at_the_spread(values, holds_if, verdict):
    assert judged(*values, holds_if=holds_if, tolerance=0.5)["verdict"] == verdict


def test_the_margin_is_two_standard_errors_of_the_mean():
    values = np.array([2.0, 4.0, 3.0, 5.0, 6.0])
    below = values.mean() - 2 * values.std(ddof=1) / math.sqrt(5)
    above = values.mean() + 2 * values.std(ddof=1) / math.sqrt(5)
    for target, verdict in (
        (below - 1e-9, "holds"), (below + 1e-9, "undecided"),
        (above - 1e-9, "undecided"), (above + 1e-9, "fails"),
    ):  # fmt: skip
        assert judged(*values, target=target)["verdict"] == verdict


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_never_holds(value):
    for holds_if in ("at least", "at most", "within"):
        row = judged(value, 3.0, 3.0, 3.0, 3.0, holds_if=holds_if)
        assert row["verdict"] == "fails" and row["ours"] is None and "finite" in row["why"]


def test_a_part_that_was_not_run_has_no_row():
    assert judge([claim()], {}, "laptop", {}) == []


def test_a_metric_that_was_not_measured():
    row = judged()
    assert row["verdict"] is None and row["ours"] is None and row["why"] == "not measured"


def test_a_number_of_no_seed_has_no_count():
    metrics = {"m": summarise(4.0)}
    (row,) = judge([claim()], metrics, "laptop", {"p": ()})
    assert (row["ours"], row["std"], row["n"], row["verdict"]) == (4.0, None, 0, "holds")


def test_a_preset_that_does_not_decide_shows_its_number_without_a_verdict():
    row = judged(4.0, preset="smoke")
    assert row["verdict"] is None and row["ours"] == 4.0 and "laptop and paper" in row["why"]
    assert judged(4.0, preset="laptop", presets=("paper",))["verdict"] is None


def test_a_reference_has_neither_bound_nor_verdict():
    row = judged(4.0, kind="reference")
    assert (row["verdict"], row["bound"], row["why"]) == (None, None, "for reference")


@pytest.mark.parametrize(
    "reached, verdict", [([0.9, 0.8], "holds"), ([0.9, 0.1], "undecided"), (None, "undecided")]
)
def test_a_comparison_with_what_has_not_learned_is_undecided(reached, verdict):
    learned = Baseline("b", "at least", 0.7, "the baseline has not learned")
    metrics = {"m": summarise([4.0, 4.0])} | ({"b": summarise(reached)} if reached else {})
    (row,) = judge([claim(baseline=learned)], metrics, "laptop", {"p": ()})
    assert row["verdict"] == verdict and (row["why"] == learned.otherwise) == (verdict != "holds")


def test_a_bound_that_moved_is_marked():
    assert judged(4.0, bounds={"a": ["at least 3"]})["moved"] == []
    assert judged(4.0, bounds={"b": ["at least 1"]})["moved"] == []
    row = judged(4.0, bounds={"a": ["at least 3", "at least 0", "at least 0"]})
    assert row["moved"] == ["at least 0"]


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
    row = judged(4.0, data=data, dataset="mnist")
    assert row["verdict"] is None and row["ours"] is None and row["std"] is None
    assert row["why"] == "needs mnist"


def test_real_data_fills_its_row():
    data = [real("mnist"), real("digits", False)]
    assert judged(4.0, data=data, dataset="mnist")["verdict"] == "holds"


def test_a_part_of_the_test_set_fills_no_row():
    part = real("set5") | {"split": "test[:2]"}
    assert judged(4.0, data=[part], dataset="set5")["why"] == "needs set5"
    training = real("mnist") | {"split": "train[:50000]"}
    assert judged(4.0, data=[training, real("mnist")], dataset="mnist")["verdict"] == "holds"


@pytest.mark.parametrize("n", [2, 3, 10])
def test_summaries_are_numpys(n):
    values = np.random.default_rng(n).normal(100, 3, n)
    found = summarise(values)
    np.testing.assert_allclose(found["mean"], values.mean(), rtol=1e-14)
    np.testing.assert_allclose(found["std"], values.std(ddof=1), rtol=1e-12)
    assert found["per_seed"] == values.tolist()


def test_one_value_has_no_spread_and_a_number_of_no_seed_no_mean():
    assert summarise([3]) == {"mean": 3.0, "std": None, "per_seed": [3.0]}
    assert summarise(3) == {"value": 3.0}
    assert summarise([1.0, math.inf, -math.inf, math.nan]) == {
        "mean": None, "std": None, "per_seed": [1.0, "inf", "-inf", "nan"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "values, holds_if, ours, shown, verdict",
    [
        ([1.0, 2.0, 2.0], "at most", 2.0, [1.0, 2.0], "holds"),
        ([1.0, 9.0, 2.0], "at most", 2.0, [1.0, 9.0], "undecided"),
        ([1.0, math.inf, 2.0], "at most", 2.0, [1.0, None], "undecided"),
        ([math.inf, math.inf, math.inf], "at most", None, [None, None], "fails"),
        ([4.0, math.nan, 5.0, 6.0, 7.0], "at least", 5.0, [None, 7.0], "undecided"),
        ([4.0, 4.0, 5.0, 6.0, 7.0], "at least", 5.0, [4.0, 7.0], "holds"),
        ([math.nan, *range(4, 14)], "at least", 8.0, [None, 13.0], "holds"),
        ([1.0, 2.0, 1.0, 1.0, 1.0], "at least", 1.0, [1.0, 2.0], "fails"),
    ],
)
def test_a_median_asks_how_many_seeds_succeed(values, holds_if, ours, shown, verdict):
    row = judged(*values, statistic="median", holds_if=holds_if)
    assert (row["ours"], row["range"], row["verdict"], row["std"]) == (ours, shown, verdict, None)
    assert row["n"] == len(values)
