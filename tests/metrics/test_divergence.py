import math

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.spatial
import scipy.stats

from lib.metrics import divergence

jensen_shannon, kl, optimal_discriminator, virtual_criterion = map(
    jax.jit,
    (
        divergence.jensen_shannon,
        divergence.kl,
        divergence.optimal_discriminator,
        divergence.virtual_criterion,
    ),
)


def densities(seed, pairs=50, states=20):
    """Random pairs, in float64; in each, one state that only p has and one that only q has."""
    p, q = np.random.default_rng(seed).dirichlet(np.ones(states), (2, pairs))
    p[:, 0], q[:, 1] = 0, 0
    return p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("x64, tolerance", [(True, 1e-12), (False, 1e-6)])
def test_the_criterion_plus_log_4_is_twice_the_jensen_shannon_divergence(x64, tolerance):
    """Theorem 1."""
    with jax.enable_x64(x64):
        p, q = (d.astype(np.float64 if x64 else np.float32) for d in densities(0))
        left, right = map(np.asarray, (virtual_criterion(p, q), jensen_shannon(p, q)))
    left, right = left + left.dtype.type(math.log(4)), 2 * right
    assert left.dtype == (np.float64 if x64 else np.float32)
    assert left.shape == (50,)
    assert np.asarray(right).min() > 0.05, "the two sides should not be trivially zero"
    np.testing.assert_allclose(left, right, rtol=0, atol=tolerance)


def test_the_criterion_is_minus_log_4_where_the_generator_is_the_data_and_above_elsewhere():
    p, q = densities(1)
    same, different = virtual_criterion(p, p), virtual_criterion(p, q)
    np.testing.assert_allclose(same, -math.log(4), rtol=1e-6)
    assert np.asarray(different).min() > -math.log(4) + 0.05


def test_a_state_that_neither_has_changes_nothing():
    p, q = densities(2, pairs=1)
    wider = [np.append(d, [[0.0]], axis=1) for d in (p, q)]
    for function in (kl, jensen_shannon, virtual_criterion):
        # KL(q || (p + q) / 2) is finite where KL(q || p) is not.
        a, b = (p, (p + q) / 2), (wider[0], (wider[0] + wider[1]) / 2)
        np.testing.assert_allclose(function(*b), function(*a), rtol=1e-6)


def test_no_other_discriminator_reaches_the_criterion():
    """C(G) is the largest V(G, D) over D."""
    p, q = densities(3)
    best = np.asarray(virtual_criterion(p, q))
    for d in np.random.default_rng(4).uniform(0.01, 0.99, (20, *p.shape)):
        assert np.all((p * np.log(d) + q * np.log(1 - d)).sum(axis=1) < best)


@pytest.mark.parametrize("a, b", [(0.5, 0.5), (0.9, 0.1), (0.03, 0.4), (2.0, 0.7)])
def test_the_optimal_discriminator_maximises_its_objective(a, b):
    """Proposition 1: the maximum of `a log y + b log(1 - y)` on [0, 1]."""

    def negative(y):
        return -(a * math.log(y) + b * math.log1p(-y))

    found = scipy.optimize.minimize_scalar(
        negative, bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-10}
    )
    np.testing.assert_allclose(
        optimal_discriminator(np.float32(a), np.float32(b)), found.x, rtol=1e-6
    )


def test_kl_has_its_hand_value():
    found = kl(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    np.testing.assert_allclose(found, 0.5 * math.log(2) + 0.5 * math.log(2 / 3), rtol=1e-6)


def test_kl_and_jensen_shannon_are_scipy_s():
    p, q = np.random.default_rng(5).dirichlet(np.ones(9), (2, 30))
    np.testing.assert_allclose(kl(p, q), scipy.stats.entropy(p, q, axis=1), rtol=1e-4)
    theirs = scipy.spatial.distance.jensenshannon(p, q, axis=1) ** 2
    np.testing.assert_allclose(jensen_shannon(p, q), theirs, rtol=1e-4)


def test_kl_is_zero_only_between_equals_and_has_a_direction():
    p, q = np.random.default_rng(6).dirichlet(np.ones(9), (2, 30))
    assert np.all(np.asarray(kl(p, p)) == 0)
    assert np.asarray(kl(p, q)).min() > 0.01
    assert np.abs(np.asarray(kl(p, q)) - np.asarray(kl(q, p))).max() > 0.01


def test_kl_is_infinite_where_only_the_first_density_has_a_state():
    assert kl(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == math.inf
    np.testing.assert_allclose(kl(np.array([1.0, 0.0]), np.array([0.5, 0.5])), math.log(2))


def test_jensen_shannon_is_symmetric_and_largest_between_disjoint_densities():
    p, q = densities(7)
    found = np.asarray(jensen_shannon(p, q))
    np.testing.assert_allclose(found, jensen_shannon(q, p), rtol=1e-6)
    assert 0 < found.min() and found.max() < math.log(2)
    disjoint = jensen_shannon(np.array([0.3, 0.7, 0, 0]), np.array([0, 0, 0.6, 0.4]))
    np.testing.assert_allclose(disjoint, math.log(2), rtol=1e-6)
    np.testing.assert_allclose(jensen_shannon(p, p), 0, atol=1e-7)
