"""Table 1: a small phrase-based translator, whose n best translations the network's score chooses among.

    log p(f | e) = sum_n w_n f_n(f, e) + const

The phrases follow one another as their sources do, which numbers allow. Nothing here is trained but weights.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.encoder_decoder.config import Config
from experiments.encoder_decoder.phrases import Data
from lib.batches.numbers import draw_numbers, in_words
from lib.batches.phrases import PhraseTable
from lib.batches.text import Pair, Words
from lib.metrics.bleu import Matches, bleu_of, matches

FEATURES = ("direct", "inverse", "language", "words", "phrases", "network")
"""Sums of log p(target | source), of log p(source | target), the language model's log p, counts of words and
of phrases, and the network's log p(target | source)."""
BEAM, BEST, TRIALS, RESAMPLED = 30, 20, 300, 1_000
"""Beginnings kept at each source word; translations rescored; weights tried; samples of the bootstrap."""


class Hypothesis(NamedTuple):
    """A translation and the pairs of the table that it is made of."""

    words: Words
    places: tuple[int, ...]


class Candidates(NamedTuple):
    """Translations of a sentence: `features [n, len(FEATURES)]`, `counts [n, 10]` for BLEU."""

    features: np.ndarray
    counts: np.ndarray


class LanguageModel:
    """Of words given the two before: relative frequencies of three, two and one word, mixed evenly."""

    def __init__(self, sentences: Sequence[Words]):
        self._counts = [Counter(), Counter(), Counter()]
        self._before = [Counter(), Counter(), Counter()]
        for sentence in sentences:
            words = ("", "", *sentence, "\n")
            for i in range(2, len(words)):
                for n in range(3):
                    self._counts[n][words[i - n : i + 1]] += 1
                    self._before[n][words[i - n : i]] += 1
        self._words = len({word for (word,) in self._counts[0]})

    def log_probability(self, words: Words, before: Words = ("", "")) -> float:
        """Of `words`, in nats; a sentence ends with "\\n"."""
        total, seen = 0.0, (*before, *words)[-len(words) - 2 :]
        for i in range(2, len(seen)):
            share = [
                self._counts[n][seen[i - n : i + 1]] / max(1, self._before[n][seen[i - n : i]])
                for n in range(3)
            ]
            total += math.log((sum(share) + 1 / self._words) / 4)
        return total


def inverse(table: PhraseTable) -> np.ndarray:
    """p(source | target) of each pair, by its count."""
    of_target = defaultdict(float)
    for (_, target), count in zip(table.pairs, table.count, strict=True):
        of_target[target] += count
    return table.count / [of_target[target] for _, target in table.pairs]


def n_best(
    sentence: Words,
    options: Mapping[Words, Sequence[int]],
    table: PhraseTable,
    model: LanguageModel,
) -> list[Hypothesis]:
    """The likeliest translations, phrase after phrase; none where a word is in no phrase.

    By log p(target | source) and the language model, evenly.
    """
    stacks = [[] for _ in range(len(sentence) + 1)]
    stacks[0] = [(0.0, Hypothesis((), ()))]
    direct, longest = np.log(table.probability), max(map(len, options))
    for begin in range(len(sentence)):
        kept = sorted(stacks[begin], key=lambda scored: -scored[0])[:BEAM]
        for end in range(begin + 1, min(begin + longest, len(sentence)) + 1):
            for score, (words, places) in kept if sentence[begin:end] in options else ():
                for place in options[sentence[begin:end]]:
                    target = table.pairs[place][1] + (("\n",) if end == len(sentence) else ())
                    new = score + direct[place]
                    new += model.log_probability(target, ("", "", *words)[-2:])
                    stacks[end].append((new, Hypothesis(words + target, (*places, place))))
    found, seen = [], set()
    for _, (words, places) in sorted(stacks[-1], key=lambda scored: -scored[0]):
        if words not in seen:
            seen.add(words)
            found.append(Hypothesis(words[:-1], places))
    return found[:BEST]


def candidates(
    pair: Pair, found: Sequence[Hypothesis], scores: np.ndarray, model: LanguageModel
) -> Candidates:
    """The features of a sentence's translations, and how each compares with the right one.

    Args:
      scores: `[pairs, 3]`, of each pair of the table log p(target | source), log p(source | target), and the
        network's log p(target | source).
    """
    features, counts = [], []
    for words, places in found or [Hypothesis((), ())]:  # where nothing is found, nothing is said
        direct, backward, network = scores[list(places)].sum(axis=0)
        language = model.log_probability((*words, "\n"))
        features.append((direct, backward, language, len(words), len(places), network))
        of = matches(words, pair[1])
        counts.append((*of.found, *of.all, of.words, of.reference))
    return Candidates(np.array(features), np.array(counts))


def chosen(sentences: Sequence[Candidates], weights: np.ndarray) -> np.ndarray:
    """Of each sentence the counts of the translation that these weights like best, `[n, 10]`."""
    return np.stack([c.counts[(c.features @ weights).argmax()] for c in sentences])


def bleu_of_rows(rows: np.ndarray) -> float:
    """BLEU of sentences whose counts these are."""
    total = rows.sum(axis=0).tolist()
    return bleu_of([Matches(tuple(total[:4]), tuple(total[4:8]), total[8], total[9])])


def tuned(sentences: Sequence[Candidates], *, network: bool) -> np.ndarray:
    """The weights of the best BLEU on these, of `TRIALS` that are drawn; the first are all one.

    The same draws with the network's score and without: its weight is then nought.
    """
    drawn = np.random.default_rng(5).normal(0.5, 1, (TRIALS, len(FEATURES)))
    drawn[:, [0, 1, 2, 5]] = np.abs(drawn[:, [0, 1, 2, 5]])
    drawn[0] = (1, 1, 1, 0, 0, 1)
    if not network:
        drawn[:, 5] = 0
    bleu = [bleu_of_rows(chosen(sentences, weights)) for weights in drawn]
    return drawn[int(np.argmax(bleu))]


def bootstrap(ours: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the gain in BLEU, over sentences drawn with replacement (Koehn 2004), paired."""
    rng = np.random.default_rng(6)
    gains = []
    for _ in range(RESAMPLED):
        drawn = rng.integers(0, len(ours), len(ours))
        gains.append(bleu_of_rows(ours[drawn]) - bleu_of_rows(base[drawn]))
    low, high = np.quantile(gains, (0.025, 0.975))
    return float(low), float(high)


def whole_table(data: Data) -> PhraseTable:
    """All three parts of the phrase table, as one."""
    parts = (data.train, data.validation, data.test)
    return PhraseTable(
        [pair for part in parts for pair in part.pairs],
        np.concatenate([part.probability for part in parts]),
        np.concatenate([part.count for part in parts]),
    )


def translated(config: Config, table: PhraseTable) -> tuple[LanguageModel, list[tuple]]:
    """The language model of the sentences that the table is of, and as many others as are held back, twice:
    each with its right translation and its n best."""
    known = draw_numbers(config.digits, config.sentences)
    others = draw_numbers(config.digits, config.sentences + 2 * config.held)
    unseen = sorted(set(others) - set(known), key=others.index)
    model = LanguageModel(in_words(known, "fr"))
    options: dict[Words, list[int]] = {}
    for place, (source, _) in enumerate(table.pairs):
        options.setdefault(source, []).append(place)
    pairs = zip(in_words(unseen, "en"), in_words(unseen, "fr"), strict=True)
    return model, [(pair, n_best(pair[0], options, table, model)) for pair in pairs]


def table_1(config: Config, data: Data, scores_of_pairs: Sequence[np.ndarray]) -> dict:
    """BLEU without the network's score and with it, for each seed's scores of the whole table's pairs."""
    table = whole_table(data)
    model, found = translated(config, table)
    known = np.stack([np.log(table.probability), np.log(inverse(table))], axis=1)
    metrics = defaultdict(list)
    for network in scores_of_pairs:
        scores = np.concatenate([known, network[:, None]], axis=1)
        sentences = [candidates(pair, hypotheses, scores, model) for pair, hypotheses in found]
        half = len(sentences) // 2
        dev, test = sentences[:half], sentences[half:]
        base, ours = (chosen(test, tuned(dev, network=with_it)) for with_it in (False, True))
        low, high = bootstrap(ours, base)
        row = {"base": bleu_of_rows(base), "network": bleu_of_rows(ours), "low": low, "high": high}
        row["gain"] = row["network"] - row["base"]
        best = [c.counts[c.counts[:, :4].sum(axis=1).argmax()] for c in test]
        row["oracle"] = bleu_of_rows(np.stack(best))
        row["room"] = row["oracle"] - row["base"]
        for name, value in row.items():
            metrics[f"table_1_{name}"].append(value)
    return dict(metrics)
