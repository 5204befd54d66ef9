import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.ops import addressing

# Eager, each would compile a program an operation and shape.
add, address, circular_shift, content_weighting, cosine_similarity, erase = (
    jax.jit(getattr(addressing, name))
    for name in (
        *("add", "address", "circular_shift", "content_weighting"),
        *("cosine_similarity", "erase"),
    )
)
interpolate, read, sharpen = map(
    jax.jit, (addressing.interpolate, addressing.read, addressing.sharpen)
)

N, M = 7, 4
STAY, ON = np.array([0, 1, 0], np.float32), np.array([0, 0, 1], np.float32)


def head(seed=0, dtype=np.float32):
    """The arguments of `address`, all of them ordinary."""
    rng = np.random.default_rng(seed)
    arguments = {
        "memory": rng.normal(size=(M, N)),
        "previous": rng.dirichlet(np.ones(N)),
        "key": rng.normal(size=M),
        "strength": np.array(rng.uniform(0.5, 5)),
        "gate": np.array(rng.uniform(0.1, 0.9)),
        "shift": rng.dirichlet(np.ones(3)),
        "gamma": np.array(rng.uniform(1, 4)),
    }
    return {name: np.asarray(value, dtype) for name, value in arguments.items()}


def one_hot(row, rows=N):
    return np.eye(rows, dtype=np.float32)[row]


def content_loops(key, strength, memory):
    """(5) and (6)."""
    similar = []
    for row in memory.T:
        dot = sum(k * m for k, m in zip(key, row, strict=True))
        similar.append(dot / (sum(k * k for k in key) ** 0.5 * sum(m * m for m in row) ** 0.5))
    powers = [np.exp(strength * s) for s in similar]
    return np.array(similar), np.array([p / sum(powers) for p in powers])


def shift_loops(weighting, share):
    """(8): `share[d]` is that of the shift d, which may be negative."""
    rows = len(weighting)
    full = np.zeros(rows)
    for d, s in share.items():
        full[d % rows] += s
    return np.array(
        [sum(weighting[j] * full[(i - j) % rows] for j in range(rows)) for i in range(rows)]
    )


def by_offset(shift):
    return {d - len(shift) // 2: s for d, s in enumerate(shift)}


def sharpen_loops(weighting, gamma):
    """(9)."""
    powers = [w**gamma for w in weighting]
    return np.array([p / sum(powers) for p in powers])


@pytest.mark.parametrize("seed", range(3))
def test_addressing_is_equations_5_to_9(seed):
    arguments = head(seed)
    a = {name: np.asarray(x, np.float64) for name, x in arguments.items()}
    similar, content = content_loops(a["key"], a["strength"], a["memory"])
    gated = np.array(
        [a["gate"] * c + (1 - a["gate"]) * p for c, p in zip(content, a["previous"], strict=True)]
    )
    moved = shift_loops(gated, by_offset(a["shift"]))
    wanted = sharpen_loops(moved, a["gamma"])

    key, strength, memory = (arguments[k] for k in ("key", "strength", "memory"))
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(cosine_similarity(key, memory), similar, **close)
    np.testing.assert_allclose(content_weighting(key, strength, memory), content, **close)
    found = interpolate(np.float32(content), arguments["previous"], arguments["gate"])
    np.testing.assert_allclose(found, gated, **close)
    found = circular_shift(np.float32(gated), arguments["shift"])
    np.testing.assert_allclose(found, moved, **close)
    found = sharpen(np.float32(moved), arguments["gamma"])
    np.testing.assert_allclose(found, wanted, **close)
    for function in (address, addressing.address) if seed == 0 else (address,):
        found = function(**arguments)
        assert found.shape == (N,) and found.dtype == jnp.float32
        np.testing.assert_allclose(found, wanted, **close)


@pytest.mark.parametrize("seed", range(3))
def test_reading_and_writing_are_equations_2_to_4(seed):
    rng = np.random.default_rng(seed)
    memory, w = rng.normal(size=(M, N)), rng.dirichlet(np.ones(N))
    e, a = rng.uniform(size=M), rng.normal(size=M)
    wanted_read = np.zeros(M)
    erased, added = np.zeros((2, M, N))
    for i in range(N):
        wanted_read += w[i] * memory[:, i]
        for j in range(M):
            erased[j, i] = memory[j, i] * (1 - w[i] * e[j])
            added[j, i] = memory[j, i] + w[i] * a[j]
    memory, w, e, a = (np.float32(x) for x in (memory, w, e, a))
    np.testing.assert_allclose(read(memory, w), wanted_read, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(erase(memory, w, e), erased, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(add(memory, w, a), added, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("row", range(N))
def test_a_shift_by_one_moves_the_focus_to_the_next_row_and_from_the_last_to_the_first(row):
    np.testing.assert_array_equal(circular_shift(one_hot(row), ON), one_hot((row + 1) % N))
    np.testing.assert_array_equal(circular_shift(one_hot(row), ON[::-1]), one_hot((row - 1) % N))


@pytest.mark.parametrize("shifts", [1, 3, 5, 7, 9])
def test_a_shift_that_is_certain_is_a_rotation(shifts):
    """Also with more shifts than rows: they wrap around."""
    weighting = np.random.default_rng(0).dirichlet(np.ones(5)).astype(np.float32)
    for which, d in enumerate(range(-(shifts // 2), shifts // 2 + 1)):
        found = circular_shift(weighting, np.eye(shifts, dtype=np.float32)[which])
        np.testing.assert_array_equal(found, np.roll(weighting, d))


@pytest.mark.parametrize("shifts", [1, 3, 5, 9])
def test_an_uncertain_shift_is_the_circular_convolution(shifts):
    rng = np.random.default_rng(shifts)
    weighting, shift = (rng.dirichlet(np.ones(n)).astype(np.float32) for n in (5, shifts))
    wanted = shift_loops(weighting, by_offset(shift))
    np.testing.assert_allclose(circular_shift(weighting, shift), wanted, rtol=1e-5)
    # The convolution theorem, with the shares laid on the ring by hand.
    ring = np.zeros(5)
    np.add.at(ring, np.arange(-(shifts // 2), shifts // 2 + 1) % 5, shift)
    wanted = np.fft.ifft(np.fft.fft(weighting) * np.fft.fft(ring)).real
    np.testing.assert_allclose(circular_shift(weighting, shift), wanted, rtol=1e-5)


@pytest.mark.parametrize("previous", [None, one_hot(3), np.full(N, 1 / N)])
def test_closed_gate_no_shift_and_gamma_1_leave_the_weighting(previous):
    arguments = head() | {"gate": np.float32(0), "shift": STAY, "gamma": np.float32(1)}
    if previous is not None:
        arguments["previous"] = previous
    np.testing.assert_allclose(address(**arguments), arguments["previous"], rtol=1e-5, atol=1e-7)


def test_an_open_gate_forgets_the_previous_weighting():
    arguments = head() | {"gate": np.float32(1), "shift": STAY, "gamma": np.float32(1)}
    content = content_weighting(arguments["key"], arguments["strength"], arguments["memory"])
    for previous in (arguments["previous"], one_hot(0), one_hot(5)):
        found = address(**arguments | {"previous": previous})
        np.testing.assert_allclose(found, content, rtol=1e-5, atol=1e-7)


def test_a_strong_key_finds_its_row_and_a_weak_one_none():
    memory = head()["memory"]
    for row in range(N):
        key = 3 * memory[:, row]
        found = content_weighting(key, np.float32(1e4), memory)
        np.testing.assert_allclose(found, one_hot(row), atol=1e-6)
        similar = np.asarray(cosine_similarity(key, memory))
        np.testing.assert_allclose(similar[row], 1, rtol=1e-6)
    np.testing.assert_allclose(content_weighting(key, np.float32(0), memory), 1 / N, rtol=1e-6)


def test_content_is_found_then_passed_by_one():
    """The second of the paper's modes: a key finds a block, the shift takes what comes after it."""
    arguments = head() | {"gate": np.float32(1), "shift": ON, "strength": np.float32(1e3)}
    for row in range(N):
        found = address(**arguments | {"key": arguments["memory"][:, row]})
        np.testing.assert_allclose(found, one_hot((row + 1) % N), atol=1e-6)


def test_rows_are_erased_and_written_exactly():
    memory = np.float32(np.random.default_rng(0).normal(size=(M, N)))
    vector = np.float32([0.5, -2.0, 0.0, 7.0])
    emptied = erase(memory, one_hot(2), np.ones(M))
    np.testing.assert_array_equal(emptied, np.where(np.arange(N) == 2, 0, memory))
    np.testing.assert_array_equal(erase(memory, one_hot(2), np.zeros(M)), memory)
    written = add(emptied, one_hot(2), vector)
    written = np.asarray(written)
    np.testing.assert_array_equal(written[:, 2], vector)
    np.testing.assert_array_equal(np.delete(written, 2, axis=1), np.delete(memory, 2, axis=1))
    np.testing.assert_array_equal(read(written, one_hot(2)), vector)
    np.testing.assert_array_equal(add(memory, np.zeros(N), vector), memory)


def test_some_values_of_a_row_can_be_erased_and_others_kept():
    memory = np.float32(np.random.default_rng(0).normal(size=(M, N)))
    found = erase(memory, one_hot(4), np.float32([1, 0, 1, 0]))
    wanted = np.array(memory)
    wanted[[0, 2], 4] = 0
    np.testing.assert_array_equal(found, wanted)


# Compiled, above 1e9 or so, one rounding is left of gamma log w less its own maximum: no number.
@pytest.mark.parametrize(
    "sharpen, gamma", [(sharpen, 1e2), (sharpen, 1e4), (addressing.sharpen, 1e30)]
)
def test_a_large_gamma_leaves_the_largest_share_alone(sharpen, gamma):
    # Small shares, as in a long memory: their plain powers would all underflow.
    weighting = np.full(1000, 0.9e-3, np.float32)
    weighting[321] = 0.1009
    found = sharpen(weighting, np.float32(gamma))
    np.testing.assert_array_equal(found, one_hot(321, 1000))
    equal = np.float32([0.4, 0.1, 0.4, 0.1])
    np.testing.assert_allclose(sharpen(equal, np.float32(gamma)), [0.5, 0, 0.5, 0], atol=1e-6)


ZERO_KEY, ZERO_MEMORY = {"key": np.zeros(M)}, {"memory": np.zeros((M, N))}
HUGE = {"strength": np.float32(1e6)}
EXACT_ZEROS = {"previous": one_hot(3), "gate": np.float32(0), "shift": STAY}
SHARP = {"gamma": np.float32(1e4)}
EXTREMES = {
    "ordinary": {},
    "key of zeros": ZERO_KEY,
    "memory of zeros": ZERO_MEMORY,
    "key and memory of zeros": ZERO_KEY | ZERO_MEMORY,
    "one row of zeros": {"memory": np.where(np.arange(N) == 2, 0, head()["memory"])},
    "memory of the size of its initial bias": {"memory": np.full((M, N), 1e-6)},
    "values whose squares underflow": {"memory": np.full((M, N), 1e-25)},
    "huge strength": HUGE,
    "huge strength on zeros": HUGE | ZERO_KEY | ZERO_MEMORY,
    "no strength": {"strength": np.float32(0)},
    "shares of exactly zero": EXACT_ZEROS,
    "shares of exactly zero, sharpened": EXACT_ZEROS | SHARP,
    "shares of exactly zero, shifted": EXACT_ZEROS | {"shift": ON},
    "huge gamma": SHARP,
    "huge gamma on equal shares": SHARP | ZERO_MEMORY | {"gate": np.float32(1)},
    "everything at once": EXACT_ZEROS | HUGE | SHARP | ZERO_KEY | ZERO_MEMORY,
}


@jax.jit
def value_and_gradient(arguments):
    def score(arguments):
        found = address(**arguments)
        return found @ jnp.arange(1.0, N + 1), found

    (_, found), gradient = jax.value_and_grad(score, has_aux=True)(arguments)
    return found, gradient


@pytest.mark.parametrize("case", EXTREMES)
def test_weightings_stay_weightings_and_gradients_finite(case):
    arguments = jax.tree.map(np.float32, head() | EXTREMES[case])
    found, gradient = jax.tree.map(np.asarray, value_and_gradient(arguments))
    assert np.isfinite(found).all() and found.min() >= 0
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-5)
    for name, g in gradient.items():
        assert np.isfinite(g).all(), f"the gradient of {name}"
    if case == "ordinary":
        assert all(np.abs(g).max() > 1e-4 for g in gradient.values()), "all arguments should matter"


def test_an_empty_memory_is_like_no_row_more_than_another():
    for key, memory in ((np.ones(M), np.zeros((M, N))), (np.zeros(M), head()["memory"])):
        np.testing.assert_array_equal(cosine_similarity(key, memory), np.zeros(N))
        found = content_weighting(key, np.float32(50), memory)
        np.testing.assert_allclose(found, 1 / N, rtol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_every_stage_gives_a_weighting(seed):
    a = head(seed)
    content = content_weighting(a["key"], a["strength"], a["memory"])
    gated = interpolate(content, a["previous"], a["gate"])
    moved = circular_shift(gated, a["shift"])
    stages = (content, gated, moved, sharpen(moved, a["gamma"]), address(**a))
    for stage in map(np.asarray, stages):
        assert stage.min() >= 0
        np.testing.assert_allclose(stage.sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("seed", range(2))
def test_gradients_are_those_of_finite_differences(seed):
    """Forward and reverse mode, in float64."""
    a, rng = head(seed, np.float64), np.random.default_rng(seed)
    arguments = (a, rng.uniform(size=M), rng.normal(size=M))
    way = jax.tree.map(lambda x: rng.normal(size=x.shape), arguments)
    weights = (rng.normal(size=N), rng.normal(size=(M, N)), rng.normal(size=M))

    @jax.jit
    def both(arguments):
        _, forward = jax.jvp(step, arguments, way)
        return forward, jax.vjp(step, *arguments)[1](weights)

    def moved(h):
        return STEP(*jax.tree.map(lambda x, w: x + h * w, arguments, way))

    with jax.enable_x64(True):
        forward, gradients = both(arguments)
        wanted = jax.tree.map(lambda x, y: (x - y) / 2e-5, moved(1e-5), moved(-1e-5))
    assert all(x.dtype == np.float64 for x in jax.tree.leaves((forward, gradients)))
    # The differences' own error: their step squared, times third derivatives.
    for found, difference in zip(forward, wanted, strict=True):
        np.testing.assert_allclose(found, difference, rtol=1e-6, atol=1e-7)
    along = sum(map(np.vdot, jax.tree.leaves(gradients), jax.tree.leaves(way)))
    np.testing.assert_allclose(along, sum(map(np.vdot, weights, wanted)), rtol=1e-6)


def step(arguments, e, v):
    w = addressing.address(**arguments)
    memory = addressing.add(addressing.erase(arguments["memory"], w, e), w, v)
    return w, memory, addressing.read(memory, w)


STEP = jax.jit(step)


A = head()
W, ROW, CELL = np.ones(N) / N, np.ones(M), np.float32(1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cosine_similarity(A["memory"], A["memory"]),
        lambda: cosine_similarity(ROW, ROW),
        lambda: cosine_similarity(np.ones(M + 1), A["memory"]),
        lambda: cosine_similarity(np.ones(1), A["memory"]),
        lambda: content_weighting(ROW, np.ones(1), A["memory"]),
        lambda: interpolate(W, W, np.ones(N)),
        lambda: interpolate(W, np.ones(1), CELL),
        lambda: interpolate(W[None], W[None], CELL),
        lambda: circular_shift(W[None], STAY),
        lambda: circular_shift(W, STAY[None]),
        lambda: sharpen(W, np.ones(1)),
        lambda: sharpen(W[None], CELL),
        lambda: read(A["memory"], W[None]),
        lambda: read(A["memory"][None], W),
        lambda: address(**A | {"gamma": np.ones(N)}),
        lambda: address(**A | {"previous": np.ones(N + 1)}),
        *(
            lambda function=function, arguments=arguments: function(*arguments)
            for function in (erase, add)
            for arguments in (
                (A["memory"], W[None], ROW),
                (A["memory"], W, ROW[None]),
                (A["memory"][None], W, ROW),
                (A["memory"], W[:1], ROW),
                (A["memory"], W, ROW[:1]),
                (A["memory"][:, :1], W, ROW),
            )
        ),
    ],
)
def test_wrong_shapes_are_refused(call):
    with pytest.raises(AssertionError):
        call()


def test_a_reading_of_the_wrong_length_is_refused():
    with pytest.raises((AssertionError, TypeError)):
        read(A["memory"], W[:-1])


@pytest.mark.parametrize("shifts", [2, 4])
def test_an_even_number_of_shifts_is_refused(shifts):
    with pytest.raises(ValueError, match="odd"):
        circular_shift(W, np.ones(shifts) / shifts)
