"""The fourth learning rule: the network stays as it is, and the image that it sees is optimised."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from lib.ops.rows import across_devices


@flax.struct.dataclass
class PixelState:
    """The image (or several, `[n, h, w, c]`), the state of its optimiser, and how often the loss has been
    evaluated, int32 []."""

    image: jax.Array
    opt: optax.OptState
    evaluations: jax.Array


def init_state(image: jax.Array, tx: optax.GradientTransformation) -> PixelState:
    """A state at step 0."""
    return PixelState(image, tx.init(image), jnp.zeros((), jnp.int32))


def pixels(
    loss: Callable[[jax.Array, Any], jax.Array],
    tx: optax.GradientTransformation,
) -> Callable[[PixelState, Any], tuple[PixelState, dict[str, jax.Array]]]:
    """`step(state, data) -> (state, metrics)` for `loss(image, data)`, a scalar.

    `tx` may search along a line, as `optax.lbfgs` does: then a step evaluates the loss as often as that
    takes, and begins with the value and the gradient that the step before ended with. The metrics are the
    `loss` before the step and the `evaluations` (of the loss and its gradient) made in it.
    """
    tx = optax.with_extra_args_support(tx)

    def step(state, data):
        def objective(image):
            return loss(across_devices(image) if image.ndim > 3 else image, data)

        searched = optax.tree.get(state.opt, "num_linesearch_steps")
        if searched is None:
            value, gradient = jax.value_and_grad(objective)(state.image)
        else:
            value, gradient = optax.value_and_grad_from_state(objective)(
                state.image, state=state.opt
            )
        updates, opt = tx.update(
            gradient, state.opt, state.image, value=value, grad=gradient, value_fn=objective
        )
        evaluations = jnp.int32(1)
        if searched is not None:
            first = jnp.isinf(optax.tree.get(state.opt, "value"))
            evaluations = optax.tree.get(opt, "num_linesearch_steps") + first
        image = optax.apply_updates(state.image, updates)
        new = PixelState(image, opt, state.evaluations + evaluations)
        return new, {"loss": value, "evaluations": evaluations}

    return step


@flax.struct.dataclass
class FirstStep:
    """Whether it is still to come, bool []."""

    to_come: jax.Array


def first_step(size: float) -> optax.GradientTransformation:
    """Gives the first update a root mean square of `size` and leaves the others as they are.

    For a line search, whose first trial must change the loss by more than rounding does.
    """

    def init(params):
        return FirstStep(jnp.asarray(True))

    def update(updates, state, params=None):
        rms = optax.tree.norm(updates) / optax.tree.size(updates) ** 0.5
        scale = jnp.where(state.to_come, size / jnp.maximum(rms, 1e-30), 1.0)
        return optax.tree.scale(scale, updates), FirstStep(jnp.asarray(False))

    return optax.GradientTransformation(init, update)


def mean_absolute(size: float) -> optax.GradientTransformation:
    """Gives every update a mean absolute value of `size`, however steep the loss is.

    DeepDream's rule (Mordvintsev et al. 2015): `g / mean |g|`, neither the norm nor the deviation. Where
    the gradient is zero everywhere, nothing moves.
    """

    def scaled(updates, params=None):
        del params
        leaves = jax.tree.leaves(updates)
        mean = sum(jnp.abs(u).sum() for u in leaves) / sum(u.size for u in leaves)
        return jax.tree.map(lambda u: u * (size / jnp.maximum(mean, 1e-30)), updates)

    return optax.stateless(scaled)
