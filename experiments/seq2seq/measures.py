"""What is asked of trained networks beside their translations: where they look, what their states know."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from experiments.seq2seq.config import Config
from experiments.seq2seq.networks import attention as attended
from experiments.seq2seq.networks import in_parts, make_model, summaries
from experiments.seq2seq.sentences import Data
from experiments.seq2seq.training import initial
from lib.batches.text import END, SPECIAL, Pair, Vocabulary, padded, tokenise
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

Needs = Mapping[str, Result]
COUNTERPARTS = {"mille": "thousand", "million": "million", "millions": "million"}
"""French words and the English one that they translate; there is one of it in a number."""
SHOWN = 4
"""Alignments that are kept to be drawn."""
MAPPED = 400
"""Sentences on the map, and numbers of the test of order."""


def of(needs: Needs, name: str):
    """`measured -> values over seeds` of the network `name`."""
    return lambda what: np.asarray(needs[name].metrics[f"{name}_{what}"])


def share(part: np.ndarray, whole: np.ndarray) -> list[float]:
    """`part / whole`; infinite where the whole is nothing, or less."""
    return [float(p / w) if w > 0 else float("inf") for p, w in zip(part, whole, strict=True)]


def alignment(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """Where attention is while the reference translation is written."""
    del watch
    model = make_model(config, "search", tuple(map(len, data.vocabularies)))
    length = config.bounds[-1]
    pairs = [pair for pair in data.test if max(map(len, pair)) < length]
    sides = zip(zip(*pairs, strict=True), data.vocabularies, strict=True)
    source, target = (padded(side, vocabulary, length) for side, vocabulary in sides)
    parts = list(zip(in_parts(source), in_parts(target), strict=True))
    stacked, _ = needs["search"].weights["search"]
    measured = []
    for i in range(len(keys)):
        looked = [np.asarray(attended(model, member(stacked, i), *part)) for part in parts]
        weights = np.concatenate(looked)[: len(pairs)]
        measured.append(found_at(pairs, weights))
        if i == 0:
            arrays = drawn(pairs, weights)
    metrics = {f"alignment_{name}": [one[name] for one in measured] for name in measured[0]}
    return Result(metrics, arrays=arrays)


def found_at(pairs: Sequence[Pair], weights: np.ndarray) -> dict[str, float]:
    """How much attention is within a word of the counterpart, and how much there were if it were even.

    The mean over the words of `COUNTERPARTS`; without any there is nothing to say.

    Args:
      weights: `[n, T, S]`, sums to one over the words of a source and its end.
    """
    shares, even = [], []
    for (source, target), looked in zip(pairs, weights, strict=True):
        for t, word in enumerate(target):
            if COUNTERPARTS.get(word) in source:
                place = source.index(COUNTERPARTS[word])
                near = slice(max(place - 1, 0), place + 2)
                shares.append(looked[t, near].sum())
                even.append(len(range(len(source) + 1)[near]) / (len(source) + 1))
    return {"found": float(np.mean(shares)), "even": float(np.mean(even))} if shares else {}


def drawn(pairs: Sequence[Pair], weights: np.ndarray) -> dict[str, np.ndarray]:
    """The alignments of `SHOWN` pairs, from the median length to the longest."""
    order = np.argsort([len(source) for source, _ in pairs], kind="stable")
    places = order[np.linspace(len(order) // 2, len(order) - 1, SHOWN).astype(int)]
    arrays = {}
    for k, i in enumerate(places):
        source, target = ((*side, SPECIAL[END]) for side in pairs[i])
        arrays[f"alignment_{k}"] = weights[i, : len(target), : len(source)]
        arrays[f"alignment_{k}_source"] = np.array(source)
        arrays[f"alignment_{k}_target"] = np.array(target)
    return arrays


def phrase_map(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """What the encoder's state c of a number has near it."""
    del watch
    model = make_model(config, "encdec", tuple(map(len, data.vocabularies)))
    stacked, _ = needs["encdec"].weights["encdec"]
    numbers = data.numbers[:MAPPED]
    triples = exchanged(config, data.vocabularies[0])
    rows = padded(
        [source for source, _ in data.test[:MAPPED]], data.vocabularies[0], config.bounds[-1]
    )
    counts = np.stack([np.bincount(row, minlength=len(data.vocabularies[0])) for row in rows])
    metrics = {"map_neighbours_bag": alike(counts.astype(float), numbers)}
    over_seeds: dict[str, list[float]] = {}
    untrained = initial(config, "encdec", keys, data).params
    for i in range(len(keys)):
        for params, which in ((member(stacked, i), ""), (member(untrained, i), "_untrained")):
            states = np.asarray(summaries(model, params, rows))
            if i == 0 and not which:
                arrays = {"map": plane(states), "map_numbers": numbers}
            over_seeds.setdefault(f"map_neighbours{which}", []).append(alike(states, numbers))
            if triples is not None:
                three = [np.asarray(summaries(model, params, side)) for side in triples]
                over_seeds.setdefault(f"map_order{which}", []).append(ordered(*three))
    return Result(metrics | over_seeds, arrays=arrays)


def exchanged(config: Config, vocabulary: Vocabulary) -> tuple[np.ndarray, ...] | None:
    """Numbers in words, three of each kind: a thousand b; a thousand b'; b thousand a. `[MAPPED, S]`.

    The third has the words of the first. None where numbers have fewer than six digits, or the longest of
    these are longer than what is trained on.
    """
    if config.digits < 6:
        return None
    from num2words import num2words

    rng = np.random.default_rng(1)
    a, b, other = rng.integers(100, 1000, (3, MAPPED))
    sides = []
    for high, low in ((a, b), (a, other), (b, a)):
        words = [num2words(int(n), lang=config.languages[0]) for n in 1000 * high + low]
        sides.append([tokenise(sentence) for sentence in words])
    if max(len(words) for side in sides for words in side) >= config.bounds[-1]:
        return None
    return tuple(padded(side, vocabulary, config.bounds[-1]) for side in sides)


def ordered(first: np.ndarray, same: np.ndarray, turned: np.ndarray) -> float:
    """Share of rows in which `first` is nearer to `same` than to `turned`."""
    near, far = (np.linalg.norm(first - other, axis=1) for other in (same, turned))
    return float((near < far).mean())


def alike(states: np.ndarray, numbers: np.ndarray) -> float:
    """Share of rows whose nearest other one is of a number with as many digits and the same first."""
    apart = np.linalg.norm(states[:, None] - states[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    labels = np.array([(len(str(n)), str(n)[0]) for n in numbers])
    return float((labels == labels[apart.argmin(axis=1)]).all(axis=1).mean())


def plane(states: np.ndarray) -> np.ndarray:
    """The two principal components of each row, `[n, 2]`."""
    centred = states - states.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return centred @ directions[:2].T
