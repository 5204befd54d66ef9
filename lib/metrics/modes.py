"""How many modes of a known mixture a sampler reaches (Srivastava et al. 2017, arXiv:1705.07761)."""

import chex
import jax
import jax.numpy as jnp


@jax.jit
def mode_coverage(
    samples: jax.Array,
    centres: jax.Array,
    sigma: float,
    within: float = 3.0,
    share: float = 0.01,
) -> tuple[jax.Array, jax.Array]:
    """`(modes covered, high-quality fraction)`, scalars.

    A sample is of high quality if it lies within `within` standard deviations of some centre; a mode is
    covered if at least `share` of all samples are of high quality and nearest to it. Srivastava et al.
    count a single one, but enough samples of anything wide have one in each mode.

    Args:
      samples: `[n, d]`.
      centres: `[k, d]`.
      sigma: the modes' standard deviation.
    """
    chex.assert_rank([samples, centres], 2)
    distances = jnp.linalg.norm(samples[:, None] - centres[None], axis=-1)
    good = distances.min(axis=1) <= within * sigma
    nearest = distances.argmin(axis=1)
    hit = (nearest[:, None] == jnp.arange(len(centres))[None]) & good[:, None]
    return (hit.sum(axis=0) >= jnp.maximum(1, share * len(samples))).sum(), good.mean()
