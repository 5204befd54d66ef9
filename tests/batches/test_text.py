"""Sentences as numbers, and every way in which text can be other than expected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.base.errors import UserError
from lib.batches.indices import bucket_at, shuffled_indices
from lib.batches.text import (
    END,
    PAD,
    SPECIAL,
    UNKNOWN,
    Vocabulary,
    aligned,
    bucketed,
    detokenise,
    padded,
    tokenise,
)

SAYS = ("A dog runs.", "The dog sees a cat", "", "It sees it, and runs-away!")
DIT = ("Un chien court.", "Le chien voit un chat", "", "Il l'a vu, et s'en va !")


@pytest.mark.parametrize(
    "sentence, words",
    [
        ("Quatre-vingt-dix", "quatre - vingt - dix"),
        ("L'eau, c’est bon !", "l' eau , c’ est bon !"),
        ("five million, two", "five million , two"),
        ("  \t ", ""),
        ("Ünï 42", "ünï 42"),
    ],
)
def test_words_and_marks(sentence, words):
    assert list(tokenise(sentence)) == words.split()


@pytest.mark.parametrize(
    "sentence",
    ["quatre-vingt-dix-sept mille vingt et un", "a man, (tall) runs.", "l'eau d'un puits", ""],
)
def test_a_sentence_comes_back(sentence):
    assert detokenise(tokenise(sentence)) == sentence


def test_a_vocabulary_has_the_most_frequent_words_and_one_for_all_others():
    sentences = [tokenise("b b a a c"), tokenise("b d")]
    vocabulary = Vocabulary.of(sentences, most=3)
    assert vocabulary.words == (*SPECIAL, "b", "a", "c")  # c and d are equally frequent
    assert vocabulary.encode(("a", "d", "never")) == [4, UNKNOWN, UNKNOWN]
    assert vocabulary.decode([4, UNKNOWN, 3, END, 3]) == ("a", "[UNK]", "b")
    assert vocabulary.decode([3, PAD, 4]) == ("b",)
    assert Vocabulary.of([], most=5).words == SPECIAL


def test_pairs_keep_together_and_what_is_empty_on_both_sides_is_left_out():
    pairs = aligned(SAYS, DIT)
    assert len(pairs) == 3
    assert pairs[2] == (tokenise(SAYS[3]), tokenise(DIT[3]))


@pytest.mark.parametrize(
    "source, target, said",
    [
        (SAYS[:2], DIT[:1], "en has 2 lines, fr 1: line 2 is in en only"),
        (SAYS[:1], DIT[:2], "en has 1 lines, fr 2: line 2 is in fr only"),
        (("a", "", "b"), ("x", "y", "z"), "en, line 2 is empty, and that of fr is not"),
        (("a", "b"), ("x", "  "), "fr, line 2 is empty, and that of en is not"),
    ],
)
def test_files_that_are_not_aligned_are_refused_with_the_line(source, target, said):
    with pytest.raises(UserError) as refused:
        aligned(source, target, ("en", "fr"))
    assert str(refused.value) == said


def test_sentences_are_ended_and_padded_and_never_cut():
    vocabulary = Vocabulary((*SPECIAL, "a", "b"))
    rows = padded([("a",), (), ("b", "a", "x")], vocabulary, 4)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[3, END, 0, 0], [END, 0, 0, 0], [4, 3, UNKNOWN, END]]
    assert padded([], vocabulary, 4).shape == (0, 4)
    with pytest.raises(UserError, match="line 2 has 4 words and marks; the longest .* has 3"):
        padded([("a",), ("a",) * 4], vocabulary, 4)


def test_a_pair_is_in_the_first_bucket_that_holds_both_sides():
    of = {n: ("w",) * n for n in range(9)}
    pairs = [(of[1], of[1]), (of[2], of[5]), (of[3], of[1]), (of[4], of[2]), (of[8], of[2])]
    vocabulary = Vocabulary((*SPECIAL, "w"))
    found = bucketed(pairs, (vocabulary, vocabulary), (4, 6, 7))
    assert [b.source.shape for b in found.buckets] == [(2, 4), (2, 6)]  # none of 7
    assert found.places == ((0, 2), (1, 3)) and found.longer == (4,)
    for bucket, places in zip(found.buckets, found.places, strict=True):
        for side, numbers in enumerate(bucket):
            lengths = (numbers != PAD).sum(axis=1) - 1
            assert lengths.tolist() == [len(pairs[i][side]) for i in places]
            assert (numbers == END).sum() == len(places)
    for bounds in ((), (4, 4), (6, 4), (0, 3)):
        with pytest.raises(ValueError, match="ascend"):
            bucketed(pairs, (vocabulary, vocabulary), bounds)


def test_an_epoch_has_every_bucket_as_often_as_fills_it_and_visits_each_example():
    sizes, batch, epochs = (10, 30, 4), 5, 3
    rounds = (2, 6, 1)
    taken = [tuple(map(int, bucket_at(t, sizes=sizes, batch=batch))) for t in range(9 * epochs)]
    assert len(set(taken)) == len(taken)  # no batch twice
    for epoch in range(epochs):
        of = [bucket for bucket, _ in taken[9 * epoch : 9 * (epoch + 1)]]
        assert tuple(of.count(b) for b in range(3)) == rounds
    assert [b for b, _ in taken[:9]] != [b for b, _ in taken[9:18]]
    for bucket in (0, 1):
        numbers = sorted(n for b, n in taken[:9] if b == bucket)
        draw = [
            shuffled_indices(jax.random.key(7), n, size=sizes[bucket], batch=batch) for n in numbers
        ]
        assert sorted(np.concatenate(draw)) == list(range(sizes[bucket]))


def test_a_steps_bucket_may_be_traced():
    def at(t):
        return jnp.stack(bucket_at(t, sizes=(8, 3), batch=2))

    together = jax.jit(jax.vmap(at))(jnp.arange(20))
    assert together.tolist() == [at(t).tolist() for t in range(20)]
