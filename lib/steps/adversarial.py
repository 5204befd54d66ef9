"""The adversarial learning rule: a generator and a discriminator in a two-player game.

Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1:

    min_G max_D V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))]

Losses are written on logits `l = log(D / (1 - D))`, where `-log D = softplus(-l)` and
`-log(1 - D) = softplus(l)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from lib.ops.rows import across_devices

Params = Any
Metrics = dict[str, jax.Array]
GeneratorLoss = Callable[[jax.Array], jax.Array]


class Players(NamedTuple):
    """The game's pure functions; `x` is a batch of data, `z` of noise.

    `noise(key, n) -> z`, `generate(params, z) -> x`, `discriminate(params, x, key) -> logits [n]`
    (the key is for dropout; a discriminator without it ignores the key).
    """

    noise: Callable[[jax.Array, int], jax.Array]
    generate: Callable[[Params, jax.Array], jax.Array]
    discriminate: Callable[[Params, jax.Array, jax.Array], jax.Array]


@flax.struct.dataclass
class AdversarialState:
    """Parameters of both players and the states of their optimisers."""

    generator: Params
    discriminator: Params
    generator_opt: optax.OptState
    discriminator_opt: optax.OptState


def init_state(
    generator: Params,
    discriminator: Params,
    generator_tx: optax.GradientTransformation,
    discriminator_tx: optax.GradientTransformation,
) -> AdversarialState:
    """A state at update 0."""
    return AdversarialState(
        generator,
        discriminator,
        generator_tx.init(generator),
        discriminator_tx.init(discriminator),
    )


def value(real: jax.Array, fake: jax.Array) -> jax.Array:
    """V(D, G) of eq. 1 in nats from the logits of data and of samples, each `[n]`; a scalar."""
    return -jax.nn.softplus(-real).mean() - jax.nn.softplus(fake).mean()


def discriminator_loss(real: jax.Array, fake: jax.Array) -> jax.Array:
    """`-V / 2`, the mean of the two cross-entropies (the released code's scale)."""
    return -0.5 * value(real, fake)


def non_saturating(fake: jax.Array) -> jax.Array:
    """`-E log D(G(z))`: what the paper trains with (end of section 3)."""
    return jax.nn.softplus(-fake).mean()


def saturating(fake: jax.Array) -> jax.Array:
    """`E log(1 - D(G(z)))`: the minimax loss of eq. 1 and Algorithm 1."""
    return -jax.nn.softplus(fake).mean()


def _losses(players: Players, x: jax.Array, real_key: jax.Array, fake_key: jax.Array):
    """`d_loss(discriminator, samples) -> (loss, (logits of x, logits of samples))`."""

    def d_loss(discriminator, samples):
        real = players.discriminate(discriminator, x, real_key)
        fake = players.discriminate(discriminator, samples, fake_key)
        return discriminator_loss(real, fake), (real, fake)

    return d_loss


def _ahead(d_loss, discriminator_tx, state: AdversarialState, samples: jax.Array, steps: int):
    """D's parameters after `steps` of its own optimiser, differentiable in `samples`."""

    def d_step(carry, _):
        params, opt = carry
        gradients = jax.grad(d_loss, has_aux=True)(params, samples)[0]
        updates, opt = discriminator_tx.update(gradients, opt, params)
        return (optax.apply_updates(params, updates), opt), None

    start = (state.discriminator, state.discriminator_opt)
    return jax.lax.scan(d_step, start, length=steps)[0][0] if steps else state.discriminator


def _game_metrics(real: jax.Array, fake: jax.Array, generator_loss: jax.Array) -> Metrics:
    return {
        "value": value(real, fake),
        "d_real": jax.nn.sigmoid(real).mean(),
        "d_fake": jax.nn.sigmoid(fake).mean(),
        "generator_loss": generator_loss,
    }


def simultaneous(
    players: Players,
    generator_tx: optax.GradientTransformation,
    discriminator_tx: optax.GradientTransformation,
    *,
    generator_loss: GeneratorLoss = non_saturating,
    unroll: int = 0,
) -> Callable[[AdversarialState, jax.Array, jax.Array], tuple[AdversarialState, Metrics]]:
    """`step(state, x, key)`: both gradients at the same parameters, on the same minibatch.

    As in the released code, the generator's gradient goes through the very pass (samples and
    dropout masks) whose fake half trains the discriminator; then one update changes everything.

    With `unroll = K > 0` the generator's loss is taken at the discriminator that K further steps of
    its own optimiser on this minibatch would reach, and the gradient goes through all K
    (Metz et al. 2017, arXiv:1611.02163, eq. 8-10); the discriminator itself takes one step.

    Returns metrics `value` (nats), `d_real`, `d_fake` (mean D on data and samples) and
    `generator_loss`, all at the parameters before the update.
    """

    def step(state, x, key):
        z_key, real_key, fake_key = jax.random.split(key, 3)
        x, z = across_devices((x, players.noise(z_key, x.shape[0])))
        d_loss = _losses(players, x, real_key, fake_key)

        def g_loss(generator):
            samples = players.generate(generator, z)
            discriminator = _ahead(d_loss, discriminator_tx, state, samples, unroll)
            fake = players.discriminate(discriminator, samples, fake_key)
            return generator_loss(fake), samples

        (loss, samples), g_grad = jax.value_and_grad(g_loss, has_aux=True)(state.generator)
        d_grad, (real, fake) = jax.grad(d_loss, has_aux=True)(state.discriminator, samples)
        g_updates, g_opt = generator_tx.update(g_grad, state.generator_opt, state.generator)
        d_updates, d_opt = discriminator_tx.update(
            d_grad, state.discriminator_opt, state.discriminator
        )
        new = AdversarialState(
            optax.apply_updates(state.generator, g_updates),
            optax.apply_updates(state.discriminator, d_updates),
            g_opt,
            d_opt,
        )
        return new, _game_metrics(real, fake, loss)

    return step


def discriminator_only(
    players: Players, discriminator_tx: optax.GradientTransformation
) -> Callable[[AdversarialState, jax.Array, jax.Array], tuple[AdversarialState, Metrics]]:
    """`step(state, x, key)`: one discriminator update, the generator fixed (Algorithm 1's inner loop)."""

    def step(state, x, key):
        z_key, real_key, fake_key = jax.random.split(key, 3)
        x, z = across_devices((x, players.noise(z_key, x.shape[0])))
        samples = players.generate(state.generator, z)
        d_loss = _losses(players, x, real_key, fake_key)
        gradients, (real, fake) = jax.grad(d_loss, has_aux=True)(state.discriminator, samples)
        updates, opt = discriminator_tx.update(
            gradients, state.discriminator_opt, state.discriminator
        )
        new = state.replace(
            discriminator=optax.apply_updates(state.discriminator, updates), discriminator_opt=opt
        )
        return new, _game_metrics(real, fake, non_saturating(fake))

    return step


def generator_only(
    players: Players,
    generator_tx: optax.GradientTransformation,
    discriminator_tx: optax.GradientTransformation,
    *,
    generator_loss: GeneratorLoss = non_saturating,
    unroll: int = 0,
) -> Callable[[AdversarialState, jax.Array, jax.Array], tuple[AdversarialState, Metrics]]:
    """`step(state, x, key)`: one generator update, the discriminator fixed.

    On as many samples as `x` has rows. Only with `unroll` (see `simultaneous`) does it see `x` itself: the
    minibatch on which the discriminator would take its next steps, by `discriminator_tx`.
    """

    def step(state, x, key):
        z_key, fake_key, real_key = jax.random.split(key, 3)
        x, z = across_devices((x, players.noise(z_key, x.shape[0])))
        d_loss = _losses(players, x, real_key, fake_key)

        def g_loss(generator):
            samples = players.generate(generator, z)
            discriminator = _ahead(d_loss, discriminator_tx, state, samples, unroll)
            return generator_loss(players.discriminate(discriminator, samples, fake_key))

        loss, gradients = jax.value_and_grad(g_loss)(state.generator)
        updates, opt = generator_tx.update(gradients, state.generator_opt, state.generator)
        new = state.replace(
            generator=optax.apply_updates(state.generator, updates), generator_opt=opt
        )
        return new, {"generator_loss": loss}

    return step


def alternating(
    players: Players,
    generator_tx: optax.GradientTransformation,
    discriminator_tx: optax.GradientTransformation,
    *,
    discriminator_steps: int = 1,
    generator_loss: GeneratorLoss = non_saturating,
    unroll: int = 0,
) -> Callable[[AdversarialState, jax.Array, jax.Array], tuple[AdversarialState, Metrics]]:
    """`step(state, xs, key)`: Algorithm 1, k discriminator updates, then one of the generator.

    `xs` holds the k minibatches, `[k, n, ...]`. With `unroll` (see `simultaneous`) the generator looks ahead
    on the last of them, with samples of its own. Returns the last discriminator update's metrics.
    """
    d_step = discriminator_only(players, discriminator_tx)
    g_step = generator_only(
        players, generator_tx, discriminator_tx, generator_loss=generator_loss, unroll=unroll
    )

    def step(state, xs, key):
        d_key, g_key = jax.random.split(key)

        def inner(state, item):
            x, i = item
            return d_step(state, x, jax.random.fold_in(d_key, i))

        k = discriminator_steps
        state, metrics = jax.lax.scan(inner, state, (xs, jnp.arange(k)))
        state, loss = g_step(state, xs[-1], g_key)
        return state, {name: values[-1] for name, values in metrics.items()} | loss

    return step
