"""Cho et al. 2014, in the order in which it happens: networks, scores, targets, maps."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import jax
import numpy as np

from experiments.encoder_decoder import measures, rescoring
from experiments.encoder_decoder.config import ARMS, RESETS, Config
from experiments.encoder_decoder.phrases import (
    CLASS,
    Data,
    by_source,
    contests,
    load_data,
    skeleton,
)
from experiments.encoder_decoder.training import (
    make_models,
    parameters,
    scores,
    summaries,
    train_networks,
    untrained,
    words_in,
)
from lib.base.errors import UserError
from lib.batches.text import SPECIAL, Words
from lib.models.encoder_decoder import EncoderDecoder, sample
from lib.run.keys import purpose
from lib.run.loop import member
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]

Needs = Mapping[str, Result]
LONG = 3
"""Words that a source phrase of Tables 2 and 3 has at least (paper: "long")."""
LISTED = 4
"""Frequent, and rare, source phrases that are listed."""
LONG_ON_MAP = 4
"""Words that a phrase of Figure 5 has at least (paper: 4)."""


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None, only=()) -> Result:
    """Everything, or the parts `only`. `key` is one root key, or `[n]` of them: a replica each."""
    return run_parts(load_paper("experiments.encoder_decoder"), config, key, data, watch, only)


def networks(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """All networks, and what each makes of phrases that none was trained on."""
    del needs
    result = compared(config, keys, data, watch, "networks", ARMS)
    return result | Result(shares(result.metrics))


def resets(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """The same of the paper's network with its reset gate in other places."""
    del needs
    return compared(config, keys, data, watch, "resets", RESETS)


def compared(
    config: Config, keys: jax.Array, data: Data, watch: Watch, name: str, arms: tuple[str, ...]
) -> Result:
    """What each of these networks makes of phrases that none was trained on; their history is `name`."""
    learned = train_networks(config, keys, data, watch, arms)
    models = make_models(config, tuple(map(len, data.vocabularies)), arms)
    source, target = data.rows(data.test.pairs)
    asked, choices = contests(config, data)
    flat = [np.repeat(asked, config.choices, axis=0), choices.reshape(-1, data.length)]
    metrics = defaultdict(list)
    for arm, model in models:
        metrics[f"{arm}_parameters"] = float(parameters(model))
        metrics[f"{arm}_units"] = float(model.units)
        metrics[f"{arm}_rate"] = learned.rates[arm]
        for i in range(len(keys)):
            params = member(learned.params[arm], i)
            logp = scores(model, params, source, target)
            metrics[f"{arm}_nats"].append(float(-logp.mean()))
            metrics[f"{arm}_perplexity"].append(float(np.exp(-logp.sum() / words_in(target))))
            chosen = scores(model, params, *flat).reshape(-1, config.choices)
            metrics[f"{arm}_ranking"].append(measures.first_of(chosen))
    weights = {
        arm: (learned.params[arm], {"paper": "encoder_decoder", "network": arm}) for arm in arms
    }
    return Result(dict(metrics), {name: learned.history}, weights=weights)


def shares(metrics: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Of the nats that a phrase costs the network it is compared with, what it costs the paper's."""
    ours = np.array(metrics["gru_nats"])
    return {
        f"{what}_share": (ours / metrics[f"{plain}_nats"]).tolist()
        for what, plain in (("gates", "tanh"), ("context", "start"))
    }


def _gru(config: Config, data: Data, needs: Needs) -> tuple[EncoderDecoder, list]:
    """The paper's network, and its parameters seed by seed."""
    (_, model), *_ = make_models(config, tuple(map(len, data.vocabularies)))
    stacked, _ = needs["networks"].weights["gru"]
    seeds = len(jax.tree.leaves(stacked)[0])
    return model, [member(stacked, i) for i in range(seeds)]


def figure_3(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """Scores of pairs that were trained on, by the network and by the table."""
    del watch
    model, trained = _gru(config, data, needs)
    # The likeliest pairs are first in the table: drawn evenly, not cut off.
    table = data.train
    drawn = np.random.default_rng(2).permutation(len(table.pairs))[: config.shown]
    shown = table.rows(np.sort(drawn))
    rows, theirs = data.rows(shown.pairs), np.log(shown.probability)
    lengths = np.array([len(target) for _, target in shown.pairs])
    groups = [places for places in by_source(shown).values() if len(places) > 1]
    metrics = defaultdict(list)
    for key, params in zip(keys, trained, strict=True):
        for which, p in (("", params), ("_untrained", untrained(config, key, data))):
            ours = scores(model, p, *rows)
            metrics[f"figure_3_correlation{which}"].append(measures.rank_correlation(ours, theirs))
            metrics[f"figure_3_agreement{which}"].append(measures.agreement(ours, theirs, groups))
            if not which:
                metrics["figure_3_length"].append(measures.rank_correlation(ours, lengths))
    both = zip(metrics["figure_3_agreement"], metrics["figure_3_agreement_untrained"], strict=True)
    metrics["figure_3_learned_agreement"] = [a - b for a, b in both]
    metrics["figure_3_length_table"] = measures.rank_correlation(theirs, lengths)
    arrays = {"ours": scores(model, trained[0], *rows), "theirs": theirs, "lengths": lengths}
    return Result(dict(metrics), arrays={f"figure_3_{k}": v for k, v in arrays.items()})


def table_2(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """Which targets the table and the network like best, and targets that the network makes up."""
    del watch
    model, trained = _gru(config, data, needs)
    table = data.train
    places_of = {s: p for s, p in by_source(table).items() if len(p) > 1}
    metrics: dict[str, list[float]] = {"table_2_shorter": [], "table_3_right": []}
    held = sorted(by_source(data.test))
    right = {source: set() for source in held}
    for source, target in data.test.pairs:
        right[source].add(target)
    for i, (key, params) in enumerate(zip(keys, trained, strict=True)):
        ours = scores(model, params, *data.rows(table.pairs))
        best = {s: sorted(p, key=lambda place: -ours[place]) for s, p in places_of.items()}
        lengths = [
            len(table.pairs[p[0]][1]) - len(table.pairs[best[s][0]][1])
            for s, p in places_of.items()
        ]
        metrics["table_2_shorter"].append(float(np.mean(lengths)) if lengths else 0.0)
        made = sampled(config, model, params, purpose(jax.random.clone(key), "table 3"), data, held)
        hits = [np.mean([t in right[s] for t in made[s]]) for s in held]
        metrics["table_3_right"].append(float(np.mean(hits)))
        if i == 0:
            asked = listed(data)
            made = sampled(
                config, model, params, purpose(jax.random.clone(key), "table 2"), data, asked
            )
            rows = [
                (
                    " ".join(s),
                    _lines([table.pairs[p][1] for p in by_source(table)[s][:3]]),
                    _lines([table.pairs[p][1] for p in best.get(s, by_source(table)[s])[:3]]),
                    _lines([t for t, _ in Counter(made[s]).most_common(3)]),
                )
                for s in asked
            ]
    return Result(metrics, arrays={"table_2_rows": np.array(rows)})


def _lines(phrases: list[Words]) -> str:
    return "\n".join(" ".join(words) if words else "(nothing)" for words in phrases)


def listed(data: Data) -> list[Words]:
    """Long source phrases of several targets, found most often, and the rarest of them.

    Without counts, the number of targets tells which are frequent.
    """
    table = data.train
    often = {}
    for source, places in by_source(table).items():
        count = table.count[places].sum()
        if len(source) >= LONG and len(places) > 1:
            often[source] = len(places) if np.isnan(count) else count
    order = sorted(often, key=lambda source: (-often[source], source))
    return order[:LISTED] + order[LISTED:][-LISTED:]


def sampled(
    config: Config, model: EncoderDecoder, params, key: jax.Array, data: Data, sources: list[Words]
) -> dict[Words, list[Words]]:
    """`config.samples` targets that the network makes up for each source phrase."""
    rows, _ = data.rows([(source, ()) for source in sources])
    draw = jax.jit(sample, static_argnums=0, static_argnames="length")
    drawn = draw(model, params, np.repeat(rows, config.samples, axis=0), key, length=data.length)
    targets = [data.vocabularies[1].decode(row) for row in np.asarray(drawn)]
    n = config.samples
    return {source: targets[i * n : (i + 1) * n] for i, source in enumerate(sources)}


def table_1(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """Numbers that are in no part of the table, translated by it, and rescored with the network's score."""
    del keys, watch
    if config.text != "numbers":
        raise UserError(f"table_1: there are no sentences beside the phrases of {config.text}", 2)
    model, trained = _gru(config, data, needs)
    rows = data.rows(rescoring.whole_table(data).pairs)
    return Result(rescoring.table_1(config, data, [scores(model, p, *rows) for p in trained]))


def maps(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """What is near what: words by their embeddings, phrases by their c."""
    del watch
    model, trained = _gru(config, data, needs)
    words = list(data.vocabularies[0].words[len(SPECIAL) :][: config.mapped])
    long = sorted({s for s, _ in data.train.pairs if len(s) >= LONG_ON_MAP})
    places = np.random.default_rng(3).permutation(len(long))[: config.mapped]
    phrases = [long[i] for i in np.sort(places)]
    rows, _ = data.rows([(phrase, ()) for phrase in phrases])
    classes, built = [CLASS.get(word, "") for word in words], [skeleton(p) for p in phrases]
    metrics, arrays = defaultdict(list), {}
    for key, params in zip(keys, trained, strict=True):
        for which, p in (("", params), ("_untrained", untrained(config, key, data))):
            embedded = np.asarray(p["source_embedding"]["embedding"])[len(SPECIAL) :][: len(words)]
            states = np.asarray(summaries(model, p, rows))
            if not which and not arrays:
                arrays = {
                    "words_map": measures.plane(embedded, config.neighbours),
                    "phrases_map": measures.plane(states, config.neighbours),
                }
            if config.text == "numbers":
                metrics[f"words_alike{which}"].append(measures.nearest_alike(embedded, classes))
                metrics[f"phrases_alike{which}"].append(measures.nearest_alike(states, built))
    if config.text == "numbers":
        counts = np.stack([np.bincount(row, minlength=len(data.vocabularies[0])) for row in rows])
        metrics["phrases_alike_bag"] = measures.nearest_alike(counts.astype(float), built)
    arrays["words_names"] = np.array(words)
    arrays["phrases_names"] = np.array([" ".join(phrase) for phrase in phrases])
    return Result(dict(metrics), arrays=arrays)


PARTS = {
    "networks": networks,
    "resets": resets,
    "figure_3": figure_3,
    "table_2": table_2,
    "table_1": table_1,
    "maps": maps,
}
