"""What the Neural Turing Machine paper states. Light: imports no JAX.

Medians over seeds decide: training succeeds suddenly, and on some seeds late. A comparison counts once the
LSTM without memory has learned what the paper's had; until then it is undecided. Coin flips fail every
result (`tests/experiments/test_ntm_claims.py`).
"""

from typing import Any

from lib.run.claims import Baseline, Claim

_MODELS = {
    "feedforward": "NTM with a feedforward controller",
    "lstm": "NTM with an LSTM controller",
    "baseline": "LSTM without memory",
}


def _claim(
    part: str,
    measured: str,
    where: str,
    statement: str,
    paper: str,
    holds_if: Any,
    target: float,
    unit: str = "",
    **others,
) -> Claim:
    """A result, unless `others` say another kind; its metric is `<part>_<measured>`."""
    metric = f"{part}_{measured}"
    words = {"id": metric.replace("_", "-"), "metric": metric, "part": part, "where": where}
    words |= {"statement": statement, "paper": paper, "unit": unit, "kind": "result"}
    words |= {"holds_if": holds_if, "target": target, "statistic": "median"}
    return Claim(**words | others)


def _reference(part: str, measured: str, where: str, statement: str, paper: str, unit: str = ""):
    """A number of the paper's beside ours, without a verdict."""
    nothing = float("nan")
    return _claim(
        part, measured, where, statement, paper, "at least", nothing, unit, kind="reference"
    )


def _parameters(task: str, words: str, counts: dict[str, str]) -> tuple[Claim, ...]:
    return tuple(
        _reference(
            f"{task}_{kind}",
            "parameters",
            "Tables 1 to 3",
            f"Parameters, {words}: {_MODELS[kind]}",
            count,
        )
        for kind, count in counts.items()
    )


def _searched(task: str, words: str, rates: tuple[float, ...]) -> tuple[Claim, ...]:
    """What each network's cost came to at each of the learning rates that were tried."""
    return tuple(
        _claim(
            f"{task}_{kind}_search",
            f"at_{rate:g}",
            "–",
            f"{words}, in the search at a learning rate of {rate:g}: {model}",
            "–",
            "at most",
            float("nan"),
            "bits",
            kind="reference",
            presets=(),  # no preset asks for them
            metric=f"{task}_{kind}_at_{rate:g}",
        )
        for kind, model in _MODELS.items()
        for rate in rates
    )


_PAPER_ONLY = ("paper",)
"""Where numbers of sequences are judged: `laptop` raises learning rates, and not all alike."""

_COPY_LEARNED = Baseline(
    "copy_baseline_wrong_learned",
    "at most",
    0.05,
    "the LSTM has not learned to copy as far as it was shown",
)
_REPEAT_COPY_LEARNED = Baseline(
    "repeat_copy_baseline_wrong_10x10",
    "at most",
    0.05,
    "the LSTM has not learned to repeat 10 vectors 10 times",
)
_HALF_OF_CHANCE = 9.0
"""Bits of an item's 18."""
_SORTS = (128 + 58) / 2
"""Bits: half of the way from chance to where the paper's LSTM ends."""
_PREDICTS = 6.0
"""Bits above the optimal estimator: twice what the paper's LSTM has."""

COPY = (
    _claim(
        "copy_lstm",
        "bits",
        "Figure 3",
        "Copy is learned: cost of a sequence of up to 20 vectors, NTM with an LSTM controller",
        "0",
        "at most",
        0.1,
        "bits",
        headline="an NTM learns to copy",
    ),
    _claim(
        "copy_feedforward",
        "bits",
        "Figure 3",
        "Copy is learned: NTM with a feedforward controller",
        "0",
        "at most",
        0.1,
        "bits",
    ),
    _reference(
        "copy_baseline",
        "bits",
        "Figure 3",
        "Copy, cost in the end: LSTM without memory",
        "4.8 after 100 000",
        "bits",
    ),
    _claim(
        "copy_lstm",
        "sequences",
        "Figure 3",
        "Copy: sequences until the NTM with an LSTM controller stays below 1 bit",
        "about 50 000",
        "at most",
        100_000,  # twice the paper's
        presets=_PAPER_ONLY,
    ),
    _claim(
        "copy",
        "lstm_times_faster",
        "Figure 3",
        "Copying: how many times as many sequences as the NTM with an LSTM controller the LSTM without "
        "memory needs",
        "about 10",
        "at least",
        5,  # half of the paper's
        baseline=Baseline("copy_compared_cost", "at most", 1.0, "the LSTM has not learned to copy"),
        headline="... in fewer sequences than an LSTM",
    ),
    _claim(
        "copy_lstm",
        "exact_80",
        "section 4.1, Figure 4",
        "Copying carries on: sequences of 80 vectors, 4 times the longest seen, without a wrong bit",
        "50 copied",
        "at least",
        1,
        headline="... and copies far longer ones than it has seen",
    ),
    _claim(
        "copy_lstm",
        "wrong_120",
        "Figure 4",
        "... at 120, wrong bits (0.5 is chance)",
        "few: a vector written twice",
        "at most",
        0.1,
    ),
    _claim(
        "copy_baseline",
        "wrong_50",
        "Figure 5",
        "Copying does not carry on in the LSTM without memory: wrong bits at 50 vectors",
        "most (0.5 is chance)",
        "at least",
        0.25,
        baseline=_COPY_LEARNED,
    ),
    _claim(
        "copy_lstm",
        "step_of_one",
        "Figure 6",
        "Heads step from row to row: steps at which the write head's focus moves by one",
        "all",
        "at least",
        0.95,
    ),
    _claim(
        "copy_lstm",
        "focus",
        "Figure 6",
        "... sharply: the largest share of its weighting, mean",
        "1",
        "at least",
        0.9,
    ),
    _claim(
        "copy_lstm",
        "read_where_written",
        "Figure 6",
        "... and the read head follows: vectors read from the row they were written to",
        "all",
        "at least",
        0.95,
        # Two heads that stay on one row have this too.
        baseline=Baseline("copy_lstm_step_of_one", "at least", 0.95, "the write head stays"),
    ),
    *_searched("copy", "Copy, cost", (1e-4, 3e-4, 1e-3, 3e-3)),
    *_parameters(
        "copy", "copy", {"feedforward": "17 162", "lstm": "67 561", "baseline": "1 352 969"}
    ),
)

REPEAT_COPY = (
    _claim(
        "repeat_copy_lstm",
        "bits",
        "Figure 7",
        "Repeat copy is learned: up to 10 vectors, up to 10 times, NTM with an LSTM controller",
        "0",
        "at most",
        0.1,
        "bits",
    ),
    _claim(
        "repeat_copy_feedforward",
        "bits",
        "Figure 7",
        "Repeat copy is learned: NTM with a feedforward controller",
        "0",
        "at most",
        0.1,
        "bits",
        failed_because="at most 0.1; perhaps as its learning rate stays: the cost jumps up again",
    ),
    _reference(
        "repeat_copy_baseline",
        "bits",
        "Figure 7",
        "Repeat copy, cost after as many sequences: LSTM without memory",
        "0 after 300 000",
        "bits",
    ),
    _claim(
        "repeat_copy_lstm",
        "sequences",
        "Figure 7",
        "Repeat copy: sequences until the NTM with an LSTM controller stays below 1 bit",
        "about 50 000",
        "at most",
        100_000,  # twice the paper's
        presets=_PAPER_ONLY,
    ),
    _claim(
        "repeat_copy",
        "lstm_times_faster",
        "Figure 7",
        "Repeating: how many times as many sequences as the NTM with an LSTM controller the LSTM without "
        "memory needs",
        "about 6",
        "at least",
        3,  # half of the paper's
        baseline=Baseline(
            "repeat_copy_compared_cost", "at most", 1.0, "the LSTM has not learned to repeat"
        ),
    ),
    _claim(
        "repeat_copy_lstm",
        "wrong_20x10",
        "Figure 8",
        "Repeating carries on to twice as many vectors: wrong bits",
        "few",
        "at most",
        0.05,
    ),
    _claim(
        "repeat_copy_lstm",
        "wrong_10x20",
        "Figure 8",
        "... and to twice as many repeats (but not where to end): wrong bits",
        "the end marker after each repeat from the 11th",
        "at most",
        0.05,
    ),
    _claim(
        "repeat_copy_baseline",
        "wrong_20x10",
        "Figure 8",
        "Repeating does not carry on in the LSTM without memory: wrong bits for twice as many vectors",
        "most",
        "at least",
        0.25,
        baseline=_REPEAT_COPY_LEARNED,
    ),
    *_parameters(
        "repeat_copy",
        "repeat copy",
        {"feedforward": "16 712", "lstm": "66 111", "baseline": "5 312 007"},
    ),
)

_SIXTEENTH = "perhaps as it has seen a sixteenth of the paper's sequences"

ASSOCIATIVE_RECALL = (
    _claim(
        "associative_recall_feedforward",
        "bits",
        "Figure 10",
        "Associative recall is learned: 2 to 6 items, NTM with a feedforward controller",
        "0",
        "at most",
        0.1,
        "bits",
        headline="an NTM learns associative recall",
    ),
    _claim(
        "associative_recall_feedforward",
        "sequences",
        "Figure 10",
        "Associative recall: sequences until the NTM with a feedforward controller stays below 1 bit",
        "about 30 000",
        "at most",
        60_000,  # twice the paper's
        presets=_PAPER_ONLY,
    ),
    _claim(
        "associative_recall_lstm",
        "bits",
        "Figure 10",
        "Associative recall is learned: NTM with an LSTM controller",
        "0, later",
        "at most",
        0.1,
        "bits",
        failed_because=f"at most 0.1; {_SIXTEENTH}",
    ),
    _claim(
        "associative_recall_baseline",
        "bits",
        "Figure 10",
        "The LSTM without memory learns some of associative recall, not all: cost (18 is chance)",
        "above 0 after a million",
        "at least",
        1,
        "bits",
        baseline=Baseline(
            "associative_recall_baseline_bits",
            "at most",
            _HALF_OF_CHANCE,
            "the LSTM has learned less than half of it",
        ),
    ),
    _claim(
        "associative_recall_feedforward",
        "bits_12",
        "Figure 11",
        "Recall carries on to 12 items: cost, NTM with a feedforward controller",
        "about 0",
        "at most",
        1,
        "bits",
        failed_because=f"at most 1; {_SIXTEENTH}",
    ),
    _claim(
        "associative_recall_feedforward",
        "bits_15",
        "Figure 11",
        "... to 15 items",
        "below 1",
        "at most",
        1,
        "bits",
        failed_because=f"at most 1; {_SIXTEENTH}",
    ),
    _claim(
        "associative_recall_feedforward",
        "bits_20",
        "Figure 11",
        "... to 20 items",
        "about 8",
        "at most",
        8,
        "bits",
        failed_because=f"at most 8; {_SIXTEENTH}",
    ),
    _claim(
        "associative_recall_baseline",
        "bits_15",
        "Figure 11",
        "Recall does not carry on in the LSTM without memory: cost at 15 items (18 is chance)",
        "about 38",
        "at least",
        (18 + 38) / 2,  # half of the paper's distance from chance
        "bits",
        baseline=Baseline(
            "associative_recall_baseline_bits",
            "at most",
            _HALF_OF_CHANCE,
            "the LSTM has learned less than half of it",
        ),
    ),
    *_parameters(
        "associative_recall",
        "associative recall",
        {"feedforward": "146 845", "lstm": "70 330", "baseline": "1 344 518"},
    ),
)

NGRAMS = (
    _claim(
        "ngrams_optimal",
        "bits",
        "section 4.4, (10)",
        "The best that can be done on the N-grams: cost of the optimal estimator",
        "about 133",
        "within",
        133,
        "bits",
        tolerance=1,
        kind="pipeline",
    ),
    _claim(
        "ngrams_lstm",
        "above_optimal",
        "Figure 13",
        "N-grams, the NTM with an LSTM controller comes close: above the optimal estimator by",
        "about 1",
        "at most",
        1.5,
        "bits",
        headline="an NTM predicts N-grams nearly optimally",
    ),
    _claim(
        "ngrams_feedforward",
        "above_optimal",
        "Figure 13",
        "N-grams, the NTM with a feedforward controller: above the optimal estimator by",
        "about 1",
        "at most",
        1.5,
        "bits",
        failed_because="at most 1.5; perhaps as it has seen a twenty-fifth of the paper's sequences",
    ),
    _claim(
        "ngrams",
        "lstm_bits_saved",
        "Figure 13",
        "N-grams: how much lower the NTM with an LSTM controller is than the LSTM without memory",
        "about 2",
        "at least",
        1,  # half of the paper's
        "bits",
        baseline=Baseline(
            "ngrams_compared_cost",
            "at most",
            _PREDICTS,
            "the LSTM is not where the paper's is, about 3 above the optimal estimator",
        ),
    ),
    _reference(
        "ngrams_baseline",
        "above_optimal",
        "Figure 13",
        "N-grams, above the optimal estimator: LSTM without memory",
        "about 3",
        "bits",
    ),
    *_parameters(
        "ngrams", "N-grams", {"feedforward": "14 656", "lstm": "61 749", "baseline": "331 905"}
    ),
)

PRIORITY_SORT = (
    _claim(
        "priority_sort_lstm",
        "bits",
        "Figure 18",
        "Sorting is learned: cost of 16 of 20 vectors (128 is chance), NTM with an LSTM controller",
        "about 20",
        "at most",
        20,
        "bits",
        failed_because="at most 20; perhaps as it has seen a tenth of the paper's sequences",
        headline="an NTM learns to sort",
    ),
    _claim(
        "priority_sort_feedforward",
        "bits",
        "Figure 18",
        "Sorting is learned: NTM with a feedforward controller",
        "about 18",
        "at most",
        20,
        "bits",
    ),
    _claim(
        "priority_sort",
        "lstm_bits_saved",
        "Figure 18",
        "Sorting: how much lower the NTM with an LSTM controller is than the LSTM without memory",
        "about 38",
        "at least",
        19,  # half of the paper's
        "bits",
        baseline=Baseline(
            "priority_sort_compared_cost",
            "at most",
            _SORTS,
            "the LSTM is nearer to chance than to where the paper's is, about 58",
        ),
    ),
    _reference(
        "priority_sort_baseline",
        "bits",
        "Figure 18",
        "Sorting, cost: LSTM without memory",
        "about 58",
        "bits",
    ),
    _claim(
        "priority_sort_lstm",
        "linear",
        "Figure 17",
        "Vectors are written where linear functions of their priority say: coherence of the best head's "
        "writing along them (1: all of it)",
        "a close fit",
        "at least",
        0.5,
        baseline=Baseline(
            "priority_sort_lstm_linear_shuffled",
            "at most",
            0.4,
            "it is as coherent along shuffled priorities",
        ),
    ),
    _reference(
        "priority_sort_lstm",
        "linear_shuffled",
        "Figure 17",
        "Coherence along linear functions of shuffled priorities, by chance",
        "–",
    ),
    *_parameters(
        "priority_sort",
        "priority sort",
        {"feedforward": "508 305", "lstm": "269 038", "baseline": "384 424"},
    ),
)

CLAIMS = (*COPY, *REPEAT_COPY, *ASSOCIATIVE_RECALL, *NGRAMS, *PRIORITY_SORT)
