import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.gan.config import PRESETS
from experiments.gan.experiment import make_game, minibatch
from lib.base.errors import UserError
from lib.run import loop, seeds
from lib.run.keys import purpose, root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch
from lib.steps import adversarial

CONFIG = PRESETS["smoke"]
IMAGES = np.random.default_rng(0).integers(0, 256, (1200, 64), dtype=np.uint8)
GAME = make_game(CONFIG, IMAGES)
RULE = adversarial.simultaneous(GAME.players, GAME.generator_tx, GAME.discriminator_tx)


def step(state, images, key, t):
    """The image game of the smoke preset, as the experiment plays it."""
    x = minibatch(images, key, t, CONFIG.batch)
    return RULE(state, x, jax.random.fold_in(purpose(key, "game"), t))


def play(*which, steps=4, every=2, name="game", step=step, watch=None):
    """Trains the seeds `which`; the same `every` and `step` share one compiled program."""
    keys = root_keys(which)
    start = initialise(GAME.init, keys)
    watch = watch or Watch()
    return train(
        name, start, step, keys, jnp.asarray(IMAGES), steps=steps, every=every, watch=watch
    )


def assert_same_bits(one, two):
    chex.assert_trees_all_equal(one, two, strict=True)


def member(state, i):
    return jax.tree.map(lambda x: x[i : i + 1], state)


def counting(state, data, key, t):
    """A state that counts, and a metric that is the step's number."""
    del data, key
    return state + 1, {"t": t.astype(jnp.float32)}


def count(steps, every, step=counting, replicas=2, **options):
    start = jnp.zeros(replicas)
    options = {"watch": Watch(), **options}
    keys = root_keys(tuple(range(replicas)))
    return train("count", start, step, keys, None, steps=steps, every=every, **options)


# --- Chunks ----------------------------------------------------------------------------------


def test_chunks_end_where_one_uninterrupted_call_ends_bit_for_bit():
    whole, chunked = play(0, every=4), play(0, every=2)
    assert [len(trained.history) for trained in (whole, chunked)] == [1, 2]
    assert_same_bits(chunked.state, whole.state)


def test_a_shorter_last_chunk_ends_there_too():
    def noisy_logistic_map(state, data, key, t):  # chaotic: no difference would stay small
        state = 3.9 * state * (1 - state) - 1e-3 * jax.random.uniform(jax.random.fold_in(key, t))
        return state, {"x": state}

    keys, start = root_keys((0, 1)), jnp.array([0.3, 0.7])
    ends = [
        train("map", start, noisy_logistic_map, keys, None, steps=50, every=every, watch=Watch())
        for every in (50, 20, 49)
    ]
    for end in ends[1:]:
        assert_same_bits(end.state, ends[0].state)


def test_steps_need_not_be_a_multiple_of_the_chunk_and_rows_are_the_chunks_means():
    trained = count(steps=5, every=2)
    np.testing.assert_array_equal(trained.state, [5, 5])
    assert trained.history == [
        {"training": "count", "step": 2, "t": [0.5, 0.5]},
        {"training": "count", "step": 4, "t": [2.5, 2.5]},
        {"training": "count", "step": 5, "t": [4.0, 4.0]},
    ]


def test_the_step_is_traced_once_however_many_chunks_seeds_and_trainings_there_are():
    chex.clear_trace_counter()
    traced = chex.assert_max_traces(step, n=1)
    one = play(0, 1, steps=6, every=2, step=traced)
    assert len(one.history) == 3
    play(2, steps=4, every=2, step=traced)
    with pytest.raises(AssertionError, match="traced"):
        play(0, steps=3, every=3, step=traced)  # another length is another program


def test_the_starting_state_is_left_intact():
    keys = root_keys((0,))
    start = initialise(GAME.init, keys)
    before = jax.tree.map(lambda x: np.array(x), start)
    after = train(
        "game", start, step, keys, jnp.asarray(IMAGES), steps=2, every=2, watch=Watch()
    ).state
    assert not any(x.is_deleted() for x in jax.tree.leaves(start))
    chex.assert_trees_all_equal(start, before)
    changed = (
        np.asarray(after.generator["output"]["kernel"]) != before.generator["output"]["kernel"]
    )
    assert changed.any()


class Interrupted(Watch):
    """Keeps the state after the first chunk, then starts the next training from it."""

    def __init__(self):
        self.kept = None
        self.seen = []

    def restore(self, training, state):
        return self.kept or (0, state, [])

    def chunk(self, training, step, state, row, *, last):
        self.seen.append((step, last))
        if self.kept is None:
            self.kept = (step, jax.tree.map(jnp.copy, state), [row])


def test_a_resumed_training_ends_where_an_uninterrupted_one_does_bit_for_bit():
    watch = Interrupted()
    whole = play(0, watch=watch)
    resumed = play(0, watch=watch)
    assert watch.seen == [(2, False), (4, True), (4, True)], "the second run is half as long"
    assert_same_bits(resumed.state, whole.state)
    assert resumed.history == whole.history


# --- Seeds -----------------------------------------------------------------------------------


def test_a_seed_alone_ends_where_it_ends_among_eight_bit_for_bit():
    alone, eight = play(3), play(*range(8))
    assert_same_bits(member(eight.state, 3), alone.state)
    for one, all_ in zip(alone.history, eight.history, strict=True):
        for name in ("value", "d_real", "d_fake", "generator_loss"):
            assert one[name] == [all_[name][3]]


def test_seeds_and_trainings_of_another_name_differ_and_the_same_pair_does_not():
    two = play(0, 1)
    kernels = np.asarray(two.state.generator["output"]["kernel"])
    assert np.mean(kernels[0] == kernels[1]) < 0.01
    assert two.history[0]["value"][0] != two.history[0]["value"][1]
    assert_same_bits(play(0, 1).state, two.state)
    other = play(0, name="another")
    assert other.history[0]["value"][0] != two.history[0]["value"][0]


def test_each_member_starts_as_its_own_key_says_without_weak_types():
    def init(key):
        return {"w": jax.random.normal(key, (3,)), "count": 0.0}

    stacked = initialise(init, root_keys((5, 7)))
    for i, seed in enumerate((5, 7)):
        wanted = jax.random.normal(jax.random.key(seed), (3,))
        np.testing.assert_array_equal(stacked["w"][i], wanted)
    assert stacked["count"].shape == (2,)
    assert not any(x.weak_type for x in jax.tree.leaves(stacked))


def test_root_keys_are_the_seeds_own_and_purposes_are_independent():
    def bits(key):
        return jax.random.key_data(key).tolist()

    keys = root_keys((3, 11))
    assert [bits(k) for k in keys] == [bits(jax.random.key(3)), bits(jax.random.key(11))]
    names = ("game", "early", "samples", "")
    folded = {str(bits(purpose(k, name))) for k in keys for name in names}
    assert len(folded) == 8
    assert bits(purpose(keys[0], "game")) == bits(purpose(jax.random.key(3), "game"))


@pytest.mark.parametrize("together", [False, True])
def test_replicas_are_mapped_over_a_leading_axis_and_shared_arguments_are_not(
    monkeypatch, together
):
    monkeypatch.setattr(seeds, "at_once", lambda *, conv: together)
    f = seeds.over_seeds(lambda x, y, z: {"sum": x @ y + z}, shared=(1,), donate=False)
    x, y, z = jnp.arange(6.0).reshape(3, 2), jnp.array([1.0, 10.0]), jnp.array([0.0, 100.0, 200.0])
    np.testing.assert_array_equal(f(x, y, z)["sum"], [10, 132, 254])


def test_on_a_cpu_and_with_convolutions_replicas_go_one_after_another(monkeypatch):
    for backend, conv, wanted in (
        ("cpu", False, False),
        ("gpu", False, True),
        ("gpu", True, False),
        ("tpu", False, True),
    ):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert seeds.at_once(conv=conv) == wanted


# --- Numbers that stop being finite -----------------------------------------------------------


def fails_at(metric_at, state_at=99):
    """A step whose metric `t`, or whose state, stops being finite at update `..._at` (from 1)."""

    def step(state, data, key, t):
        state, metrics = counting(state, data, key, t)
        bad = jnp.where(t + 1 >= metric_at, jnp.nan, metrics["t"])
        return jnp.where(t + 1 >= state_at, jnp.inf, state), {"fine": 0 * metrics["t"], "t": bad}

    return step


@pytest.mark.parametrize("first", [1, 4, 5])
def test_a_non_finite_metric_stops_training_and_names_its_first_step(first):
    with pytest.raises(FloatingPointError, match=f"^count: t is not finite at step {first}$"):
        count(steps=7, every=3, step=fails_at(first))


def test_one_bad_replica_among_good_ones_is_noticed():
    def step(state, data, key, t):
        state, metrics = counting(state, data, key, t)
        return state, {"t": jnp.log(state - 2)}  # replica 0 starts at 0, replica 1 at 9

    keys, start = root_keys((0, 1)), jnp.array([9.0, 0.0])
    with pytest.raises(FloatingPointError, match="t is not finite at step 1$"):
        train("bad", start, step, keys, None, steps=4, every=2, watch=Watch())


def test_a_non_finite_state_behind_finite_metrics_is_noticed():
    with pytest.raises(FloatingPointError, match="^count: state is not finite at step 6$"):
        count(steps=9, every=3, step=fails_at(99, state_at=5))


def test_nothing_is_reported_after_the_failure():
    watch = Interrupted()
    with pytest.raises(FloatingPointError):
        count(steps=9, every=3, step=fails_at(5), watch=watch)
    assert watch.seen == [(3, False)]


# --- Learning curves --------------------------------------------------------------------------


def doubled(state):
    return {"doubled": 2 * state}


def scored(rows, name="doubled"):
    return {row["step"]: row[name] for row in rows if name in row}


@pytest.mark.parametrize(
    "steps, every, score_every, wanted",
    [
        (12, 2, 4, [4, 8, 12]),
        (10, 2, 4, [4, 8, 10]),  # and after the last
        (12, 4, 6, [8, 12]),  # the chunks that reach 6 and 12
        (9, 2, 3, [4, 6, 9]),  # 3 is reached by the chunk that ends at 4
        (8, 4, 2, [4, 8]),
        (5, 2, 100, [5]),
        (4, 2, 1, [2, 4]),
    ],
)
def test_a_state_is_scored_after_the_chunks_that_reach_a_multiple_and_after_the_last(
    steps, every, score_every, wanted
):
    trained = count(steps, every, score=doubled, score_every=score_every)
    assert scored(trained.history) == {step: [2 * step, 2 * step] for step in wanted}
    assert len(trained.history) == -(-steps // every), "the other chunks keep their rows"
    assert all("t" in row for row in trained.history)


def test_without_a_score_rows_are_as_they_were():
    assert count(4, 2).history == count(4, 2, score=None, score_every=3).history


def test_each_seed_is_scored_by_itself():
    keys, start = root_keys((0, 1, 2)), jnp.array([0.0, 10.0, 20.0])
    seen = []

    def score(state):
        seen.append(state.shape)
        return {"state": state, "half": state / 2}

    trained = train(
        "count", start, counting, keys, None, steps=4, every=2, watch=Watch(), score=score
    )
    assert trained.history[0]["state"] == [2, 12, 22] and trained.history[1]["half"] == [2, 7, 12]
    assert seen == [()] * 6, "one replica's state, without the leading axis"
    assert all(isinstance(x, float) for row in trained.history for x in row["state"])


def test_a_score_changes_nothing_of_the_training():
    assert_same_bits(count(6, 2, score=doubled).state, count(6, 2).state)


def test_a_resumed_training_has_the_same_scores():
    watch = Interrupted()
    options = {"score": doubled, "score_every": 3, "watch": watch}
    whole, resumed = count(8, 2, **options), count(8, 2, **options)
    assert len(watch.seen) == 4 + 3, "the second run begins after a chunk"
    assert resumed.history == whole.history
    assert scored(resumed.history).keys() == {4, 6, 8}


def test_the_watch_sees_the_scores():
    class Rows(Watch):
        def __init__(self):
            self.rows = []

        def chunk(self, training, step, state, row, *, last):
            self.rows.append(row)

    watch = Rows()
    trained = count(6, 2, score=doubled, score_every=4, watch=watch)
    assert watch.rows == trained.history


def test_a_member_is_one_replica_of_every_leaf():
    states = {"a": jnp.arange(6.0).reshape(2, 3), "b": (jnp.array([4, 5]),)}
    chex.assert_trees_all_equal(
        loop.member(states, 1), {"a": jnp.array([3.0, 4, 5]), "b": (jnp.array(5),)}
    )


def test_states_that_do_not_fit_are_refused_before_they_are_made(monkeypatch):
    def init(key):
        return {"w": jax.random.normal(key, (10**6, 10**6))}

    with pytest.raises(UserError, match="what is trained needs 22351.7 GiB") as caught:
        initialise(init, root_keys((0, 1, 2)))
    assert caught.value.code == 2
