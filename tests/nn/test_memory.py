"""Heads on a memory: against the paper's equations as loops, at extremes, and programmed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.nn.memory import SHIFTS, Memory, access, head_outputs

ACCESS = jax.jit(access, static_argnames="writes")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def memory(rng, batch=2, rows=7, width=4, reads=2, writes=3):
    return Memory(
        rng.normal(size=(batch, width, rows)),
        rng.dirichlet(np.ones(rows), (batch, reads + writes)),
        rng.normal(size=(batch, reads, width)),
    )


def flat(heads, writing):
    """The controller's numbers `[head_outputs]` from one dict a head, and one a write head."""
    parts = [np.concatenate([h["key"], h["rest"], h["shift"]]) for h in heads]
    return np.concatenate(parts + [np.concatenate([w["erase"], w["add"]]) for w in writing])


def by_equations(rows, weightings, outputs, reads, writes):
    """One example's step, one number at a time: `(rows, weightings, reads)`."""
    (n, m), heads = rows.shape, reads + writes
    each = m + SHIFTS + 3
    new = np.zeros((heads, n))
    for h in range(heads):
        mine = outputs[h * each : (h + 1) * each]
        key = np.tanh(mine[:m])
        beta, g, gamma = mine[m], sigmoid(mine[m + 1]), 1 + np.log1p(np.exp(mine[m + 2]))
        beta = np.log1p(np.exp(beta))
        shift = np.exp(mine[m + 3 :]) / np.exp(mine[m + 3 :]).sum()
        similar = np.zeros(n)
        for i in range(n):  # (6)
            similar[i] = key @ rows[i] / (np.linalg.norm(key) * np.linalg.norm(rows[i]))
        content = np.exp(beta * similar) / np.exp(beta * similar).sum()  # (5)
        gated = g * content + (1 - g) * weightings[h]  # (7)
        shifted = np.zeros(n)
        for i in range(n):  # (8): s is -1, 0, 1
            for j in range(n):
                for d in (-1, 0, 1):
                    if (i - j - d) % n == 0:
                        shifted[i] += gated[j] * shift[d + 1]
        new[h] = shifted**gamma / (shifted**gamma).sum()  # (9)
    writing = outputs[heads * each :].reshape(writes, 2, m)
    rows = rows.copy()
    for w in range(writes):  # (3)
        for i in range(n):
            rows[i] *= 1 - new[reads + w, i] * sigmoid(writing[w, 0])
    for w in range(writes):  # (4)
        for i in range(n):
            rows[i] += new[reads + w, i] * np.tanh(writing[w, 1])
    seen = np.array([sum(new[r, i] * rows[i] for i in range(n)) for r in range(reads)])  # (2)
    return rows, new, seen


# --- The equations ---------------------------------------------------------------------------


@pytest.mark.parametrize("reads, writes", [(1, 1), (2, 3), (4, 2)])
def test_a_step_is_the_equations(reads, writes):
    with jax.enable_x64(True):
        rng = np.random.default_rng(reads)
        before = memory(rng, reads=reads, writes=writes)
        outputs = rng.normal(0, 2, (2, head_outputs(4, reads, writes)))
        after, did = jax.tree.map(np.asarray, ACCESS(before, outputs, writes=writes))
        for b in range(2):
            rows, weightings, seen = by_equations(
                before.matrix[b].T, before.weightings[b], outputs[b], reads, writes
            )
            for found, value in zip(after, (rows.T, weightings, seen), strict=True):
                np.testing.assert_allclose(found[b], value, rtol=1e-6, atol=1e-7)
        writing = outputs[:, (reads + writes) * (4 + SHIFTS + 3) :].reshape(2, writes, 2, 4)
        np.testing.assert_allclose(did.erased, sigmoid(writing[:, :, 0]), rtol=1e-6)
        np.testing.assert_allclose(did.added, np.tanh(writing[:, :, 1]), rtol=1e-6)


def test_how_many_numbers_the_heads_want():
    """Key 20, strength, gate, sharpness, three shifts; erase and add 20 each."""
    assert head_outputs(20, 1, 1) == 2 * 26 + 40
    assert head_outputs(20, 0, 1) == 26 + 40
    assert head_outputs(6, 8, 5) == 13 * 12 + 5 * 12


def test_what_is_written_changes_no_address_of_the_same_step():
    rng = np.random.default_rng(0)
    before = jax.tree.map(np.float32, memory(rng))
    outputs = rng.normal(0, 2, (2, head_outputs(4, 2, 3))).astype(np.float32)
    another = outputs.copy()
    another[:, 5 * (4 + SHIFTS + 3) :] = 3.0
    one, two = (
        jax.tree.map(np.asarray, ACCESS(before, o, writes=3)[0]) for o in (outputs, another)
    )
    np.testing.assert_array_equal(one.weightings, two.weightings)
    assert np.abs(one.matrix - two.matrix).max() > 0.1
    assert np.abs(one.reads - two.reads).max() > 0.1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_heads_have_no_rank(order):
    """Other places for the same heads: the same memory, and reads and weightings in their places."""
    order, rng = np.array(order), np.random.default_rng(1)
    before = jax.tree.map(np.float32, memory(rng, reads=3, writes=3))
    outputs = rng.normal(0, 2, (2, head_outputs(4, 3, 3))).astype(np.float32)
    heads, writing = np.split(outputs, [6 * (4 + SHIFTS + 3)], axis=1)
    both = np.concatenate([order, 3 + order])
    moved = np.concatenate(
        [
            heads.reshape(2, 6, -1)[:, both].reshape(2, -1),
            writing.reshape(2, 3, -1)[:, order].reshape(2, -1),
        ],
        axis=1,
    )
    one, _ = ACCESS(before, outputs, writes=3)
    two, _ = ACCESS(
        Memory(before.matrix, before.weightings[:, both], before.reads[:, order]), moved, writes=3
    )
    one, close = jax.tree.map(np.asarray, one), {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(two.matrix, one.matrix, **close)
    np.testing.assert_allclose(two.weightings, one.weightings[:, both], **close)
    np.testing.assert_allclose(two.reads, one.reads[:, order], **close)


# --- Programs by hand ------------------------------------------------------------------------

HUGE = 100.0
STAY, BACK, ON = np.eye(3)[[1, 0, 2]]


def head(*, key=None, width=5, shift=STAY):
    """Looks for `key`, or without one stays where it was; then shifts, as sharply as can be."""
    found = key is not None
    return {
        "key": np.arctanh(key) if found else np.zeros(width),
        "rest": np.array([HUGE, HUGE if found else -HUGE, HUGE]),
        "shift": HUGE * (2 * shift - 1),
    }


def writes(vector=None, width=5):
    """Erases all and adds `vector`, or without one does nothing."""
    if vector is None:
        return {"erase": np.full(width, -HUGE), "add": np.zeros(width)}
    return {"erase": np.full(width, HUGE), "add": np.arctanh(vector)}


def at(row, rows):
    return np.eye(rows)[row]


def run(program, start):
    """Reads after every step, `[T, R, M]`, and the last memory, of one example."""
    after, seen = jax.tree.map(lambda x: np.asarray(x, np.float32)[None], start), []
    for reading, writer, wrote in program:
        outputs = flat([reading, writer], [wrote])[None].astype(np.float32)
        after = jax.tree.map(np.asarray, ACCESS(after, outputs, writes=1)[0])
        seen.append(after.reads[0])
    return np.stack(seen), after


@pytest.mark.parametrize("back", ["content", "shift"])
@pytest.mark.parametrize("first", [1, 5])
def test_a_program_copies_five_vectors(back, first):
    """Onto a memory full of something else; from row 5 of 8 on over the edge of the ring."""
    rng, rows = np.random.default_rng(0), 8
    vectors = rng.uniform(-0.9, 0.9, (5, 5))
    start = Memory(
        rng.normal(size=(5, rows)), np.tile(at(first - 1, rows), (2, 1)), np.zeros((1, 5))
    )
    waiting, silent = head(), writes()
    if back == "content":
        program = [(waiting, head(shift=ON), writes(v)) for v in vectors]
        program += [(head(key=vectors[0]), waiting, silent)]
    else:
        program = [(head(shift=ON), head(shift=ON), writes(v)) for v in vectors]
        program += [(head(shift=BACK), waiting, silent)] * 4
    program += [(head(shift=ON), waiting, silent)] * 4
    reads, after = run(program, start)
    np.testing.assert_allclose(reads[-5:, 0], vectors, atol=1e-3)
    places = (first + np.arange(5)) % rows
    np.testing.assert_allclose(after.matrix[0].T[places], vectors, atol=1e-3)
    others = np.setdiff1d(np.arange(rows), places)
    np.testing.assert_allclose(after.matrix[0][:, others], start.matrix[:, others], atol=1e-3)


def test_a_head_reads_what_is_written_in_the_same_step():
    vector, start = np.array([0.5, -0.5, 0.1, 0.9, -0.9]), np.ones((5, 4))
    start = Memory(start, np.stack([at(2, 4), at(1, 4)]), np.zeros((1, 5)))
    reads, _ = run([(head(), head(shift=ON), writes(vector))], start)
    np.testing.assert_allclose(reads[0, 0], vector, atol=1e-5)


def test_two_heads_that_write_one_row_both_stay_in_it():
    """Erased by both, then added to by both: no head erases what another adds."""
    one, two = np.array([0.5, -0.5]), np.array([0.3, 0.2])
    start = Memory(np.full((1, 2, 4), 9.0), np.tile(at(2, 4), (1, 3, 1)), np.zeros((1, 1, 2)))
    outputs = flat([head(width=2)] * 3, [writes(one, 2), writes(two, 2)])[None]
    after, _ = ACCESS(*jax.tree.map(np.float32, (start, outputs)), writes=2)
    after = jax.tree.map(np.asarray, after)
    np.testing.assert_allclose(after.matrix[0, :, 2], one + two, atol=1e-5)
    np.testing.assert_allclose(after.matrix[0][:, [0, 1, 3]], 9.0, atol=1e-5)
    np.testing.assert_allclose(after.reads[0, 0], one + two, atol=1e-5)


# --- Extremes --------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [-HUGE, HUGE])
def test_whatever_the_controller_says_the_heads_stay_in_their_ranges(raw):
    """At the least a head shifts, as sharp as it was, and what it finds is everywhere alike."""
    before = jax.tree.map(np.float32, memory(np.random.default_rng(0)))
    outputs = np.full((2, head_outputs(4, 2, 3)), raw, np.float32)
    after, did = ACCESS(before, outputs, writes=3)
    np.testing.assert_allclose(did.erased, (raw > 0) * 1.0, atol=1e-6)
    np.testing.assert_allclose(did.added, np.sign(raw), atol=1e-6)
    if raw < 0:
        rolled = sum(np.roll(before.weightings, d, axis=2) for d in (-1, 0, 1)) / 3
        np.testing.assert_allclose(after.weightings, rolled, atol=1e-5)
        outputs[:, 5:50:10] = HUGE  # the gates
        after, _ = ACCESS(before, outputs, writes=3)
        np.testing.assert_allclose(after.weightings, 1 / 7, atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("empty", [False, True])
def test_weightings_stay_weightings_and_gradients_finite(scale, empty):
    """200 steps of huge, abruptly changing outputs; `empty`: no key, on a memory of zeros."""
    reads, writes, width, rows = 2, 2, 4, 9
    rng = np.random.default_rng(0)
    outputs = scale * rng.choice([-1, 0, 1], (200, 2, head_outputs(width, reads, writes)))
    start = memory(rng, rows=rows, reads=reads, writes=writes)
    if empty:
        addressing, _ = np.split(outputs, [(reads + writes) * (width + SHIFTS + 3)], axis=2)
        addressing = addressing.reshape(200, 2, reads + writes, -1)
        addressing[..., :width] = 0
        outputs[..., : addressing[0, 0].size] = addressing.reshape(200, 2, -1)
        outputs[..., addressing[0, 0].size :] = 0
        start = start._replace(matrix=np.zeros_like(start.matrix))
        start = start._replace(weightings=np.eye(rows)[np.zeros((2, reads + writes), int)])
    (_, weightings), gradients = TOLD(*jax.tree.map(np.float32, (start, outputs)))
    weightings = np.asarray(weightings)
    assert np.all(weightings >= 0) and np.isfinite(weightings).all()
    np.testing.assert_allclose(weightings.sum(axis=-1), 1, atol=1e-5)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))


def _story(start, outputs):
    def body(now, out):
        now, _ = access(now, out, writes=2)
        return now, (now.reads, now.weightings)

    _, (reads, weightings) = jax.lax.scan(body, start, outputs)
    return (reads * jnp.cos(jnp.arange(reads.size)).reshape(reads.shape)).sum(), weightings


TOLD = jax.jit(jax.value_and_grad(_story, argnums=(0, 1), has_aux=True))
