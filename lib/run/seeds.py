"""How the replicas of a run (one a seed) share the machine: decided here and nowhere else.

On an accelerator all replicas of dense nets are one `vmap`: a batch of small products fills the
device. On a CPU, and wherever convolutions are concerned, the replicas go one after another through
one compiled program. There a `vmap` over dense nets gains little on two cores (1.2 to 1.5 times) and
costs reproducibility: XLA's batched kernels may sum in another order, so that seed 3 among eight
would end a few last bits away from seed 3 alone, which an adversarial game then amplifies. A vmap
over convolution *weights* is 80 times slower on a CPU.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def at_once(*, conv: bool) -> bool:
    """Whether replicas train under one `vmap`."""
    return jax.default_backend() != "cpu" and not conv


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
        def member(i):
            return (
                a if j in shared else jax.tree.map(lambda x: _reusable(x)[i], a)
                for j, a in enumerate(args)
            )

        first = next(j for j in range(len(args)) if j not in shared)
        replicas = jax.tree.leaves(args[first])[0].shape[0]
        results = [compiled(*member(i)) for i in range(replicas)]
        return jax.tree.map(lambda *xs: jnp.stack(xs), *results)

    return one_after_another


def _reusable(x: jax.Array) -> jax.Array:
    # A replica's key is the same in every chunk (the step is folded in): that reuse is meant, and
    # slicing a key counts as its use where `jax_debug_key_reuse` is on.
    return jax.random.clone(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
