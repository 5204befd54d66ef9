"""The small network, whose layers a DeConvNet can go back through."""

import jax
import jax.numpy as jnp

from experiments.visualisation.deconvnet import convolve
from lib.nn.pooling import max_pool
from lib.run.keys import purpose

CLASSES, KERNEL = 10, 5


def init_params(key: jax.Array, widths: tuple[int, int], side: tuple[int, int]):
    """He's weights: two 5 x 5 convolutions, each pooled, and a classifier."""
    params, inputs = {}, 1
    for i, width in enumerate(widths):
        shape = (KERNEL, KERNEL, inputs, width)
        scale = (2 / (KERNEL * KERNEL * inputs)) ** 0.5
        kernel = scale * jax.random.normal(purpose(key, f"conv{i + 1}"), shape)
        params[f"conv{i + 1}"] = {"kernel": kernel, "bias": jnp.zeros(width)}
        inputs = width
    features = side[0] // 4 * (side[1] // 4) * inputs
    kernel = features**-0.5 * jax.random.normal(purpose(key, "classes"), (features, CLASSES))
    params["classes"] = {"kernel": kernel, "bias": jnp.zeros(CLASSES)}
    return params


def parts_of(params) -> tuple[list[jax.Array], list[jax.Array]]:
    """The convolutions' kernels and biases, in order."""
    convs = [params["conv1"], params["conv2"]]
    return [c["kernel"] for c in convs], [c["bias"] for c in convs]


def digits_logits(params, images: jax.Array) -> jax.Array:
    """uint8 or float `[n, h, w, 1]` in 0..255 -> `[n, 10]`."""
    x = images.astype(jnp.float32) / 255
    for kernel, bias in zip(*parts_of(params), strict=True):
        # Pooled before the bias and the ReLU, which come to the same after it, on a quarter of the pixels.
        x = jax.nn.relu(max_pool(convolve(x, kernel), 2, 2) + bias.reshape(1, 1, 1, -1))
    return x.reshape(len(x), -1) @ params["classes"]["kernel"] + params["classes"]["bias"].reshape(
        1, -1
    )
