"""python -m tests.benchmarks.keep BENCHMARK.json PAPER: keeps the medians as the paper's speed record."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from lib.run.files import read_json, write_json
from lib.run.paper import load_paper
from lib.run.tables import write_readmes


def rows(found: dict) -> list[dict]:
    """One row a group that has both `test_ours` and `test_pytorch`: medians in ms a step."""
    groups: dict[str, dict[str, float]] = {}
    for bench in found["benchmarks"]:
        ms = bench["stats"]["median"] * 1e3 / bench["extra_info"]["steps"]
        groups.setdefault(bench["group"], {})[bench["name"]] = ms
    return [
        {"work": work, "ours_ms": ms["test_ours"], "peer_ms": ms["test_pytorch"]}
        for work, ms in groups.items()
        if len(ms) == 2
    ]


if __name__ == "__main__":
    source, name = sys.argv[1:]
    paper = load_paper(f"experiments.{name}")
    versions = f"Python {platform.python_version()}, jax {version('jax')}, torch {version('torch')}"
    write_json(
        paper.results / "speed.json",
        {
            "rows": rows(read_json(Path(source))),
            "device": f"cpu ({os.cpu_count()} cores)",
            "versions": versions,
            "command": "make bench",
        },
    )
    write_readmes()
