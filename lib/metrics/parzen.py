"""Parzen-window log-likelihood, the estimate of Table 1 of Goodfellow et al. 2014."""

import math

import chex
import jax
import jax.numpy as jnp

PAPER_SIGMAS = tuple(10 ** (-1 + i / 9) for i in range(10))
"""The released grid: ten values, evenly spaced in the logarithm, from 0.1 to 1."""


def squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """`[n, d], [m, d] -> [n, m]`. Full float32 products also where a device would round them."""
    chex.assert_rank([a, b], 2)
    products = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :]
    return jnp.maximum(squares - 2 * products, 0.0)


def log_likelihoods(
    samples: jax.Array, points: jax.Array, sigmas: jax.Array, *, chunk: int = 500
) -> jax.Array:
    """Log-density in nats of each point under a Gaussian kernel on each sample.

        LL(x) = log((1/N) sum_i exp(-|x - x_i|^2 / (2 sigma^2))) - d log(sigma sqrt(2 pi))

    Args:
      samples: the N kernels' centres, `[N, d]`.
      points: `[n, d]`, evaluated `chunk` at a time.
      sigmas: the kernel widths to try, `[s]`.

    Returns:
      `[s, n]`.
    """
    chex.assert_rank([samples, points, sigmas], [2, 2, 1])
    # |x|^2 - 2xy + |y|^2 cancels: about the mean its terms, and so float32's errors, are smallest.
    centre = samples.mean(axis=0, keepdims=True)
    samples, points = samples - centre, points - centre
    n, d = points.shape

    def of_chunk(points):
        distances = squared_distances(points, samples)

        def at(sigma):
            log_mean = jax.nn.logsumexp(-distances / (2 * sigma**2), axis=1) - math.log(
                len(samples)
            )
            return log_mean - d * jnp.log(sigma * math.sqrt(2 * math.pi))

        return jax.lax.map(at, sigmas)

    padded = jnp.pad(points, ((0, -n % chunk), (0, 0))).reshape(-1, chunk, d)
    chunks = jax.lax.map(of_chunk, padded)  # [chunks, s, chunk]
    return jnp.moveaxis(chunks, 1, 0).reshape(len(sigmas), -1)[:, :n]


def parzen(
    samples: jax.Array, valid: jax.Array, test: jax.Array, sigmas: jax.Array
) -> dict[str, jax.Array]:
    """The released protocol: sigma by the mean on `valid`, then the mean on `test`.

    Returns scalars: `mean` and `stderr` (nats; the standard error is over test examples) and `sigma`.
    """
    best = log_likelihoods(samples, valid, sigmas).mean(axis=1).argmax()
    likelihoods = log_likelihoods(samples, test, sigmas[best][None])[0]
    return {
        "mean": likelihoods.mean(),
        "stderr": likelihoods.std() / math.sqrt(len(test)),
        "sigma": sigmas[best],
    }
