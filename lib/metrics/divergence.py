"""Divergences between discrete densities, in nats. Every array is `[..., k]` and sums to 1."""

import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy


def kl(p: jax.Array, q: jax.Array) -> jax.Array:
    """`KL(p || q) = sum p log(p / q)`; infinite where q is 0 and p is not."""
    return (xlogy(p, p) - xlogy(p, q)).sum(axis=-1)


@jax.jit
def jensen_shannon(p: jax.Array, q: jax.Array) -> jax.Array:
    """`(KL(p || m) + KL(q || m)) / 2` with `m = (p + q) / 2`; at most log 2."""
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


def optimal_discriminator(p_data: jax.Array, p_g: jax.Array) -> jax.Array:
    """`D*(x) = p_data(x) / (p_data(x) + p_g(x))` (Goodfellow et al. 2014, Prop. 1).

    1/2 where neither density has anything: there the paper leaves D open.
    """
    total = p_data + p_g
    return jnp.where(total > 0, p_data / jnp.where(total > 0, total, 1), 0.5)


def virtual_criterion(p_data: jax.Array, p_g: jax.Array) -> jax.Array:
    """`C(G) = V(G, D*)`, evaluated as the game's value at D* (ibid., eq. 4)."""
    d = optimal_discriminator(p_data, p_g)
    return (xlogy(p_data, d) + xlogy(p_g, 1 - d)).sum(axis=-1)
