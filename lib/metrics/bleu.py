"""BLEU (Papineni et al. 2002), of a corpus with one reference a sentence."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Words = Sequence[str]
LONGEST = 4
"""Words of the longest n-gram."""


class Matches(NamedTuple):
    """Counts that add up over sentences: by length of n-gram those that are in the reference too (no
    oftener than there) and all; words of the translation, words of the reference."""

    found: tuple[int, ...]
    all: tuple[int, ...]
    words: int
    reference: int


def matches(translation: Words, reference: Words) -> Matches:
    """The counts of one sentence."""
    found, everything = [], []
    for n in range(1, LONGEST + 1):
        ours, theirs = _grams(translation, n), _grams(reference, n)
        found.append((ours & theirs).total())
        everything.append(ours.total())
    return Matches(tuple(found), tuple(everything), len(translation), len(reference))


def _grams(words: Words, n: int) -> Counter:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def bleu_of(counts: Sequence[Matches]) -> float:
    """BLEU in percent: the geometric mean of the n-grams' precisions, times the brevity penalty.

    Precisions of which nothing is found are smoothed as sacrebleu does by default ("exp": 1/2, 1/4, ...
    in turn for the number found); where there is not one n-gram of some length, it is 0, also as there.
    """
    found = [sum(c.found[n] for c in counts) for n in range(LONGEST)]
    everything = [sum(c.all[n] for c in counts) for n in range(LONGEST)]
    words, reference = (sum(c[i] for c in counts) for i in (2, 3))
    if not any(found) or not all(everything):
        return 0.0
    logs, smooth = [], 1.0
    for hit, total in zip(found, everything, strict=True):
        if not hit:
            smooth *= 2
        logs.append(math.log(hit / total if hit else 1 / (smooth * total)))
    brevity = min(0.0, 1 - reference / words)
    return 100 * math.exp(sum(logs) / LONGEST + brevity)


def bleu(translations: Sequence[Words], references: Sequence[Words]) -> float:
    """BLEU in percent of a corpus, in words as they are given."""
    pairs = zip(translations, references, strict=True)
    return bleu_of([matches(ours, theirs) for ours, theirs in pairs])
