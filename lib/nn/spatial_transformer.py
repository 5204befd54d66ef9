"""One warp of the whole input, found from it (Jaderberg et al. 2015, arXiv:1506.02025)."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.conv import Conv
from lib.ops.sampling import affine_points, bilinear

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


class SpatialTransformer(nn.Module):
    """An affine warp: `[n, h, w, c]` -> the same shape; at the start it changes nothing (section 3.2).

    The localisation net is two convolutions of 5 x 5, each with a stride of 2, a dense layer and the six
    numbers of the transform. The transforms, `[n, 2, 3]`, are sown into the collection "intermediates".

    Attributes:
      widths: filters of the two convolutions.
      hidden: units of the dense layer.
    """

    widths: tuple[int, int] = (16, 32)
    hidden: int = 32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        chex.assert_rank(x, 4)
        y = x
        for width in self.widths:
            y = nn.relu(Conv(width, (5, 5), stride=2)(y))
        y = nn.relu(nn.Dense(self.hidden)(y.reshape(len(y), -1)))
        moved = nn.Dense(6, kernel_init=nn.initializers.zeros_init())(y)
        theta = jnp.array(IDENTITY)[None] + moved.reshape(-1, 2, 3)
        self.sow("intermediates", "theta", theta)
        return bilinear(x, affine_points(theta, x.shape[1:3]))
