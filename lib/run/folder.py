"""Whose a run's folder is. Imports nothing heavy: it is asked before anything is computed."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.base.errors import UserError
from lib.base.files import disk_errors, flat, read_json, reading


def owner_of(identity: dict[str, Any]) -> str:
    """What marks the checkpoints and parts of one run, wherever its folder is."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def check_folder(folder: Path, identity: dict[str, Any], *, resume: bool) -> dict[str, Any]:
    """`identity` as JSON gives it back, if `folder` is fit for this run.

    Raises UserError (code 2) if a new run would write over another one, or a resumed one is not the
    run that the folder holds; the field that differs is named.
    """
    identity = json.loads(json.dumps(identity))
    config = folder / "config.json"
    with disk_errors(f"cannot write to {folder}", code=2):
        there = config.exists()
    if resume:
        kept = read_json(config)
        with reading(config):
            kept, asked = flat(dict.copy(kept)), flat(identity)
        if name := different(kept, asked):
            raise UserError(
                f"{folder} holds another run: its {name} is {kept.get(name)!r}, "
                f"not {asked.get(name)!r}",
                2,
            )
    elif there:
        raise UserError(
            f"{folder} holds a run already; add --resume to continue it, "
            "or name another folder with --out",
            2,
        )
    return identity


def different(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """The first name, of two flat dicts, whose values differ."""
    names = sorted(first.keys() | second.keys())
    return next((n for n in names if first.get(n) != second.get(n)), None)


def forget(folder: Path) -> None:
    """Removes what a refused run has written, if it has come to nothing: no checkpoint, no part."""
    if any((folder / "parts").glob("*")) or any((folder / "checkpoints").glob("*/[0-9]*")):
        return
    for name in ("config.json", "metrics.jsonl", "clock.json", ".lock"):
        (folder / name).unlink(missing_ok=True)
    for empty in (*(folder / "checkpoints").glob("*"), folder / "checkpoints", folder):
        with contextlib.suppress(OSError):
            empty.rmdir()
