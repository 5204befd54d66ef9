"""python -m tests.benchmarks.precision [PRESET] [PAPER ... [--field value ...]]: front rows by `--precision`.

Runs the parts behind a paper's headlines in float32 and in each other precision that the paper has, one seed,
and keeps docs/records/precision-<platform>-<preset>.json. On a CPU, which has no TF32, products are rounded
to it (`tests.benchmarks.rounded`).
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
RECORDS = ROOT / "docs" / "records"


def front_rows(
    paper, preset: str, precision: str, platform: str, options: list[str]
) -> tuple[dict[str, float], str]:
    """`({headline's metric: value}, device)` of a run of its own."""
    from lib.run.claims import values_of

    headlines = [claim for claim in paper.claims if claim.headline]
    parts = sorted({claim.part for claim in headlines})
    with tempfile.TemporaryDirectory() as folder:
        words = [paper.package, preset, *options, "--only", *parts, "--out", f"{folder}/run"]
        if precision == "tf32" and platform == "cpu":
            words = ["tests.benchmarks.rounded", *words]
        else:
            words += ["--precision", precision]
        subprocess.run([sys.executable, "-m", *words], check=True, cwd=ROOT)
        record = json.loads((Path(folder) / "run" / "result.json").read_text())
    runs = [run for part in record["parts"].values() for run in part]
    found = {}
    for claim in headlines:
        metric = record["metrics"].get(claim.metric)
        if metric is not None:
            found[claim.metric] = values_of(metric)[0] if "per_seed" in metric else metric["value"]
    return found, runs[0]["device"]


def main(words: list[str]) -> None:
    """Each paper that has another precision than float32."""
    from typing import get_args, get_type_hints

    import jax

    from lib.base.files import write_json
    from lib.run.paper import all_papers
    from tests.benchmarks.scale_page import render

    preset, *names = words or ["smoke"]
    first = next((i for i, name in enumerate(names) if name.startswith("--")), len(names))
    names, options = names[:first], names[first:]
    platform = jax.default_backend()
    path = RECORDS / f"precision-{platform}-{preset}.json"
    kept = json.loads(path.read_text()) if path.exists() else {"papers": {}}
    for paper in all_papers():
        has = get_args(get_type_hints(type(paper.presets[preset]))["precision"])
        if len(has) < 2 or (names and paper.name not in names):
            continue
        found = {"options": options}
        for precision in has:
            found[precision], device = front_rows(paper, preset, precision, platform, options)
        kept["papers"][paper.name] = found
        kept |= {"preset": preset, "device": device, "jax": version("jax"), "seed": 0}
        RECORDS.mkdir(parents=True, exist_ok=True)
        write_json(path, kept)
        print(paper.name, json.dumps(found), flush=True)
    render()


if __name__ == "__main__":
    main(sys.argv[1:])
