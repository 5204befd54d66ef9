"""Tables that only this paper's README has, from the records of its benchmarks."""

from collections.abc import Mapping
from typing import Any

from lib.report.tables import number


def time_to_solve(record: Mapping[str, Any]) -> str:
    """Seconds until copy is solved, a row a seed (`tests/benchmarks/time_to_solve.py`)."""
    lines = ["| seed | seconds | training sequences |", "|---|---|---|"]
    for row in record["rows"]:
        missed = f"not in {number(record['cap'])}"
        seconds = missed if row["seconds"] is None else number(row["seconds"])
        lines.append(f"| {row['seed']} | {seconds} | {row['sequences']} |")
    peer = record["peer"]
    median = "" if record["median"] is None else f", in {number(record['median'])} s (median)"
    about = (
        f"{record['what'].capitalize()}: {record['solved']} of {len(record['rows'])} seeds{median}. "
        f"{peer['name']}: {peer['seconds']} s, {peer['sequences']} sequences ({peer['why']})."
    )
    ran = f"{record['device']}; {record['versions']}; `{record['command']}`."
    return "\n".join(lines) + f"\n\n{about}\n\n{ran}"


TABLES = {"time_to_solve": time_to_solve}
