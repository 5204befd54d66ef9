"""Beam search against every sentence there is, and against taking the likeliest word each time."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from lib.ops import sequences
from lib.ops.beam import beam_search
from lib.ops.sequences import END, PAD, log_probability, previous, reverse_words

WORDS, LENGTH, ROWS = 5, 4, 3


def tables(seed=0, scale=2.0):
    """`[B, t, last, next]` logits: what follows depends on the place, and on the word before it."""
    values = np.random.default_rng(seed).normal(0, scale, (ROWS, LENGTH, WORDS, WORDS))
    return values.astype(np.float32)


def step(table, t, last):
    """Of `fixed` the table, of the state the place."""
    place = jnp.clip(t, 0, LENGTH - 1)
    return t + 1, jax.vmap(lambda one, i, w: one[i, w])(table, place, last)


@functools.partial(jax.jit, static_argnums=1)
def searched(table, beams):
    start = jnp.zeros(ROWS, jnp.int32)
    return beam_search(step, table, start, beams=beams, length=LENGTH)


def search(table, beams):
    return jax.tree.map(np.asarray, searched(np.float32(table), beams))


def all_sentences(table):
    """Every sentence, ended or cut at LENGTH words, with its log-probability, the likeliest first.

    Padding is no word, but its logit takes its share of the softmax, as it does in training.
    """
    logp = scipy.special.log_softmax(table, axis=-1)
    found = []
    for n in range(LENGTH + 1):
        for words in itertools.product(range(2, WORDS), repeat=n):
            whole = [*words, END][:LENGTH]
            befores = [PAD, *whole[:-1]]
            score = sum(logp[t, b, w] for t, (b, w) in enumerate(zip(befores, whole, strict=True)))
            found.append((score, whole + [PAD] * (LENGTH - len(whole))))
    return sorted(found, reverse=True)


def test_as_many_beams_as_beginnings_find_the_likeliest_sentences():
    table = tables()
    beams = 60  # of 3 x 3 x 3 beginnings and those that have ended
    found = search(table, beams)
    for row in range(ROWS):
        wanted = all_sentences(table[row])[0]
        np.testing.assert_allclose(found.score[row, 0], wanted[0], rtol=1e-5)
        assert found.words[row, 0].tolist() == wanted[1]


def greedy(table):
    """The likeliest word at each place, in NumPy."""
    sentences, scores = [], []
    for one in scipy.special.log_softmax(table, axis=-1):
        last, words, score = PAD, [], 0.0
        for t in range(LENGTH):
            logp = one[t, last].copy()
            logp[PAD] = -np.inf
            last = int(logp.argmax())
            words.append(last)
            score += logp[last]
            if last == END:
                break
        sentences.append(words + [PAD] * (LENGTH - len(words)))
        scores.append(score)
    return sentences, scores


@pytest.mark.parametrize("seed", range(4))
def test_one_beam_is_greedy(seed):
    sentences, scores = greedy(tables(seed))
    found = search(tables(seed), 1)
    assert found.words[:, 0].tolist() == sentences
    np.testing.assert_allclose(found.score[:, 0], scores, rtol=1e-5)


def test_scores_fall_and_are_those_of_the_sentences():
    table = tables(5)
    found = search(table, 4)
    scores = np.asarray(found.score)
    assert (np.diff(scores, axis=1) <= 0).all()
    logp = scipy.special.log_softmax(table, axis=-1)
    for row in range(ROWS):
        seen = {tuple(words) for words in found.words[row].tolist()}
        assert len(seen) == 4  # no sentence twice
        words = found.words[row, 0].tolist()
        score, last = 0.0, PAD
        for t, word in enumerate(words):
            if word == PAD:
                break
            score, last = score + logp[row, t, last, word], word
        np.testing.assert_allclose(scores[row, 0], score, rtol=1e-5)


def test_a_wider_beam_finds_what_greed_misses():
    """A first word that looks best leads nowhere."""
    table = np.full((ROWS, LENGTH, WORDS, WORDS), -9.0)
    table[:, 0, PAD, 2], table[:, 0, PAD, 3] = 1.0, 0.9
    table[:, 1, 2, :] = 0.0  # after 2 all words are as likely: 1/5
    table[:, 1, 3, END] = 9.0  # after 3 the end is all but sure
    table[:, 2:, :, END] = 9.0
    assert search(table, 1).words[0, 0, 0] == 2
    assert search(table, 2).words[0, 0].tolist() == [3, END, PAD, PAD]


def test_what_does_not_end_is_left_without_an_end():
    table = np.where(np.arange(WORDS) == END, -1e3, tables())
    found = search(table, 2)
    assert not (found.words == END).any() and not (found.words == PAD).any()


def test_sentences_as_rows():
    rows = np.array([[5, 6, 7, END, PAD], [5, END, PAD, PAD, PAD], [5, 6, 7, 8, END]])
    reverse = jax.jit(reverse_words)
    assert jax.jit(previous)(rows).tolist() == [
        [0, 5, 6, 7, END],
        [0, 5, END, 0, 0],
        [0, 5, 6, 7, 8],
    ]
    assert reverse(rows).tolist() == [
        [7, 6, 5, END, PAD],
        [5, END, PAD, PAD, PAD],
        [8, 7, 6, 5, END],
    ]
    np.testing.assert_array_equal(reverse(np.asarray(reverse(rows))), rows)


def test_a_sentences_log_probability_has_its_end_and_no_padding():
    rows = np.array([[2, END, PAD], [3, 2, END]])
    logits = np.random.default_rng(0).normal(size=(2, 3, WORDS)).astype(np.float32)
    logp = scipy.special.log_softmax(logits, axis=-1)
    wanted = [logp[0, 0, 2] + logp[0, 1, END], logp[1, 0, 3] + logp[1, 1, 2] + logp[1, 2, END]]
    score = jax.jit(log_probability)
    np.testing.assert_allclose(score(logits, rows), wanted, rtol=1e-5)
    noisy = logits.copy()
    noisy[0, 2] = 100.0
    np.testing.assert_array_equal(score(noisy, rows), score(logits, rows))


@pytest.mark.parametrize("at_once", [10**6, 3 * WORDS, 1])
def test_a_words_log_probability_and_its_gradients_block_by_block(at_once, monkeypatch):
    """All rows in one block, blocks that do not divide them, a row a block; gradients' gradients, too."""
    monkeypatch.setattr(sequences, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    features, kernel, bias = (
        rng.normal(size=(7, 4)),
        rng.normal(size=(4, WORDS)),
        rng.normal(size=WORDS),
    )
    words, weights = rng.integers(0, WORDS, 7), rng.normal(size=7)

    def plain(features, kernel, bias):
        logits = features @ kernel + bias[None]
        return jnp.take_along_axis(jax.nn.log_softmax(logits), words[:, None], axis=1)[:, 0]

    def ours(*args):
        return sequences.word_log_probability(*args, words)

    def all_of(score):
        def total(args):
            return (weights * score(*args)).sum()

        def norm(args):
            return sum((g**2).sum() for g in jax.grad(total)(args))

        return lambda args: (score(*args), jax.grad(total)(args), jax.grad(norm)(args))

    with jax.enable_x64(True):
        found, wanted = jax.jit(lambda a: (all_of(ours)(a), all_of(plain)(a)))(
            (features, kernel, bias)
        )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), found, wanted
    )
