"""The loop of every training: chunks of steps, and between them rows, learning curves, checkpoints.

A chunk is one compiled call (`train`), or whatever the host does (`train_on_host`).
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lib.base.errors import UserError
from lib.base.memory import check_fits
from lib.run.keys import purpose
from lib.run.seeds import Layout, lay_out, member, over_seeds
from lib.run.watch import Row, Watch

PyTree = Any
Step = Callable[[PyTree, PyTree, jax.Array, jax.Array], tuple[PyTree, dict[str, jax.Array]]]
Score = Callable[[PyTree], dict[str, float]]
Chunk = Callable[[PyTree, int, int], tuple[PyTree, dict[str, Any]]]


class Trained(NamedTuple):
    """`state`: final states, a leading axis over seeds. `history`: one row a chunk."""

    state: PyTree
    history: list[Row]


def initialise(
    init: Callable[[jax.Array], PyTree], keys: jax.Array, *, conv: bool = False
) -> PyTree:
    """`init(key)` for each key, or for each of what else has a leading seed axis, stacked along it.

    Raises:
      UserError: the states would not fit into memory (code 2).
    """
    seeds = len(jax.tree.leaves(keys)[0])
    try:
        shapes = jax.eval_shape(lambda keys: init(jax.tree.map(lambda x: x[0], keys)), keys)
    except OverflowError as error:
        raise UserError(f"a size is too large ({error})", 2) from None
    one = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(shapes))
    stats = jax.local_devices()[0].memory_stats() or {}
    # While one chunk is computed the state is there twice.
    check_fits(2 * seeds * one, "what is trained", stats.get("bytes_limit"))
    return _compiled_init(init, conv)(keys)


@functools.lru_cache(maxsize=8)
def _compiled_init(init: Callable[[jax.Array], PyTree], conv: bool):
    """The same `init` is compiled once in a process."""

    def strong(key):
        # Without weak types: the first chunk would otherwise compile for other types than the second.
        return jax.tree.map(
            lambda x: jax.lax.convert_element_type(x, jnp.asarray(x).dtype), init(key)
        )

    return over_seeds(strong, shared=(), donate=False, conv=conv)


def train(
    name: str,
    state: PyTree,
    step: Step,
    keys: jax.Array,
    data: PyTree,
    *,
    steps: int,
    every: int,
    watch: Watch,
    score: Score | None = None,
    score_every: int = 1,
    conv: bool = False,
) -> Trained:
    """Trains one replica a key for `steps` steps, `every` of them in one compiled call.

    Args:
      name: names this training in metrics and checkpoints, and its random stream.
      state: where to start, a leading axis over seeds (see `initialise`); left intact.
      step: `step(state, data, key, t) -> (state, metrics)`; `t` is an int32 scalar, `key` the same
        at every step (fold `t` into it), `metrics` a dict of scalars.
      keys: root keys, one a replica, `[n]`.
      data: device-resident arrays that all replicas share.
      score: what else to know of one replica's state, into the row: a learning curve. Computed after
        the chunks that reach a multiple of `score_every` steps, and after the last.
      conv: the nets have convolutions (see `lib.run.seeds`).

    Raises: what `watch.non_finite` raises when a metric or the state stops being finite.
    """
    replicas = len(keys)
    layout = lay_out(replicas, conv=conv)
    keys, data = layout.place(jax.vmap(lambda k: purpose(k, name))(keys)), layout.share(data)

    def chunk(state, done, length):
        compiled = _compiled_chunk(step, length, layout)
        state, (metrics, finite) = compiled(state, data, keys, np.int32(done))
        metrics = jax.device_get(metrics)
        _check_finite(name, metrics, np.asarray(finite), done, length, watch)
        return state, {k: np.asarray(v).mean(axis=1).tolist() for k, v in metrics.items()}

    def scores(state, done):
        return _scores(score, state, replicas)

    return train_on_host(
        name,
        state,
        chunk,
        steps=steps,
        every=every,
        watch=watch,
        scores=None if score is None else scores,
        score_every=score_every,
        layout=layout,
    )


def train_on_host(
    name: str,
    state: PyTree,
    chunk: Chunk,
    *,
    steps: int,
    every: int,
    watch: Watch,
    scores: Callable[[PyTree, int], dict[str, list[float]]] | None = None,
    score_every: int = 1,
    layout: Layout | None = None,
) -> Trained:
    """Trains for `steps` steps, `every` of them in a chunk that may do what no compiled call can.

    Args:
      chunk: `chunk(state, done, length) -> (state, metrics)`: `length` steps after the first `done`; it
        checks its own numbers. Each metric, and what `scores(state, done)` adds, is a list over seeds.
      layout: where the states are that `chunk` gets and gives; None: where they were.
    """
    done, state, history = watch.restore(name, state)
    placed = layout.place(state) if layout else state
    watch.began(name, done, steps)
    while done < steps:
        length = min(every, steps - done)
        placed, metrics = chunk(placed, done, length)
        state = layout.whole(placed) if layout else placed
        done += length
        row = {"training": name, "step": done, **metrics}
        reached = done // score_every > (done - length) // score_every or done == steps
        if scores is not None and reached:
            row |= scores(state, done)
        history.append(row)
        watch.chunk(name, done, state, row, last=done == steps)
    return Trained(state, history)


def _scores(score: Score, state: PyTree, replicas: int) -> dict[str, list[float]]:
    of_replicas = [score(member(state, i)) for i in range(replicas)]
    return {name: [float(f[name]) for f in of_replicas] for name in of_replicas[0]}


@functools.lru_cache(maxsize=32)
def _compiled_chunk(step: Step, length: int, layout: Layout):
    """`length` steps as one compiled call; the same `step` is compiled once in a process."""

    def run(state, data, key, start):
        def body(state, t):
            return step(state, data, key, t)

        state, metrics = jax.lax.scan(body, state, start + jnp.arange(length))
        finite = [jnp.isfinite(x).all() for x in jax.tree.leaves(state) if _is_float(x)]
        return state, (metrics, jnp.stack(finite).all())

    return layout.compile(run, shared=(1, 3))


def _is_float(x: jax.Array) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def _check_finite(name, metrics, state_finite, done, length, watch):
    for metric, values in metrics.items():
        bad = ~np.isfinite(values).all(axis=0)
        if bad.any():
            watch.non_finite(name, done + int(bad.argmax()) + 1, metric)
    if not state_finite.all():
        watch.non_finite(name, done + length, "state")
