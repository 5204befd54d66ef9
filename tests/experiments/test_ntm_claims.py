"""What the NTM paper's claims say of coin flips, of equal networks, and of the paper's own numbers."""

import math

import pytest

from experiments.ntm.config import CLAIMS, MODELS, PARTS, TASKS
from lib.run.claims import judge, summarise

RESULTS = [claim for claim in CLAIMS if claim.kind == "result"]
COMPARISONS = {
    *("copy-lstm-times-faster", "copy-baseline-wrong-50"),
    *("repeat-copy-lstm-times-faster", "repeat-copy-baseline-wrong-20x10"),
    "associative-recall-baseline-bits",
    *("associative-recall-baseline-bits-15", "ngrams-lstm-bits-saved"),
    "priority-sort-lstm-bits-saved",
}


def verdicts(metrics, claims=RESULTS):
    """By claim, with the paper's preset and five equal seeds."""
    summaries = {name: summarise([value] * 5) for name, value in metrics.items()}
    rows = judge(claims, summaries, "paper", {part: [] for part in PARTS})
    return {row["id"]: row["verdict"] for row in rows}


def every_network(**measured):
    return {f"{t}_{k}_{n}": v for t in TASKS for k in MODELS for n, v in measured.items()}


CHANCE = {"copy": 84, "repeat_copy": 181.5, "associative_recall": 18, "priority_sort": 128}
"""Bits of a sequence; 200 of the N-grams, 67 above the optimal estimator."""


def coin_flips():
    """Answers of one half to everything, and a head whose focus jumps anywhere."""
    wrong = dict.fromkeys(("wrong_learned", "wrong_50", "wrong_120"), 0.5)
    wrong |= dict.fromkeys(("wrong_10x10", "wrong_20x10", "wrong_10x20"), 0.5)
    metrics = every_network(
        sequences=math.inf,
        times_faster=0,
        exact_80=0,
        **wrong,
        **{f"bits_{items}": 18 for items in (12, 15, 20)},
        step_of_one=2 / 128,
        focus=1 / 128,
        read_where_written=3 / 128,
        above_optimal=67,
        bits_saved=0,
        linear=0.38,
        linear_shuffled=0.38,
    )
    for task, bits in (CHANCE | {"ngrams": 200}).items():
        metrics |= {f"{task}_{kind}_bits": bits for kind in MODELS}
        metrics[f"{task}_compared_cost"] = 67 if task == "ngrams" else bits
    return metrics


def all_learned():
    """Three networks that have learned everything, equally soon, and carry on equally far."""
    wrong = dict.fromkeys(("wrong_learned", "wrong_50", "wrong_120"), 0)
    wrong |= dict.fromkeys(("wrong_10x10", "wrong_20x10", "wrong_10x20"), 0)
    metrics = every_network(
        bits=0,
        sequences=30_000,
        times_faster=1,
        exact_80=1,
        **wrong,
        **{f"bits_{items}": 0 for items in (12, 15, 20)},
        step_of_one=1,
        focus=1,
        read_where_written=1,
        above_optimal=1,
        bits_saved=0,
        linear=0.9,
        linear_shuffled=0.38,
    )
    return metrics | {f"{task}_compared_cost": 0 for task in TASKS}


PAPER = {
    **dict.fromkeys(("copy_compared_cost", "repeat_copy_compared_cost"), 0.5),
    **{"copy_lstm_times_faster": 10, "repeat_copy_lstm_times_faster": 6},
    **{"copy_baseline_wrong_learned": 0.01, "copy_baseline_wrong_50": 0.4},
    **{"repeat_copy_baseline_wrong_10x10": 0, "repeat_copy_baseline_wrong_20x10": 0.4},
    **{"associative_recall_baseline_bits": 4, "associative_recall_compared_cost": 4},
    **{"associative_recall_baseline_bits_15": 38, "associative_recall_feedforward_bits_20": 8},
    **{"ngrams_compared_cost": 3, "ngrams_lstm_bits_saved": 2},
    **{"priority_sort_compared_cost": 58, "priority_sort_lstm_bits_saved": 38},
    **{"priority_sort_lstm_bits": 20, "priority_sort_feedforward_bits": 18},
}
"""What the paper's figures show, of the LSTM above all; the rest is learned."""


def test_coin_flips_hold_no_claim():
    assert {id for id, v in verdicts(coin_flips()).items() if v == "holds"} == set()


def test_networks_that_are_equal_hold_no_comparison():
    found = verdicts(all_learned())
    assert COMPARISONS <= found.keys()
    assert {id for id in COMPARISONS if found[id] != "fails"} == set()
    assert {id for id, v in found.items() if v != "holds"} == COMPARISONS


def test_the_papers_own_numbers_hold_every_claim():
    found = verdicts(all_learned() | PAPER)
    assert {id for id, v in found.items() if v != "holds"} == set()


@pytest.mark.parametrize("id", sorted(COMPARISONS))
def test_a_comparison_with_an_lstm_that_has_not_learned_is_undecided(id):
    """However good the NTM is."""
    metrics = all_learned() | PAPER
    chance = coin_flips()
    metrics |= {name: value for name, value in chance.items() if "baseline" in name}
    metrics |= {name: value for name, value in chance.items() if name.endswith("compared_cost")}
    assert verdicts(metrics)[id] == "undecided"


def test_heads_that_stay_where_they_are_do_not_read_where_they_have_written():
    still = all_learned() | {"copy_lstm_step_of_one": 0}
    assert verdicts(still)["copy-lstm-read-where-written"] == "undecided"
