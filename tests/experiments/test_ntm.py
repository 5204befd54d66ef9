"""The NTM experiment: what its config refuses, how its networks learn, what is measured of them."""

import dataclasses
import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.ntm import experiment, measures, training
from experiments.ntm.config import (
    MODELS,
    PARTS,
    PRESETS,
    TASKS,
    AssociativeRecall,
    Config,
    Copy,
    Network,
    NGrams,
    PrioritySort,
    RepeatCopy,
)
from experiments.ntm.experiment import compare, load_data, run, times_faster, until
from lib.models.ntm import NTM, StackedLSTM
from lib.ops import algorithmic
from lib.ops.algorithmic import Sequence
from lib.run.claims import values_of
from lib.run.keys import purpose, root_keys
from lib.run.loop import Trained, initialise, train
from lib.run.paper import load_paper
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import SupervisedState

SMOKE = PRESETS["smoke"]
NETWORKS = {kind: Network((4,), 1e-3) for kind in ("feedforward", "lstm", "baseline")}


# --- Config ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"rows": 2}, "--rows must be at least 3, not 2"),
        ({"width": 0}, "--width must be at least 1, not 0"),
        ({"batch": 0}, "--batch must be at least 1, not 0"),
        ({"validation": 0}, "--validation must be at least 1, not 0"),
        ({"every": 0}, "--every must be at least 1, not 0"),
        ({"chunk": -4}, "--chunk must be at least 1, not -4"),
        ({"clip": 0.0}, "--clip must be above 0, not 0.0"),
        ({"clip": math.nan}, "--clip must be above 0, not nan"),
        ({"tried": (1e-3, 0.0)}, "--tried must be one or more learning rates above 0"),
        ({"tasks": ()}, "--tasks needs one or more different values"),
        ({"tasks": ("copy", "copy")}, "--tasks needs one or more different values"),
        ({"models": ()}, "--models needs one or more different values"),
        ({"models": ("lstm", "lstm")}, "--models needs one or more different values"),
        ({"batch": 16, "every": 1000}, "--every must be a multiple of --batch, 16"),
        ({"batch": 16, "every": 1600}, "--chunk must be a multiple of --batch, 16"),
    ],
)
def test_impossible_settings_are_refused(changed, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Config(**changed)


@pytest.mark.parametrize(
    "make, changed, said",
    [
        (Copy, {"sequences": 0}, "--sequences must be at least 1, not 0"),
        (Copy, {"bits": 0}, "--bits must be at least 1, not 0"),
        (Copy, {"length": 1}, "--length must be at least 2, not 1"),
        (Copy, {"tested": ()}, "--tested must be one or more numbers of at least 1"),
        (Copy, {"tested": (5, 0)}, "--tested must be one or more numbers of at least 1"),
        (RepeatCopy, {"repeats": 1}, "--repeats must be at least 2, not 1"),
        (RepeatCopy, {"length": 0}, "--length must be at least 1, not 0"),
        (AssociativeRecall, {"vectors": 0}, "--vectors must be at least 1, not 0"),
        (AssociativeRecall, {"items": 1}, "--items must be at least 2, not 1"),
        (AssociativeRecall, {"tested": (1,)}, "--tested must be one or more numbers of at least 2"),
        (NGrams, {"context": 0}, "--context must be at least 1, not 0"),
        (NGrams, {"context": 5, "length": 5}, "--length must be at least 6, not 5"),
        (PrioritySort, {"sorted": 1}, "--sorted must be at least 2, not 1"),
        (PrioritySort, {"sorted": 5, "shown": 4}, "--shown must be at least 5, not 4"),
    ],
)
def test_impossible_tasks_are_refused(make, changed, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make(**NETWORKS, **changed)


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"hidden": ()}, "--hidden must be one or more sizes above 0"),
        ({"hidden": (5, 0)}, "--hidden must be one or more sizes above 0"),
        ({"heads": 0}, "--heads must be at least 1, not 0"),
        ({"learning_rate": -1e-4}, "--learning-rate must be at least 0, not -0.0001"),
        ({"learning_rate": math.nan}, "--learning-rate must be at least 0, not nan"),
    ],
)
def test_impossible_networks_are_refused(changed, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Network(**{"hidden": (5,), "learning_rate": 1e-4, **changed})


# --- The rule --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Line:
    """A task and its model in one: logits `x w` for inputs so large that gradients pass 10."""

    steps = 3
    inputs = 2
    spread: float = 20.0
    start: float = 0.0

    def sample(self, key):
        x_key, y_key = jax.random.split(key)
        x = self.spread * jax.random.normal(x_key, (self.steps, self.inputs))
        y = jax.random.bernoulli(y_key, 0.5, (self.steps, 1)).astype(jnp.float32)
        return Sequence(x, y, jnp.array([1.0, 0.0, 1.0]))

    def init(self, key, inputs):
        del key
        return {"params": jnp.full((inputs.shape[2], 1), self.start)}

    def apply(self, variables, inputs):
        return inputs @ variables["params"]


def updates(learner, steps):
    """`(parameters, bits)` after each of the updates."""
    state, step, found = learner.init(jax.random.key(0)), jax.jit(learner.step), []
    for t in range(steps):
        state, metrics = step(state, (), jax.random.key(7), jnp.int32(t))
        found.append((np.asarray(state.params)[:, 0], float(metrics["bits"])))
    return found


def shown_to(line, indices):
    return training.sample(line, purpose(jax.random.key(7), "sequences"), jnp.asarray(indices))


@pytest.mark.parametrize("batch, decay_over", [(1, None), (4, None), (4, 10)])
def test_the_rule_is_graves_rmsprop(batch, decay_over):
    """n <- .95 n + .05 g^2; m <- .95 m + .05 g; v <- .9 v - lr g / sqrt(n - m^2 + 1e-4)."""
    line = Line()
    learner = training.make_learner(line, line, 1e-3, batch, 10.0, decay_over)
    w, n, m, v = (np.zeros(2) for _ in range(4))
    cut = 0
    for t, (found, bits) in enumerate(updates(learner, 8)):
        x, y, scored = (
            np.asarray(a, np.float64) for a in shown_to(line, t * batch + np.arange(batch))
        )
        logits = x @ w
        p, y = 1 / (1 + np.exp(-logits)), y[..., 0]
        nats = -(scored * np.log(np.where(y == 1, p, 1 - p))).sum(axis=1)
        assert bits == pytest.approx(nats.mean() / np.log(2), rel=1e-3)
        g = np.einsum("bt,bti->i", scored * (p - y), x) / batch
        cut += np.sum(np.abs(g) > 10)
        g = np.clip(g, -10, 10)
        n, m = 0.95 * n + 0.05 * g**2, 0.95 * m + 0.05 * g
        rate = 1e-3 if decay_over is None else 1e-3 * (1 + np.cos(np.pi * t / decay_over)) / 2
        v = 0.9 * v - rate * g / np.sqrt(n - m**2 + 1e-4)
        w = w + v
        np.testing.assert_allclose(found, w, rtol=1e-3, atol=1e-6)
    assert cut > 0


def test_sequences_are_a_function_of_key_and_index():
    task = algorithmic.Copy(3, 1, 4)
    key = jax.random.key(0)
    together = training.sample(task, key, jnp.arange(8, 12))
    for i in range(4):
        alone = training.sample(task, jax.random.clone(key), jnp.array([8 + i]))
        for one, all_ in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], all_[i])


def test_a_batch_of_four_sees_the_sequences_of_four_batches_of_one():
    """At learning rate 0 costs tell which sequences were seen."""
    line = Line(spread=1.0, start=1.0)
    one, four = (training.make_learner(line, line, 0.0, batch, 10.0) for batch in (1, 4))
    single = [bits for _, bits in updates(one, 12)]
    assert len(set(single)) == 12
    found = [bits for _, bits in updates(four, 3)]
    np.testing.assert_allclose(found, np.reshape(single, (3, 4)).mean(axis=1), rtol=1e-5)


def test_equal_learners_are_compiled_once():
    task, model = training.make_task(SMOKE, "copy"), NTM(3)
    again = training.make_learner(algorithmic.Copy(3, 1, 3), NTM(3), 1e-3, 4, 10.0)
    assert training.make_learner(task, model, 1e-3, 4, 10.0) is again


def test_networks_are_validated_on_sequences_none_of_them_is_trained_on():
    task = algorithmic.Copy(8, 20, 20)
    keys = [purpose(jax.random.key(0), "validation")]
    for name in ("copy-lstm", "copy-baseline"):
        for seed in (0, 1):
            keys.append(purpose(purpose(jax.random.key(seed), name), "sequences"))
    draw = jax.jit(lambda key: training.sample(task, key, jnp.arange(50)).inputs)
    drawn = np.concatenate([draw(key) for key in keys]).reshape(250, -1)
    assert len(np.unique(drawn, axis=0)) == 250


# --- Training --------------------------------------------------------------------------------

SOME = dataclasses.replace(SMOKE, models=("feedforward",))


def trained(seeds, config=SOME):
    keys = root_keys(seeds)
    return training.train_network("copy-feedforward", config, "copy", "feedforward", keys, Watch())


@pytest.fixture(scope="module")
def two_seeds():
    return trained((0, 1))


def member(params, i):
    return jax.tree.map(lambda x: x[i], params)


def test_a_seed_alone_is_the_same_seed_among_others_bit_for_bit(two_seeds):
    alone = trained((1,))
    chex.assert_trees_all_equal(member(alone.params, 0), member(two_seeds.params, 1))
    for one, both in zip(alone.history, two_seeds.history, strict=True):
        assert one["bits"][0] == both["bits"][1]
        assert one.get("validation", [0])[0] == both.get("validation", [0, 0])[1]
    assert two_seeds.history[-1]["bits"][0] != two_seeds.history[-1]["bits"][1]


def test_chunks_of_another_length_train_the_same(two_seeds):
    other = trained((0,), dataclasses.replace(SOME, chunk=20))
    chex.assert_trees_all_equal(member(other.params, 0), member(two_seeds.params, 0))
    validation = [row["validation"][0] for row in other.history if "validation" in row]
    assert len(other.history) == 4 and len(validation) == 2
    assert validation == [row["validation"][0] for row in two_seeds.history]


def test_the_learning_curve_is_the_cost_of_the_validation_sequences(two_seeds):
    task = training.make_task(SOME, "copy")
    model = training.make_model(SOME, SOME.copy.feedforward, "feedforward", task.outputs)
    for i in range(2):
        found = training.costs(SOME, task, model, member(two_seeds.params, i))
        assert found["bits"].shape == found["wrong"].shape == (SOME.validation,)
        assert two_seeds.history[-1]["validation"][i] == pytest.approx(found["bits"].mean())
        assert np.all(found["wrong"] <= 9) and np.all(found["wrong"] % 1 == 0)


def test_the_step_is_traced_once_over_two_chunks():
    task = training.make_task(SOME, "copy")
    model = training.make_model(SOME, SOME.copy.feedforward, "feedforward", task.outputs)
    learner = training.make_learner(task, model, 1e-3, SOME.batch, SOME.clip)
    keys, counted = root_keys((0,)), chex.assert_max_traces(learner.step, n=1)
    start = initialise(learner.init, keys)
    train("copy", start, counted, keys, (), steps=20, every=10, watch=Watch())


def test_a_small_machine_learns_to_copy():
    task = algorithmic.Copy(2, 1, 3)
    model = NTM(2, "lstm", (32,), 1, 8, 6)
    learner = training.make_learner(task, model, 3e-3, 16, 10.0)
    keys = root_keys((0,))
    done = train(
        "copy",
        initialise(learner.init, keys),
        learner.step,
        keys,
        (),
        steps=1000,
        every=100,
        watch=Watch(),
    )
    bits = [row["bits"][0] for row in done.history]
    assert bits[0] > 1.5 and bits[-1] < 0.1, bits


# --- What is measured ------------------------------------------------------------------------


def curve(*costs):
    rows = enumerate(costs, start=1)
    return [{"step": 10 * i, "sequences": 40 * i, "validation": [c, 9.0]} for i, c in rows]


@pytest.mark.parametrize(
    "costs, wanted",
    [
        ((5, 0.5, 0.1), 80),
        ((0.5, 5, 0.1), 120),
        ((5, 2, 1), math.inf),
        ((5, 0.5, 1.0), math.inf),
        ((0.9, 0.9, 0.9), 40),
    ],
)
def test_a_task_is_learned_when_the_curve_stays_below_one_bit(costs, wanted):
    history = curve(*costs)
    assert until(history, 0) == wanted
    assert until(history, 1) == math.inf
    unscored = {"step": 5, "sequences": 20, "bits": [0]}
    assert until([unscored, *history, unscored], 0) == wanted


def test_how_many_times_faster():
    """Of a baseline that never gets there nothing is known; a network that never does gets 0."""
    found = times_faster([50, 50, math.inf, math.inf], [100, math.inf, 100, math.inf])
    np.testing.assert_array_equal(found, [2, np.nan, 0, np.nan])


def trained_before(task, **metrics):
    """Results of the three networks, seed by seed: `lstm_bits=[...]`."""
    found = {f"{task}_{kind}": {} for kind in MODELS}
    for name, values in metrics.items():
        found[f"{task}_{name.split('_')[0]}"][f"{task}_{name}"] = values
    return {part: Result(metrics) for part, metrics in found.items()}


def test_the_ntms_are_compared_with_the_lstm_without_memory_seed_by_seed():
    needs = trained_before(
        "copy",
        feedforward_sequences=[10, 20],
        lstm_sequences=[4, 5],
        baseline_sequences=[40, 200],
        baseline_bits=[0.5, 7],
    )
    assert compare("copy", SMOKE, needs).metrics == {
        "copy_feedforward_times_faster": [4, 10],
        "copy_lstm_times_faster": [10, 40],
        "copy_compared_cost": [0.5, 7],
    }
    bits = {"feedforward_bits": [3, 4], "lstm_bits": [1, 1], "baseline_bits": [9, 8]}
    sorting = compare("priority_sort", SMOKE, trained_before("priority_sort", **bits))
    assert sorting.metrics == {
        "priority_sort_feedforward_bits_saved": [6, 4],
        "priority_sort_lstm_bits_saved": [8, 7],
        "priority_sort_compared_cost": [9, 8],
    }
    needs = trained_before("ngrams", **bits, baseline_above_optimal=[2, 3])
    assert compare("ngrams", SMOKE, needs).metrics["ngrams_compared_cost"] == [2, 3]


def test_the_networks_differ_in_the_memory_and_the_controller_alone():
    """All see the task's sequences; the LSTM has no memory, the NTMs one of the same size."""
    for task in TASKS:
        outputs = training.make_task(SMOKE, task).outputs
        made = {
            kind: training.make_model(SMOKE, getattr(getattr(SMOKE, task), kind), kind, outputs)
            for kind in MODELS
        }
        assert made["baseline"] == StackedLSTM(outputs, (16,) * 3)
        for kind in ("feedforward", "lstm"):
            assert made[kind] == NTM(outputs, kind, (16,), 1, 12, 6, "learned")


def test_a_search_tries_the_same_rates_on_as_many_sequences_for_every_network(monkeypatch):
    config, asked = dataclasses.replace(SMOKE, tried=(0.5, 0.25), trial=12), []

    def train_network(name, config, task, kind, keys, watch):
        network = getattr(config.copy, kind)
        asked.append((name, kind, network.learning_rate, network.sequences))
        rows = [{"validation": [cost] * len(keys)} for cost in (9.0, network.learning_rate)]
        same = dataclasses.replace(network, learning_rate=1e-3, sequences=0)
        assert dataclasses.replace(config.copy, **{kind: same}) == SMOKE.copy
        return training.Trained({}, rows)

    monkeypatch.setattr(experiment, "train_network", train_network)
    names = [f"copy_{kind}_search" for kind in MODELS]
    result = run(config, root_keys((0, 1)), load_data(config, only={"copy"}), only=names)
    wanted = [(kind, rate) for kind in MODELS for rate in (0.5, 0.25)]
    assert asked == [(f"copy-{k}-at-{rate:g}", k, rate, 12) for k, rate in wanted]
    assert result.metrics == {f"copy_{k}_at_{rate:g}": [rate] * 2 for k, rate in wanted}


def test_a_network_sees_as_many_sequences_as_its_task_says_or_it_says_itself(monkeypatch):
    seen = {}

    def train(name, state, step, keys, data, *, steps, **others):
        seen[name] = steps * SMOKE.batch
        return Trained(state, [])

    monkeypatch.setattr(training, "train", train)
    more = dataclasses.replace(SMOKE.copy.baseline, sequences=400)
    config = dataclasses.replace(SMOKE, copy=dataclasses.replace(SMOKE.copy, baseline=more))
    monkeypatch.setattr(training, "initialise", lambda init, keys: SupervisedState({}, ()))
    for kind in ("lstm", "baseline"):
        training.train_network(kind, config, "copy", kind, root_keys((0,)), Watch())
    assert seen == {"lstm": 80, "baseline": 400}


def test_updates_are_of_what_is_scored_and_of_little_padding():
    """An update of cut sequences is that of whole ones, and sees no more than a quarter too much."""
    task, lengths = algorithmic.Copy(2, 1, 16), []

    def update(state, sequences, key):
        del key
        lengths.append(sequences.inputs.shape[1])
        seen = jnp.float32(sequences.inputs.shape[1])
        return state + jnp.sum(sequences.targets * sequences.scored[..., None]), {"seen": seen}

    cut = training.cut_short(update, task)
    draw = jax.jit(
        lambda t: training.sample(task, jax.random.key(0), jnp.array([2 * t, 2 * t + 1]))
    )
    once = jax.jit(cut)
    for t in range(8):
        sequences = draw(t)
        total, metrics = once(jnp.float32(0), sequences, jax.random.key(0))
        targets, scored = np.asarray(sequences.targets), np.asarray(sequences.scored)
        assert total == (targets * scored[..., None]).sum()
        end = np.flatnonzero(scored.any(axis=0)).max() + 1
        assert end <= metrics["seen"] <= end + 33 / 4 + 1
    assert lengths == [9, 17, 25, 33]
    for whole in (algorithmic.Copy(2, 1, 4), algorithmic.NGrams(40, 2)):
        assert training.cut_short(update, whole) is update


def test_networks_that_were_searched_are_trained_at_the_best_rate_tried():
    """The config's is the rate of the least cost, or of several that learned the task the smallest."""
    searched = 0
    for name, record in load_paper("experiments.ntm").records().items():
        costs = {}
        for metric, about in record["metrics"].items():
            if about["part"].endswith("_search"):
                part, rate = about["part"].removesuffix("_search"), metric.rpartition("_")[2]
                costs.setdefault(part, {})[float(rate)] = np.median(values_of(about))
        for part, of_rates in costs.items():
            task, kind = part.rsplit("_", 1)
            assert set(of_rates) == set(record["config"]["tried"]), (name, part)
            chosen = record["config"][task][kind]["learning_rate"]
            learned = [rate for rate, cost in of_rates.items() if cost < experiment.SOLVED]
            assert chosen == min(learned or [min(of_rates, key=of_rates.get)]), (name, part)
            searched += 1
    assert searched >= 3


def written(places, rows=32):
    """One head that writes at `places` `[n, shown]`, not too sharply: `[n, shown, 1, N]`."""
    return (0.6 * np.eye(rows) + 0.4 / rows)[places][:, :, None]


@pytest.mark.parametrize("offset", [0, 7, 25, 31])
@pytest.mark.parametrize("slope", [9, -9])
def test_writing_on_a_line_is_found_wherever_it_is_on_the_ring(offset, slope):
    priorities = np.random.default_rng(0).uniform(-1, 1, (20, 10))
    places = np.round(offset + slope * priorities).astype(int) % 32
    (fit,) = measures.along_priority(written(places), priorities)
    assert fit.slope == slope and fit.coherence > 0.9
    assert all(profile.argmax() == offset for profile in fit.profile)


def test_writing_on_several_lines_at_once_is_found():
    priorities = np.random.default_rng(0).uniform(-1, 1, (20, 10))
    places = np.round(9 * priorities).astype(int)
    tracks = sum(written((places + offset) % 32) for offset in (3, 14, 27)) / 3
    (fit,) = measures.along_priority(tracks, priorities)
    assert fit.slope == 9 and fit.coherence > 0.9


def test_writing_anywhere_in_order_of_time_or_nowhere_is_no_line():
    rng = np.random.default_rng(0)
    priorities = rng.uniform(-1, 1, (20, 10))
    heads = [
        written(rng.integers(0, 32, (20, 10))),
        written(np.tile(np.arange(10), (20, 1))),
        written(np.full((20, 10), 5)),
        written(np.round(9 + 9 * priorities).astype(int)),
    ]
    fits = measures.along_priority(np.concatenate(heads, axis=2), priorities)
    assert [fit.coherence < 0.6 for fit in fits] == [True, True, True, False]
    assert fits[3].coherence > 0.9


def path(reading, writing, rows=8):
    """Weightings `[T, 2, N]` of a head that reads and one that writes at those rows, step by step."""
    return np.eye(rows)[np.stack([reading, writing], axis=1)] * 0.9


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("apart", [0, 1])
def test_heads_that_march_round_the_ring(direction, apart):
    places = (6 + direction * np.arange(4)) % 8
    waiting = np.zeros(5, int)
    reading = np.concatenate([waiting, (places + apart) % 8])
    writing = np.concatenate([places, waiting])
    found = measures.head_movement(path(reading, writing), 4)
    assert found == pytest.approx({"focus": 0.9, "step_of_one": 1, "read_where_written": 1})


def test_heads_that_do_not():
    found = measures.head_movement(path([0] * 5 + [3, 3, 3, 3], [0, 2, 4, 5] + [0] * 5), 4)
    wanted = {"focus": 0.9, "step_of_one": 1 / 3, "read_where_written": 0.25}
    assert found == pytest.approx(wanted)


# --- The tasks -------------------------------------------------------------------------------


def of_network(task, kind):
    return {f"{task}_{kind}_{what}" for what in ("bits", "sequences", "parameters")}


PROMISED = {
    "repeat_copy_feedforward": {
        f"{what}_{size}" for what in ("exact", "wrong", "bits") for size in ("2x2", "4x2", "2x4")
    },
    "associative_recall_lstm": {"bits_3", "bits_4"},
    "ngrams_baseline": {"above_optimal"},
    "priority_sort_feedforward": {"linear", "linear_shuffled"},
}
"""One network a task: all three have the same code, and copy has all three in the smoke run."""


@pytest.fixture
def untrained(monkeypatch):
    """Networks with parameters drawn at random: nothing is compiled to train them, but all is traced."""

    def train_network(training_name, config, task_name, kind, keys, watch):
        network = getattr(getattr(config, task_name), kind)
        task = training.make_task(config, task_name)
        model = training.make_model(config, network, kind, task.outputs)
        learner = training.make_learner(task, model, 1e-3, config.batch, config.clip)
        state = jax.eval_shape(learner.init, jax.random.key(0))
        after, metrics = jax.eval_shape(
            learner.step, state, (), jax.random.key(0), jax.ShapeDtypeStruct((), jnp.int32)
        )
        chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
        assert metrics.keys() == {"bits"} and metrics["bits"].shape == ()
        rng = np.random.default_rng(0)
        params = jax.tree.map(
            lambda x: rng.normal(0, 0.3, (len(keys), *x.shape)).astype(x.dtype), state.params
        )
        rows = [{"step": 1, "sequences": config.batch, "validation": [9.0] * len(keys)}]
        return training.Trained(params, rows)

    monkeypatch.setattr(experiment, "train_network", train_network)


@pytest.mark.parametrize("part", PROMISED)
def test_each_task_measures_what_it_promises(part, untrained):
    task, kind = part.rsplit("_", 1)
    result = run(SMOKE, jax.random.key(0), load_data(SMOKE, only={task}), only=(part,))
    optimal = set()
    if task == "ngrams":
        optimal = {"ngrams_optimal_bits", "ngrams_optimal_validation_bits"}
    own = {f"{part}_{name}" for name in PROMISED[part]} | of_network(task, kind)
    assert result.metrics.keys() == own | optimal
    for name, values in result.metrics.items():
        assert isinstance(values, float) == (name.endswith("_parameters") or name in optimal), name
        (value,) = np.atleast_1d(values)
        assert np.isfinite(value) or name.endswith("_sequences"), name
        if name.split("_")[-2] in ("exact", "wrong") or "linear" in name:
            assert 0 <= value <= 1, name
    assert result.history.keys() == result.weights.keys() == {f"{task}-{kind}"}
    assert all(np.isfinite(a).all() for a in result.arrays.values())
    assert [d["name"] for d in result.data] == [task]


def test_longer_answers_and_more_items_are_asked_for_than_were_trained_on(monkeypatch):
    """What is measured at a size is measured of sequences of that size alone."""

    def costs(config, task, model, params):
        if isinstance(task, algorithmic.RepeatCopy):
            assert (task.min_length, task.min_repeats) == (task.max_length, task.max_repeats)
            size = task.max_length * task.max_repeats
        else:
            assert task.min_items == task.max_items
            size = task.max_items
        return {"bits": np.full(4, float(size)), "wrong": np.array([0, 0, 0, 3.0])}

    monkeypatch.setattr(measures, "costs", costs)
    monkeypatch.setattr(measures, "shown", lambda *args, **options: {})
    for task, wanted in (
        ("repeat_copy", {"bits_2x2": 4, "bits_4x2": 8, "bits_2x4": 8}),
        ("associative_recall", {"bits_3": 3, "bits_4": 4}),
    ):
        learned = measures.Learned("lstm", None, [0, 0])
        made = training.make_task(SMOKE, task)
        metrics = measures.MEASURES[task](SMOKE, made, learned, {}).metrics
        found = {name.split("_lstm_")[1]: values for name, values in metrics.items()}
        assert {n: v for n, v in found.items() if n.startswith("bits")} == {
            name: [bits] * 2 for name, bits in wanted.items()
        }
        if task == "repeat_copy":
            for size, bits in (("2x2", 15), ("4x2", 27), ("2x4", 27)):  # 3 a vector, and the end
                assert found[f"exact_{size}"] == [0.75] * 2
                assert found[f"wrong_{size}"] == pytest.approx([0.75 / bits] * 2)


def test_n_grams_are_measured_from_the_best_that_can_be_done(monkeypatch):
    monkeypatch.setattr(measures, "costs", lambda *args: {"bits": np.array([8.0, 6.0])})
    monkeypatch.setattr(measures, "shown", lambda *args: {})
    needs = {"ngrams_optimal": Result({"ngrams_optimal_validation_bits": 5.5})}
    learned = measures.Learned("lstm", None, [0])
    found = measures.ngrams(SMOKE, training.make_task(SMOKE, "ngrams"), learned, needs)
    assert found.metrics == {"ngrams_lstm_above_optimal": [1.5]}


@pytest.mark.parametrize("follows", [True, False])
def test_writing_is_held_against_priorities_and_against_shuffled_ones(follows, monkeypatch):
    """Of a head that writes where they say; and of one that writes in the order of time."""
    config = dataclasses.replace(
        SMOKE, priority_sort=dataclasses.replace(SMOKE.priority_sort, shown=10, sorted=5)
    )
    task = training.make_task(config, "priority_sort")

    def trace(model, params, sequence):
        priorities = np.asarray(sequence.inputs[: task.shown, task.bits])
        places = 9 * priorities if follows else np.arange(task.shown)
        heads = written(np.round(places).astype(int)[None] % 32)[0]
        return {"weightings": np.concatenate([heads, heads], axis=1)}

    monkeypatch.setattr(measures, "trace", trace)
    monkeypatch.setattr(measures, "shown", lambda *args: {})
    learned = measures.Learned("lstm", NTM(3, heads=1), [0])
    metrics = measures.priority_sort(config, task, learned, {}).metrics
    (along,), (shuffled,) = (
        metrics[f"priority_sort_lstm_{what}"] for what in ("linear", "linear_shuffled")
    )
    assert (along > 0.9) == follows and shuffled < 0.6


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", MODELS)
def test_every_network_can_be_trained_on_every_task(task, kind, untrained):
    """The update is traced: its shapes, and that it gives back a state like the one it got."""
    experiment.train_network(f"{task}-{kind}", SMOKE, task, kind, root_keys((0,)), Watch())


def test_only_the_tasks_asked_for_are_described():
    assert list(load_data(SMOKE).about) == list(TASKS)
    about = load_data(SMOKE, only={"ngrams", "copy"}).about
    assert list(about) == ["copy", "ngrams"]
    assert [d["name"] for words in about.values() for d in words] == ["copy", "ngrams"]
    assert not any(d["real"] for words in about.values() for d in words)


def test_tasks_and_models_choose_the_parts_and_nothing_else():
    paper = load_paper("experiments.ntm")
    assert paper.chosen(SMOKE) == ["copy_feedforward", "copy_lstm", "copy_baseline", "copy"]
    some = dataclasses.replace(SMOKE, tasks=("ngrams", "copy"), models=("lstm", "baseline"))
    assert paper.chosen(some) == [
        *("copy_lstm", "copy_baseline"),
        *("ngrams_optimal", "ngrams_lstm", "ngrams_baseline"),
    ]
    assert paper.chosen(SMOKE, ["ngrams_lstm"]) == ["ngrams_optimal", "ngrams_lstm"]
    assert paper.identity(some) == paper.identity(SMOKE)
    assert PARTS.keys() == experiment.PARTS.keys()
    searches = {name for name in PARTS if name.endswith("_search")}
    assert set(paper.chosen(PRESETS["paper"])) == set(PARTS) - searches


def test_no_two_parts_make_the_same_metric():
    names = {f"copy_{k}_{x}" for k in MODELS for x in ("bits", "bits_20", "times_faster", "focus")}
    names |= {"copy_compared_cost", "ngrams_lstm_bits_saved", "ngrams_lstm_above_optimal"}
    names |= {"ngrams_optimal_bits", "repeat_copy_lstm_bits_20x10", "repeat_copy_lstm_times_faster"}
    for name in names:
        assert sum(part.makes(name) for part in PARTS.values()) == 1, name


# --- One smoke run ---------------------------------------------------------------------------


def test_a_run_measures_what_it_promises(ntm_smoke):
    config, data, result = ntm_smoke
    kinds, memories = ("feedforward", "lstm", "baseline"), ("feedforward", "lstm")
    wanted = set().union(*(of_network("copy", kind) for kind in kinds))
    wanted |= {
        f"copy_{k}_{what}_{n}" for k in kinds for what in ("exact", "wrong", "bits") for n in (3, 6)
    }
    wanted |= {f"copy_{k}_wrong_learned" for k in kinds}
    wanted |= {
        f"copy_{k}_{what}"
        for k in memories
        for what in ("times_faster", "focus", "step_of_one", "read_where_written")
    }
    assert result.metrics.keys() == wanted | {"copy_compared_cost"}
    for name, values in result.metrics.items():
        (value,) = np.atleast_1d(values)
        # In 80 sequences nobody learns it: neither when nor how many times sooner is known.
        assert np.isfinite(value) != name.endswith(("_sequences", "_times_faster")), name
    for name in wanted:
        if re.search("_(exact|wrong|focus|step_of_one|read_where_written)", name):
            assert 0 <= result.metrics[name][0] <= 1, name
    assert list(result.data) == data.about["copy"] and not result.data[0]["real"]


def test_a_part_alone_is_the_same_as_in_a_whole_run_bit_for_bit(ntm_smoke):
    config, data, whole = ntm_smoke
    alone = run(config, jax.random.key(0), data, only=("copy_lstm",))
    own = [name for name in whole.metrics if PARTS["copy_lstm"].makes(name)]
    assert alone.metrics == {name: whole.metrics[name] for name in own}
    assert alone.history == {"copy-lstm": whole.history["copy-lstm"]}
    arrays = {name: whole.arrays[name] for name in whole.arrays if "_lstm_" in name}
    chex.assert_trees_all_equal(dict(alone.arrays), arrays)
    chex.assert_trees_all_equal(alone.weights["copy-lstm"], whole.weights["copy-lstm"])


def test_the_learning_curves_are_near_chance_after_20_updates(ntm_smoke):
    """Chance: 3 bits a vector, two vectors on average."""
    _, _, result = ntm_smoke
    for name in ("copy-feedforward", "copy-lstm", "copy-baseline"):
        rows = result.history[name]
        assert [row["step"] for row in rows] == [10, 20]
        assert [row["sequences"] for row in rows] == [40, 80]
        costs = [row["validation"][0] for row in rows]
        assert np.all((np.array(costs) > 4) & (np.array(costs) < 8)), name
        assert costs[0] != costs[1] and np.isfinite([row["bits"] for row in rows]).all()
        kind = name.removeprefix("copy-")
        assert result.metrics[f"copy_{kind}_bits"][0] == pytest.approx(costs[-1])
        for length in (3, 6):
            (bits,) = result.metrics[f"copy_{kind}_bits_{length}"]
            assert bits == pytest.approx(3 * length, rel=0.3), name
            (wrong,) = result.metrics[f"copy_{kind}_wrong_{length}"]
            assert wrong == pytest.approx(0.5, abs=0.2), name


def test_what_a_network_answers_and_does_is_kept(ntm_smoke):
    config, _, result = ntm_smoke
    for length in (3, 6):
        steps = 2 * length + 1
        for kind in ("feedforward", "lstm", "baseline"):
            assert result.arrays[f"copy_{kind}_trained_up_to"] == 3
            assert result.arrays[f"copy_{length}_{kind}_scored"].sum() == length
            for what in ("inputs", "targets"):
                same = result.arrays[f"copy_{length}_lstm_{what}"]
                assert np.array_equal(result.arrays[f"copy_{length}_{kind}_{what}"], same)
            found = result.arrays[f"copy_{length}_{kind}_outputs"]
            assert found.shape == (steps, 3) and np.all((found > 0) & (found < 1))
        weightings = result.arrays[f"copy_{length}_lstm_weightings"]
        assert weightings.shape == (steps, 2, config.rows)
        np.testing.assert_allclose(weightings.sum(axis=2), 1, rtol=1e-5)
    assert result.arrays["copy_3_lstm_memory"].shape == (7, config.rows, config.width)


def test_the_weights_are_kept_with_what_there_is_to_know(ntm_smoke):
    result = ntm_smoke[2]
    for kind in ("feedforward", "lstm", "baseline"):
        params, about = result.weights[f"copy-{kind}"]
        assert about == {"paper": "ntm", "task": "copy", "model": kind}
        assert {len(x) for x in jax.tree.leaves(params)} == {1}
        count = sum(x[0].size for x in jax.tree.leaves(params))
        assert result.metrics[f"copy_{kind}_parameters"] == count
