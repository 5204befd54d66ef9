"""Class images: the ascent by hand, each regulariser alone, and the comparisons."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from experiments.visualisation import class_images, figures
from experiments.visualisation.ascent import (
    Rules,
    ascend,
    blurred,
    regularised,
    roughness,
    without_smallest,
)
from experiments.visualisation.class_images import ARMS
from lib.run.watch import Watch

RNG = np.random.default_rng(0)
MEAN = np.float32([120, 110, 100])
WEIGHT = RNG.normal(size=(8, 8, 3, 2)).astype(np.float32) / 100
UNSURE = WEIGHT / 100
"""Of classes that are both probable."""
BEGIN = MEAN + RNG.normal(0, 20, (2, 8, 8, 3)).astype(np.float32)
LABELS = np.array([1, 0])


def logits(params, images):
    return jnp.einsum("nhwc,hwck->nk", images, params)


def climbed(weight=WEIGHT, **rules):
    return ascend(logits, weight, BEGIN, LABELS, Rules(**rules), mean=MEAN, steps=3)


def by_hand(direction, after=lambda x, gradient, t: x, step=8.0, steps=3):
    """Of each of `BEGIN`, `direction(x, label)` being the gradient of what is climbed."""
    found = []
    for begin, label in zip(BEGIN.astype(np.float64), LABELS, strict=True):
        x = begin - MEAN
        for t in range(steps):
            gradient = direction(x, label)
            x = after(x + step * gradient / np.abs(gradient).mean(), gradient, t)
            x = np.clip(x, -MEAN, 255 - MEAN)
        found.append(x + MEAN)
    return np.array(found)


def of_score(x, label):
    return WEIGHT[..., label].astype(np.float64)


def of_probability(x, label):
    scores = np.einsum("hwc,hwck->k", x + MEAN, UNSURE)
    p = np.exp(scores - scores.max())
    return UNSURE @ (np.eye(2)[label] - p / p.sum())


def test_without_regularisers_it_is_gradient_ascent_on_the_score():
    np.testing.assert_allclose(climbed(), by_hand(of_score), atol=1e-3)


def test_the_probability_is_another_objective_and_nothing_else():
    np.testing.assert_allclose(climbed(UNSURE, probability=1.0), by_hand(of_probability), atol=1e-2)
    assert ARMS["probability"]._replace(probability=0.0) == ARMS["none"] == Rules()


def test_simonyans_penalty_pulls_towards_the_mean():
    wanted = by_hand(lambda x, label: of_score(x, label) - 2 * 1e-3 * x)
    np.testing.assert_allclose(climbed(shrink=1e-3), wanted, atol=1e-3)


def test_each_regulariser_is_the_papers():
    def decay(x, gradient, t):
        return 0.9 * x

    def blur(x, gradient, t):
        wide = ndimage.gaussian_filter(x, (1.5, 1.5, 0), mode="nearest", radius=(4, 4, 0))
        return wide if t % 2 else x

    def norm(x, gradient, t):
        sizes = np.linalg.norm(x, axis=-1)
        return np.where((sizes < np.quantile(sizes, 0.4))[..., None], 0, x)

    def contribution(x, gradient, t):
        sizes = np.abs((x * gradient).sum(axis=-1))
        return np.where((sizes < np.quantile(sizes, 0.4))[..., None], 0, x)

    for rules, after in (
        ({"decay": 0.1}, decay),
        ({"blur": 1.5, "every": 2}, blur),
        ({"small_norm": 0.4}, norm),
        ({"small_contribution": 0.4}, contribution),
    ):
        np.testing.assert_allclose(climbed(**rules), by_hand(of_score, after), atol=2e-2)


def test_what_is_not_asked_for_does_nothing():
    x = jnp.asarray(BEGIN[0] - MEAN)
    found = jax.jit(regularised)(x, jnp.asarray(WEIGHT[..., 0]), Rules(), jnp.int32(3))
    np.testing.assert_array_equal(found, x)


def test_a_share_of_the_pixels_is_zero_and_a_flat_image_stays_flat():
    x = jnp.asarray(BEGIN[0] - MEAN)

    @jax.jit
    def both(x):
        sizes = jnp.linalg.norm(x, axis=-1)
        return without_smallest(x, sizes, 0.25), blurred(jnp.ones((6, 9, 2)), 2.0)

    cut, flat = both(x)
    assert np.mean((np.asarray(cut) == 0).all(axis=-1)) == 0.25
    np.testing.assert_allclose(flat, 1, atol=1e-6)


def test_pixels_stay_in_range():
    found = ascend(logits, WEIGHT, BEGIN, LABELS, Rules(step=90.0), mean=MEAN, steps=3)
    assert found.min() >= -1e-3 and found.max() <= 255 + 1e-3


def test_roughness_does_not_see_contrast():
    x = RNG.normal(size=(9, 7, 3))
    assert roughness(3 * x + 5) == pytest.approx(roughness(x))
    steps = np.repeat(np.repeat(x, 4, axis=0), 4, axis=1)
    assert roughness(steps) == pytest.approx(roughness(x) / 4, rel=0.3)
    assert roughness(np.ones((3, 3, 3))) == 0


def test_each_arm_but_the_last_differs_in_one_thing():
    for arm, rules in ARMS.items():
        changed = [n for n in Rules._fields if getattr(rules, n) != getattr(Rules(), n)]
        wanted = {"none": 0, "together": 4}.get(arm, 1)
        assert len(changed) == wanted, arm
    assert len({rules for rules in ARMS.values()}) == len(ARMS)
    assert {*figures.ROWS, *figures.MORE_ROWS} == ARMS.keys()


def test_all_arms_are_of_the_same_classes_begun_alike(visualisation_smoke, monkeypatch):
    config, data, result = visualisation_smoke
    asked = []

    def ascend(logits, params, begins, labels, rules, *, mean, steps):
        asked.append((begins, labels, steps, rules))
        return begins

    monkeypatch.setattr(class_images, "ascend", ascend)
    keys = jax.vmap(jax.random.key)(jnp.arange(2))
    found = class_images.class_images(config, keys, data, Watch(), {}).metrics
    assert [a[3] for a in asked] == [rules for rules in ARMS.values() for _ in keys]
    for begins, labels, steps, _ in asked[::2]:
        np.testing.assert_array_equal(begins, asked[0][0])
        np.testing.assert_array_equal(labels, [954, 130])
        assert steps == config.class_steps
    assert np.abs(asked[0][0] - asked[-1][0]).max() > 1, "seeds differ in where they begin"
    # Nothing was climbed: nothing is gained.
    assert found["class_found_gain"] == [0, 0]
    assert found["class_rough_left"] == found["class_score_left"] == [1, 1]
    assert found["class_judged_by_another"] == 0


def test_the_smoke_run_keeps_every_arms_image(visualisation_smoke):
    config, _, result = visualisation_smoke
    shape = (len(config.classes), config.class_side, config.class_side, 3)
    for arm in ARMS:
        assert result.arrays[f"class_{arm}"].shape == shape
