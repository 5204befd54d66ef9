"""The Neural Turing Machine and its baseline: their sizes, what depends on what, and gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.metrics.bits import bits_per_sequence
from lib.models.ntm import NTM, StackedLSTM
from lib.nn.memory import Memory, access
from lib.nn.recurrent import lstm_cell
from lib.ops.algorithmic import Copy, NGrams, PrioritySort, RepeatCopy

SMALL = {"rows": 6, "width": 4, "hidden": (5,), "memory": "learned"}
NETS = {
    "feedforward": NTM(3, "feedforward", **SMALL),
    "two layers": NTM(3, "feedforward", **{**SMALL, "hidden": (5, 4)}),
    "lstm": NTM(3, "lstm", **SMALL),
    "two layers of lstm, two heads": NTM(3, "lstm", **{**SMALL, "hidden": (5, 4)}, heads=2),
    "baseline": StackedLSTM(3, (5, 5, 5)),
}
STEPS, BATCH, IN = 7, 3, 4
each_net = pytest.mark.parametrize("name", NETS)


def made(net, seed=0, steps=STEPS):
    """`(parameters, inputs, targets)`; no parameter is zero, as some are at the start."""
    rng = np.random.default_rng(seed)
    inputs, targets = (rng.integers(0, 2, (BATCH, steps, n)).astype(np.float32) for n in (IN, 3))
    shapes = jax.eval_shape(net.init, jax.random.key(seed), inputs)["params"]
    params = jax.tree.map(lambda x: rng.normal(0, 0.5, x.shape).astype(x.dtype), shapes)
    return params, inputs, targets


@partial(jax.jit, static_argnums=0)
def answers(net, params, inputs):
    return net.apply({"params": params}, inputs)


def answer(net, params, inputs):
    return np.asarray(answers(net, params, inputs))


@partial(jax.jit, static_argnums=0)
def traced(net, params, inputs):
    return net.apply({"params": params}, inputs, trace=True)


@partial(jax.jit, static_argnums=0)
def cost_and_gradient(net, params, inputs, targets):
    def cost(params):
        logits = net.apply({"params": params}, inputs)
        return bits_per_sequence(logits, targets, jnp.ones(inputs.shape[:2])).mean()

    return jax.value_and_grad(cost)(params)


bits = jax.jit(bits_per_sequence)


def size(net, inputs):
    shapes = jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, 2, inputs)))
    return sum(x.size for x in jax.tree.leaves(shapes))


# --- Sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inputs, outputs, units, wanted",
    [
        (10, 9, 256, 1_352_969),
        (8, 7, 512, 5_312_007),
        (8, 6, 256, 1_344_518),
        (1, 1, 128, 331_905),
        (10, 8, 128, 348_424),
    ],
    ids=["copy", "repeat copy", "recall", "n-grams", "sort, printed as 384 424"],
)
def test_the_baselines_are_as_large_as_the_papers_table_3(inputs, outputs, units, wanted):
    assert size(StackedLSTM(outputs, (units,) * 3), inputs) == wanted


@pytest.mark.parametrize(
    "task, units, printed",
    [(RepeatCopy(), 512, 5_312_007), (NGrams(), 128, 331_905), (PrioritySort(), 128, 348_424)],
    ids=["repeat copy", "n-grams", "sort"],
)
def test_our_encodings_of_three_tasks_are_the_papers(task, units, printed):
    assert size(StackedLSTM(task.outputs, (units,) * 3), task.inputs) == printed


@pytest.mark.parametrize("memory", [0, 128 * 20])
def test_an_ntm_has_the_parameters_that_it_says(memory):
    """Copy's: layers, heads, output, and what it starts from."""
    about = {"memory": "learned" if memory else "constant"}
    inputs, outputs, numbers = 9, 8, 2 * 26 + 40
    start = 2 * 128 + 20 + memory
    last = (100 + 20 + 1) * outputs
    heads = (100 + 1) * numbers
    feedforward = (inputs + 20 + 1) * 100
    assert size(NTM(outputs, "feedforward", **about), inputs) == sum(
        (feedforward, heads, last, start)
    )
    lstm = (inputs + 20 + 100 + 1) * 400 + 2 * 100
    assert size(NTM(outputs, "lstm", **about), inputs) == sum((lstm, heads, last, start))


# --- What depends on what --------------------------------------------------------------------


@each_net
def test_an_answer_depends_on_what_was_shown_until_then_and_on_all_of_it(name):
    net = NETS[name]
    params, inputs, _ = made(net)

    before = answer(net, params, inputs)
    for t in range(STEPS):
        after = answer(net, params, np.where(np.arange(STEPS)[:, None] == t, 1 - inputs, inputs))
        changed = np.abs(after - before).max(axis=(0, 2))
        assert np.all(changed[:t] == 0) and np.all(changed[t:] > 0), t


@each_net
def test_sequences_of_a_batch_know_nothing_of_one_another(name):
    net = NETS[name]
    params, inputs, _ = made(net)
    together = answer(net, params, inputs)
    changed = answer(net, params, np.concatenate([1 - inputs[:1], inputs[1:]]))
    np.testing.assert_array_equal(changed[1:], together[1:])
    assert np.abs(changed[0] - together[0]).max() > 1e-3
    for i in range(BATCH):  # alone, or among copies of itself
        alone = answer(net, params, np.repeat(inputs[i : i + 1], BATCH, axis=0))
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-5, atol=1e-5)


@each_net
def test_padding_at_the_end_changes_no_cost(name):
    net, length = NETS[name], STEPS - 3
    params, inputs, targets = made(net)
    scored = np.tile(np.arange(STEPS) < length, (BATCH, 1)).astype(np.float32)
    mask = scored[..., None]
    padded = bits(answer(net, params, inputs * mask), targets * mask, scored)
    short = bits(answer(net, params, inputs[:, :length]), targets[:, :length], scored[:, :length])
    np.testing.assert_allclose(padded, short, rtol=1e-5)


def test_a_task_padded_to_a_longer_task_costs_the_same():
    """The same sequence as one of at most 3 vectors and one of at most 5."""
    net = NETS["lstm"]
    params, *_ = made(net)
    short = [np.asarray(x)[None] for x in jax.jit(Copy(3, 3, 3).sample)(jax.random.key(0))]
    long = [np.concatenate([x, np.zeros((1, 4, *x.shape[2:]), x.dtype)], axis=1) for x in short]
    found = [
        bits(answer(net, params, inputs), targets, scored)
        for inputs, targets, scored in (short, long)
    ]
    np.testing.assert_allclose(*found, rtol=1e-5)


# --- Against a loop --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["two layers", "two layers of lstm, two heads"])
def test_it_is_the_paper_step_by_step(name):
    """The controller sees the input and the last reads; the output its output and the new reads."""
    net = NETS[name]
    params, inputs, _ = made(net)

    def repeated(x):
        return jnp.tile(x, (BATCH, *(1,) * x.ndim))

    lstm = net.controller == "lstm"

    @jax.jit
    def start(p):
        memory = repeated(p["memory"]), repeated(jax.nn.softmax(p["weightings"]))
        states = [[repeated(p[f"{s}_{i}"]) for s in ("cell", "hidden")] for i in range(2) if lstm]
        return Memory(*memory, repeated(p["reads"])), states

    @jax.jit
    def step(p, now, states, x):
        seen, states = jnp.concatenate([x, now.reads.reshape(BATCH, -1)], axis=1), list(states)
        for i in range(2):
            kernel = p[f"layer_{i}"]
            bias = p["input"]["bias"] if i == 0 else p["bias_1"]
            if i == 0:
                kernel = jnp.concatenate([p["input"]["kernel"], kernel])
            if lstm:
                seen = jnp.concatenate([seen, states[i][1]], axis=1)
                states[i] = list(
                    lstm_cell(jnp.split(seen @ kernel + bias[None], 4, axis=1), states[i][0])
                )
                seen = states[i][1]
            else:
                seen = jnp.maximum(seen @ kernel + bias[None], 0)
        now, _ = access(now, seen @ p["heads"] + p["heads_bias"][None], writes=net.heads)
        last = jnp.concatenate([seen, now.reads.reshape(BATCH, -1)], axis=1)
        return now, states, last @ p["output"]["kernel"] + p["output"]["bias"][None]

    now, states = start(params)
    logits, weightings = [], []
    for t in range(STEPS):
        now, states, answered = step(params, now, states, inputs[:, t])
        logits.append(answered)
        weightings.append(now.weightings)
    found, steps = traced(net, params, inputs)
    np.testing.assert_allclose(found, np.stack(logits, axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        steps["weightings"], np.stack(weightings, axis=1), rtol=1e-4, atol=1e-5
    )


def test_a_layer_of_the_baseline_sees_the_input_and_the_layer_below():
    """And the output all layers: with the others' part of its kernel zero, any layer still answers."""
    net = NETS["baseline"]
    params, inputs, _ = made(net)
    kernels = [params[f"LSTM_{i}"]["input"]["kernel"].shape[0] for i in range(3)]
    assert kernels == [IN, IN + 5, IN + 5]
    assert params["output"]["kernel"].shape[0] == 15
    for i in range(3):
        one = np.zeros_like(params["output"]["kernel"])
        one[5 * i : 5 * i + 5] = 1
        only = {**params, "output": {**params["output"], "kernel": one}}
        assert np.std(answer(net, only, inputs)) > 1e-3


@each_net
def test_a_trace_changes_no_answer(name):
    net = NETS[name]
    params, inputs, _ = made(net)
    logits, steps = jax.tree.map(np.asarray, traced(net, params, inputs))
    np.testing.assert_allclose(logits, answer(net, params, inputs), rtol=1e-5, atol=1e-6)
    if name == "baseline":
        assert steps == {}
        return
    heads, width, rows = net.heads, net.width, net.rows
    wanted = {"weightings": (2 * heads, rows), "output": (net.hidden[-1],), "memory": (rows, width)}
    wanted |= {k: (heads, width) for k in ("reads", "erased", "added")}
    assert {k: v.shape for k, v in steps.items()} == {
        k: (BATCH, STEPS, *shape) for k, shape in wanted.items()
    }
    read = np.einsum("bthn,btnm->bthm", steps["weightings"][:, :, :heads], steps["memory"])
    np.testing.assert_allclose(read, steps["reads"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(steps["weightings"].sum(axis=-1), 1, rtol=1e-5)


# --- Gradients -------------------------------------------------------------------------------


@each_net
def test_every_parameter_gets_a_gradient(name):
    """Every unit's input and every row of the memory, too."""
    net = NETS[name]
    with jax.enable_x64(True):  # as the finite differences: one program serves both
        _, found = cost_and_gradient(net, *jax.tree.map(np.float64, made(net)))
    found = jax.tree.map(np.asarray, found)
    for path, g in jax.tree_util.tree_leaves_with_path(found):
        assert np.isfinite(g).all() and np.abs(g).max() > 1e-7, jax.tree_util.keystr(path)
    if name != "baseline":
        assert np.abs(found["memory"]).max(axis=0).min() > 0
        assert np.abs(found["weightings"]).max(axis=1).min() > 0


@pytest.mark.parametrize("name", ["two layers", "two layers of lstm, two heads", "baseline"])
def test_its_gradient_is_the_finite_difference(name):
    net = NETS[name]
    with jax.enable_x64(True):
        params, inputs, targets = jax.tree.map(np.float64, made(net))
        _, found = cost_and_gradient(net, params, inputs, targets)
        assert all(g.dtype == np.float64 for g in jax.tree.leaves(found))
        for seed in range(3):
            rng, h = np.random.default_rng(seed), 1e-6
            way = jax.tree.map(lambda x: rng.normal(size=x.shape), params)
            moved = (jax.tree.map(lambda x, w, s=s: x + s * h * w, params, way) for s in (1, -1))
            ahead, behind = (cost_and_gradient(net, p, inputs, targets)[0] for p in moved)
            along = sum(jax.tree.leaves(jax.tree.map(lambda g, w: np.vdot(g, w), found, way)))
            np.testing.assert_allclose(along, (ahead - behind) / (2 * h), rtol=1e-5)


@pytest.mark.parametrize("name, memory", [("feedforward", "constant"), ("lstm", "learned")])
def test_a_sequence_longer_than_the_memory_stays_finite(name, memory):
    """Ten times round the ring, and with parameters ten times as large."""
    net = NETS[name].clone(memory=memory)
    params, inputs, targets = made(net, steps=60)
    for scale in (1, 10):
        scaled = jax.tree.map(lambda x, s=scale: s * x, params)
        found = cost_and_gradient(net, scaled, inputs, targets)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(found))


# --- The start -------------------------------------------------------------------------------


def test_the_memory_starts_as_said():
    learned, constant = (NETS["lstm"].clone(memory=m) for m in ("learned", "constant"))
    params, inputs, _ = made(learned)
    plain, *_ = made(constant)
    assert params.keys() - plain.keys() == {"memory"}
    shared = {k: v for k, v in params.items() if k != "memory"}
    as_constant = {**shared, "memory": np.full((4, 6), 1e-6, np.float32)}
    np.testing.assert_allclose(
        answer(constant, shared, inputs), answer(learned, as_constant, inputs), rtol=1e-5, atol=1e-6
    )


def test_seeds_differ_and_what_is_learned_from_the_start_differs_from_place_to_place():
    net = NETS["lstm"]
    init = jax.jit(lambda key: net.init(key, jnp.zeros((1, 1, IN)))["params"])
    one, again, other = (jax.tree.map(np.asarray, init(jax.random.key(s))) for s in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    for path, value in jax.tree_util.tree_leaves_with_path(one):
        if path[-1].key != "bias":
            assert np.std(value) > 1e-3, jax.tree_util.keystr(path)
    differs = jax.tree.map(lambda a, b: np.abs(a - b).max() > 0, one, other)
    assert all(
        d for path, d in jax.tree_util.tree_leaves_with_path(differs) if path[-1].key != "bias"
    )
    start, bound = np.asarray(one["memory"]), (6 + 4) ** -0.5
    assert np.all(np.abs(start) <= bound) and start.min() < -bound / 2 < bound / 2 < start.max()
