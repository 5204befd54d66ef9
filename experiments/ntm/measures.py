"""What the paper asks of the networks after training, task by task."""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.ntm.config import Config
from experiments.ntm.training import costs, sample, trace
from lib.metrics.bits import optimal_ngram, optimal_ngram_bits
from lib.run.keys import purpose
from lib.run.result import Result


class Learned(NamedTuple):
    """A Flax module, and its parameters, one a seed."""

    model: Any
    params: list


Networks = dict[str, Learned]
"""By model: "feedforward", "lstm", "baseline"."""


def example(task):
    """One sequence of `task`, the same for every network; its longest where lengths vary."""
    sequences = sample(task, purpose(jax.random.key(0), "example"), jnp.arange(1))
    return jax.tree.map(lambda x: x[0], sequences)


def shown(name: str, task, trained: Networks, *, memory: bool = False) -> dict[str, np.ndarray]:
    """Arrays `<name>_<model>_<what>` of one sequence: what the first seed's networks answer and do.

    The memory itself, step by step, is large: only where asked for.
    """
    sequence = example(task)
    arrays = {f"{name}_{k}": np.asarray(v) for k, v in sequence._asdict().items()}
    for kind, learned in trained.items():
        seen = trace(learned.model, learned.params[0], sequence)
        keep = seen.keys() - ({"output"} if memory else {"output", "memory"})
        arrays |= {f"{name}_{kind}_{k}": seen[k] for k in keep}
    return arrays


def copy(config: Config, task, trained: Networks) -> Result:
    """Figures 4 to 6: sequences of one length each, up to far beyond those trained on."""
    metrics, arrays = {}, {"copy_trained_up_to": np.array(config.copy.length)}
    for length in config.copy.tested:
        longer = replace(task, min_length=length, max_length=length)
        metrics |= _exactness(
            config, f"copy_{{}}_{{}}_{length}", longer, trained, length * task.bits
        )
        arrays |= shown(f"copy_{length}", longer, trained, memory=length == config.copy.length)
    length = config.copy.length
    sequence = example(replace(task, min_length=length, max_length=length))
    for kind in trained.keys() - {"baseline"}:
        model, params = trained[kind]
        found = [head_movement(trace(model, p, sequence)["weightings"], length) for p in params]
        metrics |= {f"copy_{kind}_{name}": [f[name] for f in found] for name in found[0]}
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


def repeat_copy(config: Config, task, trained: Networks) -> Result:
    """Figures 8 and 9: twice as many vectors, and twice as many repeats, as trained on."""
    metrics, arrays = {}, {}
    length, repeats = config.repeat_copy.length, config.repeat_copy.repeats
    for long, often in ((length, repeats), (2 * length, repeats), (length, 2 * repeats)):
        longer = replace(task, min_length=long, max_length=long)
        longer = replace(longer, min_repeats=often, max_repeats=often)
        name = f"repeat_copy_{{}}_{{}}_{long}x{often}"
        bits = (long * often + 1) * task.outputs
        metrics |= _exactness(config, name, longer, trained, bits)
        arrays |= shown(f"repeat_copy_{long}x{often}", longer, trained)
    return Result(metrics, arrays=arrays)


def associative_recall(config: Config, task, trained: Networks) -> Result:
    """Figures 11 and 12: the cost against the number of items."""
    metrics, arrays = {}, {}
    for items in config.associative_recall.tested:
        longer = replace(task, min_items=items, max_items=items)
        for kind, learned in trained.items():
            found = [costs(config, longer, learned.model, p)["bits"] for p in learned.params]
            metrics[f"associative_recall_{kind}_bits_{items}"] = [float(f.mean()) for f in found]
    most = config.associative_recall.items
    longest = replace(task, min_items=most, max_items=most)
    arrays = shown("associative_recall", longest, trained)
    arrays["associative_recall_trained_up_to"] = np.array(most)
    return Result(metrics, arrays=arrays)


def ngrams(config: Config, task, trained: Networks) -> Result:
    """Figures 13 to 15: against the best that can be done (10) on the same sequences."""
    best = optimal_cost(task, purpose(jax.random.key(0), "validation"), config.validation)
    expected = optimal_cost(task, purpose(jax.random.key(0), "expected"), 100 * config.validation)
    metrics = {"ngrams_optimal_bits": [expected], "ngrams_optimal_validation_bits": [best]}
    for kind, learned in trained.items():
        found = [costs(config, task, learned.model, p)["bits"].mean() for p in learned.params]
        metrics[f"ngrams_{kind}_above_optimal"] = [float(f) - best for f in found]
    arrays = shown("ngrams", task, trained)
    arrays["ngrams_context"] = np.array(task.context)
    arrays["ngrams_optimal"] = np.asarray(
        optimal_ngram(jnp.asarray(arrays["ngrams_targets"][:, 0]), task.context)
    )
    return Result(metrics, arrays=arrays)


def optimal_cost(task, key: jax.Array, sequences: int) -> float:
    """The mean cost in bits of the optimal estimator; a sequence's own cost varies by 36 bits."""
    bits = sample(task, key, jnp.arange(sequences)).targets[..., 0]
    return float(jax.vmap(lambda b: optimal_ngram_bits(b, task.context))(bits).mean())


def priority_sort(config: Config, task, trained: Networks) -> Result:
    """Figures 16 and 17: are vectors written where a linear function of their priority says?"""
    metrics = {}
    key = purpose(jax.random.key(0), "validation")
    sequences = sample(task, key, jnp.arange(min(config.validation, 20)))
    priorities = np.asarray(sequences.inputs[:, : task.shown, task.bits])
    shuffled = np.random.default_rng(0).permuted(priorities, axis=1)
    for kind in trained.keys() - {"baseline"}:
        model, params = trained[kind]
        found, control = [], []
        for p in params:
            written = [
                trace(model, p, jax.tree.map(lambda x, i=i: x[i], sequences))["weightings"]
                for i in range(len(priorities))
            ]
            weightings = np.stack(written)[:, : task.shown, model.heads :]
            found.append(max(fit.coherence for fit in along_priority(weightings, priorities)))
            control.append(max(fit.coherence for fit in along_priority(weightings, shuffled)))
        metrics[f"priority_sort_{kind}_linear"] = found
        metrics[f"priority_sort_{kind}_linear_shuffled"] = control
    return Result(metrics, arrays=shown("priority_sort", task, trained))


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


def _exactness(config, name: str, task, trained: Networks, bits: int) -> dict[str, list[float]]:
    metrics = {}
    for kind, learned in trained.items():
        found = [costs(config, task, learned.model, p) for p in learned.params]
        metrics[name.format(kind, "exact")] = [float((f["wrong"] == 0).mean()) for f in found]
        metrics[name.format(kind, "wrong")] = [float(f["wrong"].mean() / bits) for f in found]
        metrics[name.format(kind, "bits")] = [float(f["bits"].mean()) for f in found]
    return metrics


MEASURES = {
    "copy": copy,
    "repeat_copy": repeat_copy,
    "associative_recall": associative_recall,
    "ngrams": ngrams,
    "priority_sort": priority_sort,
}
