"""docs/scale.md's tables, from the records beside it."""

import json
import re
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def processes_table() -> str:
    """Updates by one process and by two, a core each."""
    path = DOCS / "records" / "processes-cpu.json"
    if not path.exists():
        return "Not measured yet: `python -m tests.benchmarks.processes` on two idle cores."
    kept = json.loads(path.read_text())
    lines = [
        "| rule | batch | one core, ms | two processes, ms | times faster | parameters | bytes told |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in kept["rows"]:
        times = row["ms_one"] / row["ms_two"]
        lines.append(
            f"| {row['rule']} | {row['batch']} | {row['ms_one']:.1f} | {row['ms_two']:.1f} | {times:.2f} "
            f"| {row['parameters']:,} | {row['bytes_told']:,} |"
        )
    where = (
        f"{kept['device']}; jax {kept['versions']['jax']}; load when it ended {kept['load']:.1f}."
    )
    return "\n".join([*lines, "", where])


def precision_table() -> str:
    """Front rows by precision."""
    paths = sorted((DOCS / "records").glob("precision-*.json"))
    if not paths:
        return "Not measured yet: `python -m tests.benchmarks.precision notebook`."
    lines = []
    for path in paths:
        kept = json.loads(path.read_text())
        lines += ["| paper | front row | float32 | in | | seconds |", "|---|---|---|---|---|---|"]
        for paper, found in kept["papers"].items():
            plain = found["float32"]
            for precision in (p for p in found if p != "float32"):
                other, times = (
                    found[precision],
                    f"{plain['seconds']} / {found[precision]['seconds']}",
                )
                for metric, value in plain["rows"].items():
                    new = other["rows"][metric]
                    lines.append(
                        f"| {paper} | `{metric}` | {value:.4g} | {precision} | {new:.4g} | {times} |"
                    )
        lines += [
            "",
            f"`{kept['preset']}`, seed {kept['seed']}, {kept['device']}; jax {kept['jax']}.",
            "",
        ]
    return "\n".join(lines).rstrip()


def rendered(text: str) -> str:
    """`text` with its tables made anew."""
    for name, table in (("processes", processes_table()), ("precision", precision_table())):
        marks = rf"(<!-- begin {name} -->\n).*?(<!-- end -->)"
        text = re.sub(marks, lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text, flags=re.S)
    return text


def render() -> None:
    """Writes docs/scale.md."""
    page = DOCS / "scale.md"
    page.write_text(rendered(page.read_text()))
    print(f"{page.name}: rendered")
