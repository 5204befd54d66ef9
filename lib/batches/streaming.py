"""Batches of what does not fit memory: read by index, ahead of need, a pure function of (seed, step).

    train = load("div2k", "train")
    for batch in batches(train, seed=0, batch=16, steps=range(first, last), prepare=crop):
        state, metrics = step(state, batch, ...)

With `across` (a mesh's sharding of the leading axis) batches lie across its devices, and of several
processes each reads the rows of its own devices.

What a step's batch is does not depend on where the steps begin: a run that is resumed sees what it would
have seen. Whatever is random in `prepare` is drawn from the generator that it is given.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from lib.base.errors import UserError
from lib.batches.indices import shuffled_indices
from lib.data.dataset import Dataset

Prepare = Callable[[dict, np.random.Generator], Mapping[str, np.ndarray]]
AHEAD = 2
"""Batches that are read ahead; so many, and the one in use, are in memory."""
READERS = 4
"""Threads that read and decode examples."""


def batch_of(
    dataset: Dataset,
    *,
    seed: int,
    step: int,
    batch: int,
    prepare: Prepare,
    places: Sequence[int] | None = None,
) -> dict[str, np.ndarray]:
    """The batch of one step: each array of `prepare`'s, `[batch, ...]`; or its rows `places` alone.

    Every epoch visits each example once, in an order of its own (`shuffled_indices`).

    Args:
      prepare: `(example, generator) -> arrays`, of the same shapes for each example.
    """
    return _stacked([make() for make in _examples(dataset, seed, step, batch, prepare, places)])


def own_places(across: jax.sharding.Sharding, batch: int) -> list[int]:
    """The rows of a batch that lie on this process's devices.

    Raises:
      UserError: the devices do not divide the batch, as those of streamed ones must (code 2).
    """
    try:
        cuts = across.addressable_devices_indices_map((batch,)).values()
    except ValueError:
        devices = across.num_devices
        raise UserError(
            f"--batch {batch}: streamed, the {devices} devices must divide it", 2
        ) from None
    return sorted({row for (cut,) in cuts for row in range(*cut.indices(batch))})


def batches(
    dataset: Dataset,
    *,
    seed: int,
    batch: int,
    steps: range,
    prepare: Prepare,
    across: jax.sharding.Sharding | None = None,
) -> Iterator[dict[str, np.ndarray | jax.Array]]:
    """The batches of `steps`, one after another, made on threads while the last one is used.

    Args:
      across: how their leading axis lies on the devices (`NamedSharding(mesh, P("rows"))`); without, they are
        NumPy's.

    What reading or `prepare` raises is raised here, in its turn. Leaving the loop ends the threads.
    """
    places = None if across is None else own_places(across, batch)
    pool, ahead = ThreadPoolExecutor(READERS), deque()

    def first() -> dict[str, np.ndarray | jax.Array]:
        arrays = ahead.popleft().result()
        return arrays if across is None else _across(arrays, across, batch)

    try:
        for step in steps:
            made = [pool.submit(m) for m in _examples(dataset, seed, step, batch, prepare, places)]
            # Threads take work in order: whoever waits in here waits for examples that are in the making.
            ahead.append(pool.submit(lambda made=made: _stacked([m.result() for m in made])))
            if len(ahead) > AHEAD:
                yield first()
        while ahead:
            yield first()
    finally:
        pool.shutdown(cancel_futures=True)


def _examples(
    dataset: Dataset,
    seed: int,
    step: int,
    batch: int,
    prepare: Prepare,
    places: Sequence[int] | None,
) -> list[Callable[[], Mapping[str, np.ndarray]]]:
    """What makes the examples of one step's batch, or of its rows `places`."""
    with jax.default_device(_host()):
        key = jax.random.key(seed)
        indices = np.asarray(_indices(key, np.int32(step), size=len(dataset), batch=batch))

    def make(place: int) -> Mapping[str, np.ndarray]:
        example = dataset.example(int(indices[place]))
        return prepare(example, np.random.default_rng((seed, step, place)))

    rows = range(batch) if places is None else places
    return [functools.partial(make, place) for place in rows]


def _across(arrays, across: jax.sharding.Sharding, batch: int) -> dict[str, jax.Array]:
    """One array of all processes' rows; nothing is sent."""
    put = jax.make_array_from_process_local_data
    return {name: put(across, own, (batch, *own.shape[1:])) for name, own in arrays.items()}


_indices = jax.jit(shuffled_indices, static_argnames=("size", "batch"))


def _host() -> jax.Device | None:
    """The host's processor, as the accelerator has other batches to do; None where JAX may not use it."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # --device gpu makes that the only platform
        return None


def _stacked(examples: list[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([example[name] for example in examples]) for name in examples[0]}
