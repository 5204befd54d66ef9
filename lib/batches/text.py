"""Sentences as numbers: words, a vocabulary with an unknown word, and padded batches by length.

    pairs = aligned(english, french)
    vocabularies = [Vocabulary.of(side, most=10_000) for side in zip(*pairs)]
    sorted_in = bucketed(pairs, vocabularies, bounds=(10, 20, 40))
    sorted_in.buckets[0].source    # int32 [n, 10]

Pure functions of text; which sentences make up a step's batch is `lib.batches.indices`'.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lib.base.errors import UserError

PAD, END, UNKNOWN = 0, 1, 2
SPECIAL = ("[PAD]", "[END]", "[UNK]")
"""What the first numbers stand for: behind a sentence, its end, a word that is not in the vocabulary."""

_WORD = re.compile(r"\w+['’]?|[^\w\s]")
_CLOSES = frozenset(".,;:!?)]}%…»")
_OPENS = frozenset("([{«'’")

Words = tuple[str, ...]
Pair = tuple[Words, Words]


def tokenise(sentence: str) -> Words:
    """Its words in lower case, and its punctuation marks: "L'eau-de-vie." is l' eau - de - vie .

    An apostrophe stays with the letters before it, as French has it.
    """
    return tuple(_WORD.findall(sentence.lower()))


def detokenise(words: Iterable[str]) -> str:
    """A sentence of what `tokenise` made: hyphens bind, punctuation leans on the word before it."""
    text, bound = "", True
    for word in words:
        binds = word == "-" or word in _CLOSES
        text += word if bound or binds else f" {word}"
        bound = word == "-" or word in _OPENS or word[-1] in "'’"
    return text


@dataclass(frozen=True)
class Vocabulary:
    """The words that have a number of their own; the first three are `SPECIAL`."""

    words: Words

    @classmethod
    def of(cls, sentences: Iterable[Words], *, most: int) -> "Vocabulary":
        """The most frequent words, `most` at most; of equally frequent ones, the first in the alphabet."""
        counts = Counter(word for sentence in sentences for word in sentence)
        kept = sorted(counts, key=lambda word: (-counts[word], word))[:most]
        return cls((*SPECIAL, *kept))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Word -> number."""
        return {word: number for number, word in enumerate(self.words)}

    def encode(self, words: Iterable[str]) -> list[int]:
        """Their numbers, `UNKNOWN` for those that it has not; no end."""
        return [self.numbers.get(word, UNKNOWN) for word in words]

    def decode(self, numbers: Iterable[int]) -> Words:
        """The words up to the end, or to the first padding."""
        words = []
        for number in numbers:
            if number in (PAD, END):
                break
            words.append(self.words[number])
        return tuple(words)


class Bucket(NamedTuple):
    """Pairs of similar length: numbers int32 `[n, S]` and `[n, T]`, each sentence ended, then padded."""

    source: np.ndarray
    target: np.ndarray


class Bucketed(NamedTuple):
    """`buckets`, the shortest first, none empty; `places[b][i]`: which pair is row i of bucket b.

    `longer` are the places of the pairs that no bucket holds.
    """

    buckets: tuple[Bucket, ...]
    places: tuple[tuple[int, ...], ...]
    longer: tuple[int, ...]


def aligned(
    source: Sequence[str], target: Sequence[str], names: tuple[str, str] = ("source", "target")
) -> list[Pair]:
    """The pairs of two files whose lines translate one another, in words.

    A pair of two empty lines is left out, as it says nothing.

    Raises:
      UserError: one has more lines, or a line is empty on one side only: from there on, perhaps before,
        they do not translate one another. The message says which line.
    """
    if len(source) != len(target):
        first, counts = min(len(source), len(target)) + 1, (len(source), len(target))
        longer = names[counts[1] > counts[0]]
        raise UserError(
            f"{names[0]} has {counts[0]} lines, {names[1]} {counts[1]}: line {first} is in {longer} only"
        )
    pairs = []
    for number, lines in enumerate(zip(source, target, strict=True), 1):
        one, other = map(tokenise, lines)
        if bool(one) != bool(other):
            raise UserError(
                f"{names[bool(one)]}, line {number} is empty, and that of {names[not one]} is not"
            )
        if one:
            pairs.append((one, other))
    return pairs


def padded(sentences: Iterable[Words], vocabulary: Vocabulary, length: int) -> np.ndarray:
    """Numbers int32 `[n, length]`: each sentence, its end, padding.

    Raises:
      UserError: a sentence is longer, its end included; the message says which, counted from 1.
    """
    rows = []
    for number, words in enumerate(sentences, 1):
        row = [*vocabulary.encode(words), END]
        if len(row) > length:
            raise UserError(
                f"line {number} has {len(words)} words and marks; the longest that is taken has "
                f"{length - 1}"
            )
        rows.append(row + [PAD] * (length - len(row)))
    return np.array(rows, np.int32).reshape(-1, length)


def bucketed(
    pairs: Sequence[Pair], vocabularies: tuple[Vocabulary, Vocabulary], bounds: Sequence[int]
) -> Bucketed:
    """Pairs by length, so that little of a batch is padding and each bucket is compiled once.

    A pair is in the first bucket whose bound neither side passes, its end included. What passes the last
    bound is left out and named: neither cut nor taken whole.

    Args:
      bounds: lengths of the padded sentences, ascending.

    Raises:
      ValueError: bounds do not ascend from 1.
    """
    if list(bounds) != sorted(set(bounds)) or not bounds or bounds[0] < 1:
        raise ValueError(f"the bounds of buckets ascend from 1: {bounds}")
    lengths = np.array([max(map(len, pair)) + 1 for pair in pairs], int)
    where = np.searchsorted(bounds, lengths)
    buckets, places = [], []
    for b, bound in enumerate(bounds):
        inside = np.flatnonzero(where == b).tolist()
        if inside:
            sides = zip(*(pairs[i] for i in inside), strict=True)
            both = zip(sides, vocabularies, strict=True)
            buckets.append(Bucket(*(padded(side, vocabulary, bound) for side, vocabulary in both)))
            places.append(tuple(inside))
    longer = tuple(np.flatnonzero(where == len(bounds)).tolist())
    return Bucketed(tuple(buckets), tuple(places), longer)
