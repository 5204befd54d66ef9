"""python -m tests.benchmarks.keep BENCHMARK.json PAPER: keeps the medians as the paper's speed record.

On a GPU that is `speed-gpu.json`.
"""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import jax

from lib.base.files import read_json, write_json
from lib.report.tables import write_readmes
from lib.run.paper import load_paper

MS = {"test_ours": "ours_ms", "test_pytorch": "peer_ms"}


def rows(found: dict) -> list[dict]:
    """One row a group that has both tests of `MS`: medians in ms a step, and its `gflop` if counted.

    A group whose `extra_info` says `alone` has no peer.
    """
    groups: dict[str, dict] = {}
    alone = set()
    for bench in found["benchmarks"]:
        about = bench["extra_info"]
        row = groups.setdefault(bench["group"], {"work": bench["group"]})
        row[MS[bench["name"].partition("[")[0]]] = bench["stats"]["median"] * 1e3 / about["steps"]
        row |= {k: about[k] for k in ("gflop",) if k in about}
        if about.get("alone"):
            alone.add(bench["group"])
    return [row for name, row in groups.items() if name in alone or row.keys() >= {*MS.values()}]


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
    write_readmes(paper)
