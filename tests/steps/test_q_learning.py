import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from lib.models.q_network import minatar
from lib.steps.q_learning import (
    Transitions,
    clipped_error_loss,
    epsilon_greedy,
    init_state,
    q_learning,
    renew_target,
    td_target,
)

GAMMA = 0.9


def linear(w, x):
    return x @ w


def transitions(n=12, inputs=4, actions=3):
    rng = np.random.default_rng(0)
    return Transitions(
        rng.normal(size=(n, inputs)).astype(np.float32),
        rng.integers(actions, size=n).astype(np.int32),
        rng.normal(size=n).astype(np.float32) * 2,
        rng.random(n) < 0.3,
        rng.normal(size=(n, inputs)).astype(np.float32),
    )


def weights(seed):
    return np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)


def state(tx=optax.sgd(1.0)):
    """Parameters, and a target that is not their copy."""
    return init_state(weights(1), tx).replace(target=weights(2))


def by_hand(batch, w, behind, *, clip):
    """(the errors, the sum of error times grad Q), in float64."""
    x, then = np.float64(batch.observation), np.float64(batch.next_observation)
    step, error = np.zeros(w.shape), np.zeros(len(x))
    for i in range(len(x)):
        y = batch.reward[i] + (0 if batch.terminal[i] else GAMMA * (then[i] @ behind).max())
        error[i] = y - x[i] @ w[:, batch.action[i]]
        along = np.clip(error[i], -1, 1) if clip else error[i]
        step[:, batch.action[i]] += along * x[i]
    return error, step


def test_the_target_is_the_reward_and_where_the_game_goes_on_the_best_that_follows():
    next_q = np.array([[1.0, 5.0], [7.0, 9.0], [-2.0, -3.0]], np.float32)
    reward, terminal = np.array([1.0, 2.0, 3.0], np.float32), np.array([False, True, False])
    found = jax.jit(td_target)(reward, terminal, next_q, 0.5)
    np.testing.assert_allclose(found, [3.5, 2, 2])


def test_the_target_has_no_gradient():
    def total(reward, next_q):
        return td_target(reward, jnp.zeros(3, bool), next_q, 0.5).sum()

    gradients = jax.jit(jax.grad(total, (0, 1)))(np.ones(3), np.ones((3, 2)))
    jax.tree.map(lambda g: np.testing.assert_array_equal(g, 0), gradients)


def test_the_losss_gradient_is_the_clipped_error_and_the_loss_is_continuous():
    error = np.float32([-30.0, -1.0, -0.4, 0.0, 0.7, 1.0, 8.0])
    loss, gradient = jax.jit(jax.vmap(jax.value_and_grad(clipped_error_loss)))(error)
    np.testing.assert_allclose(gradient, np.clip(error, -1, 1))
    np.testing.assert_allclose(loss, [29.5, 0.5, 0.08, 0, 0.245, 0.5, 7.5])


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("clip", [True, False])
def test_a_step_goes_along_the_error_times_the_gradient_of_q_and_not_through_the_target(
    separate, clip
):
    batch = transitions()
    rule = q_learning(
        linear, optax.sgd(1.0), gamma=GAMMA, separate_target=separate, clip_error=clip
    )
    after, metrics = jax.jit(rule)(state(), batch)
    error, step = by_hand(batch, weights(1), weights(2 if separate else 1), clip=clip)
    assert (np.abs(error) > 1).any() and (np.abs(error) < 1).any(), "both sides should be met"
    np.testing.assert_allclose(after.params - weights(1), step, rtol=1e-4, atol=1e-5)
    size = np.abs(error)
    each = np.where((size <= 1) | (not clip), error**2 / 2, size - 0.5)
    np.testing.assert_allclose(metrics["loss"], each.mean(), rtol=1e-5)
    q = (batch.observation @ weights(1)).max(axis=1).mean()
    np.testing.assert_allclose(metrics["q"], q, rtol=1e-5)


def test_a_sum_is_n_means():
    batch, steps = transitions(), []
    for reduce in ("sum", "mean"):
        rule = jax.jit(q_learning(linear, optax.sgd(1.0), gamma=GAMMA, reduce=reduce))
        steps.append(rule(state(), batch)[0].params - weights(1))
    np.testing.assert_allclose(steps[0], len(batch.action) * steps[1], rtol=1e-4, atol=1e-5)


def test_the_target_stays_between_renewals_and_is_the_parameters_after_one():
    rule, now = jax.jit(q_learning(linear, optax.sgd(0.01), gamma=GAMMA)), state(optax.sgd(0.01))
    renew = jax.jit(renew_target)
    for _ in range(3):
        now, _ = rule(now, transitions())
        now = renew(now, False)
        np.testing.assert_array_equal(now.target, weights(2))
    now = renew(now, True)
    np.testing.assert_array_equal(now.target, now.params)
    assert (np.asarray(now.target) != weights(1)).any()


def test_every_parameter_moves_and_the_target_never_does():
    net, n = minatar(3), 24
    rng = np.random.default_rng(0)
    seen = rng.random((2, n, 10, 10, 4)).astype(np.float32)
    batch = Transitions(seen[0], np.arange(n) % 3, np.ones(n), np.zeros(n, bool), seen[1])
    params = jax.tree.map(np.asarray, jax.jit(net.init)(jax.random.key(0), seen[0]))
    tx = optax.sgd(0.1)
    rule = q_learning(net.apply, tx, gamma=GAMMA)
    begun = init_state(params, tx)
    jax.tree.map(np.testing.assert_array_equal, begun.target, params)
    after, _ = jax.jit(rule)(begun, batch)
    jax.tree.map(np.testing.assert_array_equal, after.target, params)
    changed = jax.tree.map(lambda a, b: (np.asarray(a) != b).mean(), after.params, params)
    for layer, moved in changed["params"].items():
        assert moved["kernel"] > 0.5 and moved["bias"] > 0.5, layer


def test_the_step_compiles_once():
    chex.clear_trace_counter()
    tx = optax.adam(0.1)
    rule = jax.jit(chex.assert_max_traces(q_learning(linear, tx, gamma=GAMMA), n=1))
    now, batch = state(tx), transitions()
    for _ in range(3):
        now, _ = rule(now, batch)


@pytest.mark.parametrize("separate", [True, False])
def test_on_a_chain_the_values_become_powers_of_gamma(separate):
    """Five states in a row; action 1 goes right, action 0 left; right of the last are 1 and the end."""
    where, action = np.divmod(np.arange(10), 2)
    then = np.clip(where + 2 * action - 1, 0, 4)
    wins = (where == 4) & (action == 1)
    one_hot = np.eye(5, dtype=np.float32)
    batch = Transitions(
        one_hot[where], action.astype(np.int32), wins.astype(np.float32), wins, one_hot[then]
    )
    tx = optax.sgd(0.5)
    rule = q_learning(linear, tx, gamma=GAMMA, separate_target=separate)

    @jax.jit
    def learn(w):
        def step(now, i):
            now, _ = rule(now, batch)
            return renew_target(now, i % 10 == 9), None

        return jax.lax.scan(step, init_state(w, tx), jnp.arange(300))[0].params

    found = learn(np.zeros((5, 2), np.float32))
    best = GAMMA ** np.arange(4, -1, -1.0)
    left = GAMMA * best[[0, 0, 1, 2, 3]]
    np.testing.assert_allclose(found, np.stack([left, best], axis=1), atol=1e-4)


# --- Actions -----------------------------------------------------------------------------------


GREEDY = jax.jit(epsilon_greedy)


def chosen(row, epsilon, n=6000):
    """How often each action is taken at the values `row`."""
    q = np.tile(np.float32(row)[None], (n, 1))
    actions = GREEDY(jax.random.key(0), q, epsilon)
    assert actions.shape == (n,) and actions.dtype == jnp.int32
    return np.bincount(actions, minlength=len(row))


@pytest.mark.parametrize("row", [[0.5, 2.0, 1.0], [-5.0, -2.0, -9.0], [1e-6, 2e-6, 0.0]])
def test_without_exploration_the_best_action_is_taken(row):
    np.testing.assert_array_equal(chosen(row, 0.0), [0, 6000, 0])


@pytest.mark.parametrize(
    "row", [[3.0, -1.0, 3.0, 3.0], [0.0, -1.0, 0.0, 0.0], [-2.0, -4.0, -2.0, -2.0]]
)
def test_ties_are_broken_at_random(row):
    found = chosen(row, 0.0)
    assert found[1] == 0
    assert scipy.stats.chisquare(found[[0, 2, 3]]).pvalue > 0.01


@pytest.mark.parametrize("actions", [3, 18])
def test_exploring_all_the_time_takes_each_action_as_often(actions):
    found = chosen([float(a) for a in range(actions)], 1.0)
    assert scipy.stats.chisquare(found).pvalue > 0.01


def test_exploration_takes_its_share():
    found = chosen([0.0, 0.0, 1.0, 0.0], 0.3)
    wanted = 6000 * (np.array([0, 0, 0.7, 0]) + 0.3 / 4)
    assert scipy.stats.chisquare(found, wanted).pvalue > 0.01


def test_each_row_has_its_own_best_action():
    q = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    np.testing.assert_array_equal(GREEDY(jax.random.key(0), q, 0.0), q.argmax(axis=1))
