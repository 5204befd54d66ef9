"""Images evolved: each encoding by hand, the niches, and the random search beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.adversarial import evolution, rubbish
from experiments.adversarial.evolution import (
    FUNCTIONS,
    INPUTS,
    Pattern,
    evolve,
    patterns,
    pixelwise,
)

PIXELS = 36
W = np.random.default_rng(0).normal(size=(PIXELS, 3)).astype(np.float32)


def logits(params, x):
    return (x - 0.5) @ params / 2


def test_a_tenth_of_the_pixels_mutates_a_little_and_stays_in_range():
    encoding = pixelwise(10_000)

    @jax.jit
    def parent_and_child(key):
        a, b = jax.random.split(key)
        image = encoding.random(a)
        return image, encoding.mutate(b, image)

    image, child = map(np.asarray, parent_and_child(jax.random.key(0)))
    assert image.min() >= 0 and image.max() <= 1 and child.min() >= 0 and child.max() <= 1
    moved = child != image
    assert np.mean(moved) == pytest.approx(0.1, abs=0.015)
    change = (child - image)[moved & (image > 0.3) & (image < 0.7)]
    # Polynomial mutation of index 15: E |change| = 1 / (15 + 2).
    assert np.abs(change).mean() == pytest.approx(1 / 17, rel=0.2)
    assert abs(change.mean()) < 0.02


def test_a_pattern_is_computed_node_by_node():
    rng = np.random.default_rng(1)
    nodes = 3
    shape = (nodes, INPUTS + nodes)
    pattern = Pattern(
        rng.normal(size=shape).astype(np.float32),
        rng.random(shape) < 0.7,
        np.array([2, 0, 1]),
    )
    found = np.asarray(patterns(PIXELS, nodes).express(jax.tree.map(jnp.asarray, pattern)))
    functions = (np.sin, lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x * x), lambda x: x)
    assert len(functions) == len(FUNCTIONS)
    for row, down in enumerate(np.linspace(-1, 1, 6)):
        for column, across in enumerate(np.linspace(-1, 1, 6)):
            values = [across, down, np.hypot(across, down), 1]
            for i in range(nodes):
                reads = range(len(values))  # the inputs, and the nodes before it
                total = sum(
                    values[j] * pattern.weights[i, j] for j in reads if pattern.present[i, j]
                )
                values.append(functions[pattern.kinds[i]](total))
            assert found[6 * row + column] == pytest.approx((1 + np.tanh(values[-1])) / 2, abs=1e-5)


@pytest.fixture(scope="module", params=["direct", "pattern"])
def evolved(request):
    """`(elites, curve, images)` of evolution and of the random search beside it."""
    encoding = {"direct": pixelwise, "pattern": patterns}[request.param](PIXELS)
    found = []
    for inherited in (True, False):
        elites, curve = evolve(
            logits, W, jax.random.key(1), encoding, inherited, generations=40, children=20
        )
        images = np.asarray(jax.jit(jax.vmap(encoding.express))(elites.genomes))
        found.append((np.asarray(elites.sure), np.asarray(curve), images))
    return found


def test_each_class_keeps_the_surest_of_all_generations(evolved):
    for sure, curve, images in evolved:
        scores = (images - 0.5) @ W / 2
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(np.diag(p), sure, rtol=1e-4)
        assert (np.diff(curve, axis=0) >= 0).all()
        np.testing.assert_array_equal(curve[-1], sure)
        assert images.min() >= 0 and images.max() <= 1


def test_what_is_inherited_adds_up(evolved):
    (_, with_parents, _), (_, without, _) = evolved
    assert np.median(with_parents[-1]) > np.median(without[-1])


def test_the_random_search_looks_at_as_many(monkeypatch, adversarial_smoke):
    config, data, result = adversarial_smoke
    asked = []
    whole = evolution.evolve

    def evolve(*args, **sizes):
        asked.append((args[2], args[3], args[4], sizes))
        return whole(*args, **sizes)

    monkeypatch.setattr(rubbish, "evolve", evolve)
    keys = jnp.stack([jax.random.key(0)])
    found = rubbish.evolution(config, keys, data, None, {"training": result}).metrics
    assert [a[2] for a in asked] == [True, False] * 2
    for one, other in (asked[:2], asked[2:]):
        assert one[0] == other[0] and one[1] is other[1] and one[3] == other[3]
    for name, values in found.items():
        assert values == pytest.approx(result.metrics[name]), (
            "the part alone is the part among others"
        )


def test_distances_are_to_the_nearest():
    a, b = np.random.default_rng(2).random((4, 5)), np.random.default_rng(3).random((6, 5))
    wanted = np.linalg.norm(a[:, None] - b[None], axis=2).min(axis=1).mean()
    assert rubbish.nearest(jnp.asarray(a), jnp.asarray(b)) == pytest.approx(wanted, rel=1e-4)
