"""Streams from disk: the same (seed, step), the same batch; resumed = uninterrupted; bounded memory."""

import threading
import time

import jax
import numpy as np
import pytest

from lib.base.errors import UserError
from lib.batches.streaming import AHEAD, READERS, batch_of, batches, own_places
from lib.data.dataset import Dataset, Examples, LazyExamples

SIZE, BATCH = 23, 5


class Disk:
    """Stands for the files: knows what was read, and how much of it is still held by somebody."""

    def __init__(self):
        self.read = []

    def __call__(self, index):
        self.read.append(index)
        return {"number": index, "image": np.full((4, 4), index, np.uint8)}


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def dataset(disk):
    return Examples("made", "train", LazyExamples(range(SIZE), disk, dict), "")


def crop(example, rng):
    top = rng.integers(0, 3)
    return {"image": example["image"][top : top + 2], "number": example["number"], "top": top}


def stream(dataset, steps, seed=0):
    return list(batches(dataset, seed=seed, batch=BATCH, steps=steps, prepare=crop))


def equal(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_a_batch_is_a_function_of_seed_and_step(dataset):
    whole = stream(dataset, range(12))
    equal(whole, stream(dataset, range(12)))
    alone = [batch_of(dataset, seed=0, step=s, batch=BATCH, prepare=crop) for s in range(12)]
    equal(whole, alone)
    other = np.concatenate([b["number"] for b in stream(dataset, range(12), seed=1)])
    assert (other != np.concatenate([b["number"] for b in whole])).mean() > 0.5


def test_an_accelerator_may_be_the_only_platform(dataset, monkeypatch):
    """As after `--device gpu`: then the batches are no others."""
    usual = stream(dataset, range(3))

    def no_cpu(*, backend):
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr(jax, "local_devices", no_cpu)
    equal(stream(dataset, range(3)), usual)


def test_resumed_is_uninterrupted(dataset):
    equal(stream(dataset, range(12))[7:], stream(dataset, range(7, 12)))


def test_each_epoch_visits_each_example_once_and_shapes_are_of_a_batch(dataset):
    made = stream(dataset, range(2 * SIZE // BATCH + 1))
    assert made[0]["image"].shape == (BATCH, 2, 4) and made[0]["image"].dtype == np.uint8
    numbers = np.concatenate([b["number"] for b in made])[: 2 * SIZE].reshape(2, SIZE)
    np.testing.assert_array_equal(np.sort(numbers), np.tile(np.arange(SIZE), (2, 1)))
    assert (numbers[0] != numbers[1]).any()


def test_augmentation_differs_from_example_to_example_and_epoch_to_epoch(dataset):
    tops = np.concatenate([b["top"] for b in stream(dataset, range(40))])
    assert (np.bincount(tops, minlength=3) > 40).all()


def test_no_more_is_read_than_a_few_batches_ahead(dataset, disk):
    running = batches(dataset, seed=0, batch=BATCH, steps=range(1000), prepare=crop)
    for taken in range(1, 4):
        next(running)
        _until_quiet(disk)
        # Ready, and one that waits to be put.
        assert taken * BATCH < len(disk.read) <= (taken + AHEAD + 1) * BATCH
    running.close()


def _until_quiet(disk):
    before = -1
    while before != len(disk.read):
        before = len(disk.read)
        time.sleep(0.2)


def test_memory_stays_bounded():
    """Of 200 batches of 1 MB, never more than a few are alive."""
    import tracemalloc

    def read(index):
        return {"image": np.zeros((256, 1024), np.uint8)}

    dataset = Examples("made", "train", LazyExamples(range(10_000), read, dict), "")
    running = batches(
        dataset, seed=0, batch=4, steps=range(200), prepare=lambda example, rng: example
    )
    tracemalloc.start()
    for _ in running:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One in use; those ahead and the one being asked for, each perhaps just stacked: twice its size.
    assert peak < (1 + 2 * (AHEAD + 1) + 1) * 2**20


def test_it_reads_ahead_while_the_last_is_used(dataset, disk):
    running = batches(dataset, seed=0, batch=BATCH, steps=range(5), prepare=crop)
    next(running)
    _until_quiet(disk)
    assert len(disk.read) > BATCH
    running.close()


def test_leaving_the_loop_ends_the_threads(dataset):
    before = threading.active_count()
    for _ in batches(dataset, seed=0, batch=BATCH, steps=range(1000), prepare=crop):
        break
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before and READERS > 1


def test_what_goes_wrong_is_raised_in_its_turn(dataset):
    def fails(example, rng):
        if example["number"] == 3:
            raise UserError("example 3 is damaged")
        return crop(example, rng)

    with pytest.raises(UserError, match="example 3 is damaged"):
        list(batches(dataset, seed=0, batch=BATCH, steps=range(20), prepare=fails))


def test_a_dataset_in_memory_streams_too():
    arrays = {"image": np.arange(20).reshape(10, 2), "label": np.arange(10)}
    dataset = Dataset("made", "train", arrays, "")
    (one,) = batches(
        dataset, seed=0, batch=10, steps=range(1), prepare=lambda example, rng: example
    )
    np.testing.assert_array_equal(one["image"], arrays["image"][one["label"]])


class Halves:
    """How a batch lies on two processes of two devices each, seen by one of them."""

    num_devices = 4

    def __init__(self, process):
        self._process = process

    def addressable_devices_indices_map(self, shape):
        if shape[0] % 4:
            raise ValueError("uneven")
        each = shape[0] // 4
        starts = [each * (2 * self._process + i) for i in range(2)]
        return {f"device {i}": (slice(start, start + each),) for i, start in enumerate(starts)}


def test_each_process_reads_its_own_rows_and_together_they_are_the_batch(dataset, disk):
    about = {"seed": 0, "step": 3, "batch": 8, "prepare": crop}
    whole = batch_of(dataset, **about)
    disk.read.clear()
    halves = []
    for process, rows in ((0, [0, 1, 2, 3]), (1, [4, 5, 6, 7])):
        places = own_places(Halves(process), 8)
        assert places == rows
        halves.append(batch_of(dataset, places=places, **about))
        assert disk.read == whole["number"][: rows[-1] + 1].tolist(), "and no others"
    equal([{n: np.concatenate([h[n] for h in halves]) for n in whole}], [whole])


def test_streamed_rows_that_the_devices_do_not_divide_are_refused():
    with pytest.raises(UserError, match="--batch 6: streamed, the 4 devices must divide it") as no:
        own_places(Halves(0), 6)
    assert no.value.code == 2


def test_with_a_sharding_batches_are_the_devices(dataset):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("rows",))
    across = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
    about = {"seed": 0, "batch": BATCH, "steps": range(4), "prepare": crop}
    placed = list(batches(dataset, across=across, **about))
    assert all(x.sharding == across for x in placed[0].values())
    equal(stream(dataset, range(4)), placed)
