"""python -m tests.benchmarks.keep BENCHMARK.json PAPER: keeps the medians as the paper's speed record.

On a GPU that is `speed-gpu.json`.
"""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import jax

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
    device = jax.devices()[0]
    on_cpu = device.platform == "cpu"
    write_json(
        paper.results / ("speed.json" if on_cpu else "speed-gpu.json"),
        {
            "rows": rows(read_json(Path(source))),
            "device": f"cpu ({os.cpu_count()} cores)" if on_cpu else device.device_kind,
            "versions": versions,
            "command": "make bench",
        },
    )
    write_readmes()
