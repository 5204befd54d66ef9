import struct

import numpy as np
import pytest

from lib.data import idx


def test_header_is_as_the_publisher_documents():
    data = idx.encode(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    assert data == bytes([0, 0, 8, 3]) + struct.pack(">III", 1, 2, 3) + bytes(range(6))


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 28, 28)])
def test_decode_undoes_encode(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(idx.decode(idx.encode(array)), array)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x01\0\0",
        b"\0\0\x0d\x01\0\0\0\0",
        b"PK\3\4\0\0\0\0",
        idx.encode(np.zeros(5, np.uint8))[:-1],
        idx.encode(np.zeros(5, np.uint8)) + b"x",
    ],
)
def test_decode_refuses_what_is_not_idx(data):
    with pytest.raises(ValueError, match="idx file"):
        idx.decode(data)
