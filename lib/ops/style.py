"""What neural style measures: features at their places, and their correlations without places.

F is a layer's features `[h, w, N]`, M = h w positions. Gatys, Ecker & Bethge (arXiv:1508.06576),
equations 1 to 7; (Gatys et al. 2017, arXiv:1611.07865, section 4) for masks.
"""

import chex
import jax
import jax.numpy as jnp


def gram(features: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """G_ij = sum_k F_ik F_jk: `[h, w, N]` -> `[N, N]`, a sum over positions (equation 3).

    With a `mask` `[h, w]`, each position's features are multiplied by it.
    """
    chex.assert_rank(features, 3)
    if mask is not None:
        features = features * mask[:, :, None]
    rows = features.reshape(-1, features.shape[-1])
    # In full precision: a GPU would round to 10 bits, and a line search would see it.
    return jnp.matmul(rows.T, rows, precision="highest", preferred_element_type=jnp.float32)


def positions(features: jax.Array, mask: jax.Array | None = None) -> jax.Array | float:
    """M: how many positions a Gram matrix of these features sums over, counted by the mask's square."""
    h, w, _ = features.shape
    return float(h * w) if mask is None else jnp.sum(mask**2)


def content_loss(features: jax.Array, target: jax.Array) -> jax.Array:
    """1/2 sum (F - P)^2 (equation 1). Features of equal shapes."""
    chex.assert_equal_shape([features, target])
    return 0.5 * jnp.sum(jnp.square(features.astype(jnp.float32) - target))


def style_loss(mean_gram: jax.Array, target: jax.Array) -> jax.Array:
    """E = 1 / (4 N^2) sum (G/M - A/M)^2 (equation 4), of Gram matrices `[N, N]` divided by their M.

    Where both images have the same size this is the paper's 1 / (4 N^2 M^2) sum (G - A)^2; where they have
    not, each is divided by its own M.
    """
    chex.assert_equal_shape([mean_gram, target])
    n = mean_gram.shape[0]
    return jnp.sum(jnp.square(mean_gram - target)) / (4 * n**2)


def total_variation(image: jax.Array) -> jax.Array:
    """Sum of the squared differences of neighbouring pixels, `[h, w, c]`."""
    chex.assert_rank(image, 3)
    return jnp.sum(jnp.square(jnp.diff(image, axis=0))) + jnp.sum(
        jnp.square(jnp.diff(image, axis=1))
    )
