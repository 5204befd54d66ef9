"""What the claims on long memory rest on: the tasks, fair arms, errors on their way back."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.long_memory.claims import CLAIMS
from experiments.long_memory.config import PRESETS
from experiments.long_memory.experiment import (
    decades_lost,
    drawing,
    gains,
    memories,
    picking,
    taggers,
    usual,
)
from experiments.long_memory.flow import reaching, scaled
from experiments.long_memory.tasks import CUES, TAGS, Batch, recall, tagged, tags_of
from experiments.long_memory.training import compare, loss
from lib.batches.numbers import in_words
from lib.batches.text import Vocabulary
from lib.models.tagger import Tagger, parameters
from lib.run.claims import verdict
from lib.run.keys import root_keys
from lib.run.watch import Watch

SMOKE = PRESETS["smoke"]


# --- The tasks -------------------------------------------------------------------------------


def test_only_the_first_letter_says_what_is_to_be_recalled():
    batch = jax.jit(recall, static_argnums=(1, 2, 3))(jax.random.key(0), 7, 4, 500)
    words, cue = np.asarray(batch.words), np.asarray(batch.tags)[:, -1]
    assert words.shape == (500, 7)
    np.testing.assert_array_equal(words[:, 0], cue)
    assert set(cue) == set(range(CUES)) and 0.4 < cue.mean() < 0.6
    assert words[:, 1:].min() == CUES and words[:, 1:].max() == CUES + 3
    assert batch.asked.sum(axis=0).tolist() == [0] * 6 + [500]
    # Letters tell nothing: their counts are the same after either cue, but for chance.
    counts = [np.bincount(words[cue == c, 1:].ravel(), minlength=6)[2:] for c in (0, 1)]
    shares = [c / c.sum() for c in counts]
    assert np.abs(shares[0] - shares[1]).max() < 0.05


def test_every_step_draws_letters_of_its_own():
    draw = jax.jit(drawing(5, 3, 8))
    key = jax.random.key(0)
    assert not np.array_equal(draw((), key, 0).words, draw((), key, 1).words)
    np.testing.assert_array_equal(draw((), key, 1).words, draw((), key, 1).words)


@pytest.mark.parametrize(
    "number, tags",
    [
        (0, "ones"),
        (205, "ones ones ones ones"),
        (2_000, "thousands thousands"),
        (2_005, "thousands thousands" + " further" * 2),  # and, five
        (3_000_000, "millions millions"),
    ],
)
def test_tags_by_hand(number, tags):
    (words,) = in_words([number])
    wanted = [TAGS.index("further ones" if t == "further" else t) for t in tags.split()]
    assert tags_of(words) == wanted


def test_a_thousand_after_a_million_is_further():
    (words,) = in_words([1_002_003])
    names = dict(zip(words, (TAGS[t] for t in tags_of(words)), strict=True))
    assert names["million"] == "millions" and names["thousand"] == "further thousands"
    assert names["three"] == "further ones"


def test_neither_direction_alone_can_know_a_tag():
    """The same word after the same words, and before the same words, has other tags."""
    five, five_thousand, later = in_words([5, 5_000, 1_005])
    assert tags_of(five)[0] != tags_of(five_thousand)[0]  # so far: "five"
    assert tags_of(five)[-1] != tags_of(later)[-1]  # from the end: "five"


def test_nothing_is_asked_behind_a_number():
    sentences = in_words([7, 1_002])
    batch = tagged(sentences, Vocabulary.of(sentences, most=50), 9)
    assert batch.real.sum(axis=1).tolist() == list(map(len, sentences))
    np.testing.assert_array_equal(batch.asked, batch.real)


def test_the_usual_tag_of_a_word():
    train, test = in_words([5, 5_000, 6_000]), in_words([5, 6])
    # five: a tie, of which the first counts (ones); six: thousands.
    assert usual(train, test) == 0.5


# --- The arms --------------------------------------------------------------------------------


def settings(model):
    names = ("words", "tags", "kind", "keep", "spread", "directions")
    return {name: getattr(model, name) for name in names}


def test_networks_that_are_compared_differ_in_what_is_compared():
    arms = {name: settings(model) for name, model in memories(SMOKE)}

    def apart(one, other):
        return {k for k in arms[one] if arms[one][k] != arms[other][k]}

    assert apart("lstm", "orthogonal") == apart("gru", "orthogonal") == {"kind", "keep"}
    assert apart("tanh", "orthogonal") == {"spread"}
    assert apart("lstm", "carousel") == {"keep"} and apart("lstm", "gru") == {"kind"}
    by_direction = {name: settings(model) for name, model in taggers(SMOKE, 20)}
    for name, of in by_direction.items():
        assert of | {"directions": "both"} == by_direction["both"] and of["directions"] == name


@pytest.mark.parametrize(
    "arms, most", [(memories(SMOKE), 200), (memories(PRESETS["laptop"]), 5_000)]
)
def test_they_have_as_many_parameters(arms, most):
    counts = [parameters(model) for _, model in arms]
    assert max(counts) <= most and min(counts) > 0.8 * most


def test_the_loss_by_hand():
    model = Tagger(4, 3, 2)
    words = jnp.array([[0, 1], [2, 3]])
    asked = jnp.array([[False, True], [True, True]])
    batch = Batch(words, jnp.array([[0, 1], [2, 0]]), asked, jnp.ones_like(asked))

    @jax.jit
    def both():
        params = model.init(jax.random.key(0), words)["params"]
        return loss(model, params, batch), model.apply({"params": params}, words)

    (nats, others), scores = both()
    logp = np.asarray(scores) - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    assert float(nats) == pytest.approx(-(logp[0, 1, 1] + logp[1, 0, 2] + logp[1, 1, 0]) / 3)
    hits = [logp[0, 1].argmax() == 1, logp[1, 0].argmax() == 2, logp[1, 1].argmax() == 0]
    assert float(others["accuracy"]) == pytest.approx(np.mean(hits))


# --- Learning --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned():
    """An LSTM, twice under two names, that learns to recall after three steps."""
    model = dict(memories(SMOKE))["lstm"]
    config = replace(SMOKE, rates=(1e-9, 3e-2), every=60)
    draw = drawing(3, config.letters, 16)

    def fresh(key):
        return recall(jax.random.clone(key), 3, config.letters, 50)

    arms = (("one", model), ("other", model))
    return compare(
        "test", arms, draw, config, root_keys((0, 1)), (), fresh, fresh, Watch(), 120
    ), arms


def test_it_learns_at_the_rate_that_learns(learned):
    found, _ = learned
    assert found.rates == {"one": [3e-2] * 2, "other": [3e-2] * 2}
    assert found.history[-1]["step"] == 120 and min(found.accuracy["other"]) > 0.95
    assert max(found.history[-1]["one"]) < 0.05 < min(found.history[0]["one"])


def test_arms_begin_apart_and_seeds_too(learned):
    found, _ = learned
    one, other = (found.params[arm]["output"]["kernel"] for arm in ("one", "other"))
    assert not np.allclose(one[0], one[1]) and not np.allclose(one[0], other[0])


def test_equal_arms_fail():
    metrics = {f"recall_{arm}_longest": [0.9, 0.9] for arm, _ in memories(SMOKE)}
    found = gains(metrics)
    claims = [c for c in CLAIMS if c.metric in found and c.kind == "result"]
    assert len(claims) == 3
    assert {verdict(claim, found[claim.metric]) for claim in claims} == {"fails"}
    metrics["recall_tanh_longest"] = [0.5, 0.55]
    found = gains(metrics)
    assert {verdict(claim, found[claim.metric]) for claim in claims} == {"holds"}
    guessing = next(claim for claim in CLAIMS if claim.id == "recalls")
    assert verdict(guessing, [0.5, 0.52]) == "fails"


# --- Errors on their way back ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tanh", "gru", "lstm"])
def test_errors_are_the_gradients_of_each_state(kind):
    """The first of them is the gradient by the state that the layer begins with."""
    from lib.nn.recurrent import Recurrent, zero_state

    model = Tagger(6, 2, 3, kind)

    @jax.jit
    def both():
        batch = recall(jax.random.key(1), 4, 4, 2)
        params = model.init(jax.random.key(0), batch.words)["params"]
        layer = Recurrent(3, kind)

        def nats(start):
            hidden, _ = layer.apply(
                {"params": params["forward"]}, jax.nn.one_hot(batch.words, 6), None, start
            )
            scores = hidden[:, -1] @ params["output"]["kernel"] + params["output"]["bias"][None]
            logp = jax.nn.log_softmax(scores)
            return -jnp.take_along_axis(logp, batch.tags[:, -1:], axis=1).sum()

        gradient = jax.grad(nats)(zero_state(kind, 2, 3))
        return reaching(model, params, batch), jnp.concatenate(jax.tree.leaves(gradient), axis=-1)

    found, gradient = both()
    assert found.shape == (4,)
    assert float(found[0]) == pytest.approx(np.linalg.norm(gradient, axis=1).mean(), rel=1e-4)


def test_a_matrix_scaled_scales_a_linear_way_back():
    """Near zero tanh is a line: an orthogonal matrix keeps an error, and half of it halves it each step."""
    model = Tagger(6, 2, 5, "tanh")

    @jax.jit
    def flows():
        batch = recall(jax.random.key(1), 6, 4, 2)
        params = model.init(jax.random.key(0), batch.words)["params"]
        layer = params["forward"] | {
            "input": jax.tree.map(jnp.zeros_like, params["forward"]["input"])
        }
        params = params | {"forward": layer}
        return [reaching(model, scaled(params, gain), batch) for gain in (1.0, 0.5)]

    whole, half = (np.asarray(flow) for flow in flows())
    np.testing.assert_allclose(whole, whole[-1], rtol=1e-5)
    np.testing.assert_allclose(half[:-1] / half[1:], 0.5, rtol=1e-5)
    assert decades_lost(half) == pytest.approx(5 * np.log10(2), rel=1e-5)
    assert decades_lost(np.array([0.0, 1.0])) == np.inf


def test_through_the_cell_of_1997_alone_errors_pass_as_they_are():
    """Gates cut; and through a forget gate that begins at 3 they do not."""
    for keep, lost in ((100.0, 0.0), (3.0, 4 * -np.log10(1 / (1 + np.exp(-3))))):
        model = Tagger(6, 2, 5, "lstm", keep)

        @jax.jit
        def flows(model=model):
            batch = recall(jax.random.key(1), 6, 4, 2)
            params = model.init(jax.random.key(0), batch.words)["params"]
            layer = params["forward"]
            still = layer["input"] | {"kernel": 0 * layer["input"]["kernel"]}
            layer = layer | {"input": still, "recurrent": 0 * layer["recurrent"]}
            return reaching(model, params | {"forward": layer}, batch, True)

        assert decades_lost(np.asarray(flows())[1:]) == pytest.approx(lost, rel=1e-3, abs=1e-6)


# --- All together ----------------------------------------------------------------------------


def test_the_smoke_run_has_what_the_figures_draw(long_memory_smoke):
    from experiments.long_memory.figures import FIGURES

    config, data, result = long_memory_smoke
    seen = set(data.train) & set(data.test)
    assert not seen and len(data.test) == config.test
    for figure in FIGURES.values():
        drawing = figure.draw(result)
        assert drawing.axes
    assert result.metrics["recall_lstm_longest"] == result.metrics["recall_lstm_4"]


def test_an_epoch_has_every_number_once():
    data = Batch(*(jnp.arange(12)[:, None],) * 4)
    draw = jax.jit(picking(12, 4))
    drawn = [np.asarray(draw(data, jax.random.key(0), t).words).ravel() for t in range(3)]
    assert sorted(np.concatenate(drawn)) == list(range(12))


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"delays": (3, 3)}, "--delays"),
        ({"delays": (1,)}, "--delays"),
        ({"rates": ()}, "--rates"),
        ({"clip": 0.0}, "--clip"),
        ({"digits": 10}, "--digits"),
        ({"length": 10}, "--length"),
        ({"tagger_batch": 1_000}, "--tagger-batch"),
    ],
)
def test_impossible_settings_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        replace(SMOKE, **fields)
