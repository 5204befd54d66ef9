"""The sentences: numbers in words, or Multi30k; vocabularies, buckets, and the translation memory."""

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
      DataNotFound: Multi30k is nowhere.
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
    names = ("test", "validation", "train")
    parts = dict(
        zip(names, (pairs[: cuts[0]], pairs[cuts[0] : cuts[1]], pairs[cuts[1] :]), strict=True)
    )
    about = [
        {
            "name": f"num2words {'-'.join(config.languages)}, {config.digits} digits",
            "split": f"{name} ({len(part)})",
            "fingerprint": _mark(config, part),
            "real": False,
        }
        for name, part in parts.items()
    ]
    splits = [parts[name] for name in ("train", "validation", "test")]
    return splits, about, np.array(numbers[: cuts[0]])


def _mark(config: Config, pairs: Sequence[Pair]) -> str:
    columns = zip(config.languages, zip(*pairs, strict=True), strict=True)
    return fingerprint({k: tuple(" ".join(words) for words in side) for k, side in columns})


def _published(config: Config, data_dir: Path | None):
    splits, about = [], []
    for split in ("train", "validation", "test"):
        loaded = load(config.text, split, data_dir=data_dir)
        lines = [loaded.arrays[language] for language in config.languages]
        splits.append(aligned(*lines, config.languages)[: getattr(config, split)])
        about.append(loaded.describe())
    return splits, about, np.zeros(0, int)


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
