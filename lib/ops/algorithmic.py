"""The five tasks of the Neural Turing Machine paper as pure functions of a key.

A. Graves, G. Wayne, I. Danihelka. Neural Turing Machines. arXiv:1410.5401, section 4. A task is a frozen
dataclass; `task.sample(key)` makes one sequence on the device. Sequences of one task have one shape
whatever their length, so that one compilation serves all: what comes after the end is zero and not
scored. To test one length alone, set its range to it: `Copy(min_length=50, max_length=50)`.

    sequences = jax.vmap(task.sample)(jax.random.split(key, 16))
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Sequence(NamedTuple):
    """What is shown, step by step, and what is asked for.

    Attributes:
      inputs: float32 `[T, inputs]`.
      targets: float32 `[T, outputs]`, bits.
      scored: float32 `[T]`, 1 where the output counts.
    """

    inputs: jax.Array
    targets: jax.Array
    scored: jax.Array


def _bits(key: jax.Array, *shape: int) -> jax.Array:
    return jax.random.bernoulli(key, 0.5, shape).astype(jnp.float32)


def _between(key: jax.Array, low: int, high: int) -> jax.Array:
    return jax.random.randint(key, (), low, high + 1)


def _at_least(task, **bounds: int) -> None:
    for name, bound in bounds.items():
        if getattr(task, name) < bound:
            raise ValueError(f"{name} must be at least {bound}, not {getattr(task, name)}")


def _ordered(task, low: str, high: str) -> None:
    if getattr(task, low) > getattr(task, high):
        raise ValueError(f"{low} must not be above {high}")


@dataclass(frozen=True)
class Copy:
    """Random vectors, then a delimiter, then the vectors again (section 4.1).

    Inputs: the bits, the delimiter. Chance is `bits` bits a vector.
    """

    bits: int = 8
    min_length: int = 1
    max_length: int = 20

    def __post_init__(self):
        _at_least(self, bits=1, min_length=1)
        _ordered(self, "min_length", "max_length")

    @property
    def inputs(self) -> int:
        return self.bits + 1

    @property
    def outputs(self) -> int:
        return self.bits

    @property
    def steps(self) -> int:
        return 2 * self.max_length + 1

    def sample(self, key: jax.Array) -> Sequence:
        length_key, bits_key = jax.random.split(key)
        length = _between(length_key, self.min_length, self.max_length)
        vectors = _bits(bits_key, self.max_length, self.bits)
        t = jnp.arange(self.steps)
        shown = vectors[jnp.minimum(t, self.max_length - 1)] * (t < length)[:, None]
        delimiter = (t == length)[:, None]
        inputs = jnp.concatenate([shown, delimiter.astype(jnp.float32)], axis=1)
        scored = (t > length) & (t <= 2 * length)
        targets = vectors[jnp.clip(t - length - 1, 0, self.max_length - 1)] * scored[:, None]
        return Sequence(inputs, targets, scored.astype(jnp.float32))


@dataclass(frozen=True)
class RepeatCopy:
    """Random vectors, a number, then the vectors that many times and an end marker (section 4.2).

    Inputs: the bits, the delimiter, and beside the delimiter the number of repeats, scaled to mean 0
    and variance 1 over the training range `1 ... scaled_for`. Outputs: the bits, the marker.

    The text says eight bits; the paper's parameter counts say six (see `experiments/ntm/README.md`).
    """

    bits: int = 6
    min_length: int = 1
    max_length: int = 10
    min_repeats: int = 1
    max_repeats: int = 10
    scaled_for: int = 10

    def __post_init__(self):
        _at_least(self, bits=1, min_length=1, min_repeats=1, scaled_for=2)
        _ordered(self, "min_length", "max_length")
        _ordered(self, "min_repeats", "max_repeats")

    @property
    def inputs(self) -> int:
        return self.bits + 2

    @property
    def outputs(self) -> int:
        return self.bits + 1

    @property
    def steps(self) -> int:
        return self.max_length + 1 + self.max_length * self.max_repeats + 1

    def sample(self, key: jax.Array) -> Sequence:
        length_key, repeats_key, bits_key = jax.random.split(key, 3)
        length = _between(length_key, self.min_length, self.max_length)
        repeats = _between(repeats_key, self.min_repeats, self.max_repeats)
        vectors = _bits(bits_key, self.max_length, self.bits)
        t = jnp.arange(self.steps)
        shown = vectors[jnp.minimum(t, self.max_length - 1)] * (t < length)[:, None]
        delimiter = (t == length)[:, None].astype(jnp.float32)
        mean, deviation = (self.scaled_for + 1) / 2, ((self.scaled_for**2 - 1) / 12) ** 0.5
        number = (repeats - mean) / deviation
        inputs = jnp.concatenate([shown, delimiter, delimiter * number], axis=1)
        since = t - length - 1
        copied = (since >= 0) & (since < length * repeats)
        end = since == length * repeats
        bits = vectors[jnp.maximum(since, 0) % length] * copied[:, None]
        targets = jnp.concatenate([bits, end[:, None].astype(jnp.float32)], axis=1)
        return Sequence(inputs, targets, (copied | end).astype(jnp.float32))


@dataclass(frozen=True)
class AssociativeRecall:
    """Items of three vectors each; asked with one of them, say the one that followed (section 4.3).

    Inputs: the bits, the item delimiter (before each item), the query delimiter (before and after the
    query). Chance is `3 bits` bits.
    """

    bits: int = 6
    vectors: int = 3
    min_items: int = 2
    max_items: int = 6

    def __post_init__(self):
        _at_least(self, bits=1, vectors=1, min_items=2)
        _ordered(self, "min_items", "max_items")

    @property
    def inputs(self) -> int:
        return self.bits + 2

    @property
    def outputs(self) -> int:
        return self.bits

    @property
    def steps(self) -> int:
        return self.max_items * (1 + self.vectors) + 2 + 2 * self.vectors

    def sample(self, key: jax.Array) -> Sequence:
        number_key, query_key, bits_key = jax.random.split(key, 3)
        number = _between(number_key, self.min_items, self.max_items)
        query = jax.random.randint(query_key, (), 0, number - 1)
        items = _bits(bits_key, self.max_items, self.vectors, self.bits)
        t = jnp.arange(self.steps)
        item, place = t // (1 + self.vectors), t % (1 + self.vectors) - 1
        asked = t - number * (1 + self.vectors)
        answered = asked - 2 - self.vectors
        listed = asked < 0
        in_query = (asked >= 1) & (asked <= self.vectors)
        which = jnp.where(listed, jnp.minimum(item, self.max_items - 1), query)
        within = jnp.clip(jnp.where(listed, place, asked - 1), 0, self.vectors - 1)
        shown = items[which, within] * ((listed & (place >= 0)) | in_query)[:, None]
        item_delimiter = listed & (place < 0)
        query_delimiter = (asked == 0) | (asked == 1 + self.vectors)
        flags = jnp.stack([item_delimiter, query_delimiter], axis=1).astype(jnp.float32)
        scored = (answered >= 0) & (answered < self.vectors)
        answer = items[query + 1, jnp.clip(answered, 0, self.vectors - 1)] * scored[:, None]
        inputs = jnp.concatenate([shown, flags], axis=1)
        return Sequence(inputs, answer, scored.astype(jnp.float32))


@dataclass(frozen=True)
class NGrams:
    """Bits, each drawn with a probability that depends on the `context` bits before it (section 4.4).

    The table of probabilities is drawn anew for every sequence, from Beta(1/2, 1/2). The input is the
    bit before (0 at first), the target the next one; the first `context` bits are fair coins.
    """

    length: int = 200
    context: int = 5

    def __post_init__(self):
        _at_least(self, context=1, length=self.context + 1)

    inputs = 1
    outputs = 1

    @property
    def steps(self) -> int:
        return self.length

    def sample(self, key: jax.Array) -> Sequence:
        bits, _ = self.bits_and_table(key)
        inputs = jnp.concatenate([jnp.zeros(1), bits[:-1]])
        return Sequence(inputs[:, None], bits[:, None], jnp.ones(self.length))

    def bits_and_table(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The bits, float32 `[length]`, and the table behind them, `[2^context]`: P(1 | context).

        A context is read as a binary number, its oldest bit the highest.
        """
        table_key, bits_key = jax.random.split(key)
        # The arcsine law: the square of a sine at a uniform angle is Beta(1/2, 1/2).
        angles = jax.random.uniform(table_key, (2**self.context,), maxval=jnp.pi / 2)
        table = jnp.square(jnp.sin(angles))
        uniforms = jax.random.uniform(bits_key, (self.length,))

        def draw(context, both):
            t, u = both
            p = jnp.where(t < self.context, 0.5, table[context])
            bit = (u < p).astype(jnp.int32)
            return (2 * context + bit) % 2**self.context, bit

        _, bits = jax.lax.scan(draw, jnp.int32(0), (jnp.arange(self.length), uniforms))
        return bits.astype(jnp.float32), table


@dataclass(frozen=True)
class PrioritySort:
    """Random vectors with priorities; then those of highest priority, in order (section 4.5).

    Inputs: the bits, the priority, uniform on [-1, 1], the delimiter. Chance is `bits` bits a vector.
    """

    bits: int = 8
    shown: int = 20
    sorted: int = 16

    def __post_init__(self):
        _at_least(self, bits=1, sorted=1, shown=self.sorted)

    @property
    def inputs(self) -> int:
        return self.bits + 2

    @property
    def outputs(self) -> int:
        return self.bits

    @property
    def steps(self) -> int:
        return self.shown + 1 + self.sorted

    def sample(self, key: jax.Array) -> Sequence:
        bits_key, priority_key = jax.random.split(key)
        vectors = _bits(bits_key, self.shown, self.bits)
        priorities = jax.random.uniform(priority_key, (self.shown,), minval=-1, maxval=1)
        best = vectors[jnp.argsort(-priorities)[: self.sorted]]
        before, after = self.shown, 1 + self.sorted
        shown = jnp.concatenate([vectors, priorities[:, None]], axis=1)
        inputs = jnp.pad(shown, ((0, after), (0, 1))).at[before, -1].set(1)
        targets = jnp.pad(best, ((before + 1, 0), (0, 0)))
        return Sequence(inputs, targets, (jnp.arange(self.steps) > before).astype(jnp.float32))
