"""What the paper asks of a network after training, task by task."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.ntm.config import Config
from experiments.ntm.training import TESTED_AT_ONCE, costs, sample, trace
from lib.metrics.bits import optimal_ngram, optimal_ngram_bits
from lib.run.keys import purpose
from lib.run.result import Result


class Learned(NamedTuple):
    """A trained network: "feedforward", "lstm" or "baseline", its Flax module, its parameters, one a seed."""

    kind: str
    model: Any
    params: list

    @property
    def has_memory(self) -> bool:
        """Whether it is an NTM."""
        return self.kind != "baseline"


Needs = Mapping[str, Result]


def example(task):
    """One sequence of `task`, the same for every network; its longest where lengths vary."""
    # As many as are tested at once: the same compiled program.
    sequences = sample(task, purpose(jax.random.key(0), "example"), jnp.arange(TESTED_AT_ONCE))
    return jax.tree.map(lambda x: x[0], sequences)


def shown(name: str, task, learned: Learned, *, memory: bool = False) -> dict[str, np.ndarray]:
    """Arrays `<name>_<kind>_<what>` of one sequence: what the first seed's network is given, says, does.

    The memory itself, step by step, is large: only where asked for.
    """
    sequence = example(task)
    steps = trace(learned.model, learned.params[0], sequence)
    keep = steps.keys() - ({"output"} if memory else {"output", "memory"})
    arrays = {k: np.asarray(v) for k, v in sequence._asdict().items()}
    arrays |= {k: steps[k] for k in keep}
    return {f"{name}_{learned.kind}_{k}": v for k, v in arrays.items()}


def copy(config: Config, task, learned: Learned, needs: Needs) -> Result:
    """Figures 4 to 6: sequences of one length each, up to far beyond those trained on."""
    del needs
    of, most = f"copy_{learned.kind}", config.copy.length
    metrics, arrays = {}, {f"{of}_trained_up_to": np.array(most)}
    for length in sorted({*config.copy.tested, most}):
        longer = replace(task, min_length=length, max_length=length)
        exactness = _exactness(config, longer, learned, length * task.bits)
        metrics |= {f"{of}_{name}_{length}": values for name, values in exactness.items()}
        if length == most:
            metrics[f"{of}_wrong_learned"] = exactness["wrong"]
        arrays |= shown(f"copy_{length}", longer, learned, memory=length == most)
    if learned.has_memory:
        model, sequence = learned.model, example(replace(task, min_length=most, max_length=most))
        moves = [
            head_movement(trace(model, p, sequence)["weightings"], most) for p in learned.params
        ]
        metrics |= {f"{of}_{name}": [move[name] for move in moves] for name in moves[0]}
    return Result(metrics, arrays=arrays)


def head_movement(weightings: np.ndarray, length: int) -> dict[str, float]:
    """How the first write and read head move while `length` vectors are shown and said (Figure 6).

    Args:
      weightings: `[T, R + W, N]`, read heads first.

    Returns:
      `focus`: the mean of the write head's largest share; `step_of_one`: the fraction of its steps that
      move it by one row, in one direction; `read_where_written`: the fraction of vectors that are read
      from the row they were written to, or from its neighbour if the head keeps that distance.
    """
    _, heads, rows = weightings.shape
    writing, reading = weightings[:length, heads // 2], weightings[length + 1 :, 0]
    written, read = writing.argmax(axis=1), reading.argmax(axis=1)[:length]
    moves, apart = np.diff(written) % rows, (read - written) % rows
    return {
        "focus": float(writing.max(axis=1).mean()),
        "step_of_one": float(max(np.mean(moves == d % rows) for d in (-1, 1))),
        "read_where_written": float(max(np.mean(apart == d % rows) for d in (-1, 0, 1))),
    }


def repeat_copy(config: Config, task, learned: Learned, needs: Needs) -> Result:
    """Figures 8 and 9: twice as many vectors, and twice as many repeats, as trained on."""
    del needs
    metrics, arrays = {}, {}
    length, repeats = config.repeat_copy.length, config.repeat_copy.repeats
    for long, often in ((length, repeats), (2 * length, repeats), (length, 2 * repeats)):
        longer = replace(task, min_length=long, max_length=long)
        longer = replace(longer, min_repeats=often, max_repeats=often)
        exactness = _exactness(config, longer, learned, (long * often + 1) * task.outputs)
        for name, values in exactness.items():
            metrics[f"repeat_copy_{learned.kind}_{name}_{long}x{often}"] = values
        arrays |= shown(f"repeat_copy_{long}x{often}", longer, learned)
    return Result(metrics, arrays=arrays)


def associative_recall(config: Config, task, learned: Learned, needs: Needs) -> Result:
    """Figures 11 and 12: the cost against the number of items."""
    del needs
    of, most = f"associative_recall_{learned.kind}", config.associative_recall.items
    metrics = {}
    for items in config.associative_recall.tested:
        more = replace(task, min_items=items, max_items=items)
        cost = [costs(config, more, learned.model, p)["bits"] for p in learned.params]
        metrics[f"{of}_bits_{items}"] = [float(c.mean()) for c in cost]
    arrays = shown("associative_recall", replace(task, min_items=most, max_items=most), learned)
    arrays[f"{of}_trained_up_to"] = np.array(most)
    return Result(metrics, arrays=arrays)


def ngrams_optimal(config: Config, task) -> Result:
    """What the optimal estimator (10) costs, on the validation sequences too, and what it predicts."""
    best = optimal_cost(task, purpose(jax.random.key(0), "validation"), config.validation)
    expected = optimal_cost(task, purpose(jax.random.key(0), "expected"), 100 * config.validation)
    metrics = {"ngrams_optimal_bits": expected, "ngrams_optimal_validation_bits": best}
    bits = example(task).targets[:, 0]
    predicted = np.asarray(optimal_ngram(jnp.asarray(bits), task.context))
    arrays = {"ngrams_optimal": predicted, "ngrams_context": np.array(task.context)}
    return Result(metrics, arrays=arrays)


def ngrams(config: Config, task, learned: Learned, needs: Needs) -> Result:
    """Figures 13 to 15: against the best that can be done (10) on the same sequences."""
    best = needs["ngrams_optimal"].metrics["ngrams_optimal_validation_bits"]
    cost = [costs(config, task, learned.model, p)["bits"].mean() for p in learned.params]
    metrics = {f"ngrams_{learned.kind}_above_optimal": [float(c) - best for c in cost]}
    return Result(metrics, arrays=shown("ngrams", task, learned))


def optimal_cost(task, key: jax.Array, sequences: int) -> float:
    """The mean cost in bits of the optimal estimator; a sequence's own cost varies by 36 bits."""
    bits = sample(task, key, jnp.arange(sequences)).targets[..., 0]
    return float(jax.vmap(lambda b: optimal_ngram_bits(b, task.context))(bits).mean())


def priority_sort(config: Config, task, learned: Learned, needs: Needs) -> Result:
    """Figures 16 and 17: are vectors written where a linear function of their priority says?"""
    del needs
    arrays = shown("priority_sort", task, learned)
    if not learned.has_memory:
        return Result({}, arrays=arrays)
    key = purpose(jax.random.key(0), "validation")
    sequences = sample(task, key, jnp.arange(TESTED_AT_ONCE))
    priorities = np.asarray(sequences.inputs[: min(config.validation, 20), : task.shown, task.bits])
    shuffled = np.random.default_rng(0).permuted(priorities, axis=1)
    model, coherence, by_chance = learned.model, [], []
    for p in learned.params:
        weightings = [
            trace(model, p, jax.tree.map(lambda x, i=i: x[i], sequences))["weightings"]
            for i in range(len(priorities))
        ]
        written = np.stack(weightings)[:, : task.shown, model.heads :]
        coherence.append(max(fit.coherence for fit in along_priority(written, priorities)))
        by_chance.append(max(fit.coherence for fit in along_priority(written, shuffled)))
    of = f"priority_sort_{learned.kind}"
    metrics = {f"{of}_linear": coherence, f"{of}_linear_shuffled": by_chance}
    return Result(metrics, arrays=arrays)


class Fit(NamedTuple):
    """A head writes at rows `j + slope * priority`, for the rows j where `profile` is large.

    Attributes:
      coherence: 1 if all it writes lies on such lines, one over the number of vectors if each lies on a
        line of its own.
      slope: rows a unit of priority.
      profile: `[n, N]`, the mean weighting of each sequence with the slope taken out.
    """

    coherence: float
    slope: float
    profile: np.ndarray


def along_priority(weightings: np.ndarray, priorities: np.ndarray) -> list[Fit]:
    """The slope that best lines up what each head writes (Figure 17).

    A head may write to several rows at once, so that lines are not fitted to the row of its largest
    share: weightings are shifted back by `slope * priority`, on the ring of rows, and compared. Slopes
    below 4 rows a unit are left out: a head that stays where it is follows no priority.

    Args:
      weightings: `[n, shown, heads, N]`.
      priorities: `[n, shown]`.
    """
    rows = weightings.shape[-1]
    steep = np.arange(4, rows / 2, 0.5)
    fits = []
    for head in np.moveaxis(weightings, 2, 0):
        # Half a row off is no miss: shifts are whole rows.
        smooth = (np.roll(head, 1, axis=-1) + 2 * head + np.roll(head, -1, axis=-1)) / 4
        alone = np.square(smooth).sum(axis=-1).mean(axis=1)
        tried = []
        for slope in np.concatenate([-steep, steep]):
            back = np.round(slope * priorities).astype(int)[..., None]
            at = (np.arange(rows) + back) % rows
            profile = np.take_along_axis(smooth, at, axis=-1).mean(axis=1)
            coherence = (np.square(profile).sum(axis=-1) / alone).mean()
            tried.append(Fit(float(coherence), float(slope), profile))
        fits.append(max(tried, key=lambda fit: fit.coherence))
    return fits


def first_row(places: np.ndarray, rows: int) -> int:
    """Where to cut the ring of `rows`: the middle of the longest stretch without any of `places`."""
    used = np.unique(places)
    gaps = np.diff(np.append(used, used[0] + rows))
    widest = gaps.argmax()
    return int(used[widest] + gaps[widest] // 2) % rows


def _exactness(config: Config, task, learned: Learned, bits: int) -> dict[str, list[float]]:
    """Of the validation sequences, a seed each: the share without a wrong bit, of wrong bits, the cost."""
    tested = [costs(config, task, learned.model, p) for p in learned.params]
    return {
        "exact": [float((c["wrong"] == 0).mean()) for c in tested],
        "wrong": [float(c["wrong"].mean() / bits) for c in tested],
        "bits": [float(c["bits"].mean()) for c in tested],
    }


MEASURES = {
    "copy": copy,
    "repeat_copy": repeat_copy,
    "associative_recall": associative_recall,
    "ngrams": ngrams,
    "priority_sort": priority_sort,
}
