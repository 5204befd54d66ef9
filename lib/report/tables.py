"""Records as tables: in the terminal, and in READMEs between markers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lib.base.errors import UserError
from lib.base.files import read_json, write_atomically
from lib.run.paper import PRESETS, Paper, all_papers

VERDICT = {"holds": "yes", "fails": "**no**", "undecided": "undecided", None: "–"}
IN_WORDS = {
    "holds": "Reproduced",
    "fails": "Not reproduced",
    "undecided": "Undecided",
    None: "Without a verdict",
    "not run": "Not run",
}

Row = Mapping[str, Any]
Record = Mapping[str, Any]


def number(value: float) -> str:
    """Three decimals below ten, fewer above; an exponent where those would show nothing, or too much."""
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3
        return f"{value:.{digits}f}".replace("-", "−")
    return f"{value:.1e}".replace("-", "−")


def ours(row: Row) -> str:
    """`mean ± std unit (n)` of a claim's row, or `median (lowest to highest) unit (n)`."""
    if row["ours"] is None and not row.get("range"):
        return "–"
    spread = ""
    if row.get("range") and row["n"] > 1:
        low, high = ("never" if v is None else number(v) for v in row["range"])
        spread = f" ({low} to {high})"
    if row["std"] is not None:
        small = 1e-4 <= row["std"] < 1e-3 and abs(row["ours"]) >= 1
        spread = f" ± {row['std']:.4f}" if small else f" ± {number(row['std'])}"
    unit = f" {row['unit']}" if row["unit"] else ""
    many = f" (n = {row['n']})" if row["n"] else ""
    return f"{'never' if row['ours'] is None else number(row['ours'])}{spread}{unit}{many}"


def holds(row: Row) -> str:
    """The verdict, why, and whether the bound is another than when it was run."""
    moved = (
        f"; bound moved after the run, from {' and '.join(row['moved'])}" if row["moved"] else ""
    )
    why = f" ({row['why']}{moved})" if row["why"] or moved else ""
    return VERDICT[row["verdict"]] + why


def claims_markdown(rows: Sequence[Row], heading: str = "claim") -> str:
    """The *claim | paper | ours | holds?* table of a record."""
    lines = [f"| {heading} | where | paper | ours ± std | holds? |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (row["statement"], row["where"], row["paper"], ours(row), holds(row))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def claims_text(rows: Sequence[Row], width: int = 60) -> str:
    """The same for a terminal."""
    table = [("claim", "paper", "ours ± std", "holds?")]
    for row in rows:
        short = row["statement"]
        if len(short) > width:
            short = f"{short[: width - 1]}…"
        table.append((short, row["paper"], ours(row), holds(row).replace("*", "")))
    widths = [max(len(line[i]) for line in table) for i in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=False)) + "  " + line[3]
        for line in table
    )


def duration(seconds: float) -> str:
    """In words, to two digits or so."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def setting(record: Record, part: str = "", most: int = 1000) -> str:
    """The preset, and where it differs: "paper, steps 100000 of 1000000"; of more than `most` their number.

    Of `part`, without what is set for another part alone: "copy.steps" is for the parts copy and copy_*.
    """

    def said(value: Any) -> str:
        return " ".join(map(str, value)) if isinstance(value, list) else str(value)

    changed = [
        f"{name} {said(here)} of {said(there)}"
        for name, (here, there) in record["overrides"].items()
        if not part
        or name.split(".")[0] not in record["parts"]
        or part.startswith(name.split(".")[0])
    ]
    if len(changed) > most:
        changed[most:] = [f"and {len(changed) - most} more settings"]
    return ", ".join([record["preset"], *changed])


def took(runs: Sequence[Mapping[str, Any]]) -> str:
    """How long the computations of a part took, in words."""
    if not all(run["seconds"] for run in runs):
        return "(time not kept)"
    return duration(sum(sum(run["seconds"].values()) for run in runs))


def time_on_record(paper: Paper, part: str, preset: str) -> str:
    """How long a part took in a preset's committed record, or is expected to take; "" if nobody knows."""
    try:
        records = [r for n, r in paper.records().items() if n.split("-")[0] == preset]
    except UserError:  # whoever reads the record will hear of it
        records = []
    for record in sorted(records, key=lambda r: len(r["overrides"])):
        runs = record["parts"].get(part)
        if runs and all(run["seconds"] for run in runs):
            seeds = sum(len(run["seeds"]) for run in runs)
            devices = " and ".join(dict.fromkeys(run["device"] for run in runs))
            many = f"{seeds} seeds" if seeds > 1 else "1 seed"
            others = len(runs[0].get("together", [part])) - 1
            beside = f" together with {others} others" if others else ""
            return f"took {took(runs)}{beside} ({many}, {devices})"
    expected = paper.parts[part].takes.get(preset)
    return f"not run; about {expected}" if expected else ""


def _claims(paper: Paper, name: str) -> str:
    """The tables of the record `name`: results, mechanisms, the rest; what it is of; what was not run."""
    record = paper.records().get(name)
    body = []
    if record is None and name not in PRESETS:
        raise UserError(f"no record {name} in {paper.results}")
    if record is not None:
        beside = ("needs ", "not measured") + (() if name in PRESETS else ("decided by ",))
        rows = [row for row in record["claims"] if not row["why"].startswith(beside)]
        results, mechanisms = ([r for r in rows if r["kind"] == kind] for kind in KINDS_SHOWN)
        rest = [row for row in rows if row["kind"] not in KINDS_SHOWN]
        if results:
            body.append(claims_markdown(results, "result"))
        if mechanisms:
            body.append(claims_markdown(mechanisms, "mechanism"))
        if rest:
            summary = "<summary>Identities, pipeline, and numbers for reference</summary>"
            table = claims_markdown(rest)
            body.append(f"<details>{summary}\n\n{table}\n\n</details>")
        body.append(f"{_about(record)} [Record](results/{name}.json).")
    if name in PRESETS and (lines := [f"- {line}" for line in _not_run(paper, name)]):
        body.append("\n".join(lines))
    return "\n\n".join(body) if body else "Everything is in other records."


KINDS_SHOWN = ("result", "mechanism")


def _about(record: Record) -> str:
    """Setting, data, and what was computed where, in how long."""
    data = dict.fromkeys(
        f"{words['name']} `{words['split']}`"
        for runs in record["parts"].values()
        for run in runs
        for words in run["data"]
    )
    computed: dict[tuple, list[str]] = {}
    for name, runs in record["parts"].items():
        seeds = ", ".join(str(seed) for run in runs for seed in run["seeds"])
        where = " and ".join(dict.fromkeys(f"{run['device']}, {run['date']}" for run in runs))
        where = where.strip(", ")
        names = computed.setdefault((seeds, where), [])
        parts = runs[0].get("together", [name])
        if (words := f"{', '.join(parts)} {took(runs)}") not in names:
            names.append(words)
    times = "; ".join(
        f"seed{'s' * (',' in seeds)} {seeds} on {where}: {', '.join(names)}"
        for (seeds, where), names in computed.items()
    )
    return f"`{setting(record)}`; {'; '.join(data)}; {times}."


def _not_run(paper: Paper, preset: str) -> Iterator[str]:
    """A line for each group of parts that the preset decides claims about and no record of it has."""
    records = (r for n, r in paper.records().items() if n.split("-")[0] == preset)
    there = {part for record in records for part in record["parts"]}
    groups: dict[str, list[str]] = {}
    for name, part in paper.parts.items():
        decides = any(c.part == name and preset in c.presets for c in paper.claims)
        if decides and name not in there:
            groups.setdefault(part.covers, []).append(name)
    for covers, names in groups.items():
        takes = paper.parts[names[0]].takes.get(preset)
        each = " each" if len(names) > 1 else ""
        time = f"about {takes}{each}" if takes else "not timed yet"
        yield f"{covers}: not run; {time}: `python -m {paper.package} {preset} --only {' '.join(names)}`"


def _headlines(paper: Paper) -> Iterator[tuple[Any, Row | None, str]]:
    """`(claim, its row, the setting)` of each headline, from the record that decides it best.

    A verdict comes before none, a preset as it is before one with other settings, `paper` before `laptop`.
    """
    records = [record for _, record in sorted(paper.records().items())]
    for claim in (claim for claim in paper.claims if claim.headline):
        candidates = [
            (row["verdict"] is None, len(r["overrides"]), r["preset"] != "paper", i)
            for i, r in enumerate(records)
            for row in r["claims"]
            if row["id"] == claim.id and row["n"] + (row["ours"] is not None)
        ]
        if not candidates:
            yield claim, None, ""
            continue
        record = records[min(candidates)[-1]]
        row = next(row for row in record["claims"] if row["id"] == claim.id)
        yield claim, row, setting(record, claim.part, 2)


def _main(paper: Paper) -> str:
    lines = ["| | paper | ours ± std | setting | holds? |", "|---|---|---|---|---|"]
    for claim, row, where in _headlines(paper):
        cells = (claim.paper, "–", "not run", "–")
        if row is not None:
            cells = (claim.paper, ours(row), where, VERDICT[row["verdict"]])
        lines.append(f"| {claim.headline} | {' | '.join(cells)} |")
    return "\n".join(lines)


def counts(records: Sequence[Record]) -> Counter:
    """How many results have which verdict: one that several records decide has the worst of theirs."""
    order = ("holds", "undecided", "fails")
    worst: dict[str, str] = {}
    for row in (row for record in records for row in record["claims"]):
        if row["kind"] == "result" and row["verdict"] is not None:
            worst[row["id"]] = max(worst.get(row["id"], "holds"), row["verdict"], key=order.index)
    return Counter(worst.values())


def _papers(package: str) -> str:
    """Of each paper: how many results hold, in the presets as they are; and in words, which."""
    lines = ["| paper | results that hold | in words |", "|---|---|---|"]
    for paper in all_papers(package):
        cells = []
        for preset in ("laptop", "paper"):
            records = [r for r in paper.records().values() if r["preset"] == preset]
            verdicts = counts([r for r in records if not r["overrides"]])
            said = f"{verdicts['holds']} of {verdicts.total()}"
            undecided = f", {verdicts['undecided']} undecided" if verdicts["undecided"] else ""
            elsewhere = "only with other settings" if records else "not run"
            cells.append(f"{preset}: {said + undecided if verdicts else elsewhere}")
        words: dict[str | None, list[str]] = {verdict: [] for verdict in IN_WORDS}
        for claim, row, _ in _headlines(paper):
            short = re.sub(r" \(.*?\)", "", claim.headline).partition(":")[0]
            short = short.removeprefix("... and ").removeprefix("... ")
            words["not run" if row is None else row["verdict"]].append(short)
        sentences = (f"{IN_WORDS[v]}: {'; '.join(names)}." for v, names in words.items() if names)
        link = f"[{paper.title}](experiments/{paper.name}/README.md)"
        lines.append(f"| {link} | {'; '.join(cells)} | {' '.join(sentences)} |")
    return "\n".join(lines)


def _speed(paper: Paper, kind: str) -> str:
    path = paper.results / f"{kind}.json"
    if not path.exists():
        return "Not run."
    speed = read_json(path)
    counted = any("gflop" in row for row in speed["rows"])
    lines = [
        "| work | ours, ms | PyTorch, ms | ours / PyTorch |" + " ours, TFLOP/s |" * counted,
        "|---" * (4 + counted) + "|",
    ]
    for row in speed["rows"]:
        mine, peer = row["ours_ms"], row.get("peer_ms")
        compared = (number(peer), number(mine / peer)) if peer else ("–", "–")
        line = f"| {row['work']} | {number(mine)} | {' | '.join(compared)} |"
        lines.append(line + (f" {number(row['gflop'] / mine)} |" if counted else ""))
    return "\n".join(lines) + f"\n\n{speed['device']}; {speed['versions']}; `{speed['command']}`."


def _own(paper: Paper, kind: str) -> str:
    """A table that only this paper has: `TABLES` of its `tables.py`, from `results/<kind>.json`."""
    table, path = paper.module("tables").TABLES[kind], paper.results / f"{kind}.json"
    return table(read_json(path)) if path.exists() else "Not run."


def render(text: str, package: str, paper: Paper | None = None) -> str:
    """Fills what stands between `<!-- begin KIND [PAPER] ... -->` and `<!-- end -->`.

    Kinds: `main [PAPER]`, `claims [PAPER] PRESET[-VARIANT]`, `speed [PAPER]` and `speed-gpu [PAPER]`,
    `papers`, and those of the paper's own `tables.py`. PAPER may be left out in a paper's own README.

    Raises:
      UserError: a marker names nothing.
    """

    def fill(match: re.Match) -> str:
        kind, *words = match["what"].split()
        subject = paper
        if words and words[0].split("-")[0] not in PRESETS:
            name = words.pop(0)
            subject = next((p for p in all_papers(package) if p.name == name), None)
        try:
            if kind == "papers":
                body = _papers(package)
            elif kind in ("speed", "speed-gpu"):
                body = _speed(subject, kind)
            elif kind == "main":
                body = _main(subject)
            elif kind == "claims":
                body = _claims(subject, words[0])
            else:
                body = _own(subject, kind)
        except (AttributeError, IndexError, KeyError, ModuleNotFoundError, UserError) as error:
            where = "README.md" if paper is None else f"{paper.name}/README.md"
            raise UserError(
                f"{where}: the marker {match['what']!r} names nothing ({error})"
            ) from None
        if subject is not None and paper is None:
            body = body.replace("(results/", f"(experiments/{subject.name}/results/")
        return f"<!-- begin {match['what']} -->\n{body}\n<!-- end -->"

    return re.sub(r"<!-- begin (?P<what>.+?) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def readmes(package: str = "experiments") -> dict[Path, Paper | None]:
    """The collection's README and each paper's."""
    papers = all_papers(package)
    top = papers[0].folder.parent.parent / "README.md"
    return {top: None} | {p.folder / "README.md": p for p in papers}


def write_readmes(paper: Paper) -> None:
    """Renders the tables of every README beside `paper`, and its own, from the committed records."""
    package = paper.package.rsplit(".", 1)[0]
    for path, paper in (readmes(package) | {paper.folder / "README.md": paper}).items():
        if path.exists():
            text = path.read_text()
            write_atomically(path, render(text, package, paper).encode())
