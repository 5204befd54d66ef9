"""Runs of the toy paper (`papers/toy`), looked at and compared."""

import contextlib
import json
import signal
import time
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TWO_SEEDS = ("smoke", "--seeds", "2", "--checkpoint-seconds", "0")


@contextlib.contextmanager
def signals_heard():
    """What runs or begins in here hears Ctrl-C and a terminal's end, though pytest may not (`nohup`, `&`)."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in usual if signal.getsignal(number) == signal.SIG_IGN]
    try:
        for number in ignored:
            signal.signal(number, usual[number])
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def until(condition, within=60.0):
    """Waits until `condition()`; the first true value."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.002)
    raise AssertionError("waited in vain")


def steps(folder, training):
    """Steps of a training's checkpoints, ascending."""
    names = [path.name for path in (folder / "checkpoints" / training).iterdir()]
    return sorted(int(name) for name in names if name.isdigit())


def state(folder, training):
    """The last checkpoint's leaves: parameters and the optimiser's state."""
    last = folder.absolute() / "checkpoints" / training / str(steps(folder, training)[-1])
    tree = ocp.StandardCheckpointer().restore(last / "state")
    leaves = ocp.tree.to_flat_dict(tree, sep="/")
    return {name: np.asarray(leaf) for name, leaf in leaves.items()}


def parts(folder):
    """Names of the finished parts."""
    return sorted(path.name for path in (folder / "parts").glob("[!.]*"))


def assert_same_part(ours, theirs, part):
    """Bitwise: the numbers, history, arrays and weights of one part."""
    mine, other = (run / "parts" / part for run in (ours, theirs))
    records = [json.loads((folder / "result.json").read_text()) for folder in (mine, other)]
    for key in ("part", "owner", "seeds", "data", "metrics", "bounds"):
        assert records[0][key] == records[1][key], key
    assert (mine / "history.jsonl").read_bytes() == (other / "history.jsonl").read_bytes()
    files = sorted(path.name for path in mine.glob("weights-*"))
    assert files == sorted(path.name for path in other.glob("weights-*"))
    for name in files:
        assert (mine / name).read_bytes() == (other / name).read_bytes()
    assert_same_arrays(*(np.load(folder / "arrays.npz") for folder in (mine, other)))


def assert_same_arrays(mine, other):
    assert sorted(mine) == sorted(other)
    for name in mine:
        assert mine[name].dtype == other[name].dtype
        assert mine[name].tobytes() == other[name].tobytes(), name


def rows_by_training(folder):
    """The lines of metrics.jsonl; which training comes first depends on the order of the parts."""
    rows = {}
    for line in (folder / "metrics.jsonl").read_bytes().splitlines():
        rows.setdefault(json.loads(line)["training"], []).append(line)
    return rows


def assert_same_run(ours, theirs):
    """Bitwise: metrics, results, all parts, and both trainings' last checkpoints."""
    assert rows_by_training(ours) == rows_by_training(theirs)
    records = [json.loads((run / "result.json").read_text()) for run in (ours, theirs)]
    for key in ("config", "seeds", "metrics", "claims"):
        assert records[0][key] == records[1][key], key
    assert parts(ours) == parts(theirs) == ["adam", "momentum", "points"]
    for part in parts(ours):
        assert_same_part(ours, theirs, part)
    for training in ("adam", "momentum"):
        assert steps(ours, training)[-1] == steps(theirs, training)[-1]
        assert_same_arrays(*(state(run, training) for run in (ours, theirs)))
