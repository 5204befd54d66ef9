"""Weights that the papers' authors gave out, as Flax parameters; read without unpickling anything."""

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
import scipy.io

from lib.base.errors import UserError

Params = dict[str, dict[str, np.ndarray]]

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, IndexError, zlib.error, zipfile.BadZipFile)
_UNREADABLE += (NotImplementedError, scipy.io.matlab.MatReadError)


def srcnn(path: Path) -> tuple[tuple[int, ...], tuple[int, ...], Params]:
    """An SRCNN as Dong et al. released it (`9-5-5(ImageNet)/x3.mat`).

    MATLAB keeps the filters as columns: `weights_conv1 [f1 f1, n1]`, `weights_conv2 [n1, f2 f2, n2]`,
    `weights_conv3 [n2, f3 f3]`, each patch column by column.

    Returns:
      sizes `(f1, f2, f3)`, widths `(n1, n2)` and the parameters of `lib.models.super_resolution.SRCNN`.

    Raises:
      UserError: the file cannot be read, or holds something else.
    """
    try:
        matrices = scipy.io.loadmat(str(path))
        w1, w2, w3 = (np.asarray(matrices[f"weights_conv{i}"], np.float32) for i in (1, 2, 3))
        biases = [
            np.asarray(matrices[f"biases_conv{i}"], np.float32).reshape(-1) for i in (1, 2, 3)
        ]
        kernels = [_kernel(w1[None]), _kernel(w2), _kernel(w3[:, :, None])]
        return (
            tuple(k.shape[0] for k in kernels),
            tuple(k.shape[3] for k in kernels[:-1]),
            _params(kernels, biases),
        )
    except _UNREADABLE as error:
        raise _not(path, "an SRCNN of the authors", error) from error


def vdsr(path: Path) -> Params:
    """The VDSR that Kim et al. released (`VDSR_Official.mat`), 20 layers.

    Raises:
      UserError: the file cannot be read, or holds something else.
    """
    try:
        model = scipy.io.loadmat(str(path))["model"][0, 0]
        kernels = [np.asarray(w, np.float32) for w in model["weight"].ravel()]
        kernels[-1] = kernels[-1].reshape(*kernels[-1].shape[:3], 1)  # MATLAB drops a last 1
        biases = [np.asarray(b, np.float32).reshape(-1) for b in model["bias"].ravel()]
        return _params(kernels, biases)
    except _UNREADABLE as error:
        raise _not(path, "the authors' VDSR", error) from error


def _kernel(patches: np.ndarray) -> np.ndarray:
    """`[in, f f, out]`, patches by columns -> `[f, f, in, out]`."""
    inputs, area, outputs = patches.shape
    size = math.isqrt(area)
    return patches.reshape(inputs, size, size, outputs).transpose(2, 1, 0, 3)


def _params(kernels: list[np.ndarray], biases: list[np.ndarray]) -> Params:
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        inputs = kernels[i - 1].shape[3] if i else 1
        if kernel.shape[2] != inputs or kernel.shape[3] != bias.size:
            raise ValueError(f"layer {i + 1} does not fit: {kernel.shape}, bias {bias.shape}")
    return {
        f"conv{i}": {"kernel": kernel, "bias": bias}
        for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True), start=1)
    }


def _not(path: Path, what: str, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path}: there is no such file", 2)
    why = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"{path} is not {what} ({why})", 2)
