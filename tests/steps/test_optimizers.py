import jax
import jax.numpy as jnp
import numpy as np
import optax

from lib.steps.optimizers import classical_momentum

GRADIENTS = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


def falling(count):
    return 0.3 / (1 + count)


def rising(count):
    return 0.5 + 0.05 * count


def path(tx):
    """The parameters after each of the updates by GRADIENTS, from zero: `[8, 3]`."""

    @jax.jit
    def run(params):
        def update(carry, gradient):
            params, state = carry
            updates, state = tx.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
            return (params, state), params

        return jax.lax.scan(update, (params, tx.init(params)), GRADIENTS)

    (_, state), params = run(jnp.zeros(3))
    return np.asarray(params), state


def by_hand(learning_rate, momentum):
    """Pylearn2's rule, written out in float64."""
    theta, v, found = np.zeros(3), np.zeros(3), []
    for count, g in enumerate(GRADIENTS.astype(np.float64)):
        v = momentum(count) * v - learning_rate(count) * g
        theta = theta + v
        found.append(theta)
    return np.array(found)


def test_follows_the_rule_while_both_schedules_move():
    found, state = path(classical_momentum(falling, rising))
    np.testing.assert_allclose(found, by_hand(falling, rising), rtol=1e-5, atol=1e-6)
    assert state.count == len(GRADIENTS)
    np.testing.assert_allclose(state.velocity, found[-1] - found[-2], rtol=1e-4, atol=1e-6)


def test_is_another_rule_than_optax_sgd_once_the_learning_rate_changes():
    def constant(count):
        return 0.5

    ours, theirs = path(classical_momentum(falling, 0.5))[0], path(optax.sgd(falling, 0.5))[0]
    np.testing.assert_allclose(ours, by_hand(falling, constant), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)
    assert np.abs(ours[1:] - theirs[1:]).min(axis=1).max() > 0.01


def test_is_optax_sgd_when_nothing_changes():
    np.testing.assert_allclose(
        path(classical_momentum(0.1, 0.7))[0], path(optax.sgd(0.1, 0.7))[0], rtol=1e-5, atol=1e-6
    )
