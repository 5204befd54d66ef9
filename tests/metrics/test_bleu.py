"""BLEU against hand values and against sacrebleu."""

import math

import numpy as np
import pytest

from lib.metrics.bleu import bleu, bleu_of, matches


def test_counts_by_hand():
    """The paper's example of clipping: of seven "the" two are in the reference."""
    counts = matches("the the the the the the the".split(), "the cat is on the mat".split())
    assert counts.found == (2, 0, 0, 0) and counts.all == (7, 6, 5, 4)
    assert (counts.words, counts.reference) == (7, 6)


def test_a_translation_that_is_the_reference_has_100_and_one_without_a_word_of_it_0():
    reference = ["a man rides a horse".split(), "two dogs run in the snow".split()]
    assert bleu(reference, reference) == pytest.approx(100)
    assert bleu([["x"] * 5, ["y"] * 5], reference) == 0
    assert bleu([[], []], reference) == 0


def test_short_translations_pay():
    """All precisions are 1: what is left is exp(1 - 8/5)."""
    reference = "a b c d e f g h".split()
    assert bleu([reference[:5]], [reference]) == pytest.approx(100 * math.exp(1 - 8 / 5))


def test_it_is_the_corpus_that_is_scored_not_the_mean_of_sentences():
    ours, theirs = [list("abcde"), list("vwxyz")], [list("abcde"), list("vwxzy")]
    each = [bleu([o], [t]) for o, t in zip(ours, theirs, strict=True)]
    assert abs(bleu(ours, theirs) - np.mean(each)) > 1
    counts = [matches(o, t) for o, t in zip(ours, theirs, strict=True)]
    assert bleu_of(counts) == bleu(ours, theirs)


def test_sacrebleu_says_the_same():
    sacrebleu = pytest.importorskip("sacrebleu")
    rng, letters = np.random.default_rng(0), list("abcdefg")
    for case in range(60):
        sentences = rng.integers(1, 4)
        ours, theirs = (
            [
                list(rng.choice(letters[: 2 + case % 6], rng.integers(1, 12)))
                for _ in range(sentences)
            ]
            for _ in range(2)
        )
        if case % 2:  # as near as translations are
            theirs = [[*o[:-1], "z"] for o in ours]
        wanted = sacrebleu.corpus_bleu(
            [" ".join(s) for s in ours],
            [[" ".join(s) for s in theirs]],
            tokenize="none",
            force=True,
        )
        assert bleu(ours, theirs) == pytest.approx(wanted.score, abs=1e-6), (ours, theirs)
