"""The sentences: numbers in words, Multi30k, Tatoeba; vocabularies, buckets, and the translation memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.seq2seq.config import Config
from lib.batches.numbers import draw_numbers
from lib.batches.text import Bucketed, Pair, Vocabulary, Words, aligned, bucketed
from lib.data import load
from lib.data.dataset import fingerprint


class Data(NamedTuple):
    """Pairs of a split, in words; `trained_on` and `validation` also as numbers, by length.

    Attributes:
      numbers: of the test sentences, int [n]; empty where they are no numbers.
      about: descriptions of the sources (see `lib.run.parts`).
    """

    vocabularies: tuple[Vocabulary, Vocabulary]
    train: Sequence[Pair]
    trained_on: Bucketed
    validation: Bucketed
    test: Sequence[Pair]
    numbers: np.ndarray
    about: dict[str, list[dict]]


def load_data(config: Config, data_dir: Path | None = None, *, only=None) -> Data:
    """The sentences of `config.text`; the same for every seed.

    Raises:
      DataNotFound: Multi30k or Tatoeba is nowhere.
    """
    del only  # there is one source
    if config.text == "numbers":
        splits, about, numbers = _numbers(config)
    else:
        splits, about, numbers = _published(config, data_dir)
    train, validation, test = splits
    sides = zip(*train, strict=True)
    vocabularies = tuple(Vocabulary.of(side, most=config.vocabulary) for side in sides)
    trained_on, checked = (bucketed(s, vocabularies, config.bounds) for s in (train, validation))
    test, numbers = _short_enough(config, test, numbers)
    return Data(vocabularies, train, trained_on, checked, test, numbers, {"text": about})


def _short_enough(config: Config, test: list[Pair], numbers: np.ndarray):
    """The test sentences whose source is no longer than those trained on."""
    kept = [i for i, (source, _) in enumerate(test) if len(source) < config.bounds[-1]]
    return [test[i] for i in kept], numbers[kept] if len(numbers) else numbers


def _numbers(config: Config):
    from num2words import num2words

    count = config.test + config.validation + config.train
    numbers = draw_numbers(config.digits, count)
    sides = [[num2words(n, lang=language) for n in numbers] for language in config.languages]
    pairs = aligned(*sides, config.languages)
    cuts = (config.test, config.test + config.validation)
    parts = (pairs[: cuts[0]], pairs[cuts[0] : cuts[1]], pairs[cuts[1] :])
    about = _described(
        config, f"num2words {'-'.join(config.languages)}, {config.digits} digits", parts
    )
    test, validation, train = parts
    return (train, validation, test), about, np.array(numbers[: cuts[0]])


def _described(config: Config, name: str, parts: Sequence[Sequence[Pair]], real: bool = False):
    """Test, validation and training sentences, for the record."""
    return [
        {
            "name": name,
            "split": f"{split} ({len(part)})",
            "fingerprint": _mark(config, part),
            "real": real,
        }
        for split, part in zip(("test", "validation", "train"), parts, strict=True)
    ]


def _mark(config: Config, pairs: Sequence[Pair]) -> str:
    columns = zip(config.languages, zip(*pairs, strict=True), strict=True)
    return fingerprint({k: tuple(" ".join(words) for words in side) for k, side in columns})


def _published(config: Config, data_dir: Path | None):
    splits, about = [], []
    if config.text == "tatoeba_fra_eng":
        loaded = load(config.text, "train", data_dir=data_dir)
        pairs = aligned(
            *(loaded.arrays[language] for language in config.languages), config.languages
        )
        test, validation, train = parts = apart(pairs, config.test, config.validation, config.train)
        about = _described(config, config.text, parts, real=True)
        return (train, validation, test), about, np.zeros(0, int)
    for split in ("train", "validation", "test"):
        loaded = load(config.text, split, data_dir=data_dir)
        lines = [loaded.arrays[language] for language in config.languages]
        splits.append(aligned(*lines, config.languages)[: getattr(config, split)])
        about.append(loaded.describe())
    return splits, about, np.zeros(0, int)


def apart(pairs: Sequence[Pair], test: int, validation: int, train: int) -> tuple[list[Pair], ...]:
    """`(test, validation, train)` of pairs in which sentences come again, always in the same order.

    A source is tested once, with the first of its translations. No sentence of either language that is in
    test or validation is trained on.
    """
    order = np.random.default_rng(0)
    once = list({source: (source, target) for source, target in reversed(pairs)}.values())
    held = [once[i] for i in order.permutation(len(once))[: test + validation]]
    sources, targets = map(set, zip(*held, strict=True))
    rest = [pair for pair in pairs if pair[0] not in sources and pair[1] not in targets]
    learned = [rest[i] for i in order.permutation(len(rest))[:train]]
    return held[:test], held[test:], learned


def most_similar(train: Sequence[Words], asked: Sequence[Words]) -> np.ndarray:
    """For each sentence asked the place of the most similar in `train`, int `[n]`.

    By the cosine of the words and pairs of words in them, each weighed by how rare it is.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    seen = TfidfVectorizer(analyzer=_words_and_pairs)
    known = seen.fit_transform(train)
    likeness = seen.transform(asked) @ known.T
    return np.asarray(likeness.argmax(axis=1)).ravel()


def _words_and_pairs(words: Words) -> list[str]:
    return [*words, *map(" ".join, zip(words, words[1:], strict=False))]
