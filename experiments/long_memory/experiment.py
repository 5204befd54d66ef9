"""Long memory, in the order in which it happens: recall, gradients, tagging."""

import functools
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.long_memory.config import Config
from experiments.long_memory.flow import reaching, scaled
from experiments.long_memory.tasks import CUES, TAGS, Batch, recall, tagged, tags_of
from experiments.long_memory.training import Arms, compare
from lib.batches.indices import shuffled_indices
from lib.batches.numbers import draw_numbers, in_words
from lib.batches.text import Vocabulary, Words
from lib.data.dataset import fingerprint
from lib.models.tagger import Tagger, parameters, widest
from lib.run.keys import purpose
from lib.run.loop import member
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]

Needs = Mapping[str, Result]
OPEN = 100.0
"""A forget gate's bias: sigmoid(100) is one in float32, its derivative zero. That is the cell of 1997."""
SHOWN = 6
"""Numbers whose tags are kept to be drawn."""


class Data(NamedTuple):
    """Numbers in words by split, and their vocabulary; `about` describes the sources of the parts."""

    train: list[Words]
    validation: list[Words]
    test: list[Words]
    vocabulary: Vocabulary
    about: dict[str, list[dict]]


def load_data(config: Config, data_dir: Path | None = None, *, only=None) -> Data:
    """The numbers that are tagged; letters to recall are drawn as they are needed."""
    del data_dir, only
    drawn = in_words(draw_numbers(config.digits, config.test + config.validation + config.train))
    cuts = np.cumsum([config.test, config.validation])
    splits = dict(
        zip(
            ("test", "validation", "train"),
            (drawn[: cuts[0]], drawn[cuts[0] : cuts[1]], drawn[cuts[1] :]),
            strict=True,
        )
    )
    numbers = [
        {
            "name": f"num2words en, {config.digits} digits",
            "split": f"{name} ({len(part)})",
            "fingerprint": fingerprint({"en": tuple(" ".join(words) for words in part)}),
            "real": False,
        }
        for name, part in splits.items()
    ]
    letters = [{"name": "letters", "split": "generated", "fingerprint": None, "real": False}]
    return Data(
        **splits,
        vocabulary=Vocabulary.of(splits["train"], most=1_000),
        about={"numbers": numbers, "letters": letters},
    )


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None, only=()) -> Result:
    """Everything, or the parts `only`. `key` is one root key, or `[n]` of them: a replica each."""
    return run_parts(load_paper("experiments.long_memory"), config, key, data, watch, only)


def memories(config: Config) -> Arms:
    """The networks that recall, with as many parameters each as fit."""
    arms = {
        "tanh": Tagger(CUES + config.letters, CUES, 1, "tanh", spread=config.spread),
        "orthogonal": Tagger(CUES + config.letters, CUES, 1, "tanh"),
        "lstm": Tagger(CUES + config.letters, CUES, 1, "lstm", config.keep),
        "gru": Tagger(CUES + config.letters, CUES, 1, "gru", config.keep),
        "carousel": Tagger(CUES + config.letters, CUES, 1, "lstm", OPEN),
    }
    return tuple((arm, widest(model, config.recall_parameters)) for arm, model in arms.items())


@functools.lru_cache(maxsize=16)
def drawing(delay: int, letters: int, count: int):
    """What draws the batch of a step: `draw(data, key, t)`, of no data."""

    def draw(data, key, t):
        del data
        return recall(jax.random.fold_in(key, t), delay, letters, count)

    return draw


def recall_after_delays(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs
) -> Result:
    """All networks on each delay, and what share of cues they recall in sequences drawn anew."""
    del data, needs
    arms = memories(config)
    metrics, history, weights = {}, {}, {}
    for delay in config.delays:
        drawn = jax.jit(
            functools.partial(recall, delay=delay, letters=config.letters, count=config.recall_test)
        )

        def fresh(key, why, drawn=drawn):
            return drawn(purpose(jax.random.clone(key), f"{why}-{delay}"))

        draw = drawing(delay, config.letters, config.recall_batch)
        learned = compare(
            f"recall-{delay}",
            arms,
            draw,
            config,
            keys,
            (),
            functools.partial(fresh, why="validation"),
            functools.partial(fresh, why="test"),
            watch,
            config.recall_steps,
        )
        history[f"recall-{delay}"] = learned.history
        metrics |= {f"recall_{arm}_{delay}": learned.accuracy[arm] for arm, _ in arms}
        metrics |= {f"recall_{arm}_rate_{delay}": learned.rates[arm] for arm, _ in arms}
    for arm, model in arms:
        for which, delay in (("shortest", config.delays[0]), ("longest", config.delays[-1])):
            metrics[f"recall_{arm}_{which}"] = metrics[f"recall_{arm}_{delay}"]
        metrics[f"recall_{arm}_parameters"] = float(parameters(model))
        weights[f"recall_{arm}"] = (learned.params[arm], {"paper": "long_memory", "network": arm})
    return Result(metrics | gains(metrics), history, weights=weights)


def gains(metrics: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """What each recalls across the longest delay beyond the tanh network of 1997, seed by seed."""
    plain = np.array(metrics["recall_tanh_longest"])
    return {
        f"recall_{arm}_gain": (np.array(metrics[f"recall_{arm}_longest"]) - plain).tolist()
        for arm in ("orthogonal", "lstm", "gru", "carousel")
    }


def gradients(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """How errors flow back across the longest delay, before training and after."""
    del data, watch
    arms, delay = dict(memories(config)), config.delays[-1]
    drawn = jax.jit(functools.partial(recall, delay=delay, letters=config.letters, count=32))
    flows = defaultdict(list)
    for i in range(len(keys)):
        key = purpose(jax.random.clone(keys[i]), "gradients")
        batch = drawn(key)
        for arm, model in arms.items():
            begun = jax.jit(model.init)(key, batch.words[:1])["params"]
            variants = {arm: (begun, False)}
            if arm == "orthogonal":
                variants["exploding"] = scaled(begun, config.gain), False
            if model.kind == "lstm":
                variants[f"cut_{arm}"] = begun, True
            trained = member(needs["recall"].weights[f"recall_{arm}"][0], i)
            variants[f"trained_{arm}"] = trained, False
            for name, (params, cut) in variants.items():
                flows[name].append(np.asarray(reaching(model, params, batch, cut)))
    lost = {name: [decades_lost(flow) for flow in of_seeds] for name, of_seeds in flows.items()}
    metrics = {f"flow_{name}": values for name, values in lost.items()}
    metrics["flow_exploding"] = [-x for x in lost["exploding"]]
    metrics["flow_cut_carousel"] = [abs(x) for x in lost["cut_carousel"]]
    return Result(metrics, arrays={f"flow_{name}": np.stack(f) for name, f in flows.items()})


def decades_lost(flow: np.ndarray) -> float:
    """From the last step back to the first, in powers of ten; infinite where nothing is left."""
    with np.errstate(divide="ignore"):
        return float(np.log10(flow[-1]) - np.log10(flow[0]))


def taggers(config: Config, words: int) -> Arms:
    """The networks that tag, with as many parameters each as fit."""
    return tuple(
        (name, widest(Tagger(words, len(TAGS), 1, directions=name), config.tagger_parameters))
        for name in ("forward", "backward", "both")
    )


@functools.lru_cache(maxsize=4)
def picking(size: int, count: int):
    """What picks the batch of a step from all sentences: every epoch each of them once."""

    def draw(data: Batch, key, t):
        chosen = shuffled_indices(key, t, size=size, batch=count)
        return jax.tree.map(lambda x: x[chosen], data)

    return draw


def tagging(config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Needs) -> Result:
    """Taggers of numbers in words that read in order, backwards, or both ways."""
    del needs
    arms = taggers(config, len(data.vocabulary))
    train, validation, test = (
        jax.tree.map(jnp.asarray, tagged(split, data.vocabulary, config.length))
        for split in (data.train, data.validation, data.test)
    )
    learned = compare(
        "tagging",
        arms,
        picking(config.train, config.tagger_batch),
        config,
        keys,
        train,
        lambda key: validation,
        lambda key: test,
        watch,
        config.tagger_steps,
    )
    accuracy = learned.accuracy
    guessing = usual(data.train, data.test)
    metrics = {"tagging_guessing": guessing}
    for arm, model in arms:
        metrics[f"tagging_{arm}"] = accuracy[arm]
        metrics[f"tagging_{arm}_rate"] = learned.rates[arm]
        metrics[f"tagging_{arm}_parameters"] = float(parameters(model))
    for arm in ("forward", "backward"):
        metrics[f"tagging_{arm}_over_guessing"] = [x - guessing for x in accuracy[arm]]
        metrics[f"tagging_over_{arm}"] = (np.array(accuracy["both"]) - accuracy[arm]).tolist()
    return Result(metrics, {"tagging": learned.history}, drawn(arms, learned, data, test))


def usual(train: list[Words], test: list[Words]) -> float:
    """Share of right tags if each word is given the one that it has most often in `train`."""
    counts = defaultdict(Counter)
    for words in train:
        for word, tag in zip(words, tags_of(words), strict=True):
            counts[word][tag] += 1
    right = [
        bool(counts[word]) and counts[word].most_common(1)[0][0] == tag
        for words in test
        for word, tag in zip(words, tags_of(words), strict=True)
    ]
    return float(np.mean(right))


def drawn(arms: Arms, learned, data: Data, test: Batch) -> dict[str, np.ndarray]:
    """The chance that each tagger gives to the right tag, at each word of a few numbers of all lengths."""
    lengths = np.array([len(words) for words in data.test])
    places = np.argsort(lengths, kind="stable")[
        np.linspace(len(lengths) // 2, len(lengths) - 1, SHOWN).astype(int)
    ]
    batch = jax.tree.map(lambda x: x[places], test)
    arrays = {"tagging_words": np.array([" ".join(data.test[i]) for i in places])}
    for arm, model in arms:
        params = member(learned.params[arm], 0)
        scores = jax.nn.log_softmax(model.apply({"params": params}, batch.words, batch.real))
        chosen = np.take_along_axis(np.exp(scores), np.asarray(batch.tags)[..., None], axis=2)
        arrays[f"tagging_{arm}"] = chosen[..., 0]
    return arrays


PARTS = {"recall": recall_after_delays, "gradients": gradients, "tagging": tagging}
