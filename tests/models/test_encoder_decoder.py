"""Encoder and decoder: what reaches what, against NumPy, and what each setting changes."""

from functools import lru_cache, partial

import jax
import numpy as np
import pytest

from lib.models.encoder_decoder import EncoderDecoder, translate
from lib.ops.sequences import END, PAD, log_probability, reverse_words

SIZES = {"source_words": 9, "target_words": 8, "embedding": 4, "units": 6}
NETS = {
    "cho": {"context": "summary", "maxout": 5, "rank": 3},
    "cho_appendix": {"context": "summary", "maxout": 5, "reset": "after_with_context"},
    "start": {"context": "start", "maxout": 5},
    "sutskever": {"context": "states", "kind": "lstm", "layers": 2, "reverse_source": True},
    "bahdanau": {"context": "attention", "maxout": 5, "rank": 3, "alignment": 7},
    "bahdanau_appendix": {
        "context": "attention",
        "reset": "after_with_context",
        "alignment": 7,
    },
}
SOURCE = np.array([[3, 4, 5, 6, END], [7, 3, END, PAD, PAD], [8, END, PAD, PAD, PAD]], np.int32)
TARGET = np.array([[2, 3, END, PAD], [4, 5, 6, END], [7, END, PAD, PAD]], np.int32)
BEFORE = np.pad(TARGET, ((0, 0), (1, 0)))[:, :-1]  # each word
SCORE, REVERSED = jax.jit(log_probability), jax.jit(reverse_words)


@lru_cache
def net(name):
    """`(module, parameters that are not near zero, compiled methods)`."""
    model = EncoderDecoder(**SIZES, **NETS[name])
    shapes = jax.eval_shape(model.init, jax.random.key(0), SOURCE, TARGET)["params"]
    rng = np.random.default_rng(0)
    leaves, tree = jax.tree.flatten(shapes)
    params = tree.unflatten([rng.normal(0, 0.5, x.shape).astype(x.dtype) for x in leaves])
    apply = {
        method: jax.jit(
            partial(lambda m, p, *args: model.apply({"params": p}, *args, method=m), method)
        )
        for method in ("__call__", "encode", "decode")
    }
    return model, params, apply


@lru_cache
def gradient(name):
    """Of the log-probability of TARGET."""
    model, params, _ = net(name)

    def total(params):
        return log_probability(model.apply({"params": params}, SOURCE, TARGET), TARGET).sum()

    return jax.tree.map(np.asarray, jax.jit(jax.grad(total))(params))


def dense(p, x):
    return x @ p["kernel"] + p.get("bias", 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(p, x, h, beside=0.0, gated=None):
    """A step in NumPy; `gated` None: reset before the product."""
    xr, xz, xh = np.split(dense(p["input"], x) + beside, 3)
    ur, uz = np.split(p["gates"], 2, axis=1)
    r, z = sigmoid(xr + h @ ur), sigmoid(xz + h @ uz)
    inside = (r * h) @ p["candidate"] if gated is None else r * (h @ p["candidate"] + gated)
    return z * h + (1 - z) * np.tanh(xh + inside)


def maxout(p, x):
    both = dense(p["Dense_0"], x)
    return np.maximum(*np.split(both, 2))


def words_of(row):
    return [int(w) for w in row if w != PAD]


@pytest.mark.parametrize("name", ["cho", "bahdanau"])
def test_a_sentences_log_probability_is_that_of_its_logits_and_so_are_the_gradients(name):
    model, params, apply = net(name)

    @jax.jit
    def run(params):
        def total(params):
            log_p = model.apply({"params": params}, SOURCE, TARGET, method="log_probability")
            return log_p.sum(), log_p

        return jax.grad(total, has_aux=True)(params)

    found, log_p = run(params)
    wanted = SCORE(apply["__call__"](params, SOURCE, TARGET), TARGET)
    np.testing.assert_allclose(log_p, wanted, rtol=1e-5)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(gradient(name)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["cho", "cho_appendix", "start"])
def test_chos_network_is_the_papers_equations(name):
    """Appendix A.1, an example and a word at a time."""
    _, params, apply = net(name)
    logits = np.asarray(apply["__call__"](params, SOURCE, TARGET))
    p = jax.tree.map(lambda x: np.asarray(x, float), params)
    for b in range(3):
        h = np.zeros(SIZES["units"])
        for word in words_of(SOURCE[b]):
            h = gru(p["encoder_0"], p["source_embedding"]["embedding"][word], h)
        c = np.tanh(dense(p["summarise"], h))
        h, last = np.tanh(dense(p["begin"], c)), np.zeros(SIZES["embedding"])  # e(y_0) = 0
        for t, word in enumerate(words_of(TARGET[b])):
            if name == "start":
                h = gru(p["decoder_0"], last, h)
                seen = np.concatenate([h, last])
            else:
                beside, gated = c @ p["decoder_0"]["context"]["kernel"], None
                if name == "cho_appendix":
                    gates, gated = np.split(beside, [2 * SIZES["units"]])
                    beside, gated = (
                        np.concatenate([gates, 0 * gated]),
                        gated + p["decoder_0"]["gated"],
                    )
                h = gru(p["decoder_0"], last, h, beside, gated)
                seen = np.concatenate([h, last, c])
            s = maxout(p["hidden"], seen)
            if "narrow" in p:
                s = s @ p["narrow"]["kernel"]
            np.testing.assert_allclose(logits[b, t], dense(p["output"], s), rtol=1e-3, atol=1e-4)
            last = p["target_embedding"]["embedding"][word]


def test_bahdanaus_network_is_the_papers_equations():
    _, params, apply = net("bahdanau")
    encoded = apply["encode"](params, SOURCE)
    decoded = jax.tree.map(np.asarray, apply["decode"](params, encoded, BEFORE))
    p = jax.tree.map(lambda x: np.asarray(x, float), params)
    units, d = SIZES["units"], p["decoder"]
    for b in range(3):
        words = p["source_embedding"]["embedding"][words_of(SOURCE[b])]
        ahead, behind, h = [], [], np.zeros(units)
        for x in words:
            ahead.append(h := gru(p["encoder"]["forward"], x, h))
        h = np.zeros(units)
        for x in words[::-1]:
            behind.append(h := gru(p["encoder"]["backward"], x, h))
        annotations = np.concatenate([ahead, behind[::-1]], axis=1)
        s, last = np.tanh(dense(p["begin"], behind[-1])), np.zeros(SIZES["embedding"])
        for t, word in enumerate(words_of(TARGET[b])):
            energy = np.tanh(s @ d["query"] + dense(d["keys"], annotations)) @ d["v"]
            alpha = np.exp(energy) / np.exp(energy).sum()
            np.testing.assert_allclose(
                decoded.weights[b, t, : len(alpha)], alpha, rtol=1e-3, atol=1e-5
            )
            c = alpha @ annotations
            seen = np.concatenate([s, last, c])  # of s_{i-1}, not of s_i
            s = gru(d, last, s, c @ d["context"])
            logits = dense(p["output"], maxout(p["hidden"], seen) @ p["narrow"]["kernel"])
            np.testing.assert_allclose(decoded.logits[b, t], logits, rtol=1e-3, atol=1e-4)
            last = p["target_embedding"]["embedding"][word]


def test_the_factored_output_matrix_has_its_rank():
    _, params, _ = net("cho")
    product = params["narrow"]["kernel"] @ params["output"]["kernel"]
    assert np.linalg.matrix_rank(product) == 3
    bare = EncoderDecoder(**SIZES, context="summary", maxout=5)
    shapes = jax.eval_shape(bare.init, jax.random.key(0), SOURCE, TARGET)["params"]
    assert shapes["output"]["kernel"].shape == (5, 8) and "narrow" not in shapes


@pytest.mark.parametrize("name", NETS)
def test_padding_changes_no_loss(name):
    _, params, apply = net(name)
    loss = {}
    for more in (0, 2):
        source, target = (np.pad(x, ((0, 0), (0, more))) for x in (SOURCE, TARGET))
        loss[more] = SCORE(apply["__call__"](params, source, target), target)
    np.testing.assert_allclose(loss[2], loss[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["bahdanau", "bahdanau_appendix"])
def test_attention_sums_to_one_over_real_words_only(name):
    _, params, apply = net(name)
    encoded = apply["encode"](params, SOURCE)
    weights = np.asarray(apply["decode"](params, encoded, BEFORE).weights)
    np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)
    padding = SOURCE == PAD
    assert not weights.transpose(0, 2, 1)[padding].any()
    assert (weights.transpose(0, 2, 1)[~padding] > 0).all()
    # Where there is one real position, all of it is there; the others look around.
    spread = weights[0].max(axis=1)
    assert (spread < 1 - 1e-3).all()


def test_reversal_changes_the_order_and_nothing_else():
    model, params, apply = net("sutskever")
    plain = jax.jit(model.clone(reverse_source=False).apply)
    same = plain({"params": params}, np.asarray(REVERSED(SOURCE)), TARGET)
    np.testing.assert_array_equal(apply["__call__"](params, SOURCE, TARGET), same)
    same, other = np.asarray(same), np.asarray(plain({"params": params}, SOURCE, TARGET))
    assert np.abs(other - same)[0].max() > 1e-3
    np.testing.assert_array_equal(other[2], same[2])  # one word is its own reverse


def test_the_end_is_read_last_in_either_order():
    _, params, apply = net("sutskever")
    assert REVERSED(SOURCE)[0].tolist() == [6, 5, 4, 3, END]
    states = apply["encode"](params, SOURCE).states
    assert len(states) == 2 and all(len(state) == 2 for state in states)  # layers; cell and hidden


@pytest.mark.parametrize("name, reached", [("cho", True), ("start", False)])
def test_without_c_at_every_step_nothing_of_it_reaches_a_word_but_through_the_start(name, reached):
    """Another source, the decoder's start kept: all that remains is the path at every step."""
    _, params, apply = net(name)
    one, other = (apply["encode"](params, s) for s in (SOURCE, SOURCE[::-1]))
    words = BEFORE
    logits = [
        np.asarray(apply["decode"](params, encoded, words, one.states).logits)
        for encoded in (one, other)
    ]
    moved = np.abs(logits[0] - logits[1])[0].max(axis=1)
    assert (moved > 1e-4).all() if reached else not moved.any()


@pytest.mark.parametrize("name", NETS)
def test_every_parameter_gets_a_gradient(name):
    for path, g in jax.tree_util.tree_leaves_with_path(gradient(name)):
        assert np.abs(g).max() > 0, jax.tree_util.keystr(path)


@pytest.mark.parametrize("name", NETS)
def test_a_word_depends_on_those_before_it_and_on_no_later_one(name):
    _, params, apply = net(name)
    one = np.asarray(apply["__call__"](params, SOURCE, TARGET))
    other = np.asarray(apply["__call__"](params, SOURCE, np.where(np.arange(4) == 1, 7, TARGET)))
    np.testing.assert_array_equal(one[:, :2], other[:, :2])
    assert (np.abs(one - other)[:, 2].max(axis=1) > 1e-4)[:2].all()


def test_padding_has_no_embedding():
    """e(y_0) = 0: no gradient goes there."""
    for side in ("source_embedding", "target_embedding"):
        slopes = gradient("cho")[side]["embedding"]
        assert not slopes[PAD].any() and slopes[3].any()


@pytest.mark.parametrize("name", ["cho", "sutskever", "bahdanau"])
def test_a_word_at_a_time_is_all_at_once(name):
    _, params, apply = net(name)
    encoded = apply["encode"](params, SOURCE)
    words, states, logits = BEFORE, encoded.states, []
    for t in range(TARGET.shape[1]):
        decoded = apply["decode"](params, encoded, words[:, t : t + 1], states)
        states = decoded.states
        logits.append(decoded.logits)
    whole = apply["__call__"](params, SOURCE, TARGET)
    np.testing.assert_allclose(np.concatenate(logits, axis=1), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["cho", "sutskever", "bahdanau"])
def test_the_score_of_a_translation_is_its_log_probability(name):
    """By teacher forcing: beams that mixed up their states would not agree."""
    model, params, apply = net(name)
    found = jax.jit(partial(translate, model, beams=3, length=4))(params, SOURCE)
    found = jax.tree.map(np.asarray, found)
    best = found.words[:, 0]
    ended = (best == END).any(axis=1)
    scores = SCORE(apply["__call__"](params, SOURCE, best), best)
    np.testing.assert_allclose(scores, found.score[:, 0], rtol=1e-4)
    assert best.shape == (3, 4) and found.words.shape == (3, 3, 4) and ended.dtype == bool


def test_one_beam_takes_the_likeliest_word_each_time():
    model, params, apply = net("bahdanau")
    found = jax.jit(partial(translate, model, beams=1, length=5))(params, SOURCE)
    encoded, words = apply["encode"](params, SOURCE), []
    states, last = encoded.states, np.zeros((3, 1), np.int32)
    for _ in range(5):
        decoded = apply["decode"](params, encoded, last, states)
        states, logits = decoded.states, np.asarray(decoded.logits)
        last = logits[:, :, 1:].argmax(axis=2).astype(np.int32) + 1
        words.append(last[:, 0])
    for row, greedy in zip(
        np.asarray(found.words)[:, 0].tolist(), np.stack(words, axis=1).tolist(), strict=True
    ):
        stop = greedy.index(END) + 1 if END in greedy else 5
        assert row == greedy[:stop] + [PAD] * (5 - stop)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"context": "summary", "layers": 2}, "2 layers need the context states"),
        ({"context": "attention"}, "units of alignment"),
        ({"context": "start", "alignment": 3}, "units of alignment"),
    ],
)
def test_settings_that_do_not_go_together(settings, said):
    with pytest.raises(ValueError, match=said):
        EncoderDecoder(**SIZES, **settings).init(jax.random.key(0), SOURCE, TARGET)
