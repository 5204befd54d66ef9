"""The translation papers: four networks learn to translate, and are compared by twos."""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from experiments.seq2seq import measures
from experiments.seq2seq.config import LENGTHS, NETWORKS, Config
from experiments.seq2seq.networks import make_model, perplexity, translations
from experiments.seq2seq.sentences import Data, load_data, most_similar
from experiments.seq2seq.training import train_network
from lib.batches.text import Words, bucketed, detokenise
from lib.metrics.bleu import bleu
from lib.run.loop import member
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]

Needs = Mapping[str, Result]
SHOWN = 5
"""Sentences of the test, its first, whose translations are kept to be read."""


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None, only=()) -> Result:
    """What `config` asks for, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.seq2seq"), config, key, data, watch, only)


def memory(config: Config, keys, data: Data, watch: Watch, needs: Needs) -> Result:
    """A translation memory: nothing is learned, and of no seed."""
    known, asked = ([source for source, _ in side] for side in (data.train, data.test))
    translated = [data.train[i][1] for i in most_similar(known, asked)]
    return Result({f"memory_{name}": v for name, v in scored(data, translated).items()})


def scored(data: Data, translated: Sequence[Words]) -> dict[str, float]:
    """BLEU of the test set, and of each fifth of it by the length of the source; share that is exact."""
    targets = [target for _, target in data.test]
    exact = [ours == theirs for ours, theirs in zip(translated, targets, strict=True)]
    metrics = {"bleu": bleu(translated, targets), "exact": float(np.mean(exact))}
    for i, group in enumerate(by_length(data)):
        metrics[f"bleu_{i}"] = bleu([translated[j] for j in group], [targets[j] for j in group])
    return metrics


def by_length(data: Data) -> list[np.ndarray]:
    """The places of the test sentences in `LENGTHS` groups, from the shortest sources to the longest."""
    lengths = np.array([len(source) for source, _ in data.test])
    return np.array_split(np.argsort(lengths, kind="stable"), LENGTHS)


def train_and_test(
    name: str, config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs
) -> Result:
    """One network: its learning curve, its translations of the test set, and what they are worth."""
    del needs
    trained = train_network(config, name, keys, data, watch)
    model = make_model(config, name, tuple(map(len, data.vocabularies)))
    test = bucketed(data.test, data.vocabularies, config.bounds).buckets
    rows: list[dict[str, float]] = []
    sources = [source for source, _ in data.test]
    for i in range(len(keys)):
        params = member(trained.params, i)
        translated = translations(config, model, params, data.vocabularies, sources, config.beam)
        if i == 0:
            shown = [*zip(data.test, translated.words, strict=True)][:SHOWN]
        rows.append(
            scored(data, translated.words)
            | {
                "perplexity": perplexity(model, params, test),
                "ended": float(translated.ended.mean()),
            }
        )
    metrics = {f"{name}_{what}": [row[what] for row in rows] for what in rows[0]}
    metrics[f"{name}_rate"] = trained.rates
    metrics[f"{name}_parameters"] = float(
        sum(x.size for x in jax.tree.leaves(trained.params)) / len(keys)
    )
    lengths = [np.mean([len(sources[j]) for j in group]) for group in by_length(data)]
    return Result(
        metrics,
        {name: trained.history},
        {
            f"{name}_lengths": np.array(lengths),
            f"{name}_shown": np.array([[*map(detokenise, (*pair, ours))] for pair, ours in shown]),
        },
        weights={name: (jax.device_get(trained.params), words_about(config, name, data))},
    )


def words_about(config: Config, name: str, data: Data) -> dict[str, str]:
    """What `translate` must know to use the weights alone."""
    return {
        "paper": "seq2seq",
        "network": name,
        "config": json.dumps(dataclasses.asdict(config)),
        "source_words": json.dumps(data.vocabularies[0].words),
        "target_words": json.dumps(data.vocabularies[1].words),
    }


def attention(config: Config, keys, data: Data, watch: Watch, needs: Needs) -> Result:
    """With attention and without, seed by seed."""
    (ours, plain), looked_up = (
        (measures.of(needs, n) for n in ("search", "encdec")),
        needs["memory"],
    )
    lost, plain_lost = (x("bleu_0") - x(f"bleu_{LENGTHS - 1}") for x in (ours, plain))
    return Result(
        {
            "attention_gain": (ours("bleu") - plain("bleu")).tolist(),
            "attention_lost": lost.tolist(),
            "attention_plain_lost": plain_lost.tolist(),
            "attention_share_lost": measures.share(lost, plain_lost),
            "attention_plain_over_memory": _over(plain("bleu"), looked_up),
        }
    )


def reversal(config: Config, keys, data: Data, watch: Watch, needs: Needs) -> Result:
    """The source reversed and in order, seed by seed."""
    ours, plain = (measures.of(needs, name) for name in ("reversed", "forward"))
    return Result(
        {
            "reversal_gain": (ours("bleu") - plain("bleu")).tolist(),
            "reversal_perplexity": (ours("perplexity") / plain("perplexity")).tolist(),
            "reversal_plain_over_memory": _over(plain("bleu"), needs["memory"]),
        }
    )


def _over(bleu: np.ndarray, looked_up: Result) -> list[float]:
    return (bleu - looked_up.metrics["memory_bleu"]).tolist()


def beams(config: Config, keys, data: Data, watch: Watch, needs: Needs) -> Result:
    """The attentive network's BLEU by the width of the beam."""
    del watch
    model = make_model(config, "search", tuple(map(len, data.vocabularies)))
    stacked, _ = needs["search"].weights["search"]
    sources, targets = zip(*data.test, strict=True)
    metrics = {}
    for width in config.beams:
        metrics[f"beams_bleu_{width}"] = [
            bleu(
                translations(
                    config, model, member(stacked, i), data.vocabularies, sources, width
                ).words,
                targets,
            )
            for i in range(len(keys))
        ]
    widest = needs["search"].metrics["search_bleu"]
    if 1 in config.beams:
        pairs = zip(widest, metrics["beams_bleu_1"], strict=True)
        metrics["beams_gain"] = [wide - narrow for wide, narrow in pairs]
    return Result(metrics)


def _network(name: str):
    return functools.partial(train_and_test, name)


PARTS = {
    "memory": memory,
    **{name: _network(name) for name in NETWORKS},
    "attention": attention,
    "reversal": reversal,
    "alignment": measures.alignment,
    "beams": beams,
    "phrase_map": measures.phrase_map,
}
