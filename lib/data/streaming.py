"""Batches of what does not fit memory: read by index, ahead of need, a pure function of (seed, step).

    train = load("div2k", "train")
    for batch in batches(train, seed=0, batch=16, steps=range(first, last), prepare=crop):
        state, metrics = step(state, batch, ...)

What a step's batch is does not depend on where the steps begin: a run that is resumed sees what it would
have seen. Whatever is random in `prepare` is drawn from the generator that it is given.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from lib.data.batches import shuffled_indices
from lib.data.dataset import Dataset

Prepare = Callable[[dict, np.random.Generator], Mapping[str, np.ndarray]]
AHEAD = 2
"""Batches that are kept ready; so many, the one in use and the one in the making are in memory."""
READERS = 4
"""Threads that read and decode the examples of a batch."""


def batch_of(
    dataset: Dataset, *, seed: int, step: int, batch: int, prepare: Prepare, pool=None
) -> dict[str, np.ndarray]:
    """The batch of one step: each array of `prepare`'s, `[batch, ...]`.

    Every epoch visits each example once, in an order of its own (`shuffled_indices`).

    Args:
      prepare: `(example, generator) -> arrays`, of the same shapes for each example.
    """
    with jax.default_device(_host()):
        key = jax.random.key(seed)
        indices = np.asarray(_indices(key, np.int32(step), size=len(dataset), batch=batch))

    def one(place: int) -> Mapping[str, np.ndarray]:
        example = dataset.example(int(indices[place]))
        return prepare(example, np.random.default_rng((seed, step, place)))

    examples = list((pool.map if pool else map)(one, range(batch)))
    return {name: np.stack([example[name] for example in examples]) for name in examples[0]}


def _host() -> jax.Device | None:
    """The host's processor, as the accelerator has other batches to do; None where JAX may not use it."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # --device gpu makes that the only platform
        return None


_indices = jax.jit(shuffled_indices, static_argnames=("size", "batch"))


def batches(
    dataset: Dataset, *, seed: int, batch: int, steps: range, prepare: Prepare
) -> Iterator[dict[str, np.ndarray]]:
    """The batches of `steps`, one after another, made on threads while the last one is used.

    What reading or `prepare` raises is raised here, in its turn. Leaving the loop ends the threads.
    """
    ready: queue.Queue = queue.Queue(AHEAD)
    left = threading.Event()

    def put(item) -> None:
        while not left.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            with ThreadPoolExecutor(READERS) as pool:
                for step in steps:
                    about = {"seed": seed, "step": step, "batch": batch, "prepare": prepare}
                    put((batch_of(dataset, pool=pool, **about), None))
                    if left.is_set():
                        return
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        for _ in steps:
            arrays, error = ready.get()
            if error is not None:
                raise error
            yield arrays
    finally:
        left.set()
        thread.join()
