import jax
import jax.numpy as jnp
import numpy as np
import optax

from lib.models.mlp import MLP
from lib.steps.supervised import init_state, supervised


def squared_error(w, batch, key):
    x, y = batch
    return ((x @ w - y) ** 2).mean(), {"drawn": jax.random.uniform(key)}


BATCH = (np.array([[1.0, 2.0], [3.0, -1.0]], np.float32), np.array([1.0, 0.0], np.float32))


def test_one_step_is_the_hand_computed_one_and_metrics_are_from_before_it():
    tx = optax.sgd(0.1)
    w = np.array([0.5, 1.0], np.float32)
    state, metrics = jax.jit(supervised(squared_error, tx))(
        init_state(w, tx), BATCH, jax.random.key(3)
    )
    # Predictions 2.5 and 0.5, residuals 1.5 and 0.5; the gradient is the mean of 2 r x.
    np.testing.assert_allclose(metrics["loss"], (1.5**2 + 0.5**2) / 2, rtol=1e-6)
    np.testing.assert_allclose(state.params, w - 0.1 * np.array([1.5 + 1.5, 3.0 - 0.5]), rtol=1e-6)
    np.testing.assert_array_equal(metrics["drawn"], jax.random.uniform(jax.random.key(3)))


def test_jit_changes_nothing():
    tx = optax.adam(0.1)
    rule = supervised(squared_error, tx)
    start = init_state(jnp.array([0.5, 1.0]), tx)
    plain, jitted = (f(start, BATCH, jax.random.key(0)) for f in (rule, jax.jit(rule)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), plain, jitted)


def test_learns_a_tiny_dataset_by_heart():
    """Exclusive or: no linear model can."""
    x = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    labels = jnp.array([0, 1, 1, 0])
    net, tx = MLP(2, (16,)), optax.adam(0.05)

    def loss(params, batch, key):
        del key
        logits = net.apply({"params": params}, batch[0])
        found = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()
        return found, {"accuracy": (logits.argmax(axis=1) == batch[1]).mean()}

    rule = supervised(loss, tx)

    @jax.jit
    def run(key):
        start = init_state(net.init(key, x)["params"], tx)
        return jax.lax.scan(lambda s, _: rule(s, (x, labels), key), start, length=200)[1]

    metrics = run(jax.random.key(0))
    assert metrics["loss"][0] > 0.5
    assert metrics["loss"][-1] < 0.01
    assert metrics["accuracy"][-1] == 1
