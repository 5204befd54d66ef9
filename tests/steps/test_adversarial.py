"""Most games here are small enough to be written out by hand: scalars z and x,

    G(z) = a z + b,    D(x) = sigmoid(w x + c),

with the noise and the data fixed. `hand_*` are that game's formulas in float64 NumPy.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lib.models.gan import Generator, MaxoutDiscriminator
from lib.models.mlp import MLP
from lib.steps import adversarial
from lib.steps.adversarial import AdversarialState, Players
from lib.steps.optimizers import classical_momentum
from tests.oracles import pytorch

# --- The losses ------------------------------------------------------------------------------


value, discriminator_loss, non_saturating, saturating = map(
    jax.jit,
    (
        adversarial.value,
        adversarial.discriminator_loss,
        adversarial.non_saturating,
        adversarial.saturating,
    ),
)


def test_the_value_of_an_undecided_discriminator_is_minus_log_4():
    np.testing.assert_allclose(value(np.zeros(3), np.zeros(3)), -math.log(4), rtol=1e-6)


def test_the_losses_are_the_paper_s_in_terms_of_d():
    d_real, d_fake = np.array([0.9, 0.6]), np.array([0.2, 0.7])
    real, fake = (np.log(d / (1 - d)).astype(np.float32) for d in (d_real, d_fake))
    wanted = np.log(d_real).mean() + np.log(1 - d_fake).mean()
    np.testing.assert_allclose(value(real, fake), wanted, rtol=1e-6)
    np.testing.assert_allclose(discriminator_loss(real, fake), -wanted / 2, rtol=1e-6)
    np.testing.assert_allclose(non_saturating(fake), -np.log(d_fake).mean(), rtol=1e-6)
    np.testing.assert_allclose(saturating(fake), np.log(1 - d_fake).mean(), rtol=1e-6)


def test_the_non_saturating_gradient_is_larger_by_e_to_the_minus_logit():
    @jax.jit
    def slopes(fake):
        losses = (adversarial.non_saturating, adversarial.saturating)
        return [jax.vmap(jax.grad(loss))(fake) for loss in losses]

    logit = np.array([-10.0, -3.0, 0.0, 2.0])
    strong, weak = map(np.asarray, slopes(logit[:, None]))
    np.testing.assert_allclose((strong / weak)[:, 0], np.exp(-logit), rtol=1e-4)
    assert (strong < 0).all() and (weak < 0).all(), "both push the logit up"


def test_the_losses_of_extreme_logits_are_finite():
    real, fake = np.array([-1e4]), np.array([1e4])
    np.testing.assert_allclose(value(real, fake), -2e4)
    np.testing.assert_allclose(non_saturating(-fake), 1e4)


# --- The scalar game by hand -----------------------------------------------------------------

Z = np.array([-1.0, 0.5, 2.0, 0.3])
X = np.array([1.0, 3.0, 2.5, -0.5])
G0, D0 = np.array([0.7, -0.2]), np.array([0.4, 0.1])  # (a, b) and (w, c)
LR = 0.5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hand_d_gradient(g, d, x=X):
    """Of `-(1/2) (mean log D(x) + mean log(1 - D(G(z))))` in (w, c)."""
    fake_x = g[0] * Z + g[1]
    real, fake = d[0] * x + d[1], d[0] * fake_x + d[1]
    from_real, from_fake = -sigmoid(-real), sigmoid(fake)  # d softplus(-+l) / dl
    return 0.5 * np.array(
        [
            (from_real * x).mean() + (from_fake * fake_x).mean(),
            from_real.mean() + from_fake.mean(),
        ]
    )


def hand_g_gradient(g, d):
    """Of `-mean log D(G(z))` in (a, b)."""
    slope = -sigmoid(-(d[0] * (g[0] * Z + g[1]) + d[1])) * d[0]
    return np.array([(slope * Z).mean(), slope.mean()])


SCALAR = Players(
    noise=lambda key, n: jnp.asarray(Z[:n, None]),
    generate=lambda g, z: g[0] * z + g[1],
    discriminate=lambda d, x, key: d[0] * x[:, 0] + d[1],
)
SGD = optax.sgd(LR)


def start(g_tx=SGD, d_tx=SGD):
    """In the precision that is switched on."""
    dtype = jnp.result_type(float)
    return adversarial.init_state(G0.astype(dtype), D0.astype(dtype), g_tx, d_tx)


def column(x=X):
    return x[:, None]


def same(a, b):
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in leaves)


def test_a_simultaneous_step_takes_both_gradients_at_the_same_parameters():
    step = jax.jit(adversarial.simultaneous(SCALAR, SGD, SGD))
    new, metrics = step(start(), column(), jax.random.key(0))
    d_new = D0 - LR * hand_d_gradient(G0, D0)
    np.testing.assert_allclose(new.discriminator, d_new, rtol=1e-5)
    np.testing.assert_allclose(new.generator, G0 - LR * hand_g_gradient(G0, D0), rtol=1e-5)
    # A generator that answers the discriminator's new parameters would end elsewhere.
    assert np.abs(G0 - LR * hand_g_gradient(G0, d_new) - new.generator).max() > 0.01

    real, fake = D0[0] * X + D0[1], D0[0] * (G0[0] * Z + G0[1]) + D0[1]
    wanted = {
        "value": np.log(sigmoid(real)).mean() + np.log(sigmoid(-fake)).mean(),
        "d_real": sigmoid(real).mean(),
        "d_fake": sigmoid(fake).mean(),
        "generator_loss": -np.log(sigmoid(fake)).mean(),
    }
    assert metrics.keys() == wanted.keys()
    for name, number in wanted.items():
        np.testing.assert_allclose(metrics[name], number, rtol=1e-5)


def test_jit_changes_nothing():
    rule = adversarial.simultaneous(SCALAR, SGD, SGD)
    jitted, plain = (f(start(), column(), jax.random.key(0)) for f in (jax.jit(rule), rule))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), jitted, plain)


def test_the_saturating_loss_is_used_when_asked_for():
    step = jax.jit(
        adversarial.simultaneous(SCALAR, SGD, SGD, generator_loss=adversarial.saturating)
    )
    new, _ = step(start(), column(), jax.random.key(0))
    slope = -sigmoid(D0[0] * (G0[0] * Z + G0[1]) + D0[1]) * D0[0]  # of mean log(1 - D)
    np.testing.assert_allclose(
        new.generator, G0 - LR * np.array([(slope * Z).mean(), slope.mean()]), rtol=1e-5
    )


@pytest.mark.parametrize("unroll", [0, 2])
def test_neither_player_is_moved_by_the_other_s_loss(unroll):
    def step(generator_loss):
        rule = jax.jit(
            adversarial.simultaneous(SCALAR, SGD, SGD, generator_loss=generator_loss, unroll=unroll)
        )
        return lambda x: rule(start(), x, jax.random.key(0))[0]

    usual = step(adversarial.non_saturating)
    plain, silent = usual(column()), step(lambda fake: 0 * fake.sum())(column())
    np.testing.assert_array_equal(silent.generator, start().generator)
    np.testing.assert_array_equal(silent.discriminator, plain.discriminator)
    other_data = usual(column(X + 1))
    assert not same(other_data.discriminator, plain.discriminator)
    # Only a generator that looks ahead sees the data, through the discriminator's steps.
    assert same(other_data.generator, plain.generator) == (unroll == 0)


def test_discriminator_only_and_generator_only_leave_the_other_player_as_it_was():
    tx = classical_momentum(LR, 0.9)
    before = start(tx, tx)
    rule = jax.jit(adversarial.discriminator_only(SCALAR, tx))
    d_new, _ = rule(before, column(), jax.random.key(0))
    np.testing.assert_allclose(d_new.discriminator, D0 - LR * hand_d_gradient(G0, D0), rtol=1e-5)
    assert same((d_new.generator, d_new.generator_opt), (before.generator, before.generator_opt))
    assert d_new.discriminator_opt.count == 1

    rule = jax.jit(adversarial.generator_only(SCALAR, tx, tx))
    g_new, metrics = rule(before, column(), jax.random.key(0))
    assert same(rule(before, column(X + 1), jax.random.key(0)), (g_new, metrics)), "data unseen"
    np.testing.assert_allclose(g_new.generator, G0 - LR * hand_g_gradient(G0, D0), rtol=1e-5)
    assert same(
        (g_new.discriminator, g_new.discriminator_opt),
        (before.discriminator, before.discriminator_opt),
    )
    assert g_new.generator_opt.count == 1
    fake = D0[0] * (G0[0] * Z + G0[1]) + D0[1]
    np.testing.assert_allclose(metrics["generator_loss"], -np.log(sigmoid(fake)).mean(), rtol=1e-5)


def test_alternating_makes_k_discriminator_updates_then_one_of_the_generator():
    tx = classical_momentum(LR, 0.0)
    rule = adversarial.alternating(SCALAR, tx, tx, discriminator_steps=3)
    batches = [X, X + 1, X - 2]
    new, metrics = jax.jit(rule)(
        start(tx, tx), np.stack([column(x) for x in batches]), jax.random.key(0)
    )
    assert (new.discriminator_opt.count, new.generator_opt.count) == (3, 1)
    d = D0
    for x in batches:
        before = d
        d = d - LR * hand_d_gradient(G0, d, x)
    np.testing.assert_allclose(new.discriminator, d, rtol=1e-5)
    np.testing.assert_allclose(new.generator, G0 - LR * hand_g_gradient(G0, d), rtol=1e-5)
    last = sigmoid(before[0] * batches[-1] + before[1]).mean()
    np.testing.assert_allclose(metrics["d_real"], last, rtol=1e-5)


def test_alternating_looks_ahead_on_the_last_minibatch_from_the_new_discriminator():
    """The gradient of finite differences, after D's own step has been taken."""
    with jax.enable_x64(True):
        g_tx, d_tx = optax.sgd(1.0), optax.sgd(LR)
        rule = adversarial.alternating(SCALAR, g_tx, d_tx, unroll=2)
        xs = np.stack([column()])
        new, metrics = jax.jit(rule)(start(g_tx, d_tx), xs, jax.random.key(0))
    d = D0 - LR * hand_d_gradient(G0, D0)

    def loss(g):
        ahead = d
        for _ in range(2):
            ahead = ahead - LR * hand_d_gradient(g, ahead)
        return -np.log(sigmoid(ahead[0] * (g[0] * Z + g[1]) + ahead[1])).mean()

    wanted = [(loss(G0 + h) - loss(G0 - h)) / 2e-5 for h in 1e-5 * np.eye(2)]
    np.testing.assert_allclose(G0 - np.asarray(new.generator), wanted, rtol=1e-7)
    assert np.abs(wanted - hand_g_gradient(G0, d)).max() > 0.01, "the plain gradient is another"
    np.testing.assert_allclose(new.discriminator, d, rtol=1e-12)
    np.testing.assert_allclose(metrics["generator_loss"], loss(G0), rtol=1e-12)


def test_alternating_draws_other_randomness_for_each_update():
    """Each discriminator update sees noise of its own: with noise alone as gradient they differ."""
    players = SCALAR._replace(noise=lambda key, n: jax.random.normal(key, (n, 1)))
    tx = classical_momentum(1.0, 1.0)  # sums the gradients
    rule = jax.jit(adversarial.alternating(players, tx, tx, discriminator_steps=2))
    still = AdversarialState(np.float32([1, 0]), np.zeros(2, np.float32), tx.init(G0), tx.init(D0))
    one, _ = jax.jit(adversarial.discriminator_only(players, tx))(
        still, np.zeros((4, 1)), jax.random.key(0)
    )
    two, _ = rule(still, np.zeros((2, 4, 1)), jax.random.key(0))
    again, _ = rule(still, np.zeros((2, 4, 1)), jax.random.key(1))
    assert abs(two.discriminator[0] - again.discriminator[0]) > 1e-3
    assert abs(two.discriminator[0] - 3 * one.discriminator[0]) > 1e-3


# --- Dropout masks ---------------------------------------------------------------------------


def masked(key, shape):
    # Folded, as Flax does it: the rule hands one key to two passes, for the same masks in both.
    return jax.random.bernoulli(jax.random.fold_in(key, 0), 0.5, shape).astype(jnp.float32)


DROPPING = Players(
    noise=lambda key, n: jnp.zeros((n, 16)),
    generate=lambda g, z: z + g[None],
    discriminate=lambda d, x, key: (x * masked(key, x.shape)) @ d,
)
"""One fake image, `g` itself; D is linear, and drops the inputs that its key names."""


@functools.cache
def dropping(unroll):
    return jax.jit(adversarial.simultaneous(DROPPING, SGD, SGD, unroll=unroll))


def touched(g, x, unroll=0):
    """Which entries of G's and of D's parameters one step changes: the masks seen by each."""
    g, d = np.full(16, g, np.float32), np.ones(16, np.float32)
    state = adversarial.init_state(g, d, SGD, SGD)
    new, _ = dropping(unroll)(state, np.full((1, 16), x, np.float32), jax.random.key(5))
    return np.asarray(new.generator) != g, np.asarray(new.discriminator) != d


@pytest.mark.parametrize("unroll", [0, 2])
def test_the_generator_s_gradient_passes_the_masks_of_the_discriminator_s_fake_half(unroll):
    # Data of zeros: D, being linear, learns from its fake half only.
    by_generator, by_fake_half = touched(g=1.0, x=0.0, unroll=unroll)
    assert 0 < by_fake_half.sum() < 16
    np.testing.assert_array_equal(by_generator, by_fake_half)


def test_the_two_halves_of_the_discriminator_s_batch_have_different_masks():
    by_real_half, by_fake_half = touched(g=0.0, x=1.0)[1], touched(g=1.0, x=0.0)[1]
    assert 0 < by_real_half.sum() < 16
    assert not np.array_equal(by_real_half, by_fake_half)


# --- Unrolling (Metz et al. 2017) ------------------------------------------------------------

VELOCITY = np.array([0.05, -0.02])
MOMENTUM = 0.6


def hand_unrolled_loss(g, k):
    """`-mean log D_K(G(z))` where D_K is D after k momentum steps on the same minibatch."""
    d, v = D0, VELOCITY
    for _ in range(k):
        v = MOMENTUM * v - LR * hand_d_gradient(g, d)
        d = d + v
    return -np.log(sigmoid(d[0] * (g[0] * Z + g[1]) + d[1])).mean()


@pytest.mark.parametrize("k", [1, 3])
def test_the_unrolled_gradient_is_that_of_finite_differences(k):
    with jax.enable_x64(True):
        g_tx, d_tx = optax.sgd(1.0), classical_momentum(LR, MOMENTUM)
        state = start(g_tx, d_tx)
        state = state.replace(discriminator_opt=state.discriminator_opt._replace(velocity=VELOCITY))
        rule = jax.jit(adversarial.simultaneous(SCALAR, g_tx, d_tx, unroll=k))
        new, metrics = rule(state, column(), jax.random.key(0))
        gradient = G0 - np.asarray(new.generator)
    assert gradient.dtype == np.float64
    h = 1e-5
    wanted = [
        (hand_unrolled_loss(G0 + h * e, k) - hand_unrolled_loss(G0 - h * e, k)) / (2 * h)
        for e in np.eye(2)
    ]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-8)
    assert np.abs(gradient - hand_g_gradient(G0, D0)).max() > 0.01, "the plain gradient is another"
    np.testing.assert_allclose(metrics["generator_loss"], hand_unrolled_loss(G0, k), rtol=1e-12)
    # The discriminator itself takes one real step.
    one_step = D0 + MOMENTUM * VELOCITY - LR * hand_d_gradient(G0, D0)
    np.testing.assert_allclose(new.discriminator, one_step, rtol=1e-12)
    assert new.discriminator_opt.count == 1


def test_unrolling_is_a_plain_loop_of_differentiable_optimiser_steps():
    """With Adam, whose second moments the gradient passes too."""
    g_tx, d_tx = optax.sgd(1.0), optax.adam(0.3, b1=0.5, eps_root=1e-16)

    @jax.jit
    def plain_loop(g):
        def loss(g):
            samples = g[0] * jnp.asarray(Z) + g[1]

            def d_loss(d):
                real, fake = (d[0] * x + d[1] for x in (jnp.asarray(X), samples))
                return (jax.nn.softplus(-real).mean() + jax.nn.softplus(fake).mean()) / 2

            d = jnp.asarray(D0)
            opt = d_tx.init(d)
            for _ in range(2):
                updates, opt = d_tx.update(jax.grad(d_loss)(d), opt, d)
                d = optax.apply_updates(d, updates)
            return jax.nn.softplus(-d[0] * samples - d[1]).mean()

        return g - jax.grad(loss)(g)

    with jax.enable_x64(True):
        rule = jax.jit(adversarial.simultaneous(SCALAR, g_tx, d_tx, unroll=2))
        new, _ = rule(start(g_tx, d_tx), column(), jax.random.key(0))
        wanted = plain_loop(G0)
    np.testing.assert_allclose(new.generator, wanted, rtol=1e-9)
    assert new.discriminator_opt[0].count == 1


def test_unrolling_a_discriminator_that_does_not_learn_is_the_plain_game():
    still = optax.sgd(0.0)
    rules = [adversarial.simultaneous(SCALAR, SGD, still, unroll=k) for k in (0, 3)]
    plain, unrolled = (jax.jit(r)(start(SGD, still), column(), jax.random.key(0))[0] for r in rules)
    np.testing.assert_allclose(unrolled.generator, plain.generator, rtol=1e-6)


# --- The MNIST networks, small ---------------------------------------------------------------


@functools.cache
def image_game(**dropout):
    """`(players, state, step, images)`: 6 pixels, the paper's two kinds of network."""
    g_net, d_net = (
        Generator(6, (8, 8), 0.5),
        MaxoutDiscriminator((5, 4), 3, init_range=0.5, **dropout),
    )
    tx = optax.sgd(0.1)

    def noise(key, n):
        return np.random.default_rng(0).uniform(-1, 1, (n, 3)).astype(np.float32)

    def discriminate(params, x, key):
        return d_net.apply({"params": params}, x, train=True, rngs={"dropout": key})

    def init(key):
        g_key, d_key = jax.random.split(key)
        g = g_net.init(g_key, jnp.zeros((1, 3)))["params"]
        d = d_net.init(d_key, jnp.zeros((1, 6)))["params"]
        return adversarial.init_state(g, d, tx, tx)

    players = Players(noise, lambda p, z: g_net.apply({"params": p}, z), discriminate)
    step = jax.jit(adversarial.simultaneous(players, tx, tx))
    x = np.random.default_rng(1).uniform(size=(16, 6)).astype(np.float32)
    # Compiling the initialisers would take as long as the step.
    shapes, rng = jax.eval_shape(init, jax.random.key(0)), np.random.default_rng(2)
    state = jax.tree.map(lambda p: rng.uniform(-0.5, 0.5, p.shape).astype(p.dtype), shapes)
    return players, state, step, x


def test_one_step_changes_every_parameter():
    _, state, step, x = image_game()
    new, _ = step(state, x, jax.random.key(0))
    changed = jax.tree.map(
        lambda a, b: bool((a != np.asarray(b)).any()),
        (state.generator, state.discriminator),
        (new.generator, new.discriminator),
    )
    assert len(jax.tree.leaves(changed)) == 12
    assert all(jax.tree.leaves(changed)), changed


def test_another_key_gives_another_step():
    _, state, step, x = image_game()
    one, two = (step(state, x, jax.random.key(i))[0] for i in (0, 1))
    assert not same(one.discriminator, two.discriminator)


def test_a_step_of_the_mnist_networks_is_pytorch_s():
    players, state, step, x = image_game(keep_input=1.0, keep_hidden=1.0)
    rng = np.random.default_rng(2)
    both = jax.tree.map(
        lambda p: rng.normal(0, 0.4, p.shape).astype(np.float32),
        (state.generator, state.discriminator),
    )
    flat, structure = jax.tree.flatten(both)
    state = state.replace(generator=both[0], discriminator=both[1])
    new, _ = step(state, x, jax.random.key(0))

    def answer(torch, x, z, *flat):
        functional = torch.nn.functional
        tensors = [torch.tensor(p, requires_grad=True) for p in flat]
        g, d = jax.tree.unflatten(structure, tensors)

        def dense(p, h):
            return h @ p["kernel"] + p["bias"]

        def generate(z):
            h = functional.relu(dense(g["Dense_0"], z))
            h = functional.relu(dense(g["Dense_1"], h))
            return torch.sigmoid(dense(g["output"], h))

        def discriminate(h):
            for i, units in enumerate((5, 4)):
                h = dense(d[f"Maxout_{i}"]["Dense_0"], h).reshape(len(h), 3, units).amax(dim=1)
            return dense(d["output"], h)[:, 0]

        cross_entropy = functional.binary_cross_entropy_with_logits
        real, fake = discriminate(torch.tensor(x)), discriminate(generate(torch.tensor(z)))
        ones = torch.ones(16)
        d_loss = (cross_entropy(real, ones) + cross_entropy(fake, 0 * ones)) / 2
        gradients = []
        for params, loss in ((g, cross_entropy(fake, ones)), (d, d_loss)):
            leaves = jax.tree.leaves(params)
            gradients += torch.autograd.grad(loss, leaves, retain_graph=True)
        return {str(i): gradient for i, gradient in enumerate(gradients)}

    peer = pytorch("adversarial-step", (x, players.noise(None, 16), *flat), answer)
    ours = jax.tree.leaves((new.generator, new.discriminator))
    assert len(peer) == len(ours) == 12
    for i, (before, after) in enumerate(zip(flat, ours, strict=True)):
        gradient = peer[str(i)]
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(after, before - 0.1 * gradient, rtol=1e-4, atol=1e-6)


# --- Learning --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["simultaneous", "unrolled", "alternating"])
def test_each_rule_moves_the_generator_onto_the_data(name):
    """Data N(3, 0.5^2), samples from N(b, 0.5^2): b must go from 0 to about 3."""
    d_net = MLP(1, (16,))
    players = Players(
        noise=lambda key, n: 0.5 * jax.random.normal(key, (n, 1)),
        generate=lambda b, z: z + b,
        discriminate=lambda p, x, key: d_net.apply({"params": p}, x)[:, 0],
    )
    g_tx, d_tx = optax.adam(0.03, b1=0.5), optax.adam(0.02, b1=0.5, eps_root=1e-16)
    rule = {
        "simultaneous": adversarial.simultaneous(players, g_tx, d_tx),
        "unrolled": adversarial.simultaneous(players, g_tx, d_tx, unroll=2),
        "alternating": adversarial.alternating(players, g_tx, d_tx, discriminator_steps=2),
    }[name]
    leading = (2,) if name == "alternating" else ()

    @jax.jit
    def run(key):
        d = d_net.init(key, jnp.zeros((1, 1)))["params"]

        def body(state, t):
            x_key, step_key = jax.random.split(jax.random.fold_in(key, t))
            x = 3 + 0.5 * jax.random.normal(x_key, (*leading, 64, 1))
            state, _ = rule(state, x, step_key)
            return state, state.generator

        first = adversarial.init_state(jnp.zeros(()), d, g_tx, d_tx)
        return jax.lax.scan(body, first, jnp.arange(400))[1]

    means = np.asarray(run(jax.random.key(0)))
    assert means[0] < 0.1
    assert abs(means[-100:].mean() - 3) < 0.5
