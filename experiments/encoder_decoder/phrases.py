"""The phrases: of numbers in words, or of Moses' table; which are held back; what they are called."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.encoder_decoder.config import Config
from lib.batches.numbers import draw_numbers, in_words
from lib.batches.phrases import PhraseTable
from lib.batches.text import Pair, Vocabulary, Words, padded
from lib.data import load
from lib.data.dataset import fingerprint

CLASSES = {
    "unit": "one two three four five six seven eight nine",
    "teen": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "tens": "twenty thirty forty fifty sixty seventy eighty ninety",
    "scale": "hundred thousand million",
    "mark": "and - , zero",
}
CLASS = {word: name for name, words in CLASSES.items() for word in words.split()}
"""English word of a number -> what kind of word it is."""


class Data(NamedTuple):
    """A phrase table in three: trained on, choosing the step size, tested.

    No source phrase is in two of them. `length`: words of the longest phrase, and its end.
    """

    vocabularies: tuple[Vocabulary, Vocabulary]
    train: PhraseTable
    validation: PhraseTable
    test: PhraseTable
    length: int
    about: dict[str, list[dict]]

    def rows(self, pairs: Sequence[Pair]) -> tuple[np.ndarray, np.ndarray]:
        """Source and target phrases as numbers, int32 `[n, length]` each."""
        if not pairs:
            return (np.zeros((0, self.length), np.int32),) * 2
        sides = zip(zip(*pairs, strict=True), self.vocabularies, strict=True)
        source, target = (padded(side, vocabulary, self.length) for side, vocabulary in sides)
        return source, target


def load_data(config: Config, data_dir: Path | None = None, *, only=None) -> Data:
    """The phrase table of `config.text`; the same for every seed.

    Raises:
      DataNotFound: Moses' table is nowhere.
    """
    del only  # there is one source
    if config.text == "numbers":
        numbers = draw_numbers(config.digits, config.sentences)
        sides = (in_words(numbers, language) for language in ("en", "fr"))
        table = PhraseTable.extracted(list(zip(*sides, strict=True)), longest=config.longest)
        about = {"name": f"num2words en-fr, {config.digits} digits, phrases", "real": False}
    else:
        loaded = load(config.text, "train", data_dir=data_dir)
        table = PhraseTable.of_moses(*(loaded.arrays[k] for k in ("fr", "en", "scores")))
        short = [i for i, p in enumerate(table.pairs) if max(map(len, p)) <= config.longest]
        table, about = table.rows(short), {"name": loaded.name, "real": True}
    parts = split(config, table)
    sides = zip(*parts["train"].pairs, strict=True)
    vocabularies = tuple(Vocabulary.of(side, most=config.vocabulary) for side in sides)
    sources = [
        about | {"split": f"{name} ({len(part.pairs)})", "fingerprint": _mark(part)}
        for name, part in parts.items()
    ]
    return Data(vocabularies, **parts, length=config.longest + 1, about={"phrases": sources})


def _mark(table: PhraseTable) -> str:
    source, target = zip(*table.pairs, strict=True)
    sides = {"source": source, "target": target}
    return fingerprint({k: tuple(" ".join(words) for words in v) for k, v in sides.items()})


def split(config: Config, table: PhraseTable) -> dict[str, PhraseTable]:
    """`config.pairs` of the table at most, drawn evenly; of the source phrases so many held back, twice.

    Raises:
      UserError: so few source phrases are there that none would be left to be trained on.
    """
    from lib.base.errors import UserError

    rng = np.random.default_rng(0)
    kept = np.sort(rng.permutation(len(table.pairs))[: config.pairs])
    table = table.rows(kept)
    sources = sorted({source for source, _ in table.pairs})
    if len(sources) <= 2 * config.held:
        raise UserError(f"--held must be below half of the {len(sources)} source phrases", 2)
    order = rng.permutation(len(sources))
    group = {sources[i]: min(place // config.held, 2) for place, i in enumerate(order)}
    names = ("validation", "test", "train")
    places: dict[str, list[int]] = {name: [] for name in reversed(names)}
    for i, (source, _) in enumerate(table.pairs):
        places[names[group[source]]].append(i)
    return {name: table.rows(of) for name, of in places.items()}


def skeleton(phrase: Words) -> str:
    """What a phrase of a number is built like: "two hundred and five" is "unit scale mark unit"."""
    return " ".join(CLASS.get(word, word) for word in phrase)


def by_source(table: PhraseTable) -> dict[Words, list[int]]:
    """Source phrase -> the places of its pairs, the likeliest of the table first."""
    places: dict[Words, list[int]] = {}
    for i in np.argsort(-table.probability, kind="stable"):
        places.setdefault(table.pairs[i][0], []).append(int(i))
    return places


def contests(config: Config, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Source phrases that were not trained on, each with a right target and others as long.

    Returns:
      `(source [n, length], targets [n, choices, length])`, the right target first. The others translate
      other phrases and are none of its own; a phrase as long as too few others is left out.
    """
    rng, test = np.random.default_rng(1), data.test
    targets: dict[int, list[Words]] = {}
    for _, target in sorted({(len(t), t) for table in (data.train, test) for _, t in table.pairs}):
        targets.setdefault(len(target), []).append(target)
    pairs = []
    for source, places in by_source(test).items():
        own = {test.pairs[i][1] for i in places}
        right = test.pairs[places[0]][1]
        others = [t for t in targets[len(right)] if t not in own]
        if len(others) >= config.choices - 1:
            drawn = rng.choice(len(others), config.choices - 1, replace=False)
            pairs += [(source, target) for target in (right, *(others[i] for i in drawn))]
    source, target = (x.reshape(-1, config.choices, data.length) for x in data.rows(pairs))
    return source[:, 0], target
