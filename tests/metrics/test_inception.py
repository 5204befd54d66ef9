import math

import jax
import numpy as np
import pytest

from lib.metrics import inception

inception_score = jax.jit(inception.inception_score, static_argnames="splits")
SURE = 50.0
"""A logit by which a classifier leaves no doubt in float32."""


def by_loops(logits, splits):
    """Salimans et al.'s definition in float64: `(mean, standard deviation)` over the splits."""
    scores = []
    for part in np.split(np.asarray(logits, np.float64), splits):
        p = np.exp(part)
        p /= p.sum(axis=1, keepdims=True)
        marginal = p.mean(axis=0)
        divergences = [
            sum(a * math.log(a / m) for a, m in zip(x, marginal, strict=True)) for x in p
        ]
        scores.append(math.exp(np.mean(divergences)))
    return np.mean(scores), np.std(scores)


@pytest.mark.parametrize("splits", [1, 3])
def test_equals_the_definition(splits):
    logits = 2 * np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    wanted = by_loops(logits, splits)
    np.testing.assert_allclose(inception_score(logits, splits=splits), wanted, rtol=1e-4, atol=1e-6)
    # p(y) is the mean over images: the mean over classes would be another number.
    assert abs(wanted[0] - by_loops(logits.T, 1)[0]) > 0.05


def test_has_its_hand_value():
    p = np.array([[0.75, 0.25], [0.25, 0.75]], np.float32)
    mean, std = inception_score(np.log(p), splits=1)
    wanted = math.exp(0.75 * math.log(1.5) + 0.25 * math.log(0.5))  # p(y) = (1/2, 1/2)
    np.testing.assert_allclose(mean, wanted, rtol=1e-6)
    assert std == 0


def test_is_the_number_of_classes_for_sure_and_evenly_spread_predictions():
    logits = SURE * np.eye(5, dtype=np.float32)[np.arange(20) % 5]
    mean, std = inception_score(logits, splits=2)
    np.testing.assert_allclose(mean, 5, rtol=1e-5)
    np.testing.assert_allclose(std, 0, atol=1e-5)


@pytest.mark.parametrize(
    "logits",
    [
        SURE * np.eye(5, dtype=np.float32)[np.zeros(20, int)],  # one class only: collapsed
        np.zeros((20, 5), np.float32),  # no idea about any image
    ],
)
def test_is_one_for_collapsed_and_for_undecided_predictions(logits):
    np.testing.assert_allclose(inception_score(logits, splits=2)[0], 1, rtol=1e-5)


def test_counts_the_classes_that_are_reached():
    logits = SURE * np.eye(5, dtype=np.float32)[np.arange(20) % 3 % 2]
    p = np.array([2, 1]) / 3  # every split holds class 0 twice as often as class 1
    wanted = math.exp(-(p * np.log(p)).sum())
    np.testing.assert_allclose(inception_score(logits[:18], splits=3)[0], wanted, rtol=1e-5)


def test_stays_between_its_bounds():
    for seed in range(5):
        logits = 3 * np.random.default_rng(seed).normal(size=(20, 4)).astype(np.float32)
        mean, _ = inception_score(logits, splits=2)
        assert 1 < mean < 4


def test_a_class_whose_probability_underflows_everywhere_adds_nothing():
    logits = 300 * np.eye(3, dtype=np.float32)[np.arange(4) % 2]
    np.testing.assert_allclose(inception_score(logits, splits=1)[0], 2, rtol=1e-5)


def test_splits_that_do_not_divide_the_images_are_refused():
    with pytest.raises(TypeError, match="reshape"):
        inception_score(np.zeros((7, 3), np.float32), splits=2)
