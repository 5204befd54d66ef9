"""Caffe's models (.caffemodel): the layers' blobs, read off protobuf's wire format.

Field numbers are those of Caffe's caffe.proto. protobuf.dev/programming-guides/encoding describes the
format: fields, each a varint `number << 3 | wire type`, then the value; what is not known is skipped.
"""

import math
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Value = int | memoryview

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# {field of NetParameter: (its name's field, its blobs' field)}: `layer`, and until 2014 `layers`.
_LAYERS = {100: (1, 7), 2: (4, 6)}
_DATA, _SHAPE, _DOUBLE_DATA = 5, 7, 8
_LEGACY_SHAPE = (1, 2, 3, 4)
"""Fields of BlobProto: num, channels, height, width."""


def read(path: Path) -> dict[str, list[np.ndarray]]:
    """`blobs` of a file; they are views of the file, which is read as they are."""
    with open(path, "rb") as file:
        return blobs(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def blobs(data: bytes | memoryview) -> dict[str, list[np.ndarray]]:
    """What each layer has learned: {layer's name: [kernel `[out, in, kh, kw]`, bias, ...]}.

    Models from before 2014 give every blob four axes: a bias `[1, 1, 1, out]`, the weights of a fully
    connected layer `[1, 1, out, in]`.

    Returns:
      Read-only float32 or float64 arrays, views of `data` where that has them in one piece.

    Raises:
      ValueError: it is cut short, or is something else.
    """
    layers: dict[str, list[np.ndarray]] = {}
    for number, value in _fields(memoryview(data)):
        if number not in _LAYERS or isinstance(value, int):
            continue
        name_field, blobs_field = _LAYERS[number]
        name, arrays = "", []
        for inner, content in _fields(value):
            if inner == name_field:
                name = bytes(_as_bytes(content)).decode()
            elif inner == blobs_field:
                arrays.append(_blob(_as_bytes(content)))
        if arrays:
            layers[name] = arrays
    if not layers:
        raise ValueError("no layer with weights in it")
    return layers


def _blob(data: memoryview) -> np.ndarray:
    floats: dict[int, list[memoryview]] = {_DATA: [], _DOUBLE_DATA: []}
    legacy, shape = dict.fromkeys(_LEGACY_SHAPE, 0), None
    for number, value in _fields(data):
        if number in floats:
            floats[number].append(_as_bytes(value))
        elif number == _SHAPE:
            shape = _dims(_as_bytes(value))
        elif number in legacy:
            legacy[number] = _as_int(value)
    parts, dtype = (floats[_DATA], "<f4") if floats[_DATA] else (floats[_DOUBLE_DATA], "<f8")
    # Usually one piece; one by one, or in several, says the same.
    values = np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), dtype)
    if shape is None:
        shape = tuple(legacy.values()) if any(legacy.values()) else values.shape
    if math.prod(shape) != values.size:
        raise ValueError(f"a blob of shape {shape} has {values.size} numbers")
    return values.reshape(shape)


def _dims(data: memoryview) -> tuple[int, ...]:
    dims = []
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            dims.append(value)
        elif number == 1:
            position = 0
            while position < len(value):
                dim, position = _varint(value, position)
                dims.append(dim)
    return tuple(dims)


def _fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message: (number, value)."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"no protobuf message: wire type {wire}")
        if number == 0:
            raise ValueError("no protobuf message: field 0")
        if length > len(data) - position:
            left = len(data) - position
            raise ValueError(f"cut short: {length} bytes of field {number} announced, {left} there")
        yield number, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A number, and where it ends: 7 bits a byte, the lowest first, the upper bit says that more follow."""
    value = 0
    for i, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, position + i + 1
    raise ValueError("cut short, or no protobuf message: a number does not end")


def _as_bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where bytes should be")
    return value


def _as_int(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number should be")
    return value
