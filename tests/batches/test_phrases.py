"""Word alignments and phrase tables, by hand."""

import numpy as np
import pytest

from lib.base.errors import UserError
from lib.batches.numbers import draw_numbers, in_words
from lib.batches.phrases import PhraseTable, grown, phrase_pairs, word_alignments


def words(text):
    return tuple(text.split())


def test_phrases_agree_with_the_links():
    """Och & Ney: none of a phrase's words has a link out of the pair."""
    source, target = words("a b c"), words("x y z")
    links = frozenset({(0, 0), (1, 2), (2, 1)})
    found = set(phrase_pairs(source, target, links, longest=3))
    wanted = {("a", "x"), ("b", "z"), ("c", "y"), ("b c", "y z"), ("a b c", "x y z")}
    assert found == {(words(s), words(t)) for s, t in wanted}
    short = set(phrase_pairs(source, target, links, longest=2))
    assert short == {pair for pair in found if len(pair[0]) < 3}


def test_words_without_a_link_go_with_either_side():
    found = list(phrase_pairs(words("a b"), words("x - y"), frozenset({(0, 0), (1, 2)}), longest=3))
    wanted = {("a", "x"), ("a", "x -"), ("b", "y"), ("b", "- y"), ("a b", "x - y")}
    assert {(" ".join(s), " ".join(t)) for s, t in found} == wanted and len(found) == len(wanted)
    assert list(phrase_pairs(words("a"), words("x"), frozenset(), longest=3)) == []


def test_links_grow_from_where_both_directions_agree():
    one, other = frozenset({(0, 0), (1, 1), (3, 3)}), frozenset({(0, 0), (1, 2), (3, 0)})
    # (1, 1) is beside (0, 0); (1, 2) beside that; (3, 3) and (3, 0) are beside nothing.
    assert grown(one, other) == {(0, 0), (1, 1), (1, 2)}
    assert grown(frozenset(), frozenset({(0, 0)})) == frozenset()


def test_what_comes_together_is_linked():
    """A little language whose words are turned round by pairs."""
    lexicon = {"a": "x", "b": "y", "c": "z", "d": "w"}
    sentences = []
    for s in ("a b", "b c", "c d", "d a", "a c", "b d", "a", "b"):
        target = [lexicon[word] for word in s.split()][::-1]
        sentences.append((words(s), tuple(target)))
    for (source, target), links in zip(
        sentences, word_alignments(sentences, tension=0.0), strict=True
    ):
        assert {(source[i], target[j]) for i, j in links} == {(s, lexicon[s]) for s in source}


def test_a_tables_probabilities_are_relative_frequencies():
    sentences = [(words("a"), words("x"))] * 3 + [(words("a"), words("y"))]
    table = PhraseTable.extracted(sentences, longest=2)
    assert table.pairs == [(("a",), ("x",)), (("a",), ("y",))]
    assert table.count.tolist() == [3, 1] and table.probability.tolist() == [0.75, 0.25]
    assert table.rows([1]).pairs == [(("a",), ("y",))]


def test_numbers_in_words_are_aligned_as_a_person_would():
    numbers = draw_numbers(4, 200)
    sentences = list(zip(in_words(numbers), in_words(numbers, "fr"), strict=True))
    table = PhraseTable.extracted(sentences, longest=4)
    best = {}
    for (source, target), p in zip(table.pairs, table.probability, strict=True):
        if p > best.get(source, ((), 0))[1]:
            best[source] = target, p
    for english, french in (
        ("seven", "sept"),
        ("thousand ,", "mille"),
        ("two thousand ,", "deux mille"),
    ):
        assert best[words(english)][0] == words(french)


def test_a_table_of_moses_has_p_of_target_given_source():
    table = PhraseTable.of_moses(
        ("le chien",) * 2, ("the dog", "a dog"), ("1 1 0.25 1", "1 1 0.75")
    )
    assert table.pairs == [(words("le chien"), words(t)) for t in ("the dog", "a dog")]
    assert table.probability.tolist() == [0.25, 0.75] and np.isnan(table.count).all()
    with pytest.raises(UserError, match="line 2 has no p"):
        PhraseTable.of_moses(("a", "a"), ("x", "y"), ("1 1 1", "1 1 0"))
