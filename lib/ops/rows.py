"""Where the rows of a minibatch lie, when several devices compute one step."""

from typing import Any

import jax
from jax.sharding import AxisType, PartitionSpec

ROWS = "rows"
"""The axis of the mesh along which a minibatch is cut."""


def across_devices(batch: Any) -> Any:
    """`batch` with the leading axis of each array cut along the axis ROWS of the mesh that computes it.

    Says where numbers lie, never what they are: XLA does what it takes for the result to be that of one
    device, but for the order of sums over the rows. The devices need not divide the rows. Without such a
    mesh (one device, a notebook's cell) nothing happens.
    """
    mesh = jax.sharding.get_abstract_mesh()
    sizes = dict(zip(mesh.axis_names, mesh.axis_sizes, strict=True))
    kinds = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    if sizes.get(ROWS, 1) == 1 or kinds[ROWS] != AxisType.Auto:
        return batch

    def cut(x):
        # Fewer rows than devices are no work to share.
        if not x.ndim or x.shape[0] < sizes[ROWS]:
            return x
        return jax.lax.with_sharding_constraint(x, PartitionSpec(ROWS))

    return jax.tree.map(cut, batch)
