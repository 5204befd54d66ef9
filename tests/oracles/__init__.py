"""What PyTorch answers, kept, so that tests compare with it where it is not installed.

Where it is, it is asked again, and must say what is kept. To keep other answers (its version is in the
file): install `torch`, and run the tests once with DEEP_MORNING_KEEP_ORACLES=1.
"""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent


def pytorch(
    name: str, inputs: Sequence[np.ndarray], answer: Callable[..., dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """`answer(torch, *inputs)`: what PyTorch makes of float32 `inputs`, as kept in `<name>.npz`.

    Inputs must be the same on every machine: of NumPy, not of `jax.random`.
    """
    inputs = [np.asarray(x, np.float32) for x in inputs]
    asked = hashlib.sha256(b"".join(x.tobytes() for x in inputs)).hexdigest()
    path, found = FOLDER / f"{name}.npz", None
    if importlib.util.find_spec("torch"):
        import torch

        found = {key: np.asarray(x, np.float32) for key, x in answer(torch, *inputs).items()}
        if os.environ.get("DEEP_MORNING_KEEP_ORACLES"):
            about = {"asked": asked, "by": f"torch {torch.__version__}"}
            np.savez_compressed(path, **found, **{k: np.array(v) for k, v in about.items()})
    with np.load(path) as kept:
        if str(kept["asked"]) != asked:
            pytest.fail(f"{path.name} answers other inputs: see {__name__}")
        answers = {key: kept[key] for key in kept.files if key not in ("asked", "by")}
    if found is not None:
        assert found.keys() == answers.keys()
        for key, x in found.items():
            np.testing.assert_allclose(answers[key], x, rtol=1e-4, atol=1e-5, err_msg=key)
    return answers
