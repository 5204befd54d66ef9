"""MinAtar's Seaquest as in the original package: pgx-minatar's, mended where it deviates."""

import jax
import jax.numpy as jnp
from pgx_minatar.seaquest import MinAtarSeaquest


class Seaquest(MinAtarSeaquest):
    """Pgx-minatar's game but for three things that MinAtar (Young & Tian 2019) does otherwise.

    Every second surfacing speeds the enemies up, the second one first; the game ends in the first step that
    begins without air; and an enemy's shot that has left the picture is gone.
    """

    def _step(self, state, action, key):
        before = state
        state = super()._step(state, action, key)
        surfaced = state._ramp_index > before._ramp_index
        faster = surfaced & (before._move_speed > 2) & (before._ramp_index % 2 == 1)
        return state.replace(
            _move_speed=before._move_speed - faster,
            _e_bullets=_inside(state._e_bullets),
            # Without air only in the step that is the last, and pgx would show a full gauge below 0.
            _oxygen=jnp.maximum(state._oxygen, 0),
            terminated=state.terminated | (before._oxygen <= 0),
        )


def _inside(shots: jax.Array) -> jax.Array:
    """The rows (column, row, direction) of `shots` `[n, 3]` within the picture, in their order, then -1."""
    inside = (shots[:, 0] >= 0) & (shots[:, 0] <= 9)
    order = jnp.argsort(~inside, stable=True)
    return jnp.where(inside[order][:, None], shots[order], -1)
