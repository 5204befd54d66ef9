"""Networks that estimate the value of every action: DQN's of 2013 and 2015, MinAtar's, a linear one."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import flax.linen as nn
import jax

from lib.nn.conv import Conv
from lib.nn.initializers import torch_uniform


class Layer(NamedTuple):
    """A convolution without padding."""

    features: int
    size: int
    stride: int


class QNetwork(nn.Module):
    """`[n, h, w, c]` -> Q `[n, actions]`; ReLU after every layer but the last.

    Weights and biases begin uniform in +-1/sqrt(inputs), as in the released code (Torch's default).
    """

    actions: int
    convolutions: tuple[Layer, ...] = ()
    hidden: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, x: jax.Array, *, features: bool = False) -> jax.Array:
        """With `features`, what the last layer sees, `[n, hidden[-1]]`, instead."""
        chex.assert_rank(x, 4)
        for i, (channels, size, stride) in enumerate(self.convolutions):
            bound = torch_uniform(size * size * x.shape[-1])
            init = {"kernel_init": bound, "bias_init": bound, "name": f"conv{i + 1}"}
            x = nn.relu(Conv(channels, (size, size), "VALID", stride, **init)(x))
        x = x.reshape(len(x), -1)
        for i, units in enumerate(self.hidden):
            x = nn.relu(_dense(x, units, f"fc{i + 1}"))
        return x if features else _dense(x, self.actions, "out")


def _dense(x: jax.Array, units: int, name: str) -> jax.Array:
    bound = torch_uniform(x.shape[-1])
    return nn.Dense(units, kernel_init=bound, bias_init=bound, name=name)(x)


def dqn_2013(actions: int) -> QNetwork:
    """Mnih et al. 2013, section 4.1; 677 172 parameters for 84 x 84 x 4 and four actions."""
    return QNetwork(actions, (Layer(16, 8, 4), Layer(32, 4, 2)), (256,))


def dqn_2015(actions: int) -> QNetwork:
    """Mnih et al. 2015, Methods; 1 686 180 parameters for 84 x 84 x 4 and four actions."""
    return QNetwork(actions, (Layer(32, 8, 4), Layer(64, 4, 2), Layer(64, 3, 1)), (512,))


def minatar(actions: int) -> QNetwork:
    """Young & Tian 2019 (arXiv:1903.03176), section 3: the network for pictures of 10 x 10."""
    return QNetwork(actions, (Layer(16, 3, 1),), (128,))


def linear(actions: int) -> QNetwork:
    """Mnih et al. 2015, Extended Data Table 4: a single linear layer."""
    return QNetwork(actions)


NETWORKS: dict[str, Callable[[int], QNetwork]] = {
    "2013": dqn_2013,
    "2015": dqn_2015,
    "minatar": minatar,
    "linear": linear,
}
