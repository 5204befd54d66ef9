"""Scans whose weight gradients are one product, against plain scans, and the LSTM against PyTorch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.nn import attention, recurrent
from lib.nn.attention import AttentiveDecoder
from lib.nn.initializers import orthogonal_blocks
from lib.nn.recurrent import LSTM, Bidirectional, Recurrent, gru_cell, lstm_cell, scan_dense
from tests.oracles import pytorch

STEPS, BATCH, IN, HIDDEN = 5, 3, 4, 6
NAMES = ("kernels", "weights", "carry", "xs")


def step(dense, weights, carry, x):
    """Two kernels in a row, one of them on twice the rows, a bias, a carry and outputs that are trees."""
    state, mean = carry
    inside = jnp.tanh(
        dense("recurrent", jnp.concatenate([x["a"], state], axis=1)) + weights["bias"]
    )
    both = dense("twice", jnp.concatenate([inside, state - inside]))
    first, second = jnp.split(both, 2)
    state = state * weights["keep"] + first * jnp.sin(second) + x["b"]
    mean = mean + state.mean(axis=1)
    return (state, mean), {"inside": inside, "mean": mean}


def plain(step, kernels, weights, carry, xs):
    def body(carry, x):
        return step(dense, weights, carry, x)

    def dense(name, v):
        kernel = kernels[name]
        return v @ kernel if kernel.ndim == 2 else jnp.einsum("bd,bde->be", v, kernel)

    return jax.lax.scan(body, carry, xs)


def arguments(seed, dtype=np.float32, steps=STEPS):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(0, 0.4, shape).astype(dtype)

    kernels = {"recurrent": normal(IN + HIDDEN, HIDDEN), "twice": normal(HIDDEN, HIDDEN)}
    weights = {"bias": normal(1, HIDDEN), "keep": normal(1, HIDDEN)}
    carry = (normal(BATCH, HIDDEN), normal(BATCH))
    xs = {"a": normal(steps, BATCH, IN), "b": normal(steps, BATCH, HIDDEN)}
    return kernels, weights, carry, xs


def cost(scan, *args):
    """Of all outputs, each with weights of its own, so that no gradient is like another's."""
    leaves = jax.tree.leaves(scan(step, *args))
    weights = [np.sin(np.arange(x.size) + i, dtype=x.dtype) for i, x in enumerate(leaves)]
    return sum((w.reshape(x.shape) * x).sum() for w, x in zip(weights, leaves, strict=True))


def gradients(scan):
    return jax.grad(lambda *args: cost(scan, *args), argnums=(0, 1, 2, 3))


PLAIN, OURS = gradients(plain), gradients(scan_dense)


def assert_close(one, two, **tolerance):
    assert jax.tree.structure(one) == jax.tree.structure(two)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, **tolerance)


# --- scan_dense ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed, steps", [(0, 1), (1, STEPS)])
def test_it_is_a_scan_in_values_and_in_every_gradient(seed, steps):
    args = arguments(seed, steps=steps)

    @jax.jit
    def run(*args):
        return [scan(step, *args) for scan in (scan_dense, plain)], OURS(*args), PLAIN(*args)

    values, found, wanted = run(*args)
    assert_close(*values, rtol=1e-5, atol=1e-6)
    for name, one, two in zip(NAMES, found, wanted, strict=True):
        assert all(np.abs(x).max() > 0 for x in jax.tree.leaves(one)), name
        assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_its_gradients_are_the_finite_differences():
    with jax.enable_x64(True):
        args = arguments(3, np.float64)
        found, wanted = jax.jit(lambda *a: (OURS(*a), PLAIN(*a)))(*args)
        assert_close(found, wanted, rtol=1e-11, atol=1e-11)
        value = jax.jit(lambda *a: cost(scan_dense, *a))
        for seed in range(5):
            rng, h = np.random.default_rng(seed), 1e-6
            way = jax.tree.map(lambda x: rng.normal(size=x.shape), args)
            ahead, behind = (
                value(*jax.tree.map(lambda x, w, s=s: x + s * h * w, args, way)) for s in (1, -1)
            )
            along = sum(
                (np.asarray(g) * w).sum()
                for g, w in zip(jax.tree.leaves(found), jax.tree.leaves(way), strict=True)
            )
            np.testing.assert_allclose(along, (ahead - behind) / (2 * h), rtol=1e-6)


def test_jit_and_vmap_change_nothing():
    cases = [arguments(seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *xs: np.stack(xs), *cases)
    together, one_by_one = jax.jit(
        lambda each: (jax.vmap(OURS)(*each), jax.lax.map(lambda args: OURS(*args), each))
    )(stacked)
    assert_close(together, one_by_one, rtol=1e-4, atol=1e-5)
    first = jax.tree.map(lambda x: np.asarray(x)[0], one_by_one)
    assert_close(first, OURS(*cases[0]), rtol=1e-4, atol=1e-5)


def test_vmap_over_what_is_shown_alone():
    """The kernels are shared: their gradient is the sum over the cases."""
    kernels, weights, carry, _ = arguments(0)
    xs = [arguments(seed)[3] for seed in range(3)]
    stacked = jax.tree.map(lambda *x: np.stack(x), *xs)

    def total(kernels):
        return jax.vmap(lambda x: cost(scan_dense, kernels, weights, carry, x))(stacked).sum()

    found, each = jax.jit(
        lambda k: (
            jax.grad(total)(k),
            jax.lax.map(lambda x: PLAIN(k, weights, carry, x)[0], stacked),
        )
    )(kernels)
    wanted = jax.tree.map(lambda x: np.asarray(x).sum(axis=0), each)
    assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_steps_may_be_numbered_by_integers():
    kernels, weights, carry, xs = arguments(4)
    numbered = {**xs, "t": np.arange(STEPS)}

    def alternating(dense, weights, carry, x):
        (state, mean), y = step(dense, weights, carry, x)
        return (jnp.where(x["t"] % 2, state, -state), mean), y

    def of(scan):
        def value(kernels):
            return scan(alternating, kernels, weights, carry, numbered)[0][0].sum()

        return jax.grad(value)

    found, wanted = jax.jit(lambda k: (of(scan_dense)(k), of(plain)(k)))(kernels)
    assert_close(found, wanted, rtol=1e-4, atol=1e-5)


# --- The LSTM --------------------------------------------------------------------------------


def lstm(units=HIDDEN, seed=0):
    """`(layer, parameters, inputs [B, T, d])`, with biases and a start that are not near zero."""
    layer, rng = LSTM(units), np.random.default_rng(seed)
    inputs = rng.normal(size=(BATCH, STEPS, IN)).astype(np.float32)
    shapes = jax.eval_shape(layer.init, jax.random.key(seed), inputs)["params"]
    params = jax.tree.map(lambda x: rng.normal(0, 0.5, x.shape).astype(x.dtype), shapes)
    return layer, params, inputs


def test_a_cells_step_is_the_equations_one_unit_at_a_time():
    rng = np.random.default_rng(0)
    sums, cell = rng.normal(0, 2, (BATCH, 4 * HIDDEN)), rng.normal(0, 2, (BATCH, HIDDEN))
    new_cell, hidden = jax.jit(lstm_cell)(np.split(sums, 4, axis=1), cell)
    new_cell, hidden = np.asarray(new_cell), np.asarray(hidden)
    for b in range(BATCH):
        for u in range(HIDDEN):
            i, f, o = (1 / (1 + np.exp(-sums[b, gate * HIDDEN + u])) for gate in range(3))
            c = f * cell[b, u] + i * np.tanh(sums[b, 3 * HIDDEN + u])
            np.testing.assert_allclose(new_cell[b, u], c, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(hidden[b, u], o * np.tanh(c), rtol=1e-5, atol=1e-6)


def test_the_layer_is_pytorchs_in_values_and_in_every_gradient():
    layer, params, inputs = lstm()
    weight = np.random.default_rng(1).normal(size=(BATCH, STEPS, HIDDEN)).astype(np.float32)

    def value(params, inputs):
        hidden = layer.apply({"params": params}, inputs)
        return (hidden * weight).sum(), hidden

    gradients = jax.jit(jax.grad(value, (0, 1), has_aux=True))
    (found, x_found), hidden = gradients(params, inputs)

    def theirs(x):
        """PyTorch has the gates in the order i, f, new, o, and the output's size first."""
        i, f, o, new = np.split(np.asarray(x), 4, axis=-1)
        return np.concatenate([i, f, new, o], axis=-1).T

    def answer(torch, inputs, weight, kernel, recurrent, bias, *start):
        peer = torch.nn.LSTM(IN, HIDDEN, batch_first=True)
        with torch.no_grad():
            peer.weight_ih_l0.copy_(torch.tensor(theirs(kernel)))
            peer.weight_hh_l0.copy_(torch.tensor(theirs(recurrent)))
            peer.bias_ih_l0.copy_(torch.tensor(theirs(bias)))
            peer.bias_hh_l0.zero_()
        x, *start = (torch.tensor(s, requires_grad=True) for s in (inputs, *start))
        out, _ = peer(x, tuple(s.expand(1, BATCH, HIDDEN).contiguous() for s in start))
        (out * torch.tensor(weight)).sum().backward()
        learned = {"kernel": peer.weight_ih_l0, "recurrent": peer.weight_hh_l0}
        learned |= {"bias": peer.bias_ih_l0, "inputs": x, "hidden": start[0], "cell": start[1]}
        return {"out": out.detach()} | {name: p.grad for name, p in learned.items()}

    dense = params["input"]
    own = (dense["kernel"], params["recurrent"], dense["bias"], params["hidden"], params["cell"])
    peer = pytorch("lstm", (inputs, weight, *own), answer)
    ours = {name: theirs(found["input"][name]) for name in ("kernel", "bias")}
    ours |= {"recurrent": theirs(found["recurrent"]), "out": hidden, "inputs": x_found}
    assert_close(
        ours | {name: found[name] for name in ("hidden", "cell")}, peer, rtol=1e-4, atol=1e-5
    )


def test_the_layer_is_a_loop_of_cells():
    layer, params, inputs = lstm()

    @jax.jit
    def run(params, inputs):
        cell, hidden = (jnp.tile(params[name], (BATCH, 1)) for name in ("cell", "hidden"))
        wanted = []
        for t in range(STEPS):
            sums = inputs[:, t] @ params["input"]["kernel"] + hidden @ params["recurrent"]
            sums = jnp.split(sums + params["input"]["bias"][None], 4, axis=1)
            cell, hidden = lstm_cell(sums, cell)
            wanted.append(hidden)
        return layer.apply({"params": params}, inputs), jnp.stack(wanted, axis=1)

    np.testing.assert_allclose(*run(params, inputs), rtol=1e-5, atol=1e-6)


def test_its_start_is_small_and_differs_from_unit_to_unit():
    params = jax.jit(LSTM(200).init)(jax.random.key(0), np.zeros((1, 1, 1)))["params"]
    for name in ("cell", "hidden"):
        assert 0.03 < np.std(params[name]) < 0.07


def test_a_kernel_may_be_one_for_each_row():
    """As the memory that attention reads: its gradient is a product over all steps, too."""
    rng = np.random.default_rng(0)
    kernels = {
        "read": rng.normal(size=(BATCH, IN, HIDDEN)).astype(np.float32),
        "shared": rng.normal(size=(HIDDEN, IN)).astype(np.float32),
    }
    xs = rng.normal(size=(STEPS, BATCH, IN)).astype(np.float32)

    def reading(dense, weights, carry, x):
        carry = jnp.tanh(carry + dense("read", jnp.sin(x + dense("shared", carry))))
        return carry, carry

    def alike(step, kernels, weights, carry, xs):
        def by_row(name, v):
            return (
                v @ kernels[name]
                if kernels[name].ndim == 2
                else jnp.stack([v[b] @ kernels[name][b] for b in range(BATCH)])
            )

        return jax.lax.scan(lambda c, x: step(by_row, weights, c, x), carry, xs)

    def of(scan):
        def value(kernels, carry, xs):
            last, ys = scan(reading, kernels, (), carry, xs)
            return (jnp.cos(jnp.arange(ys.size)) * ys.ravel()).sum() + last.sum()

        return jax.value_and_grad(value, (0, 1, 2))

    found, wanted = jax.jit(lambda *args: (of(scan_dense)(*args), of(alike)(*args)))(
        kernels, np.ones((BATCH, HIDDEN), np.float32), xs
    )
    assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("names, said", [(("a", "a"), "a twice"), (("a",), "not use b")])
def test_a_kernel_is_used_once(names, said):
    """A second use would be left out of its gradient."""

    def step(dense, weights, carry, x):
        del weights, x
        return sum(dense(name, carry) for name in names), None

    kernels = {"a": np.eye(2), "b": np.eye(2)}
    for call in (
        scan_dense,
        lambda *a: jax.grad(lambda k: scan_dense(a[0], k, *a[2:])[0].sum())(a[1]),
    ):
        with pytest.raises(ValueError, match=said):
            call(step, kernels, (), np.ones((1, 2)), np.zeros((3, 1)))


# --- The GRU, its three forms, and masks --------------------------------------------------------

KINDS = ("gru", "lstm", "tanh")
RESETS = ("before", "after", "after_with_context")
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@partial(jax.jit, static_argnames="reset")
def cell(kernels, sums, hidden, reset, gated):
    kernels["recurrent"] = jnp.concatenate([kernels["gates"], kernels["candidate"]], axis=1)
    sums = jnp.split(sums, 3, axis=1)
    return gru_cell(lambda n, v: v @ kernels[n], sums, hidden, reset=reset, gated=gated)


def one_unit(r, reset="before", gated=None, z=0.2):
    """A unit with U = 1 on the candidate, W x = 0.5, h = 0.9, and gates that are what they are set to."""
    logit = [np.log(p / (1 - p)) if 0 < p < 1 else 60 * (2 * p - 1) for p in (r, z)]
    kernels = {"gates": np.zeros((1, 2)), "candidate": np.ones((1, 1))}
    return np.asarray(cell(kernels, np.array([[*logit, 0.5]]), np.array([[0.9]]), reset, gated))[
        0, 0
    ]


@pytest.mark.parametrize("reset", RESETS)
def test_a_gated_unit_by_hand(reset):
    """Open, the reset gate lets all of 0.9 through: 0.2 x 0.9 + 0.8 tanh(1.4); shut, nothing of it."""
    np.testing.assert_allclose(one_unit(1, reset), 0.888, atol=5e-4)
    np.testing.assert_allclose(one_unit(0, reset), 0.550, atol=5e-4)
    np.testing.assert_allclose(one_unit(0.3, reset, z=1), 0.9, atol=1e-6)  # kept, whatever comes


def test_what_the_reset_gate_gates():
    """The context's share 0.7 goes with the old state where it is gated, and stays where it is not."""
    shut, context = 0, np.array([[0.7]])
    assert abs(one_unit(shut, "after_with_context", context) - one_unit(shut)) < 1e-6
    opened = one_unit(1, "after_with_context", context)
    np.testing.assert_allclose(opened, 0.2 * 0.9 + 0.8 * np.tanh(0.5 + 0.9 + 0.7), rtol=1e-5)
    with pytest.raises(ValueError, match="after the product"):
        one_unit(1, "before", context)


def layer_of(kind, reset="before", *, backward=False, gates_open=False, seed=0):
    """`(layer, parameters, inputs, mask)`; lengths 5, 3 and 1; biases that are not zero."""
    layer, rng = Recurrent(HIDDEN, kind, reset, backward), np.random.default_rng(seed)
    inputs = rng.normal(size=(BATCH, STEPS, IN)).astype(np.float32)
    mask = np.arange(STEPS)[None] < np.array([5, 3, 1])[:, None]
    shapes = jax.eval_shape(layer.init, jax.random.key(seed), inputs)["params"]

    def normal(path, x):  # the same for each form, which has all that "before" has
        of = np.random.default_rng(sum(jax.tree_util.keystr(path).encode()))
        return of.normal(0, 0.5, x.shape).astype(x.dtype)

    params = jax.tree_util.tree_map_with_path(normal, shapes)
    if gates_open:
        params["input"]["bias"][:HIDDEN] = 60.0
    return layer, params, inputs, mask


@partial(jax.jit, static_argnums=0)
def apply(layer, params, *args):
    return layer.apply({"params": params}, *args)


def by_loops(kind, reset, params, inputs, mask, backward=False):
    """The layer in NumPy, an example and a step at a time, over its real steps only."""
    p = jax.tree.map(lambda x: np.asarray(x, float), params)
    hidden = np.zeros((*mask.shape, HIDDEN))
    for b, length in enumerate(np.asarray(mask).sum(axis=1)):
        h, c = np.zeros(HIDDEN), np.zeros(HIDDEN)
        order = range(length)
        for t in reversed(order) if backward else order:
            x = np.asarray(inputs[b, t], float) @ p["input"]["kernel"] + p["input"]["bias"]
            if kind == "tanh":
                h = np.tanh(x + h @ p["recurrent"])
            elif kind == "lstm":
                i, f, o, new = np.split(x + h @ p["recurrent"], 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
                h = sigmoid(o) * np.tanh(c)
            else:
                xr, xz, xh = np.split(x, 3)
                ur, uz = np.split(p["gates"], 2, axis=1)
                r, z = sigmoid(xr + h @ ur), sigmoid(xz + h @ uz)
                if reset == "before":
                    new = np.tanh(xh + (r * h) @ p["candidate"])
                else:
                    new = np.tanh(xh + r * (h @ p["candidate"] + p["gated"]))
                h = z * h + (1 - z) * new
            hidden[b, t] = h
        if not backward:
            hidden[b, length:] = h
    return hidden


@pytest.mark.parametrize(
    "kind, reset", [*(("gru", r) for r in RESETS), ("lstm", "before"), ("tanh", "before")]
)
@pytest.mark.parametrize("backward", [False, True])
def test_a_layer_is_its_equations_over_real_steps(kind, reset, backward):
    layer, params, inputs, mask = layer_of(kind, reset, backward=backward)
    hidden, state = apply(layer, params, inputs, mask)
    wanted = by_loops(kind, reset, params, inputs, mask, backward)
    np.testing.assert_allclose(hidden, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state[-1], wanted[:, 0 if backward else -1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backward", [False, True])
def test_padding_changes_no_state_and_no_gradient(kind, backward):
    """Whatever stands behind a sequence, however much of it."""
    layer, params, inputs, mask = layer_of(kind, backward=backward)
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(BATCH, STEPS, IN)).astype(np.float32)
    longer = np.concatenate([np.where(mask[..., None], inputs, noise), noise], axis=1)
    more = np.concatenate([mask, np.zeros_like(mask)], axis=1)

    def value(params, inputs, mask):
        _, state = layer.apply({"params": params}, inputs, mask)
        return sum(jnp.sin(3 * s).sum() for s in state), state

    gradient = jax.grad(value, (0, 1), has_aux=True)
    ((found, to_inputs), state), ((wanted, _), wanted_state) = jax.jit(
        lambda p: (gradient(p, longer, more), gradient(p, inputs, mask))
    )(params)
    assert_close(state, wanted_state, **CLOSE)
    assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert not np.asarray(to_inputs)[~more].any()


def test_the_forms_differ_but_where_the_reset_gate_is_open():
    outputs = {}
    for gates_open in (False, True):
        for reset in RESETS[:2]:
            layer, params, inputs, mask = layer_of("gru", reset, gates_open=gates_open)
            params |= {"gated": np.zeros(HIDDEN, np.float32)} if "gated" in params else {}
            outputs[gates_open, reset] = np.asarray(apply(layer, params, inputs, mask)[0])
    apart = {g: np.abs(outputs[g, "before"] - outputs[g, "after"]).max() for g in (False, True)}
    assert apart[False] > 1e-2 and apart[True] < 1e-5


def test_reset_after_is_pytorchs_gru_in_values_and_in_every_gradient():
    layer, params, inputs, _ = layer_of("gru", "after")
    weight = np.random.default_rng(1).normal(size=(BATCH, STEPS, HIDDEN)).astype(np.float32)

    def value(params, inputs):
        hidden, _ = layer.apply({"params": params}, inputs)
        return (hidden * weight).sum(), hidden

    (found, to_inputs), hidden = jax.jit(jax.grad(value, (0, 1), has_aux=True))(params, inputs)

    def side_by_side(*kernels):
        return np.concatenate([np.asarray(k) for k in kernels], axis=-1).T

    def answer(torch, inputs, weight, kernel, gates, candidate, bias, gated):
        peer = torch.nn.GRU(IN, HIDDEN, batch_first=True)  # gates in our order, and so is z
        with torch.no_grad():
            peer.weight_ih_l0.copy_(torch.tensor(kernel.T))
            peer.weight_hh_l0.copy_(torch.tensor(side_by_side(gates, candidate)))
            peer.bias_ih_l0.copy_(torch.tensor(bias))
            peer.bias_hh_l0.zero_()
            peer.bias_hh_l0[2 * HIDDEN :].copy_(torch.tensor(gated))
        x = torch.tensor(inputs, requires_grad=True)
        out, _ = peer(x)
        (out * torch.tensor(weight)).sum().backward()
        learned = {"kernel": peer.weight_ih_l0, "recurrent": peer.weight_hh_l0, "inputs": x}
        gradients = {name: p.grad for name, p in learned.items()}
        return gradients | {"out": out.detach(), "gated": peer.bias_hh_l0.grad[2 * HIDDEN :]}

    dense = params["input"]
    own = (dense["kernel"], params["gates"], params["candidate"], dense["bias"], params["gated"])
    peer = pytorch("gru", (inputs, weight, *own), answer)
    ours = {"out": hidden, "inputs": to_inputs, "kernel": found["input"]["kernel"].T}
    ours["recurrent"] = side_by_side(found["gates"], found["candidate"])
    assert_close(ours | {"gated": found["gated"]}, peer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_begins_where_it_is_told(kind):
    """Two halves, the second from where the first ended, are the whole."""
    layer, params, inputs, _ = layer_of(kind)

    @jax.jit
    def run(params, inputs):
        first, state = layer.apply({"params": params}, inputs[:, :2])
        second, last = layer.apply({"params": params}, inputs[:, 2:], None, state)
        halves = jnp.concatenate([first, second], axis=1), last
        return halves, layer.apply({"params": params}, inputs)

    assert_close(*run(params, inputs), **CLOSE)


def test_two_directions_are_two_layers():
    layer = Bidirectional(HIDDEN)
    _, _, inputs, mask = layer_of("gru")
    params = jax.jit(layer.init)(jax.random.key(0), inputs, mask)["params"]
    both = np.asarray(apply(layer, params, inputs, mask))
    for at, (name, backward) in enumerate((("forward", False), ("backward", True))):
        wanted = by_loops("gru", "before", params[name], inputs, mask, backward)
        np.testing.assert_allclose(
            both[..., at * HIDDEN : (at + 1) * HIDDEN], wanted, rtol=1e-4, atol=1e-5
        )
    # A change of the last real word reaches the first step from behind only.
    other = inputs + (np.arange(STEPS) == 2)[None, :, None].astype(np.float32)
    moved = np.asarray(apply(layer, params, other, mask))[1, 0] - both[1, 0]
    assert not moved[:HIDDEN].any() and np.abs(moved[HIDDEN:]).max() > 1e-4


def test_each_gates_matrix_begins_orthogonal():
    layer = Recurrent(HIDDEN)
    params = jax.jit(layer.init)(jax.random.key(0), np.zeros((1, 1, IN)))["params"]
    blocks = [*np.split(np.asarray(params["gates"]), 2, axis=1), np.asarray(params["candidate"])]
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(HIDDEN), atol=1e-5)
    assert np.abs(blocks[0] - blocks[1]).max() > 0.1


def test_no_two_matrices_begin_in_one_batch():
    """On a CPU several batched QRs in one program wait for one another for ever (jax 0.10)."""
    program = str(jax.make_jaxpr(lambda key: orthogonal_blocks(key, (4, 12)))(jax.random.key(0)))
    assert "qr[" in program and "f32[3,4,4]" not in program


# --- Each layer's gradients, by scan_dense and by a plain scan ------------------------------------

LAYERS = {
    "before": Recurrent(HIDDEN, "gru", "before"),
    "after": Recurrent(HIDDEN, "gru", "after", backward=True),
    "after_with_context": Recurrent(HIDDEN, "gru", "after_with_context"),
    "lstm": Recurrent(HIDDEN, "lstm", backward=True),
    "tanh": Recurrent(HIDDEN, "tanh"),
    "bidirectional": Bidirectional(HIDDEN, "gru", "after"),
    "attention": AttentiveDecoder(HIDDEN, 3, "gru", "after_with_context"),
    "attention_lstm": AttentiveDecoder(HIDDEN, 3, "lstm"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_gradients_are_those_of_the_plain_scan(name, monkeypatch):
    """To ten digits; padded, with a context or a memory, for two sets of parameters at once."""
    layer, rng = LAYERS[name], np.random.default_rng(0)
    inputs, memory = rng.normal(size=(BATCH, STEPS, IN)), rng.normal(size=(BATCH, STEPS, IN))
    mask = np.arange(STEPS)[None] < np.array([5, 3, 1])[:, None]
    start = tuple(rng.normal(size=(2 if "lstm" in name else 1, BATCH, HIDDEN)))
    args = (inputs, mask)
    if name.startswith("attention"):
        args = (inputs, memory, mask, start)
    elif name != "bidirectional":
        args = (inputs, mask, start, memory[:, 0])

    def value(params, args):
        out = layer.apply({"params": params}, *args)
        leaves = jax.tree.leaves(out)
        return sum((jnp.cos(jnp.arange(x.size)) * x.ravel()).sum() for x in leaves)

    def gradients(scan):
        for module in (recurrent, attention):
            monkeypatch.setattr(module, "scan_dense", scan)
        by_args = jax.grad(lambda p, a: value(p, a), (0, 1), allow_int=True)
        by_params, by_args = jax.vmap(by_args, (0, None))(params, args)
        return by_params, [g for g in jax.tree.leaves(by_args) if g.dtype != jax.dtypes.float0]

    with jax.enable_x64(True):
        shapes = jax.eval_shape(layer.init, jax.random.key(0), *args)["params"]
        params = jax.tree.map(lambda x: rng.normal(0, 0.5, (2, *x.shape)), shapes)
        found, wanted = jax.jit(lambda: (gradients(scan_dense), gradients(plain)))()
    assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_a_gradients_gradient_is_that_of_the_plain_scan_and_forward_mode_is_refused():
    with jax.enable_x64(True):
        args = arguments(5, np.float64)

        def norm(scan):
            return jax.grad(
                lambda *args: sum((g**2).sum() for g in jax.tree.leaves(gradients(scan)(*args))),
                argnums=(0, 1, 2, 3),
            )

        found, wanted = jax.jit(lambda *a: (norm(scan_dense)(*a), norm(plain)(*a)))(*args)
    assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda kernels: cost(scan_dense, kernels, *args[1:]), args[:1], args[:1])
