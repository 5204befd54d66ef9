"""The tables of the paper's README that no other paper has."""

from collections.abc import Mapping
from typing import Any

from lib.report.tables import number


def time_to_quality(record: Mapping[str, Any]) -> str:
    """Seconds to each level of quality, a column a training (`tests/benchmarks/time_to_quality.py`)."""
    names = list(record["seconds"])
    lines = [f"| {record['what']} | " + " | ".join(f"{name}, s" for name in names) + " |"]
    lines.append("|---" * (1 + len(names)) + "|")
    for i, level in enumerate(record["levels"]):
        cells = (
            f"not in {number(record['curves'][name][-1][0])}"
            if (seconds := record["seconds"][name][i]) is None
            else number(seconds)
            for name in names
        )
        lines.append(f"| {level} | " + " | ".join(cells) + " |")
    return (
        "\n".join(lines) + f"\n\n{record['device']}; {record['versions']}; `{record['command']}`."
    )


TABLES = {"time_to_quality": time_to_quality}
