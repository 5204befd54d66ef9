"""docs/scale.md's tables, from the records beside it."""

import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.gan.config import PRESETS
from experiments.gan.experiment import make_game
from lib.models.super_resolution import SRCNN, VDSR
from lib.models.vgg import VGG
from lib.run.precision import PRODUCTS

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
        others = [name for name in PRODUCTS if name != "float32"]
        lines += [f"| paper | front row | float32 | {' | '.join(others)} |"]
        lines += ["|" + "---|" * (3 + len(others))]
        for paper, found in kept["papers"].items():
            called = f"`{' '.join([paper, *found['options']])}`"
            for metric in found["float32"]:
                values = [
                    f"{found[precision][metric]:.4g}" if precision in found else "–"
                    for precision in ("float32", *others)
                ]
                lines.append(f"| {called} | `{metric}` | {' | '.join(values)} |")
        lines += [
            "",
            f"`{kept['preset']}`, seed {kept['seed']}, {kept['device']}; jax {kept['jax']}.",
            "",
        ]
    return "\n".join(lines).rstrip()


def parameters() -> dict[str, int]:
    """Of four nets of the collection."""
    game = make_game(PRESETS["paper"], np.zeros((2, 784), np.uint8))
    state = jax.eval_shape(game.init, jax.random.key(0))
    nets = {
        "SRCNN 9-5-5": (SRCNN((9, 5, 5), (64, 32), 1), 1),
        "VDSR-20": (VDSR(20, 64), 1),
        "VGG-19": (VGG(19, "max"), 3),
    }
    shapes = {
        name: jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 64, 64, channels)))
        for name, (net, channels) in nets.items()
    }
    shapes["GAN, MNIST's two nets"] = state.generator, state.discriminator
    return {name: sum(x.size for x in jax.tree.leaves(tree)) for name, tree in shapes.items()}


LINKS = {8: 300e9, 64: 25e9}
"""Bytes a second between neighbours, by how many there are."""


def arithmetic_table() -> str:
    """A gradient's all-reduce, and what an update must take for it to be a fifth of the whole."""
    lines = [
        "| net | parameters | float32 | 8 GPUs, all-reduce | needs t above | 64 hosts | needs t above |",
        "|---|---|---|---|---|---|---|",
    ]
    for net, count in sorted(parameters().items(), key=lambda item: item[1]):
        size, cells = 4 * count, []
        for devices, link in LINKS.items():
            takes = 2 * size * (devices - 1) / (devices * link)
            cells += [f"{1e3 * takes:.3g} ms", f"{1e3 * 4 * devices * takes:.3g} ms"]
        lines.append(f"| {net} | {count:,} | {size / 1e6:.3g} MB | {' | '.join(cells)} |")
    return "\n".join(lines)


def rendered(text: str) -> str:
    """`text` with its tables made anew."""
    tables = {"processes": processes_table(), "precision": precision_table()}
    for name, table in (tables | {"arithmetic": arithmetic_table()}).items():
        marks = rf"(<!-- begin {name} -->\n).*?(<!-- end -->)"
        text = re.sub(marks, lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text, flags=re.S)
    return text


def render() -> None:
    """Writes docs/scale.md."""
    page = DOCS / "scale.md"
    page.write_text(rendered(page.read_text()))
    print(f"{page.name}: rendered")
