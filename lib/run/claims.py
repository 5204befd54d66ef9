"""Claims: what a paper states, as data, and whether a run bears it out."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Claim:
    """One statement of a paper with the number that decides it.

    Attributes:
      id: short name, unique in the paper.
      where: section, table or figure of the paper.
      statement: the claim in one sentence.
      paper: the paper's number in words, or a dash where it gives none.
      metric: the key of the run's metric that decides.
      statistic: of the metric over seeds, what is compared: the "mean" (shown with the standard
        deviation), or the "median" (shown with the range), for what succeeds on most seeds and fails on
        few. In a median, a value that is not finite counts as the worst.
      holds_if: "at least", "at most", or "within" (of `target`, by `tolerance`).
      target, tolerance: the threshold.
      presets: where the claim is expected to hold; elsewhere it is shown without a verdict. None: a
        number for reference, which nothing decides.
      unit: of the metric.
      dataset: the real dataset that the claim is about; a run on any other, or that tests on a part of
        it only, gives no verdict.
      failed_because: the reason shown when the claim does not hold.
    """

    id: str
    where: str
    statement: str
    paper: str
    metric: str
    holds_if: Literal["at least", "at most", "within"]
    target: float
    tolerance: float = 0.0
    presets: tuple[str, ...] = ("laptop", "paper")
    statistic: Literal["mean", "median"] = "mean"
    unit: str = ""
    dataset: str | None = None
    failed_because: str = ""

    def met_by(self, value: float) -> bool:
        """Whether `value` satisfies the claim; NaN never does."""
        if self.holds_if == "at least":
            return value >= self.target
        if self.holds_if == "at most":
            return value <= self.target
        return abs(value - self.target) <= self.tolerance

    def criterion(self) -> str:
        """The threshold in words."""
        around = f" ± {self.tolerance:g}" if self.holds_if == "within" else ""
        return f"{self.holds_if} {self.target:g}{around}"


def summarise(values: Sequence[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (None for one value) and the values themselves.

    A value that is not finite is None, as JSON has no word for it; then so is the mean.
    """
    values = [float(v) if math.isfinite(v) else None for v in values]
    if None in values:
        return {"mean": None, "std": None, "per_seed": values}
    mean = math.fsum(values) / len(values)
    std = None
    if len(values) > 1:
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return {"mean": mean, "std": std, "per_seed": values}


def over_seeds(claim: Claim, found: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a claim's row shows of a metric's summary: `ours` and its `std` or `range`, and `n`."""
    if found is None:
        return {"ours": None, "std": None, "n": 0}
    values = found["per_seed"]
    if claim.statistic == "mean":
        return {"ours": found["mean"], "std": found["std"], "n": len(values)}
    worst = math.inf if claim.holds_if == "at most" else -math.inf
    ordered = sorted(worst if v is None else v for v in values)
    shown = (statistics.median(ordered), ordered[0], ordered[-1])
    median, low, high = (v if math.isfinite(v) else None for v in shown)
    return {"ours": median, "std": None, "range": [low, high], "n": len(values)}


def judge(
    claims: Sequence[Claim],
    metrics: Mapping[str, Mapping[str, Any]],
    preset: str,
    data: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """One row a claim for a record; `holds` is None where this run cannot tell, and `why` says so.

    `metrics` are summaries (see `summarise`); `data` the descriptions of the datasets used.
    """
    real = {d["name"] for d in data if d["real"]} - {d["name"] for d in data if not d["real"]}
    real -= {d["name"] for d in data if d.get("split", "").startswith("test[")}  # a part of it only
    rows = []
    for claim in claims:
        lacks = claim.dataset is not None and claim.dataset not in real
        shown = over_seeds(claim, None if lacks else metrics.get(claim.metric))
        holds, why = None, ""
        if lacks:
            why = f"needs {claim.dataset}"
        elif shown["n"] == 0:
            why = "not run"
        elif preset not in claim.presets:
            why = f"decided by {' and '.join(claim.presets)}" if claim.presets else "for reference"
        elif shown["ours"] is None:
            holds, why = False, "not a finite number"
        else:
            holds = claim.met_by(shown["ours"])
            why = claim.criterion() if holds or not claim.failed_because else claim.failed_because
        rows.append(
            {
                "id": claim.id,
                "where": claim.where,
                "statement": claim.statement,
                "paper": claim.paper,
                **shown,
                "unit": claim.unit,
                "holds": holds,
                "why": why,
            }
        )
    return rows
