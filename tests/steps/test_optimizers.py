import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lib.steps.optimizers import (
    adjustable_clipping,
    classical_momentum,
    spectral_muon,
)

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

    (_, state), params = run(np.zeros(3, np.float32))
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


# --- Muon ------------------------------------------------------------------------------------


def first_update(gradients, learning_rate=0.1, bias_learning_rate=0.01):
    tx = spectral_muon(learning_rate, bias_learning_rate)

    @jax.jit
    def run(gradients):
        params = jax.tree.map(jnp.zeros_like, gradients)
        return tx.update(gradients, tx.init(params), params)[0]

    return jax.tree.map(np.asarray, run(gradients))


def noise(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(12, 12), (40, 10), (10, 40), (3, 3, 4, 16), (5, 5, 8, 6)])
def test_a_kernels_update_has_all_singular_values_about_the_spectral_norm(shape):
    update = np.asarray(first_update({"kernel": noise(*shape)})["kernel"])
    inputs, outputs = np.prod(shape[:-1]), shape[-1]
    assert update.shape == shape
    values = np.linalg.svd(update.reshape(inputs, outputs), compute_uv=False)
    values /= 0.1 * np.sqrt(outputs / inputs)
    assert 0.6 < values.min() and values.max() < 1.3


@pytest.mark.parametrize("shape", [(24, 10), (2, 3, 4, 10)])
def test_a_kernels_update_points_along_the_nearest_orthogonal_matrix(shape):
    gradient = noise(*shape)
    update = np.asarray(first_update({"kernel": gradient})["kernel"]).reshape(24, 10)
    u, _, v = np.linalg.svd(gradient.reshape(24, 10), full_matrices=False)
    cosine = -(update * (u @ v)).sum() / np.linalg.norm(update) / np.linalg.norm(u @ v)
    assert cosine > 0.97


def test_the_size_of_a_kernels_gradient_does_not_matter():
    gradient = noise(20, 8)
    one, other = (first_update({"w": s * gradient})["w"] for s in (1.0, 1e3))
    np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(one).max())


def test_a_convolution_is_the_matrix_of_its_patches():
    gradient = noise(3, 3, 2, 7)
    as_matrix = first_update({"w": gradient.reshape(18, 7)})["w"]
    found = first_update({"w": gradient})["w"].reshape(18, 7)
    np.testing.assert_allclose(found, as_matrix, atol=5e-6)


def test_biases_go_through_adam():
    tx, adam = spectral_muon(0.1, falling), optax.adam(falling)
    params = {"kernel": np.ones((6, 3), np.float32), "bias": np.zeros(3, np.float32)}

    @jax.jit
    def run():
        def update(states, g):
            state, adams = states
            gradients = {"kernel": jnp.outer(jnp.arange(6.0), g), "bias": g}
            updates, state = tx.update(gradients, state, params)
            wanted, adams = adam.update(gradients["bias"], adams)
            return (state, adams), (updates["bias"], wanted)

        return jax.lax.scan(update, (tx.init(params), adam.init(params["bias"])), GRADIENTS)[1]

    np.testing.assert_allclose(*run(), rtol=1e-5)


def test_the_kernels_learning_rate_may_be_a_schedule():
    tx = spectral_muon(falling, 0.1)
    params = {"w": np.zeros((6, 4), np.float32)}
    state, update = tx.init(params), jax.jit(tx.update)
    lengths = []
    for _ in range(3):  # the same gradient: momentum does not turn it
        updates, state = update({"w": noise(6, 4)}, state, params)
        lengths.append(np.linalg.norm(updates["w"]))
    np.testing.assert_allclose(np.array(lengths) / lengths[0], [1, 1 / 2, 1 / 3], rtol=0.02)


def test_muon_lowers_a_quadratic_inside_a_scan():
    a, target = noise(30, 12), {"kernel": noise(12, 5), "bias": noise(5)}
    tx = spectral_muon(optax.linear_schedule(0.3, 0.0, 100), optax.linear_schedule(0.3, 0.0, 100))

    def loss(params):
        error = jax.tree.map(jnp.subtract, params, target)
        return jnp.square(jnp.asarray(a) @ error["kernel"] + error["bias"][None]).mean()

    def step(carry, _):
        params, state = carry
        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = tx.update(gradients, state, params)
        return (optax.apply_updates(params, updates), state), value

    start = jax.tree.map(jnp.zeros_like, target)
    run = jax.jit(lambda start: jax.lax.scan(step, (start, tx.init(start)), length=100)[1])
    losses = np.asarray(run(start))
    assert losses[-1] < losses[0] / 1000


# --- Adjustable gradient clipping (VDSR, section 3.2) -----------------------------------------


@pytest.mark.parametrize("learning_rate", [10.0, 0.1, 1e-4])
def test_the_longest_step_is_theta_whatever_the_learning_rate(learning_rate):
    theta, gradients = 0.02, {"a": np.float32([1e9, -1e9, 0.0]), "b": np.float32([[-3e8]])}
    tx = optax.chain(
        adjustable_clipping(learning_rate, theta), optax.scale_by_learning_rate(learning_rate)
    )
    updates, _ = jax.jit(tx.update)(gradients, tx.init(gradients))
    np.testing.assert_allclose(updates["a"], [-theta, theta, 0], rtol=1e-6)
    np.testing.assert_allclose(updates["b"], [[theta]], rtol=1e-6)


def test_small_gradients_are_left_alone_and_each_component_is_clipped_by_itself():
    clip = adjustable_clipping(0.1, theta=0.05)  # the bound is 0.5
    gradients = np.float32([0.49, -0.49, 0.51, -7.0])
    clipped, _ = jax.jit(clip.update)(gradients, clip.init(gradients))
    np.testing.assert_allclose(clipped, [0.49, -0.49, 0.5, -0.5], rtol=1e-6)


def test_the_bound_follows_the_learning_rates_schedule():
    clip = adjustable_clipping(falling, theta=0.03)
    state, bounds, update = clip.init(np.float32(0)), [], jax.jit(clip.update)
    for _ in range(3):
        clipped, state = update(np.float32(1e9), state)
        bounds.append(float(clipped))
    np.testing.assert_allclose(bounds, [0.03 / falling(count) for count in range(3)], rtol=1e-6)
