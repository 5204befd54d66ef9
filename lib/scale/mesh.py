"""Replicas of a training on several devices: XLA's collectives, through `jax.sharding`.

The devices are a mesh, [seeds, rows]. Each replica lies on a row of it; where that row has more devices
than one they share each minibatch (`lib.ops.rows`), with parameters, optimiser and data on each of them.
Replicas that do not fit side by side come in rounds, through the same compiled program.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from lib.ops.rows import ROWS

PyTree = Any
SEEDS = "seeds"
SPREAD_FROM = 2**16
"""Numbers in an array that is worth spreading."""


@dataclass(frozen=True)
class Meshed:
    """`replicas` replicas on `mesh`, `together` of them on each row at once (under one `vmap`).

    A state is a list of rounds: trees whose leading axis has a replica for each place of the mesh's seed
    axis. Places that are left over repeat the last replica.
    """

    replicas: int
    mesh: Mesh
    together: int = 1
    spread: bool = False
    """Large arrays of a state lie in pieces on the devices of a row, not whole on each."""

    def place(self, own: PyTree) -> list[PyTree]:
        """Copies of what has a leading seed axis, round by round."""
        width = self.mesh.shape[SEEDS] * self.together
        places = np.minimum(np.arange(-(-self.replicas // width) * width), self.replicas - 1)
        rounds = places.reshape(-1, width)
        return [jax.tree.map(lambda x: _put(x, self._cut(x), rows), own) for rows in rounds]

    def _cut(self, x: jax.Array) -> NamedSharding:
        """How an array with a leading seed axis lies."""
        axes: list[str | None] = [SEEDS] + [None] * (x.ndim - 1)
        devices = self.mesh.shape[ROWS]
        fit = [i for i in range(1, x.ndim) if x.shape[i] % devices == 0]
        if self.spread and fit and x.size >= SPREAD_FROM * len(x):
            axes[max(fit, key=lambda i: x.shape[i])] = ROWS
        return NamedSharding(self.mesh, P(*axes))

    def share(self, data: PyTree) -> PyTree:
        """Copies of what all replicas share, one a device."""
        everywhere = functools.partial(_put, sharding=NamedSharding(self.mesh, P()))
        return jax.tree.map(everywhere, data)

    def whole(self, state: list[PyTree]) -> PyTree:
        """The state of all replicas along a leading axis, on this process's first device."""
        if self.mesh.shape[SEEDS] > 1 or self.spread:
            with jax.set_mesh(self.mesh):
                state = _everywhere(self.mesh)(state)
        return _joined(jax.tree.map(lambda x: x.addressable_data(0), state), self.replicas)

    def compile(self, function: Callable, *, shared: tuple[int, ...]) -> Callable:
        """`call(state, *args) -> (state, found)`, of `function` of one replica that returns as much.

        `args` whose place is not among `shared` have been placed; `found` is whole. The state's memory is
        given to the result.
        """
        program = []

        def call(state, *args):
            if not program:
                lies = jax.tree.map(lambda x: x.sharding, state[0])
                program.append(self.program(function, shared=shared, lies=lies))
            rounds, compiled = [], program[0]
            with jax.set_mesh(self.mesh):
                for i, of_round in enumerate(state):
                    own = (a if j in shared else a[i] for j, a in enumerate(args, 1))
                    rounds.append(compiled(of_round, *own))
            states, results = (list(each) for each in zip(*rounds, strict=True))
            results = jax.tree.map(lambda x: x.addressable_data(0), results)
            return states, _joined(results, self.replicas)

        return call

    def program(self, function: Callable, *, shared: tuple[int, ...], lies: PyTree) -> Callable:
        """One round of `compile`, to be called with `mesh` set; a state's arrays stay where they lie."""

        def on_a_row(*args):
            axes = [None if i in shared else 0 for i in range(len(args))]
            if self.together > 1:
                return jax.vmap(function, in_axes=axes)(*args)
            own = [_first(a) if axis == 0 else a for a, axis in zip(args, axes, strict=True)]
            return jax.tree.map(lambda x: x[None], function(*own))

        def on_rows(*args):
            return jax.shard_map(
                on_a_row,
                mesh=self.mesh,
                in_specs=tuple(P() if i in shared else P(SEEDS) for i in range(len(args))),
                out_specs=P(SEEDS),
                # What is left to XLA is how a row's devices share the work.
                axis_names={SEEDS} if self.mesh.shape[ROWS] > 1 else {SEEDS, ROWS},
                check_vma=False,
            )(*args)

        one_row = self.mesh.shape[SEEDS] == 1
        out = lies, NamedSharding(self.mesh, P())
        return jax.jit(on_a_row if one_row else on_rows, donate_argnums=0, out_shardings=out)


def _first(tree: PyTree) -> PyTree:
    # A key that lies alone along the seed axis is not used by being taken from it.
    def first(x):
        is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return (jax.random.clone(x) if is_key else x)[0]

    return jax.tree.map(first, tree)


def mesh_for(replicas: int, devices: list[jax.Device]) -> Mesh:
    """As many rows as there are replicas, or the next larger number that divides the devices."""
    seeds = next(
        n for n in range(min(replicas, len(devices)), len(devices) + 1) if len(devices) % n == 0
    )
    return Mesh(np.array(devices).reshape(seeds, -1), (SEEDS, ROWS))


def _put(x, sharding: NamedSharding, rows=slice(None)) -> jax.Array:
    """`x`, which each process has, where `sharding` says: nothing is sent from one to another."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(x), sharding, rows))
    host = np.asarray(x)
    host = host[rows] if host.ndim else host
    return jax.make_array_from_callback(host.shape, sharding, lambda place: host[place])


@functools.lru_cache
def _everywhere(mesh: Mesh):
    return jax.jit(lambda tree: tree, out_shardings=NamedSharding(mesh, P()))


@functools.partial(jax.jit, static_argnums=1)
def _joined(rounds: list[PyTree], replicas: int) -> PyTree:
    return jax.tree.map(lambda *xs: jnp.concatenate(xs)[:replicas], *rounds)
