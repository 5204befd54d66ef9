"""Table 1's translator: its language model, its n best, and a comparison whose sides differ in one weight."""

import math

import numpy as np
import pytest

from experiments.encoder_decoder import rescoring
from experiments.encoder_decoder.claims import CLAIMS
from experiments.encoder_decoder.rescoring import (
    Candidates,
    Hypothesis,
    LanguageModel,
    bleu_of_rows,
    bootstrap,
    candidates,
    chosen,
    inverse,
    n_best,
    tuned,
)
from lib.batches.phrases import PhraseTable
from lib.metrics.bleu import bleu
from lib.run.claims import verdict


def words(text):
    return tuple(text.split())


TABLE = PhraseTable(
    [(("a",), ("x",)), (("a",), ("y",)), (("b",), ("z",)), (("a", "b"), ("y", "z"))],
    np.array([0.75, 0.25, 1.0, 1.0]),
    np.array([3.0, 1.0, 4.0, 2.0]),
)
OPTIONS = {("a",): [0, 1], ("b",): [2], ("a", "b"): [3]}


def test_a_language_model_by_hand():
    model = LanguageModel([words("x z"), words("x x")])
    # After "x": of three words with "x" before, z once, the end once, x once; x begins both sentences.
    three, two, one = (
        1 / 2,
        1 / 3,
        1 / 6,
    )  # z after (start, x); z after x; z of six words with the ends
    wanted = math.log((three + two + one + 1 / 3) / 4)
    assert model.log_probability(("z",), ("", "x")) == pytest.approx(wanted)
    whole = model.log_probability(words("x z") + ("\n",))
    parts = model.log_probability(("x",)) + wanted + model.log_probability(("\n",), ("x", "z"))
    assert whole == pytest.approx(parts)
    assert model.log_probability(("never",)) == pytest.approx(math.log(1 / 3 / 4))


def test_the_n_best_follow_the_source():
    model = LanguageModel([words("y z"), words("x z"), words("y z")])
    found = n_best(words("a b"), OPTIONS, TABLE, model)
    assert {h.words for h in found} == {words("x z"), words("y z")}
    assert found[0] == Hypothesis(
        words("y z"), (3,)
    )  # as a phrase it is likelier than word by word
    assert n_best(words("a c"), OPTIONS, TABLE, model) == []
    assert inverse(TABLE).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_features_are_sums_over_phrases():
    model = LanguageModel([words("x z")])
    scores = np.array([[1.0, 10, 100], [2, 20, 200], [3, 30, 300], [4, 40, 400]])
    pair = (words("a b"), words("x z"))
    found = candidates(pair, [Hypothesis(words("x z"), (0, 2))], scores, model)
    language = model.log_probability(words("x z") + ("\n",))
    np.testing.assert_allclose(found.features, [[4, 40, language, 2, 2, 400]])
    assert bleu_of_rows(np.concatenate([found.counts] * 2)) == bleu([pair[1]] * 2, [pair[1]] * 2)
    nothing = candidates(pair, [], scores, model)
    assert nothing.features[0, :2].tolist() == [0, 0] and nothing.counts[0, -2:].tolist() == [0, 2]


def sentences(told, count=30):
    """Two translations each, of which the right one is first or last; `told`: the network knows which."""
    rng, made = np.random.default_rng(0), []
    right, wrong = (4, 3, 2, 1, 4, 3, 2, 1, 4, 4), (2, 1, 0, 0, 4, 3, 2, 1, 4, 4)
    for _ in range(count):
        first = bool(rng.integers(2))
        features = np.concatenate([rng.normal(size=(2, 5)), np.zeros((2, 1))], axis=1)
        if told:
            features[:, 5] = (20, -20) if first else (-20, 20)
        made.append(Candidates(features, np.array([right, wrong] if first else [wrong, right])))
    return made


def gain(told):
    dev, test = sentences(told), sentences(told, 40)
    base, ours = (chosen(test, tuned(dev, network=with_it)) for with_it in (False, True))
    return bleu_of_rows(ours) - bleu_of_rows(base), bootstrap(ours, base)


def test_a_network_that_knows_gains_and_one_that_says_nothing_does_not():
    (claim,) = [c for c in CLAIMS if c.id == "table-1"]
    found, (low, high) = gain(told=True)
    assert 0 < low < found < high and verdict(claim, [found]) == "holds"
    assert gain(told=False) == (0, (0, 0)) and verdict(claim, [0.0]) == "fails"


def test_the_two_sides_differ_in_the_networks_weight():
    dev = sentences(told=False)
    assert tuned(dev, network=False)[5] == 0 < tuned(dev, network=True)[5]
    np.testing.assert_array_equal(tuned(dev, network=False)[:5], tuned(dev, network=True)[:5])


def test_no_sentence_that_is_translated_gave_a_phrase(encoder_decoder_smoke):
    from lib.batches.numbers import draw_numbers, in_words

    config, data, result = encoder_decoder_smoke
    _, found = rescoring.translated(config, rescoring.whole_table(data))
    known = set(in_words(draw_numbers(config.digits, config.sentences)))
    assert len(found) == 2 * config.held and known.isdisjoint(pair[0] for pair, _ in found)
    assert result.metrics["table_1_room"][0] >= 0
