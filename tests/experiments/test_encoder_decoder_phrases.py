"""What the claims on phrase scoring rest on: the phrases, fair arms, measures that can fail."""

import dataclasses
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.encoder_decoder import measures
from experiments.encoder_decoder.claims import CLAIMS
from experiments.encoder_decoder.config import ARMS, PRESETS, RESETS
from experiments.encoder_decoder.experiment import listed, shares
from experiments.encoder_decoder.phrases import by_source, contests, load_data, skeleton, split
from experiments.encoder_decoder.training import make_models, parameters, scores, train_networks
from lib.base.errors import UserError
from lib.batches.phrases import PhraseTable
from lib.models.encoder_decoder import EncoderDecoder, sample
from lib.ops.sequences import END, PAD, log_probability
from lib.run.claims import verdict
from lib.run.keys import root_keys
from lib.run.watch import Watch

SMOKE = PRESETS["smoke"]


def words(text):
    return tuple(text.split())


# --- The phrases -----------------------------------------------------------------------------


def test_no_source_phrase_that_is_tested_is_trained_on(encoder_decoder_smoke):
    config, data, _ = encoder_decoder_smoke
    parts = [{s for s, _ in table.pairs} for table in (data.train, data.validation, data.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert len(parts[1]) == len(parts[2]) == config.held
    assert sum(len(t.pairs) for t in (data.train, data.validation, data.test)) == config.pairs


def test_training_sees_no_frequency():
    """The pairs of a table ten times as lopsided are the same, each once."""
    pairs = [((s,), (t,)) for s in "abcd" for t in ("x", "y")]
    even = PhraseTable(pairs, np.full(8, 0.5), np.full(8, 5.0))
    lopsided = PhraseTable(pairs, np.tile([0.9, 0.1], 4), np.tile([9.0, 1.0], 4))
    config = replace(SMOKE, pairs=10, held=1)
    assert split(config, even)["train"].pairs == split(config, lopsided)["train"].pairs
    with pytest.raises(UserError, match="--held must be below half of the 4"):
        split(replace(config, held=2), even)


def test_contests_are_between_targets_of_one_length(encoder_decoder_smoke):
    config, data, _ = encoder_decoder_smoke
    source, targets = contests(config, data)
    assert len(source) == len(targets) > 0 and targets.shape[1:] == (config.choices, data.length)
    own = {}
    for s, t in data.test.pairs:
        own.setdefault(s, set()).add(t)
    for row, choices in zip(source, targets, strict=True):
        phrase = data.vocabularies[0].decode(row)
        right, *others = (data.vocabularies[1].decode(choice) for choice in choices)
        best = max(
            (p, t)
            for (s, t), p in zip(data.test.pairs, data.test.probability, strict=True)
            if s == phrase
        )
        assert right in own[phrase] and best[0] > 0
        assert len({len(t) for t in (right, *others)}) == 1
        assert not own[phrase] & set(others) and len(set(others)) == len(others)


def test_what_a_phrase_is_built_like():
    assert skeleton(words("two hundred and five")) == "unit scale mark unit"
    assert skeleton(words("le chat")) == "le chat"


def test_targets_of_a_source_are_the_likeliest_first():
    table = PhraseTable(
        [(("a",), ("x",)), (("b",), ("y",)), (("a",), ("z",))],
        np.array([0.2, 1.0, 0.8]),
        np.array([1.0, 7.0, 4.0]),
    )
    assert by_source(table) == {("b",): [1], ("a",): [2, 0]}


def test_frequent_phrases_are_listed_before_rare_ones(encoder_decoder_smoke):
    _, data, _ = encoder_decoder_smoke
    found = listed(data)
    counts = [data.train.count[by_source(data.train)[s]].sum() for s in found]
    assert counts == sorted(counts, reverse=True) and all(len(s) >= 3 for s in found)


# --- The arms --------------------------------------------------------------------------------


def settings(model):
    fields = dataclasses.fields(model)
    return {f.name: getattr(model, f.name) for f in fields if f.name not in ("parent", "name")}


def test_the_two_sides_of_a_comparison_differ_in_what_is_compared():
    arms = {name: settings(model) for name, model in make_models(SMOKE, (9, 8), ARMS + RESETS)}
    assert tuple(arms) == ARMS + RESETS
    apart = {
        name: {k for k in of if of[k] != arms["gru"][k]} - {"units"} for name, of in arms.items()
    }
    # With units of one gate or none the reset gate's place means nothing.
    others = {"tanh": {"kind"}, "lstm": {"kind"}, "start": {"context"}}
    assert apart == {"gru": set(), **others} | {reset: {"reset"} for reset in RESETS}
    assert [arms[reset]["reset"] for reset in ("gru", *RESETS)] == ["before", *RESETS]


def test_they_have_as_many_parameters():
    models = [model for _, model in make_models(SMOKE, (9, 8))]
    counts = [parameters(model) for model in models]
    assert max(counts) <= SMOKE.parameters and min(counts) > 0.8 * SMOKE.parameters
    wider = [model.clone(units=model.units + 1, parent=None) for model in models]
    assert all(parameters(model) > SMOKE.parameters for model in wider)
    with pytest.raises(UserError, match="too few for one unit"):
        make_models(replace(SMOKE, parameters=150), (9, 8))


def test_equal_arms_fail_and_the_papers_order_holds():
    nats = {f"{arm}_nats": [2.0, 2.0] for arm in ARMS}
    claims = [c for c in CLAIMS if c.metric in ("gates_share", "context_share")]
    assert len(claims) == 2
    assert {verdict(c, shares(nats)[c.metric]) for c in claims} == {"fails"}
    found = shares(nats | {"gru_nats": [1.0, 1.2]})
    assert {verdict(c, found[c.metric]) for c in claims} == {"holds"}
    assert found["gates_share"] == [0.5, 0.6]


def test_what_an_untrained_network_would_have_fails():
    """Ten targets, of which one is taken at random; no couple ordered beyond chance."""
    for metric, value in (("gru_ranking", 0.1), ("figure_3_learned_agreement", 0.0)):
        (claim,) = [c for c in CLAIMS if c.metric == metric]
        assert verdict(claim, [value] * 3) == "fails"


# --- Measures --------------------------------------------------------------------------------


def test_the_first_is_the_best_or_shares_it():
    assert measures.first_of(np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]])) == 0.5


def test_couples_that_both_tell_apart():
    theirs = np.log([0.6, 0.3, 0.1, 0.5, 0.5])
    ours = np.array([3.0, 1.0, 2.0, 0.0, 9.0])
    # Of the first three: 0 > 1 and 0 > 2 alike, 1 > 2 not; the last two are told apart by one only.
    assert measures.agreement(ours, theirs, [[0, 1, 2], [3, 4]]) == pytest.approx(2 / 3)
    assert measures.agreement(ours, theirs, [[3, 4]]) == 0.5
    assert measures.agreement(np.zeros(5), theirs, [[0, 1, 2]]) == 0.5


def test_correlation_of_ranks():
    x = np.array([1.0, 2.0, 3.0, 9.0])
    assert measures.rank_correlation(x, np.exp(x)) == pytest.approx(1)
    assert measures.rank_correlation(x, -x) == pytest.approx(-1)
    assert measures.rank_correlation(x, np.zeros(4)) == 0


def test_who_is_near_whom():
    points = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])
    assert measures.nearest_alike(points, ["a", "a", "b", "b", "c"]) == 1  # c is alone
    assert measures.nearest_alike(points, ["a", "b", "a", "b", "c"]) == 0
    assert measures.nearest_alike(points, ["a", "b", "c", "d", "e"]) == 0


def test_a_map_keeps_near_what_is_near():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(12, 5)), 50 + rng.normal(size=(12, 5))])
    found = measures.plane(points, 5.0)
    assert measures.nearest_alike(found, ["a"] * 12 + ["b"] * 12) == 1
    np.testing.assert_array_equal(found, measures.plane(points, 5.0))


# --- Networks --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    """A network of five words, and what it thinks of all targets of up to two words."""
    model = EncoderDecoder(6, 5, 4, 6, maxout=4)
    source = jnp.array([[3, 4, END]])
    every = [[END, PAD, PAD]] + [[a, END, PAD] for a in (2, 3, 4)]
    every += [[a, b, c] for a in (2, 3, 4) for b in (2, 3, 4) for c in (END, 2, 3, 4)]
    targets = np.array(every, np.int32)

    @jax.jit
    def made():
        params = model.init(jax.random.key(3), source, source)["params"]
        params = jax.tree.map(lambda x: 3 * x, params)
        logits = model.apply({"params": params}, jnp.tile(source, (len(targets), 1)), targets)
        drawn = sample(model, params, jnp.tile(source, (4_000, 1)), jax.random.key(0), length=3)
        return params, logits, drawn

    params, logits, drawn = made()
    # Padding is no word: its share of the chance is the others'.
    logits = logits.at[:, :, PAD].set(-1e9)
    return model, params, targets, np.asarray(log_probability(logits, targets)), np.asarray(drawn)


def test_samples_are_drawn_as_likely_as_they_are(small):
    _, _, targets, logp, drawn = small
    assert np.exp(logp).sum() == pytest.approx(1, abs=1e-4)
    seen = {tuple(row): 0 for row in targets.tolist()}
    for row in drawn.tolist():
        seen[tuple(row)] += 1
    share = np.array([seen[tuple(row)] for row in targets.tolist()]) / len(drawn)
    assert np.abs(share - np.exp(logp)).max() < 4 * 0.5 / np.sqrt(len(drawn))


def test_a_score_is_the_log_probability_with_its_end():
    model = EncoderDecoder(6, 5, 4, 6, maxout=4)
    source, target = (np.array(x, np.int32) for x in ([[3, END, PAD]], [[2, END, PAD]]))

    @jax.jit
    def made():
        params = model.init(jax.random.key(0), source, target)["params"]
        return params, jax.nn.log_softmax(model.apply({"params": params}, source, target))

    params, logp = made()
    found = scores(model, params, np.repeat(source, 3, axis=0), np.repeat(target, 3, axis=0))
    assert found.shape == (3,)
    np.testing.assert_allclose(found, float(logp[0, 0, 2] + logp[0, 1, END]), rtol=1e-5)


@pytest.fixture(scope="module")
def learned():
    config = replace(SMOKE, held=10, parameters=3_000, rates=(1e-9, 2e-2), steps=80, every=40)
    data = load_data(config)
    return config, data, train_networks(config, root_keys((0, 1)), data, Watch(), ("gru",))


def test_a_network_goes_on_with_the_rate_that_learns(learned):
    config, data, found = learned
    assert found.rates == {"gru": [2e-2] * 2}
    first, last = (found.history[i]["gru"] for i in (0, -1))
    assert max(last) < 0.85 * min(first)
    model = dict(make_models(config, tuple(map(len, data.vocabularies))))["gru"]
    rows = data.rows(data.train.pairs)
    seeds = [jax.tree.map(lambda x: x[i], found.params["gru"]) for i in (0, 1)]
    seen = [scores(model, params, *rows) for params in seeds]
    assert min(s.mean() for s in seen) > -0.95 * min(first) and not np.allclose(*seen)


# --- All together ----------------------------------------------------------------------------


def test_the_smoke_run_has_what_the_figures_draw(encoder_decoder_smoke):
    from experiments.encoder_decoder.figures import FIGURES

    _, _, result = encoder_decoder_smoke
    for figure in FIGURES.values():
        assert figure.draw(result).axes


def test_a_real_table_is_taken_as_it_is(tmp_path, monkeypatch):
    import os
    from pathlib import Path

    folder = os.environ.get("DEEP_MORNING_DATA")
    if not folder or not list(Path(folder).rglob("*phrase-table*")):
        pytest.skip("DEEP_MORNING_DATA names no folder with Moses' phrase table")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    data = load_data(PRESETS["paper"], Path(folder))
    assert data.about["phrases"][0]["real"] and len(data.test.pairs) >= 1_000
    (_, model), *_ = make_models(PRESETS["paper"], tuple(map(len, data.vocabularies)))
    assert model.units > 100


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"rates": ()}, "--rates"),
        ({"clip": 0.0}, "--clip"),
        ({"digits": 10}, "--digits"),
        ({"neighbours": 8.0}, "--neighbours"),
        ({"choices": 1}, "--choices"),
    ],
)
def test_impossible_settings_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        replace(SMOKE, **fields)
