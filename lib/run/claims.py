"""Claims: what a paper states, as data, and whether the numbers of a run bear it out."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["result", "mechanism", "identity", "pipeline", "reference"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Direction = Literal["at least", "at most", "within"]

EVERY_SEED_BELOW = 5
"""With fewer seeds than this a claim holds only if it does for every one of them."""


@dataclass(frozen=True)
class Baseline:
    """What a comparison's other side must have reached for the comparison to count.

    Attributes:
      metric: the key of a metric of the claim's part.
      holds_if, target: the bound on its mean over seeds.
      otherwise: why the claim is undecided where it is missed ("the LSTM has not learned to copy").
    """

    metric: str
    holds_if: Literal["at least", "at most"]
    target: float
    otherwise: str


@dataclass(frozen=True)
class Claim:
    """One statement of a paper with the number that decides it.

    Attributes:
      id: short name, unique in the paper.
      where: section, table or figure of the paper.
      statement: the claim in one sentence.
      paper: the paper's number in words, or a dash where it gives none.
      metric: the key of the metric that decides.
      part: the part of the experiment that measures it.
      kind: "result" (found out by training or measuring; could have come out otherwise), "mechanism" (a
        component does what the equation says), "identity" (true by algebra or by the protocol), "pipeline"
        (data, metric or somebody else's weights come out as published), "reference" (a number without a
        verdict). Only results count.
      holds_if: "at least", "at most", or "within" (of `target`, by `tolerance`).
      target, tolerance: the bound. Of a result it is a stated share of the paper's own effect.
      presets: where the claim is expected to hold; elsewhere its number is shown without a verdict.
      statistic: the "mean" over seeds decides, or, for what succeeds on most seeds and fails on few, the
        "median" (shown with the range; a value that is not finite counts as the worst).
      baseline: what the other side of a comparison must have reached, or the claim is undecided.
      unit: of the metric.
      dataset: the real dataset that the claim is about; a run on any other, or that tests on a part of
        it only, gives no verdict.
      failed_because: the reason shown where the claim does not hold; "perhaps" where nobody tested it.
      headline: the claim in a few words, for the one of at most six that the README begins with.
    """

    id: str
    where: str
    statement: str
    paper: str
    metric: str
    part: str
    kind: Kind
    holds_if: Direction = "at least"
    target: float = math.nan
    tolerance: float = 0.0
    presets: tuple[str, ...] = ("laptop", "paper")
    statistic: Literal["mean", "median"] = "mean"
    baseline: Baseline | None = None
    unit: str = ""
    dataset: str | None = None
    failed_because: str = ""
    headline: str = ""

    def met_by(self, value: float) -> bool:
        """Whether `value` satisfies the claim; NaN never does."""
        if self.holds_if == "at least":
            return value >= self.target
        if self.holds_if == "at most":
            return value <= self.target
        return abs(value - self.target) <= self.tolerance

    def bound(self) -> str | None:
        """The bound in words; None for a reference, which has none."""
        if self.kind == "reference":
            return None
        words = f"{self.holds_if} {self.target:g}"
        if self.holds_if == "within":
            words += f" ± {self.tolerance:g}"
        if (other := self.baseline) is not None:
            words += f", where {other.metric} is {other.holds_if} {other.target:g}"
        return words


def summarise(values: float | Sequence[float]) -> dict[str, Any]:
    """A metric as a record keeps it.

    Of values over seeds: mean, sample standard deviation (None for one value) and the values themselves;
    of a number that belongs to no seed: its value. What is not finite is a word, as JSON has no number
    for it; then there is no mean.
    """
    if isinstance(values, (int, float)):
        return {"value": as_json(values)}
    values = [float(v) for v in values]
    if not all(map(math.isfinite, values)):
        return {"mean": None, "std": None, "per_seed": [as_json(v) for v in values]}
    mean = math.fsum(values) / len(values)
    std = None
    if len(values) > 1:
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return {"mean": mean, "std": std, "per_seed": values}


def as_json(value: float) -> float | str:
    """`value`, or "inf", "-inf", "nan": `float` reads all of them back."""
    return float(value) if math.isfinite(value) else str(float(value))


def values_of(metric: Mapping[str, Any]) -> list[float]:
    """The values over seeds of what `summarise` made, or the one value of no seed."""
    return [float(v) for v in metric.get("per_seed", [metric.get("value")])]


def over_seeds(claim: Claim, metric: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a claim's row shows of a metric: `ours`, its `std` or `range`, and `n` (0: of no seed)."""
    if metric is None:
        return {"ours": None, "std": None, "n": 0}
    values = values_of(metric)
    if "value" in metric:
        return {"ours": values[0] if math.isfinite(values[0]) else None, "std": None, "n": 0}
    if claim.statistic == "mean":
        return {"ours": metric["mean"], "std": metric["std"], "n": len(values)}
    ordered = sorted(_worst_if_nan(claim, values))
    shown = (statistics.median(ordered), ordered[0], ordered[-1])
    median, low, high = (v if math.isfinite(v) else None for v in shown)
    return {"ours": median, "std": None, "range": [low, high], "n": len(values)}


def _worst_if_nan(claim: Claim, values: Sequence[float]) -> list[float]:
    worst = math.inf if claim.holds_if == "at most" else -math.inf
    return [worst if math.isnan(v) else v for v in values]


def verdict(claim: Claim, values: Sequence[float]) -> Literal["holds", "fails", "undecided"]:
    """What independent `values` say of a claim, with two standard errors to either side.

    Below five values it holds if every one satisfies it. A median is judged by the share of the values
    that satisfy the claim: whether it is above, or below, one half by two standard errors of a share.
    """
    n, met = len(values), [claim.met_by(v) for v in values]
    if n < EVERY_SEED_BELOW and all(met):
        return "holds"
    if claim.statistic == "median":
        share = sum(met) / n
        margin = 2 * math.sqrt(share * (1 - share) / n)
        if n >= EVERY_SEED_BELOW and share - margin > 0.5:
            return "holds"
        return "fails" if share + margin < 0.5 else "undecided"
    if not all(map(math.isfinite, values)):
        return "fails"
    mean = math.fsum(values) / n
    margin = 0.0
    if n > 1:
        margin = 2 * statistics.stdev(values) / math.sqrt(n)
    ends = [claim.met_by(mean - margin), claim.met_by(mean + margin)]
    if n >= EVERY_SEED_BELOW and all(ends):
        return "holds"
    # Wider than the tolerance, an interval may hold the target between two ends that miss it.
    inside = claim.holds_if == "within" and mean - margin <= claim.target <= mean + margin
    return "undecided" if any(ends) or inside else "fails"


def judge(
    claims: Sequence[Claim],
    metrics: Mapping[str, Mapping[str, Any]],
    preset: str,
    data: Mapping[str, Sequence[Mapping[str, Any]]],
    bounds: Mapping[str, Sequence[str]] | None = None,
) -> list[dict[str, Any]]:
    """One row a claim whose part was run.

    Args:
      metrics: summaries by name (see `summarise`).
      data: the descriptions of the datasets that each part used, by part: those that were run.
      bounds: claim -> the bounds that were in force when its part was run; one that differs from
        today's marks the row as `moved`.
    """
    rows = []
    for claim in claims:
        if claim.part in data:
            shown = _judged(claim, metrics, preset, data[claim.part])
            before = sorted({b for b in (bounds or {}).get(claim.id, ()) if b != claim.bound()})
            rows.append(
                {
                    **{name: getattr(claim, name) for name in ("id", "part", "kind", "where")},
                    **{name: getattr(claim, name) for name in ("statement", "paper", "unit")},
                    **shown,
                    "bound": claim.bound(),
                    "moved": before,
                }
            )
    return rows


def _judged(claim: Claim, metrics, preset: str, data) -> dict[str, Any]:
    real = {d["name"] for d in data if d["real"]} - {d["name"] for d in data if not d["real"]}
    real -= {d["name"] for d in data if d.get("split", "").startswith("test[")}  # a part of it only
    if claim.dataset is not None and claim.dataset not in real:
        return {**over_seeds(claim, None), "verdict": None, "why": f"needs {claim.dataset}"}
    metric = metrics.get(claim.metric)
    shown = over_seeds(claim, metric)
    if metric is None:
        return {**shown, "verdict": None, "why": "not measured"}
    if claim.kind == "reference":
        return {**shown, "verdict": None, "why": "for reference"}
    if preset not in claim.presets:
        return {**shown, "verdict": None, "why": f"decided by {' and '.join(claim.presets)}"}
    if claim.baseline is not None:
        reached = metrics.get(claim.baseline.metric)
        value = math.nan if reached is None else statistics.fmean(values_of(reached))
        at_least = claim.baseline.holds_if == "at least"
        if not (value >= claim.baseline.target if at_least else value <= claim.baseline.target):
            return {**shown, "verdict": "undecided", "why": claim.baseline.otherwise}
    decided = verdict(claim, values_of(metric))
    if decided == "undecided":
        why = f"{claim.bound()}: the seeds do not decide"
    elif shown["ours"] is None and claim.statistic == "mean":
        why = "not a finite number"
    else:
        why = claim.failed_because if decided == "fails" and claim.failed_because else claim.bound()
    return {**shown, "verdict": decided, "why": why}
