"""Each task is read back, word by word, by loops that know the encoding and not the code."""

import jax
import numpy as np
import pytest

from lib.ops.algorithmic import AssociativeRecall, Copy, NGrams, PrioritySort, RepeatCopy, Sequence

SEQUENCES = 2048
TASKS = {
    "copy": Copy(),
    "repeat_copy": RepeatCopy(),
    "associative_recall": AssociativeRecall(),
    "ngrams": NGrams(),
    "priority_sort": PrioritySort(),
}
SHAPES = {  # steps, inputs, outputs: the paper's I and O, as its parameter counts say
    "copy": (41, 9, 8),
    "repeat_copy": (112, 8, 7),
    "associative_recall": (32, 8, 6),
    "ngrams": (200, 1, 1),
    "priority_sort": (37, 10, 8),
}


def draw(task, number=SEQUENCES, seed=0):
    keys = jax.random.split(jax.random.key(seed), number)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.sample))(keys))


@pytest.fixture(scope="module")
def drawn():
    return {name: draw(task) for name, task in TASKS.items()}


def each(sequences):
    return (Sequence(*one) for one in zip(*sequences, strict=True))


def assert_fair(bits):
    """A share of ones within five standard deviations of 1/2."""
    bits = np.asarray(bits)
    assert set(np.unique(bits)) <= {0, 1}
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)


def assert_uniform(values, domain):
    """All of `domain` and nothing else, equally often: chi squared, five standard deviations."""
    values, domain = list(values), list(domain)
    assert set(values) == set(domain)
    counts = np.array([values.count(v) for v in domain])
    expected, free = len(values) / len(domain), len(domain) - 1
    assert ((counts - expected) ** 2 / expected).sum() <= free + 5 * np.sqrt(2 * free)


def parse_copy(inputs, targets, scored, bits):
    """The vectors of one sequence, checked."""
    vectors, t = [], 0
    while inputs[t, bits] == 0:
        vectors.append(inputs[t, :bits])
        t += 1
    assert inputs[t].tolist() == [0] * bits + [1]
    t += 1
    assert not scored[:t].any() and not targets[:t].any()
    for vector in vectors:
        assert not inputs[t].any() and scored[t] == 1
        assert targets[t].tolist() == vector.tolist()
        t += 1
    assert not inputs[t:].any() and not scored[t:].any() and not targets[t:].any()
    return np.array(vectors)


def parse_repeat_copy(inputs, targets, scored, bits, trained_repeats=10):
    """The vectors and the number of repeats of one sequence, checked."""
    vectors, t = [], 0
    while inputs[t, bits] == 0:
        assert inputs[t, bits + 1] == 0
        vectors.append(inputs[t, :bits])
        t += 1
    assert not inputs[t, :bits].any() and inputs[t, bits] == 1
    numbers = np.arange(1, trained_repeats + 1)
    decoded = inputs[t, bits + 1] * numbers.std() + numbers.mean()
    repeats = round(float(decoded))
    assert abs(decoded - repeats) < 1e-4
    t += 1
    assert not scored[:t].any() and not targets[:t].any()
    for _ in range(repeats):
        for vector in vectors:
            assert scored[t] == 1
            assert targets[t].tolist() == [*vector.tolist(), 0]
            t += 1
    assert scored[t] == 1
    assert targets[t].tolist() == [0] * bits + [1]
    assert not inputs[len(vectors) + 1 :].any()
    assert not scored[t + 1 :].any() and not targets[t + 1 :].any()
    return np.array(vectors), repeats


def parse_recall(inputs, targets, scored, bits, size=3):
    """The items `[n, size, bits]` and which of them was asked for, checked."""
    item_flag, query_flag, t = bits, bits + 1, 0

    def take():
        nonlocal t
        vectors = inputs[t : t + size]
        assert not vectors[:, bits:].any()
        t += size
        return vectors[:, :bits]

    items = []
    while inputs[t, item_flag] == 1:
        assert not inputs[t, :bits].any() and inputs[t, query_flag] == 0
        t += 1
        items.append(take())
    opening = [0] * bits + [0, 1]
    assert inputs[t].tolist() == opening
    t += 1
    query = take()
    assert inputs[t].tolist() == opening
    t += 1
    assert not inputs[t:].any()
    assert not scored[:t].any() and not targets[:t].any()
    assert (scored[t : t + size] == 1).all()
    answer = targets[t : t + size]
    assert not scored[t + size :].any() and not targets[t + size :].any()
    # Two items may be alike by chance: the answer follows one that is the query.
    pairs = zip(items[:-1], items[1:], strict=True)
    asked = [
        i
        for i, (item, following) in enumerate(pairs)
        if (item == query).all() and (following == answer).all()
    ]
    assert asked, "the query should be an item with one after it, and that one the answer"
    return np.array(items), asked[0]


def parse_sort(inputs, targets, scored, bits, shown, kept):
    """The vectors and their priorities, checked."""
    vectors, priorities = inputs[:shown, :bits], inputs[:shown, bits]
    assert not inputs[:shown, bits + 1].any()
    assert inputs[shown].tolist() == [0] * (bits + 1) + [1]
    assert not inputs[shown + 1 :].any()
    assert not scored[: shown + 1].any() and not targets[: shown + 1].any()
    assert len(set(priorities.tolist())) == shown
    t = shown + 1
    for _, i in sorted(((p, i) for i, p in enumerate(priorities.tolist())), reverse=True)[:kept]:
        assert scored[t] == 1
        assert targets[t].tolist() == vectors[i].tolist()
        t += 1
    assert t == len(inputs)
    return vectors, priorities


@pytest.mark.parametrize("name", TASKS)
def test_sequences_of_a_task_have_one_shape(name, drawn):
    task, (steps, inputs, outputs) = TASKS[name], SHAPES[name]
    assert (task.steps, task.inputs, task.outputs) == SHAPES[name]
    shapes = [(SEQUENCES, steps, inputs), (SEQUENCES, steps, outputs), (SEQUENCES, steps)]
    assert [x.shape for x in drawn[name]] == shapes
    assert all(x.dtype == np.float32 for x in drawn[name])
    assert set(np.unique(drawn[name].scored)) <= {0, 1}
    assert set(np.unique(drawn[name].targets)) == {0, 1}


@pytest.mark.parametrize("name", TASKS)
def test_a_sequence_is_a_function_of_its_key_compiled_or_not_alone_or_among_others(name, drawn):
    # Not compiled, each operation would be a program: one task is enough for that.
    sample = TASKS[name].sample if name == "copy" else jax.jit(TASKS[name].sample)
    alone = sample(jax.random.split(jax.random.key(0), SEQUENCES)[17])
    for array, among_others in zip(alone, drawn[name], strict=True):
        np.testing.assert_allclose(array, among_others[17], rtol=1e-6, atol=0)
    # A short sequence can come twice: copy's shortest has one of 256 vectors.
    different = {x.tobytes() for x in drawn[name].inputs}
    assert len(different) > SEQUENCES * 0.95


def test_copy_asks_for_what_was_shown(drawn):
    read = [parse_copy(*one, bits=8) for one in each(drawn["copy"])]
    assert_uniform(map(len, read), range(1, 21))
    for t in range(20):
        for bit in range(8):
            assert_fair([vectors[t, bit] for vectors in read if len(vectors) > t])
    assert abs(drawn["copy"].scored.sum(axis=1).mean() * 8 - 84) < 5 * 8 * np.sqrt(
        33.25 / SEQUENCES
    )


def test_repeat_copy_asks_for_it_as_often_as_it_says_and_for_the_end(drawn):
    read = [parse_repeat_copy(*one, bits=6) for one in each(drawn["repeat_copy"])]
    lengths = range(1, 11)
    pairs = [(len(vectors), repeats) for vectors, repeats in read]
    assert_uniform(pairs, ((length, repeats) for length in lengths for repeats in lengths))
    for t in range(10):
        assert_fair([vectors[t] for vectors, _ in read if len(vectors) > t])


def test_the_number_of_repeats_has_mean_0_and_variance_1(drawn):
    inputs = drawn["repeat_copy"].inputs
    numbers = inputs[..., 7][inputs[..., 6] == 1]
    assert len(numbers) == SEQUENCES
    assert abs(numbers.mean()) < 5 / np.sqrt(SEQUENCES)
    assert abs(numbers.var() - 1) < 5 * np.sqrt(0.8 / SEQUENCES)
    # Beyond the training range the scale stays the one trained with.
    longer = RepeatCopy(6, 3, 3, 20, 20)
    for one in each(draw(longer, 2)):
        vectors, repeats = parse_repeat_copy(*one, bits=6)
        assert (len(vectors), repeats) == (3, 20)


def test_associative_recall_asks_for_the_item_after_the_query(drawn):
    read = [parse_recall(*one, bits=6) for one in each(drawn["associative_recall"])]
    assert_uniform((len(items) for items, _ in read), range(2, 7))
    for number in range(2, 7):
        asked = [query for items, query in read if len(items) == number]
        assert_uniform(asked, range(number - 1))
    for place in range(6):
        assert_fair([items[place] for items, _ in read if len(items) > place])


def test_priority_sort_asks_for_the_highest_priorities_in_descending_order(drawn):
    read = [parse_sort(*one, bits=8, shown=20, kept=16) for one in each(drawn["priority_sort"])]
    vectors, priorities = (np.array(x) for x in zip(*read, strict=True))
    for t in range(20):
        assert_fair(vectors[:, t])
    assert priorities.min() >= -1 and priorities.max() < 1
    for t in range(20):
        assert_uniform(np.floor((priorities[:, t] + 1) * 5).astype(int).tolist(), range(10))


@pytest.fixture(scope="module")
def tables():
    """Bits `[n, 200]` and tables `[n, 32]` of the keys behind `drawn`."""
    keys = jax.random.split(jax.random.key(0), SEQUENCES)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(NGrams().bits_and_table))(keys))


def test_ngrams_show_the_bit_before_the_one_they_ask_for(drawn, tables):
    inputs, targets, scored = drawn["ngrams"]
    assert not inputs[:, 0].any()
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
    np.testing.assert_array_equal(targets[..., 0], tables[0])
    assert scored.min() == 1


def test_the_table_of_ngrams_follows_the_arcsine_law(tables):
    p = tables[1].astype(np.float64)
    assert p.shape == (SEQUENCES, 32) and p.min() >= 0 and p.max() <= 1
    # The moments of Beta(1/2, 1/2): E p^n = (2n - 1)!! / (2n)!!.
    for n, moment in enumerate([1 / 2, 3 / 8, 5 / 16, 35 / 128], start=1):
        assert abs((p**n).mean() - moment) < 5 * 0.36 / np.sqrt(p.size)
    share = 2 / np.pi * np.arcsin(np.sqrt(np.sort(p.ravel())))
    assert np.abs(share - np.linspace(0, 1, p.size)).max() < 2.2 / np.sqrt(p.size)
    correlation = np.corrcoef(p.T) - np.eye(32)
    assert np.abs(correlation).max() < 5 / np.sqrt(SEQUENCES)


def test_the_bits_of_ngrams_follow_their_table(tables):
    bits, table = tables[0].astype(int), tables[1].astype(np.float64)
    before = np.lib.stride_tricks.sliding_window_view(bits, 5, axis=1)[:, :-1]
    context = before @ [16, 8, 4, 2, 1]  # of the bits from the sixth on
    q, bit = np.take_along_axis(table, context, axis=1), bits[:, 5:]
    residual = bit - q
    last = np.pad(residual, ((0, 0), (1, 0)))[:, :-1]
    surprise, variance, together = (
        np.bincount(context.ravel(), x.ravel(), 32)
        for x in (residual, q * (1 - q), residual * last)
    )
    assert variance.min() > 50, "every context should be seen"
    assert np.abs(surprise / np.sqrt(variance)).max() < 5
    assert np.abs(together / np.sqrt(variance)).max() < 5
    tenth = np.minimum(10 * q, 9).astype(int)
    for group in range(10):
        seen, p = bit[tenth == group], q[tenth == group]
        assert abs((seen - p).sum()) < 5 * np.sqrt((p * (1 - p)).sum())


def test_the_first_bits_of_ngrams_are_fair_and_know_nothing_of_the_table(tables):
    bits, table = tables
    first = ["".join(str(int(b)) for b in row[:5]) for row in bits]
    assert_uniform(first, (f"{c:05b}" for c in range(32)))
    for t in range(5):
        correlation = [np.corrcoef(bits[:, t], table[:, c])[0, 1] for c in range(32)]
        assert np.abs(correlation).max() < 5 / np.sqrt(SEQUENCES)


def test_a_shorter_context_is_read_oldest_bit_first():
    keys = jax.random.split(jax.random.key(3), 512)
    bits, table = jax.tree.map(
        np.asarray, jax.jit(jax.vmap(NGrams(length=40, context=2).bits_and_table))(keys)
    )
    assert bits.shape == (512, 40) and table.shape == (512, 4)
    context = (2 * bits[:, :-2] + bits[:, 1:-1]).astype(int)
    p = np.take_along_axis(table, context, axis=1)
    for c in range(4):
        residual, at = (bits[:, 2:] - p)[context == c], p[context == c]
        assert abs(residual.sum()) < 5 * np.sqrt((at * (1 - at)).sum())


@pytest.mark.parametrize("length", [1, 7])
def test_a_range_of_one_length_gives_that_length(length):
    copies = draw(Copy(3, length, length), 16)
    assert copies.inputs.shape == (16, 2 * length + 1, 4)
    assert {len(parse_copy(*one, bits=3)) for one in each(copies)} == {length}


@pytest.mark.parametrize("length, repeats", [(1, 1), (2, 5)])
def test_a_range_of_one_number_of_repeats_gives_that_number(length, repeats):
    sequences = draw(RepeatCopy(3, length, length, repeats, repeats), 16)
    assert sequences.inputs.shape == (16, length + 1 + length * repeats + 1, 5)
    read = [parse_repeat_copy(*one, bits=3) for one in each(sequences)]
    assert {(len(vectors), r) for vectors, r in read} == {(length, repeats)}


@pytest.mark.parametrize("vectors, items", [(3, 2), (2, 9)])
def test_a_range_of_one_number_of_items_gives_that_number(vectors, items):
    sequences = draw(AssociativeRecall(4, vectors, items, items), 16)
    assert sequences.inputs.shape == (16, items * (1 + vectors) + 2 + 2 * vectors, 6)
    read = [parse_recall(*one, bits=4, size=vectors) for one in each(sequences)]
    assert {len(found) for found, _ in read} == {items}


@pytest.mark.parametrize("shown, kept", [(8, 6), (3, 3), (1, 1)])
def test_any_number_can_be_sorted(shown, kept):
    sequences = draw(PrioritySort(4, shown, kept), 16)
    assert sequences.inputs.shape == (16, shown + 1 + kept, 6)
    for one in each(sequences):
        parse_sort(*one, bits=4, shown=shown, kept=kept)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Copy(bits=0),
        lambda: Copy(min_length=0),
        lambda: Copy(min_length=5, max_length=4),
        lambda: RepeatCopy(bits=0),
        lambda: RepeatCopy(min_length=0),
        lambda: RepeatCopy(min_repeats=0),
        lambda: RepeatCopy(scaled_for=1),
        lambda: RepeatCopy(min_length=5, max_length=4),
        lambda: RepeatCopy(min_repeats=5, max_repeats=4),
        lambda: AssociativeRecall(bits=0),
        lambda: AssociativeRecall(vectors=0),
        lambda: AssociativeRecall(min_items=1),
        lambda: AssociativeRecall(min_items=5, max_items=4),
        lambda: NGrams(context=0),
        lambda: NGrams(length=5, context=5),
        lambda: PrioritySort(bits=0),
        lambda: PrioritySort(sorted=0),
        lambda: PrioritySort(shown=15, sorted=16),
    ],
)
def test_impossible_ranges_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()
