"""The idx format of MNIST (http://yann.lecun.com/exdb/mnist): a header, then unsigned bytes.

The header is two zero bytes, the type (8: unsigned byte), the number of dimensions, and each
dimension as a big-endian 32-bit integer.
"""

import math
import struct
from collections.abc import Mapping

import numpy as np

_UNSIGNED_BYTE = 8
_PREFIXES = {"train": "train", "test": "t10k"}


def encode(array: np.ndarray) -> bytes:
    """The idx file of a uint8 array of any rank."""
    header = struct.pack(f">HBB{array.ndim}I", 0, _UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + array.astype(np.uint8, casting="safe").tobytes()


def decode(data: bytes) -> np.ndarray:
    """The uint8 array of an idx file's bytes; ValueError if they are not one."""
    if len(data) < 4:
        raise ValueError("not an idx file: no header")
    zero, kind, rank = struct.unpack_from(">HBB", data)
    if zero or kind != _UNSIGNED_BYTE or len(data) < 4 + 4 * rank:
        raise ValueError("not an idx file of unsigned bytes")
    shape = struct.unpack_from(f">{rank}I", data, 4)
    if len(data) != 4 + 4 * rank + math.prod(shape):
        raise ValueError(f"an idx file of shape {shape} cannot have {len(data)} bytes")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def splits(files: Mapping[str, bytes]) -> dict[str, dict[str, np.ndarray]]:
    """The four idx files of an MNIST-like set as {"train" | "test": arrays}.

    Args:
      files: uncompressed bytes by the publisher's names, e.g. "t10k-labels-idx1-ubyte".

    Returns:
      For each split {"image": uint8 [N, H, W], "label": uint8 [N]}, in the publisher's order.
    """
    return {
        split: {
            "image": decode(files[f"{prefix}-images-idx3-ubyte"]),
            "label": decode(files[f"{prefix}-labels-idx1-ubyte"]),
        }
        for split, prefix in _PREFIXES.items()
    }
