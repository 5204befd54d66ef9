"""How the replicas of a run (one a seed) share the machine: decided here and nowhere else.

Several devices take a replica each; what is left of them shares the minibatches (`lib.scale.mesh`). On one:
on an accelerator all replicas of dense nets are one `vmap`: a batch of small products fills the
device. On a CPU, and wherever convolutions are concerned, the replicas go one after another through
one compiled program. There a `vmap` over dense nets gains little on two cores (1.2 to 1.5 times) and
costs reproducibility: XLA's batched kernels may sum in another order, so that seed 3 among eight
would end a few last bits away from seed 3 alone, which an adversarial game then amplifies. A vmap
over convolution *weights* is 80 times slower on a CPU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from lib.scale.mesh import Meshed, mesh_for

PyTree = Any


def at_once(*, conv: bool) -> bool:
    """Whether replicas train under one `vmap`."""
    return jax.default_backend() != "cpu" and not conv


@dataclass(frozen=True)
class OneDevice:
    """What `lib.scale.mesh.Meshed` is on several: a state has a leading seed axis."""

    conv: bool

    def place(self, own: PyTree) -> PyTree:
        """A copy, of which a chunk may be given the memory."""
        return _copied(own)

    def share(self, data: PyTree) -> PyTree:
        """What all replicas share, as it is."""
        return data

    def whole(self, state: PyTree) -> PyTree:
        """The state of all replicas, as it is."""
        return state

    def compile(self, function: Callable, *, shared: tuple[int, ...]) -> Callable:
        """`function` over the seed axis of every argument but those in `shared`."""
        return over_seeds(function, shared=shared, conv=self.conv)


_devices = jax.devices
_spread = [False]


def spread_parameters(spread: bool) -> None:
    """Whether large arrays of a state lie in pieces on devices that share a minibatch, from now on."""
    _spread[:] = [spread]


Layout = OneDevice | Meshed


def lay_out(replicas: int, *, conv: bool) -> Layout:
    """How so many replicas train on the devices that there are."""
    devices = _devices()
    if len(devices) == 1:
        return OneDevice(conv)
    mesh = mesh_for(replicas, devices)
    together = -(-replicas // mesh.shape["seeds"]) if at_once(conv=conv) else 1
    return Meshed(replicas, mesh, together, *_spread)


def over_seeds(
    function: Callable, *, shared: tuple[int, ...], donate: bool = True, conv: bool = False
) -> Callable:
    """`function` compiled over a leading seed axis of every argument but those in `shared`.

    With `donate` the first argument's memory is given to the results, which are stacked along the
    same leading axis.
    """
    donated = 0 if donate else ()
    if at_once(conv=conv):

        def together(*args):
            axes = tuple(None if i in shared else 0 for i in range(len(args)))
            return jax.vmap(function, in_axes=axes)(*args)

        return jax.jit(together, donate_argnums=donated)

    compiled = jax.jit(function, donate_argnums=donated)

    def one_after_another(*args):
        own = {j: a for j, a in enumerate(args) if j not in shared}
        replicas = jax.tree.leaves(next(iter(own.values())))[0].shape[0]
        results = []
        for i in range(replicas):
            of_replica = member(own, i)
            results.append(compiled(*(of_replica.get(j, a) for j, a in enumerate(args))))
        return stack(results)

    return one_after_another


def member(states: PyTree, i: int) -> PyTree:
    """Replica `i` of states stacked along a leading axis: one program, not one a shape; NumPy's stay so."""
    if any(isinstance(x, jax.Array) for x in jax.tree.leaves(states)):
        return _member(states, i)
    return jax.tree.map(lambda x: x[i], states)


@jax.jit
def _member(states, i):
    # A replica's key is the same in every chunk (the step is folded in): that reuse is meant, and
    # slicing a key counts as its use where `jax_debug_key_reuse` is on.
    return jax.tree.map(lambda x: (jax.random.clone(x) if _is_key(x) else x)[i], states)


@jax.jit
def _copied(state: PyTree) -> PyTree:
    return jax.tree.map(jnp.copy, state)


@jax.jit
def stack(states: Sequence[PyTree]) -> PyTree:
    """States of replicas along a leading axis."""
    return jax.tree.map(lambda *xs: jnp.stack(xs), *states)


def _is_key(x: jax.Array) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
