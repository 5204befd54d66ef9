"""Trained parameters as safetensors files: small, named, with a checksum and words about them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lib.base.errors import UserError
from lib.base.files import disk_errors, flat, reading, write_atomically


def save_weights(path: Path, params: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Writes Flax parameters (nested dicts of arrays) as tensors called "conv1.kernel", atomically.

    Args:
      metadata: what there is to know about them, e.g. {"paper": "srcnn", "scale": "3"}.

    Raises:
      UserError: the disk refuses.
    """
    tensors = {n: np.asarray(leaf, order="C") for n, leaf in flat(dict(params)).items()}
    with disk_errors(f"cannot write {path}"):
        write_atomically(path, _file(tensors, {**metadata, "sha256": _digest(tensors)}))


def load_weights(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """`(params, metadata)` as `save_weights` was given them; the arrays are NumPy's.

    Raises:
      UserError: the file is missing, damaged, or not one that `save_weights` wrote.
    """
    with reading(path):
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except SafetensorError as error:
            raise UserError(f"{path} is not a sound safetensors file ({error})") from error
        if "sha256" not in metadata:
            raise UserError(f"{path} has no checksum: it is not a file of ours")
        if metadata.pop("sha256") != _digest(tensors):
            raise UserError(f"{path} is damaged (its checksum is another)")
    params: dict[str, Any] = {}
    for name, tensor in tensors.items():
        *folders, leaf = name.split(".")
        inside = params
        for folder in folders:
            inside = inside.setdefault(folder, {})
        inside[leaf] = tensor
    return params, metadata


def _file(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    # The package writes metadata in another order each time; equal weights should be equal files.
    plain = save(tensors)
    end = 8 + int.from_bytes(plain[:8], "little")
    text = json.dumps({"__metadata__": metadata, **json.loads(plain[8:end])}).encode()
    text += b" " * (-len(text) % 8)  # keeps the tensors aligned
    return len(text).to_bytes(8, "little") + text + plain[end:]


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
