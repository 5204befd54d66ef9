"""The rule that optimises an input: on losses whose minimum is known."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lib.run.keys import root_keys
from lib.run.loop import initialise, member
from lib.steps.pixels import init_state, pixels

TARGET = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
START = np.zeros_like(TARGET)
SCALES = np.geomspace(1, 100, TARGET.size).astype(np.float32).reshape(TARGET.shape)


def valley(image, data):
    """A quadratic, 100 times as steep in one direction as in another, of least value 1."""
    target, scales = data
    return jnp.sum(scales * jnp.square(image - target)) + 1


def descend(tx, steps):
    step = jax.jit(pixels(valley, tx))
    state, rows = init_state(START, tx), []
    for _ in range(steps):
        state, metrics = step(state, (TARGET, SCALES))
        rows.append(jax.device_get(metrics))
    return state, rows


def test_l_bfgs_finds_the_minimum_and_its_loss_never_rises():
    state, rows = descend(optax.lbfgs(memory_size=5), 60)
    np.testing.assert_allclose(state.image, TARGET, atol=2e-3)
    losses = [row["loss"] for row in rows]
    assert losses[-1] < 1.001 < losses[0]
    assert all(after <= before for before, after in zip(losses, losses[1:], strict=False))


def test_adam_finds_it_too():
    state, _ = descend(optax.adam(0.05), 400)
    np.testing.assert_allclose(state.image, TARGET, atol=1e-2)


def test_adam_is_optaxs_adam():
    tx = optax.adam(0.1)
    state, rows = descend(tx, 3)

    @jax.jit
    def by_optax(image):
        opt, values = tx.init(image), []
        for _ in rows:
            value, gradient = jax.value_and_grad(valley)(image, (TARGET, SCALES))
            updates, opt = tx.update(gradient, opt, image)
            image = optax.apply_updates(image, updates)
            values.append(value)
        return image, values

    image, values = by_optax(START)
    np.testing.assert_allclose([row["loss"] for row in rows], values, rtol=1e-6)
    np.testing.assert_allclose(state.image, image, rtol=1e-6)


@pytest.mark.parametrize("tx", [optax.adam(0.1), optax.lbfgs(memory_size=3)], ids=["adam", "lbfgs"])
def test_evaluations_are_counted_as_often_as_the_loss_is_computed(tx):
    computed = []

    def counted(image, data):
        jax.debug.callback(lambda: computed.append(1))
        return valley(image, data)

    step = jax.jit(pixels(counted, tx))
    state = init_state(START, tx)
    counted_by_the_rule = 0
    for _ in range(4):
        state, metrics = step(state, (TARGET, SCALES))
        counted_by_the_rule += int(metrics["evaluations"])
    jax.effects_barrier()
    assert int(state.evaluations) == counted_by_the_rule
    # A line search may look at the point where it ends once more than it counts.
    searches = int(state.evaluations) > 4
    assert 0 <= len(computed) - counted_by_the_rule <= 4 * searches


def test_a_step_is_compiled_once_for_all_data_of_a_shape():
    tx = optax.lbfgs(memory_size=3)
    step = jax.jit(chex.assert_max_traces(pixels(valley, tx), 1))
    states = initialise(lambda key: init_state(START, tx), root_keys((0,)))
    state = member(states, 0)
    for scale in (1.0, 2.0, 3.0):
        state, _ = step(state, (scale * TARGET, SCALES))


def test_jit_changes_nothing():
    tx = optax.lbfgs(memory_size=3)
    step, data = pixels(valley, tx), (TARGET, SCALES)
    plain = compiled = init_state(START, tx)
    jitted = jax.jit(step)
    for _ in range(2):
        plain, _ = step(plain, data)
        compiled, _ = jitted(compiled, data)
    np.testing.assert_allclose(plain.image, compiled.image, rtol=1e-4, atol=1e-5)
