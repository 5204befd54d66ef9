"""A stack of convolutions, ReLUs and poolings, and the ways back from one activation to the pixels."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lib.nn.conv import NHWC, conv_general_dilated

Rule = Literal["deconvnet", "gradient", "linear"]


class Layer(NamedTuple):
    """What a layer left: activations after the ReLU `[n, h, w, d]`, after the pooling, and the switches."""

    activations: jax.Array
    pooled: jax.Array
    switches: jax.Array


def pool(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest value of each 2 x 2 window of `[n, h, w, c]` (even h, w), and a one where it was.

    Of equal values the first counts. The switches have x's shape.
    """
    chex.assert_rank(x, 4)
    windows = _windows(x)
    # The gradient goes where the switch is; that of a maximum would be shared between equals.
    first = jax.lax.stop_gradient(jax.nn.one_hot(windows.argmax(axis=3), 4, axis=3))
    return (windows * first).sum(axis=3), _image(first, x.shape)


def unpool(pooled: jax.Array, switches: jax.Array) -> jax.Array:
    """Each value of `[n, h/2, w/2, c]` where its switch is, zero elsewhere: `[n, h, w, c]`."""
    n, h, w, c = pooled.shape
    spread = jnp.broadcast_to(pooled[:, :, None, :, None], (n, h, 2, w, 2, c))
    return spread.reshape(switches.shape) * switches


def _windows(x: jax.Array) -> jax.Array:
    """`[n, h, w, c]` -> `[n, h/2, w/2, 4, c]`."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h // 2, w // 2, 4, c)


def _image(windows: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    n, h, w, c = shape
    x = windows.reshape(n, h // 2, w // 2, 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h, w, c)


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`[n, h, w, c]` with `[k, k, c, d]`, zeros around -> `[n, h, w, d]`."""
    return conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=NHWC)


def transposed(signal: jax.Array, kernel: jax.Array) -> jax.Array:
    """The transpose of `convolve`, odd k: the kernel flipped in space, its channels swapped."""
    return convolve(signal, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))


def forward(kernels: Sequence[jax.Array], biases: Sequence[jax.Array], x: jax.Array) -> list[Layer]:
    """Every layer of `[n, h, w, c]`: convolution, ReLU, pooling."""
    layers = []
    for kernel, bias in zip(kernels, biases, strict=True):
        a = jax.nn.relu(convolve(x, kernel) + bias.reshape(1, 1, 1, -1))
        x, switches = pool(a)
        layers.append(Layer(a, x, switches))
    return layers


def backward(
    kernels: Sequence[jax.Array], layers: Sequence[Layer], signal: jax.Array, rule: Rule
) -> jax.Array:
    """`signal`, at the activations of the last of `layers` (before its pooling), sent back: `[n, h, w, c]`.

    At each ReLU "deconvnet" lets through what is positive of the signal, "gradient" where the activation
    was positive, "linear" all.
    """
    for depth in reversed(range(len(layers))):
        if rule == "deconvnet":
            signal = jax.nn.relu(signal)
        elif rule == "gradient":
            signal = signal * (layers[depth].activations > 0)
        signal = transposed(signal, kernels[depth])
        if depth:
            signal = unpool(signal, layers[depth - 1].switches)
    return signal


def strongest(activations: jax.Array, channel: int, count: int) -> tuple[jax.Array, jax.Array]:
    """The `count` examples with the largest activation of a channel, each at its largest place.

    `[n, h, w, d]` -> indices `[count]` and the signal `[count, h, w, d]`, zero but for that activation.
    """
    n, h, w, d = activations.shape
    flat = activations[..., channel].reshape(n, h * w)
    chosen = jnp.argsort(-flat.max(axis=1))[:count]
    place = flat[chosen].argmax(axis=1)
    values = flat[chosen].max(axis=1)
    at = jax.nn.one_hot(place, h * w) * values.reshape(-1, 1)
    one = jax.nn.one_hot(channel, d)
    return chosen, (at[:, :, None] * one.reshape(1, 1, -1)).reshape(count, h, w, d)
