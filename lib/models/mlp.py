"""The plain multilayer perceptron."""

from collections.abc import Callable, Sequence

import chex
import flax.linen as nn
import jax


class MLP(nn.Module):
    """`[n, d]` -> `[n, out]` through `hidden` layers of one nonlinearity; the output is linear."""

    out: int
    hidden: Sequence[int] = (128, 128)
    activation: Callable[[jax.Array], jax.Array] = nn.tanh
    kernel_init: Callable[..., jax.Array] = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        chex.assert_rank(x, 2)
        for units in self.hidden:
            x = self.activation(nn.Dense(units, kernel_init=self.kernel_init)(x))
        return nn.Dense(self.out, kernel_init=self.kernel_init)(x)
