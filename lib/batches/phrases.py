"""Phrases that translate one another: word alignments by EM, and the phrases that agree with them.

    table = PhraseTable.extracted(aligned(english, french), longest=7)
    table.pairs[0], table.probability[0]    # (("two", "hundred"), ("deux", "cents")), p(target | source)

What Moses makes of large corpora, in small. Pure functions of text.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lib.base.errors import UserError
from lib.batches.text import Pair, Words

Links = frozenset[tuple[int, int]]


class PhraseTable(NamedTuple):
    """Different pairs of phrases; of each `probability` p(target | source), and `count`, how often it was
    found; float `[n]`, NaN where that is not known."""

    pairs: list[Pair]
    probability: np.ndarray
    count: np.ndarray

    @classmethod
    def extracted(cls, sentences: Sequence[Pair], *, longest: int) -> "PhraseTable":
        """Of sentences that translate one another: relative frequencies of phrases of `longest` words."""
        links = zip(sentences, word_alignments(sentences), strict=True)
        counts = Counter(p for (s, t), ij in links for p in phrase_pairs(s, t, ij, longest=longest))
        of_source = Counter()
        for (source, _), count in counts.items():
            of_source[source] += count
        pairs = sorted(counts, key=lambda pair: (-counts[pair], pair))
        count = np.array([counts[pair] for pair in pairs], float)
        return cls(pairs, count / [of_source[source] for source, _ in pairs], count)

    @classmethod
    def of_moses(cls, sources: Sequence[str], targets: Sequence[str], scores: Sequence[str]):
        """Of the columns of Moses' file: words apart by blanks; the third score is p(target | source).

        Raises:
          UserError: a line has fewer scores, or what is no probability; which line.
        """
        pairs, chances = [], []
        for number, (source, target, line) in enumerate(
            zip(sources, targets, scores, strict=True), 1
        ):
            try:
                chances.append(float(line.split()[2]))
            except (IndexError, ValueError):
                chances.append(np.nan)
            if not 0 < chances[-1] <= 1:
                raise UserError(
                    f"the phrase table's line {number} has no p(target | source): {line!r}"
                )
            pairs.append((tuple(source.split()), tuple(target.split())))
        return cls(pairs, np.array(chances), np.full(len(pairs), np.nan))

    def rows(self, places: Sequence[int]) -> "PhraseTable":
        """The pairs at these places."""
        places = np.asarray(places, int)
        return PhraseTable(
            [self.pairs[i] for i in places], self.probability[places], self.count[places]
        )


def word_alignments(
    sentences: Sequence[Pair], *, rounds: int = 5, tension: float = 4.0
) -> list[Links]:
    """Which words translate one another, `(place in the source, place in the target)`, a set a pair.

    IBM's first model (Brown et al. 1993), with words far from the diagonal less likely (Dyer et al. 2013),
    in both directions; where both agree, and from there along what one of them says (Och & Ney 2003).
    """
    forward = _most_likely(sentences, rounds, tension)
    backward = _most_likely([(target, source) for source, target in sentences], rounds, tension)
    return [
        grown(frozenset((i, j) for j, i in enumerate(f)), frozenset(enumerate(b)))
        for f, b in zip(forward, backward, strict=True)
    ]


def _most_likely(sentences: Sequence[Pair], rounds: int, tension: float) -> list[list[int]]:
    """Of each target word the place of the source word that makes it likeliest."""
    numbers: list[dict[str, int]] = [defaultdict(), defaultdict()]
    for known in numbers:
        known.default_factory = known.__len__
    cells, near, where, lengths = [], [], [], []
    for source, target in sentences:
        s, t = (
            np.array([n[w] for w in side])
            for n, side in zip(numbers, (source, target), strict=True)
        )
        i, j = (np.arange(len(x)) / len(x) for x in (s, t))
        cells.append(np.stack(np.broadcast_arrays(s[None], t[:, None]), axis=-1).reshape(-1, 2))
        near.append(np.exp(-tension * np.abs(i[None] - j[:, None])).ravel())
        where.append(len(lengths) + np.repeat(np.arange(len(t)), len(s)))
        lengths += [len(s)] * len(t)
    kinds, cell = np.unique(np.concatenate(cells), axis=0, return_inverse=True)
    cell, near, where = cell.ravel(), np.concatenate(near), np.concatenate(where)
    translates = np.ones(len(kinds))  # t(target word | source word)
    for _ in range(rounds):
        weight = translates[cell] * near
        posterior = weight / np.bincount(where, weight)[where]
        count = np.bincount(cell, posterior, len(kinds))
        translates = count / np.bincount(kinds[:, 0], count)[kinds[:, 0]]
    weights = np.split(translates[cell] * near, np.cumsum(lengths)[:-1])
    best = iter([int(weight.argmax()) for weight in weights])
    return [[next(best) for _ in target] for _, target in sentences]


def grown(one: Links, other: Links) -> Links:
    """What both have, and step by step what is beside it in either, for words that have no link yet."""
    links, either = set(one & other), sorted(one | other)
    added = True
    while added:
        added = False
        for i, j in either:
            beside = any((i + a, j + b) in links for a in (-1, 0, 1) for b in (-1, 0, 1))
            new = all(i != k for k, _ in links) or all(j != k for _, k in links)
            if (i, j) not in links and beside and new:
                links.add((i, j))
                added = True
    return frozenset(links)


def phrase_pairs(source: Words, target: Words, links: Links, *, longest: int) -> Iterator[Pair]:
    """The phrases of `longest` words at most none of whose words has a link out of the pair.

    One link is inside, at least; target words beside it that have no link may belong to it or not.
    """
    linked = {j for _, j in links}
    for first in range(len(source)):
        for last in range(first, min(first + longest, len(source))):
            inside = [j for i, j in links if first <= i <= last]
            if not inside:
                continue
            low, high = min(inside), max(inside)
            if any(low <= j <= high and not first <= i <= last for i, j in links):
                continue
            begin = low
            while begin >= 0 and (begin == low or begin not in linked):
                end = high
                while end < len(target) and (end == high or end not in linked):
                    if end - begin < longest:
                        yield source[first : last + 1], target[begin : end + 1]
                    end += 1
                begin -= 1
