"""Update rules that papers write out and optax words differently."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon


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

    def init(params):
        return ClassicalMomentumState(
            jnp.zeros([], jnp.int32), jax.tree.map(jnp.zeros_like, params)
        )

    def update(gradients, state, params=None):
        del params
        lr, m = _at(learning_rate, state.count), _at(momentum, state.count)
        velocity = jax.tree.map(lambda v, g: m * v - lr * g, state.velocity, gradients)
        return velocity, ClassicalMomentumState(state.count + 1, velocity)

    return optax.GradientTransformation(init, update)


class AdjustableClippingState(NamedTuple):
    """`count`: updates made, int32 []."""

    count: jax.Array


def adjustable_clipping(
    learning_rate: optax.ScalarOrSchedule, theta: float
) -> optax.GradientTransformation:
    """Clips every component of the gradient to `[-theta / lr, theta / lr]`.

    The longest step of plain descent is then theta whatever the learning rate: it may start high without
    diverging, and fall without freezing (Kim et al. 2016, arXiv:1511.04587, section 3.2). Comes first in
    a chain, before momentum and weight decay.
    """

    def init(params):
        del params
        return AdjustableClippingState(jnp.zeros([], jnp.int32))

    def update(gradients, state, params=None):
        del params
        bound = theta / _at(learning_rate, state.count)
        clipped = jax.tree.map(lambda g: jnp.clip(g, -bound, bound), gradients)
        return clipped, AdjustableClippingState(state.count + 1)

    return optax.GradientTransformation(init, update)


def spectral_muon(
    learning_rate: optax.ScalarOrSchedule, bias_learning_rate: optax.ScalarOrSchedule
) -> optax.GradientTransformation:
    """Muon for kernels, Adam for biases.

    The momentum of each kernel, seen as a matrix `[inputs, outputs]` (a convolution's `[h w c, d]`), is
    orthogonalised and scaled to the spectral norm `sqrt(outputs / inputs)` times the learning rate, so
    that every layer changes its output by about the same relative amount (Jordan et al. 2024; Yang,
    Simon & Bernstein 2023, arXiv:2310.17813). Optax's own `muon` never scales below 1.
    """

    def as_matrix(kernels):
        def dimensions(kernel):
            return MuonDimensionNumbers(tuple(range(kernel.ndim - 1)), kernel.ndim - 1)

        return jax.tree.map(dimensions, kernels)

    def spectral_scale(updates, params=None):
        del params
        return jax.tree.map(lambda u: u * (u.shape[-1] ** 2 / u.size) ** 0.5, updates)

    kernels = optax.chain(
        scale_by_muon(weight_dimension_numbers=as_matrix),
        optax.stateless(spectral_scale),
        optax.scale_by_learning_rate(learning_rate),
    )

    def which(params):
        return jax.tree.map(lambda p: "kernels" if p.ndim > 1 else "biases", params)

    rules = {"kernels": kernels, "biases": optax.adam(bias_learning_rate)}
    return optax.multi_transform(rules, which)


def _at(value: optax.ScalarOrSchedule, count: jax.Array) -> jax.Array | float:
    return value(count) if callable(value) else value
