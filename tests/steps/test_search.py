"""A search is as many trainings of their own; networks that are compared see the same batches."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lib.steps.supervised import at, init_state, losses_at, search, supervised

RATES = (0.1, 0.01)


def square(params, batch, key):
    del key
    return jnp.square(params["w"] - batch).mean(), {}


def quartic(params, batch, key):
    return square(params, batch, key)[0] ** 2, {}


def rule(rate):
    return optax.chain(optax.scale_by_adam(), optax.scale(-rate))


def draw(t):
    return lambda key: jax.random.normal(jax.random.fold_in(key, t), (3,))


def test_each_rate_is_a_training_of_its_own():
    learning, begun = search(quartic, rule, RATES), {"w": jnp.ones(3)}

    @jax.jit
    def together(key):
        state = learning.begin(begun, key)
        for t in range(2):
            state, metrics = learning.step(state, draw(t))
        return state, metrics

    @jax.jit
    def alone(key, rate):
        state, tx = init_state(begun, rule(rate)), rule(rate)
        for t in range(2):
            batch = draw(t)(jax.random.clone(key))
            state, metrics = supervised(quartic, tx)(state, batch, jax.random.clone(key))
        return state.params["w"], metrics["loss"]

    state, metrics = together(jax.random.key(0))
    for i, rate in enumerate(RATES):
        weights, loss = alone(jax.random.key(0), rate)
        np.testing.assert_allclose(at(state, i)["w"], weights, rtol=1e-6)
        assert metrics[f"loss_{i}"] == pytest.approx(float(loss), rel=1e-6)


def test_networks_that_are_compared_see_the_same_batches():
    seen = []
    for loss in (square, quartic):
        learning = search(loss, rule, RATES)

        @jax.jit
        def batches(key, learning=learning):
            state, drawn = learning.begin({"w": jnp.ones(3)}, key), []
            for t in range(2):
                state, _ = learning.step(
                    state, lambda key, t=t: drawn.append(draw(t)(key)) or drawn[-1]
                )
            return drawn

        seen.append(batches(jax.random.key(3)))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0][0], seen[0][1])


def test_the_losses_of_what_was_chosen():
    rows = [
        {"step": 5, "loss_0": [1, 2], "loss_1": [3, 4]},
        {"step": 9, "loss_0": [5, 6], "loss_1": [7, 8]},
    ]
    assert losses_at(rows, [0, 1]) == [[1, 4], [5, 8]]
