"""Inception score (Salimans et al. 2016, arXiv:1606.03498)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp


@partial(jax.jit, static_argnames="splits")
def inception_score(logits: jax.Array, splits: int = 10) -> tuple[jax.Array, jax.Array]:
    """`exp(E_x KL(p(y|x) || p(y)))`, with p(y) the mean over the generated set.

    Args:
      logits: a classifier's, on the generated images, `[n, classes]`; `splits` must divide n.

    Returns:
      Mean and standard deviation over `splits` equal parts, scalars in [1, classes].
    """
    chex.assert_rank(logits, 2)
    log_p = jax.nn.log_softmax(logits).reshape(splits, -1, logits.shape[-1])
    p = jnp.exp(log_p)
    log_marginal = jax.nn.logsumexp(log_p, axis=1, keepdims=True) - jnp.log(log_p.shape[1])
    scores = jnp.exp((p * (log_p - log_marginal)).sum(axis=-1).mean(axis=-1))
    return scores.mean(), scores.std()
