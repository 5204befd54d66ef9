import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from lib.nn.initializers import symmetric_uniform


@pytest.mark.parametrize("bound", [0.05, 0.005])
def test_values_are_uniform_between_the_bounds(bound):
    found = np.asarray(symmetric_uniform(bound)(jax.random.key(0), (40, 50)))
    assert found.shape == (40, 50)
    assert found.dtype == np.float32
    assert -bound <= found.min() and found.max() < bound
    uniform = scipy.stats.uniform(-bound, 2 * bound)
    assert scipy.stats.kstest(found.ravel(), uniform.cdf).pvalue > 0.01


def test_keys_give_different_values_and_the_asked_dtype():
    init = symmetric_uniform(1.0)
    one, two = init(jax.random.key(0), (8,)), init(jax.random.key(1), (8,))
    assert not np.any(np.asarray(one) == np.asarray(two))
    assert init(jax.random.key(0), (8,), jnp.bfloat16).dtype == jnp.bfloat16
