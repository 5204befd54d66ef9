import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.base.errors import UserError
from lib.batches.indices import shuffled_indices


@pytest.fixture(autouse=True)
def strict():
    with jax.numpy_rank_promotion("raise"), jax.debug_key_reuse(True):
        yield


@functools.partial(jax.jit, static_argnames=("size", "batch", "count"))
def _scan(key, size, batch, count):
    def step(carry, number):
        return carry, shuffled_indices(key, number, size=size, batch=batch)

    return jax.lax.scan(step, 0, jnp.arange(-(-count * size // batch)))[1]


def epochs(seed: int, *, size: int, batch: int, count: int) -> np.ndarray:
    """The first `count` epochs: int32 [count, size]."""
    indices = np.asarray(_scan(jax.random.key(seed), size, batch, count))
    return indices.ravel()[: count * size].reshape(count, size)


@pytest.mark.parametrize(
    "size, batch",
    [
        (1, 1),
        (7, 7),
        (97, 10),
        (1009, 128),
        (50_000, 128),
    ],
)
def test_each_epoch_visits_each_example_once(size, batch):
    visited = epochs(0, size=size, batch=batch, count=3)
    assert visited.dtype == np.int32
    np.testing.assert_array_equal(np.sort(visited, axis=1), np.tile(np.arange(size), (3, 1)))


def test_epochs_and_seeds_differ():
    one = epochs(0, size=1009, batch=128, count=3)
    two = epochs(1, size=1009, batch=128, count=3)
    orders = np.concatenate([one, two, np.arange(1009)[None]])
    for i, a in enumerate(orders):
        for b in orders[:i]:
            # Two independent permutations agree in one place on average.
            assert (a == b).sum() < 10


def test_orders_look_random():
    order = epochs(0, size=50_000, batch=128, count=3)[0].astype(float)
    ranks = np.arange(order.size)
    assert abs(np.corrcoef(order, ranks)[0, 1]) < 0.02
    for lag in (1, 2, 100, 224):  # 224: the Feistel network's own width
        assert abs(np.corrcoef(order[lag:], order[:-lag])[0, 1]) < 0.02


def _standardised_chi_square(counts: np.ndarray) -> float:
    expected = counts.sum() / counts.size
    statistic = ((counts - expected) ** 2 / expected).sum()
    return (statistic - (counts.size - 1)) / np.sqrt(2 * (counts.size - 1))


@pytest.mark.parametrize("size", [5, 37])
def test_first_places_are_uniform_over_keys(size):
    draw = jax.jit(
        jax.vmap(lambda seed: shuffled_indices(jax.random.key(seed), 0, size=size, batch=2))
    )
    first, second = np.asarray(draw(jnp.arange(20_000))).T
    assert abs(_standardised_chi_square(np.bincount(first, minlength=size))) < 4
    pairs = np.bincount(first * size + second, minlength=size**2).reshape(size, size)
    assert abs(_standardised_chi_square(pairs[~np.eye(size, dtype=bool)])) < 4


def test_jit_and_vmap_change_nothing():
    keys = jax.random.split(jax.random.key(0), 3)
    steps = jnp.array([0, 6, 19])  # 6 straddles two epochs

    def draw(key, step):
        return shuffled_indices(key, step, size=101, batch=16)

    jitted = jax.jit(draw)
    one_by_one = np.array([[jitted(key, step) for step in steps] for key in keys])
    np.testing.assert_array_equal(one_by_one[1, 1], draw(keys[1], 6))
    over_steps_and_keys = jax.jit(jax.vmap(jax.vmap(draw, (None, 0)), (0, None)))
    np.testing.assert_array_equal(one_by_one, over_steps_and_keys(keys, steps))


def test_a_batch_across_two_epochs_continues_each():
    by_ten = epochs(3, size=97, batch=10, count=3)
    by_one = epochs(3, size=97, batch=1, count=3)
    np.testing.assert_array_equal(by_ten, by_one)


@pytest.mark.parametrize("size, batch", [(50_000, 50_000), (65_521, 65_000)])
def test_late_steps_do_not_overflow(size, batch):
    last = 2**31 - 1
    draw = jax.jit(lambda step: shuffled_indices(jax.random.key(0), step, size=size, batch=batch))
    drawn = np.asarray(draw(last))
    assert drawn.min() >= 0 and drawn.max() < size
    # Python's integers do not overflow: the part that ends its epoch has no repeats.
    left = min(size - last * batch % size, batch)
    assert len(set(drawn[:left])) == left and len(set(drawn[left:])) == batch - left


@pytest.mark.parametrize("size, batch", [(10, 11), (10, 0), (0, 0), (2**20, 2**12)])
def test_impossible_sizes_are_refused(size, batch):
    with pytest.raises(UserError, match="--batch"):
        shuffled_indices(jax.random.key(0), 0, size=size, batch=batch)
