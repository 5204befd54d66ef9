"""Update rules that papers write out and optax words differently."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class ClassicalMomentumState(NamedTuple):
    """`count`: updates made, int32 []. `velocity`: like the parameters."""

    count: jax.Array
    velocity: optax.Params


def classical_momentum(
    learning_rate: optax.ScalarOrSchedule, momentum: optax.ScalarOrSchedule
) -> optax.GradientTransformation:
    """`v <- m v - lr g;  theta <- theta + v` with schedules for both (Pylearn2's rule).

    `optax.sgd` keeps the velocity free of the learning rate, which is another rule as soon as the
    learning rate changes, and takes no schedule for the momentum.
    """

    def at(value, count):
        return value(count) if callable(value) else value

    def init(params):
        return ClassicalMomentumState(
            jnp.zeros([], jnp.int32), jax.tree.map(jnp.zeros_like, params)
        )

    def update(gradients, state, params=None):
        del params
        lr, m = at(learning_rate, state.count), at(momentum, state.count)
        velocity = jax.tree.map(lambda v, g: m * v - lr * g, state.velocity, gradients)
        return velocity, ClassicalMomentumState(state.count + 1, velocity)

    return optax.GradientTransformation(init, update)
