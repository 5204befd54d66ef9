"""Claims as tables: in the terminal, and in READMEs between markers."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lib.run.claims import judge
from lib.run.files import read_json, write_atomically
from lib.run.paper import PRESETS, Paper, all_papers

VERDICT = {True: "yes", False: "**no**", None: "–"}


def number(value: float) -> str:
    """Three decimals below ten, fewer above; an exponent where those would show nothing, or too much."""
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3
        return f"{value:.{digits}f}".replace("-", "−")
    return f"{value:.1e}".replace("-", "−")


def ours(row: dict[str, Any]) -> str:
    """`mean ± std unit (n)` of a claim's row, or `median (lowest to highest) unit (n)`."""
    if row["ours"] is None:
        return "not run" if row["why"] == "not run" else "–"
    spread = ""
    if row.get("range") and row["n"] > 1:
        low, high = ("never" if v is None else number(v) for v in row["range"])
        spread = f" ({low} to {high})"
    if row["std"] is not None:
        small = 1e-4 <= row["std"] < 1e-3 and abs(row["ours"]) >= 1
        spread = f" ± {row['std']:.4f}" if small else f" ± {number(row['std'])}"
    unit = f" {row['unit']}" if row["unit"] else ""
    return f"{number(row['ours'])}{spread}{unit} (n = {row['n']})"


def claims_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The *claim | paper | ours | holds?* table of a record."""
    lines = ["| claim | where | paper | ours ± std | holds? |", "|---|---|---|---|---|"]
    for row in rows:
        verdict = VERDICT[row["holds"]] + (f" ({row['why']})" if row["why"] else "")
        lines.append(
            f"| {row['statement']} | {row['where']} | {row['paper']} | {ours(row)} | {verdict} |"
        )
    return "\n".join(lines)


def claims_text(rows: Sequence[dict[str, Any]], width: int = 60) -> str:
    """The same for a terminal."""
    table = [("claim", "paper", "ours ± std", "holds?")]
    for row in rows:
        short = row["statement"]
        if len(short) > width:
            short = f"{short[: width - 1]}…"
        verdict = VERDICT[row["holds"]].strip("*") + (f" ({row['why']})" if row["why"] else "")
        table.append((short, row["paper"], ours(row), verdict))
    widths = [max(len(line[i]) for line in table) for i in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=False)) + "  " + line[3]
        for line in table
    )


def _claims(paper: Paper, name: str) -> str:
    """The table of the record `name`.

    Of a variant of a preset, no more than what it is there for; of the preset itself, all but what its
    variants are there for.
    """
    record = paper.records().get(name)
    if record is None:
        data = [{"name": claim.dataset, "real": True} for claim in paper.claims]
        decided = [claim for claim in paper.claims if name in claim.presets]
        return claims_markdown(judge(decided, {}, name, data))
    seeds = ", ".join(map(str, record["seeds"]))
    data = "; ".join(f"{d['name']} `{d['split']}`" for d in record["data"])
    minutes = sum(record["seconds"].values()) / 60
    since = "since it was last resumed" if record.get("resumed") else "in all"
    about = (
        f"Seeds {seeds}; {data}; {record['device']}; {minutes:.0f} min {since}; "
        f"`{record['command']}`. [Record](results/{name}.json)."
    )
    variants = (r for n, r in paper.records().items() if n.startswith(f"{name}-"))
    theirs = {row["id"] for r in variants for row in r["claims"] if row["why"] != "not run"}
    beside = ("needs ",) if name in PRESETS else ("needs ", "decided by ", "not run")
    rows = [
        row
        for row in record["claims"]
        if not row["why"].startswith(beside)
        and not (row["why"] == "not run" and row["id"] in theirs)
    ]
    return f"{claims_markdown(rows)}\n\n{about}"


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
        ours = row["ours_ms"]
        line = f"| {row['work']} | {number(ours)} | {number(row['peer_ms'])} | {number(ours / row['peer_ms'])} |"
        lines.append(line + (f" {number(row['gflop'] / ours)} |" if counted else ""))
    return "\n".join(lines) + f"\n\n{speed['device']}; {speed['versions']}; `{speed['command']}`."


def _quality(paper: Paper) -> str:
    path = paper.results / "time_to_quality.json"
    if not path.exists():
        return "Not run."
    found = read_json(path)
    names = list(found["seconds"])
    lines = [f"| {found['what']} | " + " | ".join(f"{name}, s" for name in names) + " |"]
    lines.append("|---" * (1 + len(names)) + "|")
    for i, level in enumerate(found["levels"]):
        cells = (
            f"not in {number(found['curves'][name][-1][0])}"
            if (seconds := found["seconds"][name][i]) is None
            else number(seconds)
            for name in names
        )
        lines.append(f"| {level} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + f"\n\n{found['device']}; {found['versions']}; `{found['command']}`."


def _solve(paper: Paper) -> str:
    path = paper.results / "time_to_solve.json"
    if not path.exists():
        return "Not run."
    found = read_json(path)
    lines = ["| seed | seconds | training sequences |", "|---|---|---|"]
    for row in found["rows"]:
        missed = f"not in {number(found['cap'])}"
        seconds = missed if row["seconds"] is None else number(row["seconds"])
        lines.append(f"| {row['seed']} | {seconds} | {row['sequences']} |")
    peer = found["peer"]
    median = "" if found["median"] is None else f", in {number(found['median'])} s (median)"
    about = (
        f"{found['what'].capitalize()}: {found['solved']} of {len(found['rows'])} seeds{median}. "
        f"{peer['name']}: {peer['seconds']} s, {peer['sequences']} sequences ({peer['why']})."
    )
    ran = f"{found['device']}; {found['versions']}; `{found['command']}`."
    return "\n".join(lines) + f"\n\n{about}\n\n{ran}"


def _papers(package: str) -> str:
    """How many claims hold, of those that a preset and its variants decide: in each of them."""
    lines = ["| paper | claims that hold (laptop) | claims that hold (paper) |", "|---|---|---|"]
    for paper in all_papers(package):
        cells = []
        for preset in ("laptop", "paper"):
            records = [r for name, r in paper.records().items() if name.split("-")[0] == preset]
            decided: dict[str, bool] = {}
            for row in (row for record in records for row in record["claims"]):
                if row["holds"] is not None:
                    decided[row["id"]] = decided.get(row["id"], True) and row["holds"]
            held = f"{sum(decided.values())} of {len(decided)}"
            cells.append(held if records else "not run")
        link = f"[{paper.title}](experiments/{paper.name}/README.md)"
        lines.append(f"| {link} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def render(text: str, package: str, paper: Paper | None = None) -> str:
    """Fills what stands between `<!-- begin KIND [PAPER] ... -->` and `<!-- end -->`.

    Kinds: `claims [PAPER] PRESET[-VARIANT]`, `speed [PAPER]` and `speed-gpu [PAPER]`, `quality [PAPER]`,
    `solve [PAPER]`, `papers`. PAPER may be left out in a paper's own README.
    """

    def fill(match: re.Match) -> str:
        kind, *words = match["what"].split()
        about = paper
        if words and words[0].split("-")[0] not in PRESETS:
            name = words.pop(0)
            about = next(p for p in all_papers(package) if p.name == name)
        if kind == "papers":
            body = _papers(package)
        elif kind in ("speed", "speed-gpu"):
            body = _speed(about, kind)
        elif kind == "quality":
            body = _quality(about)
        elif kind == "solve":
            body = _solve(about)
        else:
            body = _claims(about, words[0])
        if about is not None and paper is None:
            body = body.replace("(results/", f"(experiments/{about.name}/results/")
        return f"<!-- begin {match['what']} -->\n{body}\n<!-- end -->"

    return re.sub(r"<!-- begin (?P<what>.+?) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def readmes(package: str = "experiments") -> dict[Path, Paper | None]:
    """The collection's README and each paper's."""
    papers = all_papers(package)
    top = papers[0].folder.parent.parent / "README.md"
    return {top: None} | {p.folder / "README.md": p for p in papers}


def write_readmes(package: str = "experiments") -> None:
    """Renders every README's tables from the committed records."""
    for path, paper in readmes(package).items():
        if path.exists():
            text = path.read_text()
            write_atomically(path, render(text, package, paper).encode())
