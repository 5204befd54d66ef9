import math
from functools import partial

import jax
import numpy as np
import pytest
import scipy.stats

from lib.metrics import parzen as metric
from lib.metrics.parzen import PAPER_SIGMAS, log_likelihoods, parzen


def by_loops(samples, points, sigma):
    """The formula of `log_likelihoods`, term by term in float64: `[n]`."""
    found = []
    for x in np.asarray(points, np.float64):
        exponents = []
        for centre in np.asarray(samples, np.float64):
            square = 0.0
            for a, b in zip(x, centre, strict=True):
                square += (a - b) ** 2
            exponents.append(-square / (2 * sigma**2))
        top = max(exponents)
        mean = sum(math.exp(e - top) for e in exponents) / len(exponents)
        found.append(top + math.log(mean) - len(x) * math.log(sigma * math.sqrt(2 * math.pi)))
    return np.array(found)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


evaluate = jax.jit(log_likelihoods, static_argnames="chunk")
squared_distances = jax.jit(metric.squared_distances)


@pytest.mark.parametrize("chunk", [1, 3, 7, 500])
def test_equals_the_formula_whether_or_not_the_chunk_divides_the_points(chunk):
    samples, points = normal(0, 5, 3), normal(1, 7, 3)
    sigmas = np.array([0.1, 0.37, 1.0, 4.0], np.float32)
    found = evaluate(samples, points, sigmas, chunk=chunk)
    assert found.shape == (4, 7)
    wanted = [by_loops(samples, points, float(sigma)) for sigma in sigmas]
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-4)


def test_data_far_from_the_origin_loses_no_precision():
    samples, points = normal(2, 6, 20) / 8 + 1000, normal(3, 4, 20) / 8 + 1000
    sigma = np.array([0.1], np.float32)
    wanted = by_loops(samples, points, float(sigma[0]))
    found = np.asarray(evaluate(samples, points, sigma, chunk=4))
    np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-2)
    # The same expansion |x|^2 - 2xy + |y|^2 without centring is off by whole nats.
    naive = np.asarray(squared_distances(samples, points)) / (2 * 0.1**2)
    exact = ((samples[:, None].astype(float) - points[None]) ** 2).sum(axis=-1) / (2 * 0.1**2)
    assert np.abs(naive - exact).max() > 10


def test_distances_are_those_of_a_loop_and_never_negative():
    a, b = normal(4, 4, 6), normal(5, 3, 6)
    wanted = [[((x - y) ** 2).sum() for y in b.astype(float)] for x in a.astype(float)]
    np.testing.assert_allclose(squared_distances(a, b), wanted, rtol=1e-5)
    far = 1000 + normal(6, 50, 6) / 1000
    assert np.asarray(squared_distances(far, far)).min() >= 0


def test_one_kernel_is_the_normal_density():
    points = normal(7, 7, 3)
    found = evaluate(np.ones((1, 3), np.float32), points, np.array([0.5], np.float32), chunk=7)
    wanted = scipy.stats.multivariate_normal(np.ones(3), 0.5**2 * np.eye(3)).logpdf(points)
    np.testing.assert_allclose(np.asarray(found)[0], wanted, rtol=1e-5)


def test_equals_scipy_s_kernel_density_estimate():
    samples, points = normal(8, 40, 1), normal(9, 7, 1)
    sigma = 0.3
    # SciPy measures a bandwidth in standard deviations of the data.
    theirs = scipy.stats.gaussian_kde(samples[:, 0], sigma / samples.std(ddof=1))
    found = evaluate(samples, points, np.array([sigma], np.float32), chunk=7)
    np.testing.assert_allclose(
        np.asarray(found)[0], theirs.logpdf(points[:, 0]), rtol=1e-4, atol=1e-5
    )


def test_is_a_density():
    grid = np.linspace(-12, 12, 2001, dtype=np.float32)[:, None]
    sigmas = np.array([0.1, 1.0], np.float32)
    found = evaluate(normal(10, 5, 1), grid, sigmas, chunk=500)
    totals = np.trapezoid(np.exp(found), grid[:, 0], axis=1)
    np.testing.assert_allclose(totals, 1, atol=1e-4)


def test_the_grid_is_the_released_one():
    np.testing.assert_allclose(PAPER_SIGMAS, np.logspace(-1, 0, 10), rtol=1e-12)


def test_sigma_is_chosen_on_the_validation_points_and_used_on_the_test_points():
    samples = normal(11, 12, 2)
    valid = samples[:8] + 0.2 * normal(12, 8, 2)  # near the samples: a narrow kernel suits them
    test = samples[:9] + 3 * normal(13, 9, 2)  # far from them: a wide one would
    sigmas = np.array([0.1, 0.3, 1.0, 2.0], np.float32)
    found = jax.jit(parzen)(samples, valid, test, sigmas)

    on_valid = [by_loops(samples, valid, float(s)).mean() for s in sigmas]
    on_test = [by_loops(samples, test, float(s)).mean() for s in sigmas]
    best = int(np.argmax(on_valid))
    assert best != int(np.argmax(on_test)), "the test should tell the two choices apart"
    assert found["sigma"] == sigmas[best]
    scores = by_loops(samples, test, float(sigmas[best]))
    np.testing.assert_allclose(found["mean"], scores.mean(), rtol=1e-5)
    np.testing.assert_allclose(found["stderr"], scores.std() / 3, rtol=1e-4)  # sqrt(9 points)


def test_jit_changes_nothing():
    samples, points, sigmas = normal(0, 5, 3), normal(1, 7, 3), np.array([0.3], np.float32)
    plain = partial(log_likelihoods, chunk=3)
    np.testing.assert_allclose(
        plain(samples, points, sigmas), jax.jit(plain)(samples, points, sigmas), rtol=1e-5
    )


def test_a_vector_where_a_matrix_belongs_is_refused():
    with pytest.raises(AssertionError):
        log_likelihoods(normal(0, 5), normal(1, 7, 3), np.ones(1, np.float32))
