import math

import jax
import numpy as np
import pytest

from lib.metrics import bits as metric
from lib.ops.algorithmic import NGrams

bits_per_sequence, wrong_bits = jax.jit(metric.bits_per_sequence), jax.jit(metric.wrong_bits)
optimal_ngram, optimal_ngram_bits = (
    jax.jit(f, static_argnames="context") for f in (metric.optimal_ngram, metric.optimal_ngram_bits)
)
slope = jax.jit(jax.grad(lambda *batch: metric.bits_per_sequence(*batch).sum()))
SEQUENCES = 20_000


def batch(seed=0, shape=(4, 9, 3)):
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=shape).astype(np.float32)
    targets = rng.integers(0, 2, shape).astype(np.float32)
    scored = rng.integers(0, 2, shape[:2]).astype(np.float32)
    return logits, targets, scored


def test_bits_and_mistakes_are_counted_one_by_one():
    logits, targets, scored = batch()
    bits, wrong = np.zeros((2, len(logits)))
    for b, t, o in np.ndindex(logits.shape):
        if scored[b, t]:
            p = 1 / (1 + math.exp(-float(logits[b, t, o])))
            bits[b] -= math.log2(p if targets[b, t, o] else 1 - p)
            wrong[b] += (p > 0.5) != targets[b, t, o]
    assert wrong.min() > 0
    for function in (bits_per_sequence, metric.bits_per_sequence):
        found = function(logits, targets, scored)
        assert found.shape == (4,)
        np.testing.assert_allclose(found, bits, rtol=1e-5)
    for function in (wrong_bits, metric.wrong_bits):
        found = function(logits, targets, scored)
        assert found.shape == (4,)
        np.testing.assert_array_equal(found, wrong)


def test_to_know_nothing_costs_a_bit_a_bit():
    _, targets, scored = batch()
    found = bits_per_sequence(np.zeros(targets.shape, np.float32), targets, scored)
    np.testing.assert_allclose(found, 3 * scored.sum(axis=1), rtol=1e-6)


def test_certainty_is_free_when_right_and_finite_when_wrong():
    _, targets, scored = batch()
    sure = 1e4 * (2 * targets - 1)
    np.testing.assert_array_equal(bits_per_sequence(sure, targets, scored), np.zeros(4))
    np.testing.assert_array_equal(wrong_bits(sure, targets, scored), np.zeros(4))
    bits = 3 * scored.sum(axis=1)
    found = bits_per_sequence(-sure, targets, scored)
    np.testing.assert_allclose(found, bits * 1e4 / math.log(2), rtol=1e-5)
    np.testing.assert_array_equal(wrong_bits(-sure, targets, scored), bits)
    assert np.isfinite(slope(-sure, targets, scored)).all()


def test_what_is_not_scored_changes_nothing():
    logits, targets, scored = batch()
    hidden = (scored == 0)[..., None]
    other = np.where(hidden, np.float32(1e4), logits), np.where(hidden, 1 - targets, targets)
    longer = [np.pad(x, ((0, 0), (0, 5)) + ((0, 0),) * (x.ndim - 2)) for x in (*other, scored)]
    for function in (bits_per_sequence, wrong_bits):
        wanted = function(logits, targets, scored)
        np.testing.assert_allclose(function(*other, scored), wanted, rtol=1e-6)
        np.testing.assert_allclose(function(*longer), wanted, rtol=1e-6)
    gradient = np.asarray(slope(logits, targets, scored))
    assert not gradient[scored == 0].any() and gradient[scored == 1].all()


def count(bits, context):
    """Equation (10), in Python: a dictionary of counts."""
    seen, predicted = {}, []
    for t, bit in enumerate(bits):
        if t < context:
            predicted.append(0.5)
            continue
        before = tuple(bits[t - context : t])
        counts = seen.setdefault(before, [0, 0])
        predicted.append((counts[1] + 0.5) / (counts[1] + counts[0] + 1))
        counts[int(bit)] += 1
    return predicted


@pytest.mark.parametrize("context, length", [(1, 30), (2, 60), (5, 200), (5, 3)])
def test_the_optimal_estimator_counts_what_followed_each_context(context, length):
    bits = np.random.default_rng(context).integers(0, 2, length).astype(np.float32)
    wanted = count(bits.tolist(), context)
    np.testing.assert_allclose(optimal_ngram(bits, context=context), wanted, rtol=1e-6)
    cost = -sum(math.log2(p if bit else 1 - p) for p, bit in zip(wanted, bits, strict=True))
    found = optimal_ngram_bits(bits, context=context)
    assert found.shape == ()
    np.testing.assert_allclose(found, cost, rtol=1e-5)


def test_the_optimal_estimator_by_hand():
    # Context 1: 0 -> 1, 1 -> 1, 1 -> 0, 0 -> 1.
    found = optimal_ngram(np.array([0, 1, 1, 0, 1]), context=1)
    np.testing.assert_allclose(found, [0.5, 0.5, 0.5, 0.75, 0.75], rtol=1e-6)
    cost = 3 + 2 - math.log2(0.75)
    assert abs(optimal_ngram_bits(np.array([0, 1, 1, 0, 1]), context=1) - cost) < 1e-5


def test_a_prediction_knows_nothing_of_its_own_bit_or_later_ones():
    bits = np.random.default_rng(0).integers(0, 2, 200)
    changed = np.where(np.arange(200) >= 120, 1 - bits, bits)
    p, q = np.asarray(optimal_ngram(bits)), np.asarray(optimal_ngram(changed))
    np.testing.assert_array_equal(p[:121], q[:121])
    assert (p[121:] != q[121:]).any()


@pytest.fixture(scope="module")
def ngrams():
    """Sequences of 200 bits, the tables behind them, and what they cost the optimal estimator."""
    keys = jax.random.split(jax.random.key(0), SEQUENCES)
    bits, table = jax.jit(jax.vmap(NGrams().bits_and_table))(keys)
    cost = jax.jit(jax.vmap(optimal_ngram_bits))(bits)
    return tuple(np.asarray(x, np.float64) for x in (bits, table, cost))


def test_the_optimal_estimator_costs_133_bits_on_the_papers_ngrams(ngrams):
    """133.16 +- 0.11: a simulation of 100 000 sequences in NumPy. Figure 13 draws about 133.

    Sequences differ by 36 bits (one standard deviation), so the paper's 1 000 would leave +- 1.1.
    """
    bits, _, cost = ngrams
    assert cost.shape == (SEQUENCES,)
    assert abs(cost.mean() - 133.16) < 1
    some = [count(sequence.tolist(), 5) for sequence in bits[:20]]
    wanted = -np.log2(np.where(bits[:20] == 1, some, 1 - np.array(some))).sum(axis=1)
    np.testing.assert_allclose(cost[:20], wanted, rtol=1e-5)


def test_to_know_the_table_is_worth_thirty_bits(ngrams):
    """103.41 +- 0.10 and, sequence by sequence, 29.75 +- 0.02 below the estimator: ibid."""
    bits, table, cost = ngrams
    context = sum(2 ** (4 - j) * bits[:, j : j + 195] for j in range(5)).astype(int)
    p = np.take_along_axis(table, context, axis=1)
    known = 5 - np.log2(np.where(bits[:, 5:] == 1, p, 1 - p)).sum(axis=1)
    assert abs(known.mean() - 103.41) < 1
    assert abs((cost - known).mean() - 29.75) < 5 * 7.7 / np.sqrt(SEQUENCES)


@pytest.mark.parametrize("function", [bits_per_sequence, wrong_bits])
@pytest.mark.parametrize(
    "shapes",
    [
        ((4, 9, 3), (4, 9, 3), (4, 9, 3)),
        ((4, 9), (4, 9), (4, 9)),
        ((4, 9, 3), (4, 9, 1), (4, 9)),
        ((4, 9, 3), (4, 9, 3), (1, 9)),
        ((4, 9, 3), (4, 9, 3), (4, 1)),
    ],
)
def test_wrong_shapes_are_refused(function, shapes):
    with pytest.raises(AssertionError):
        function(*map(np.zeros, shapes))


@pytest.mark.parametrize("function", [optimal_ngram, optimal_ngram_bits])
def test_one_sequence_at_a_time_is_counted(function):
    with pytest.raises(AssertionError):
        function(np.zeros((2, 20)))
