"""Models encoded by protobuf itself, from a description with Caffe's field numbers; and bytes by hand."""

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from lib.pretrained import caffe

RNG = np.random.default_rng(0)
INT64, FLOAT, DOUBLE, INT32, STRING = 3, 2, 1, 5, 9  # protobuf's numbers for types


def _describe(packed=True):
    """Classes of NetParameter and of what is in it; `packed`: as Caffe declares them, or as others may."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{packed}.proto", package=f"p{packed}")

    def message(name, *fields):
        described = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated = isinstance(kind, list)
            kind = kind[0] if repeated else kind
            one = described.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                one.type, one.type_name = 11, f".{file.package}.{kind}"
            else:
                one.type = kind
                if repeated:
                    one.options.packed = packed

    message("Shape", ("dim", 1, [INT64]))
    legacy = [(name, i, INT32) for i, name in enumerate(("num", "channels", "height", "width"), 1)]
    data = [("data", 5, [FLOAT]), ("diff", 6, [FLOAT]), ("double_data", 8, [DOUBLE])]
    message("Blob", *legacy, *data, ("shape", 7, "Shape"))
    message(
        "V1Layer",
        ("bottom", 2, STRING),
        ("name", 4, STRING),
        ("type", 5, INT32),
        ("blobs", 6, ["Blob"]),
    )
    message(
        "Layer",
        ("name", 1, STRING),
        ("type", 2, STRING),
        ("phase", 10, INT32),
        ("blobs", 7, ["Blob"]),
    )
    net = (
        ("name", 1, STRING),
        ("layers", 2, ["V1Layer"]),
        ("dim", 4, INT32),
        ("layer", 100, ["Layer"]),
    )
    message("Net", *net)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Net"))


NETS = {packed: _describe(packed) for packed in (True, False)}


def arrays(*shapes):
    return [RNG.normal(size=shape).astype(np.float32) for shape in shapes]


def model(layers, *, v1=False, legacy=False, double=False, packed=True) -> bytes:
    """{layer: arrays} as a .caffemodel."""
    net = NETS[packed](name="tiny", dim=300)
    for name, blobs in layers.items():
        layer = (net.layers if v1 else net.layer).add(name=name)
        for array in blobs:
            blob = layer.blobs.add()
            blob.double_data.extend(array.ravel()) if double else blob.data.extend(array.ravel())
            if legacy:
                ones = (1,) * (4 - array.ndim)
                blob.num, blob.channels, blob.height, blob.width = ones + array.shape
            else:
                blob.shape.dim.extend(array.shape)
    return net.SerializeToString()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("v1", [True, False])
@pytest.mark.parametrize("double", [True, False])
def test_blobs_are_what_protobuf_wrote(v1, double, packed):
    layers = {"conv1/7x7": arrays((4, 3, 7, 7), (4,)), "fc8": arrays((300, 5), (300,)), "relu": []}
    found = caffe.blobs(model(layers, v1=v1, double=double, packed=packed))
    assert found.keys() == {"conv1/7x7", "fc8"}
    for name, blobs in found.items():
        for blob, array in zip(blobs, layers[name], strict=True):
            assert blob.dtype == (np.float64 if double else np.float32)
            np.testing.assert_array_equal(blob, array)
            assert not blob.flags.writeable


def test_legacy_shapes_have_four_axes():
    layers = {"conv": arrays((2, 3, 1, 1), (2,)), "fc": arrays((5, 8), (5,))}
    found = caffe.blobs(model(layers, v1=True, legacy=True))
    assert [b.shape for b in found["conv"]] == [(2, 3, 1, 1), (1, 1, 1, 2)]
    assert [b.shape for b in found["fc"]] == [(1, 1, 5, 8), (1, 1, 1, 5)]
    np.testing.assert_array_equal(found["fc"][0][0, 0], layers["fc"][0])


def test_bytes_by_hand():
    """layer { name: "a" blobs { shape { dim: 2 } data: [1.0, -2.0] } }."""
    data = b"\x2a\x08" + b"\0\0\x80\x3f" + b"\0\0\0\xc0"
    blob = b"\x3a\x03\x0a\x01\x02" + data
    layer = b"\x0a\x01a" + b"\x3a" + bytes([len(blob)]) + blob
    net = b"\xa2\x06" + bytes([len(layer)]) + layer
    np.testing.assert_array_equal(caffe.blobs(net)["a"][0], [1, -2])


def test_data_in_pieces_and_without_a_shape():
    """Protobuf lets a packed field come in several pieces."""
    blob = b"\x2a\x04\0\0\x80\x3f" + b"\x2d\0\0\0\xc0" + b"\x2a\x04\0\0\0\x40"
    layer = b"\x22\x01a" + b"\x32" + bytes([len(blob)]) + blob
    np.testing.assert_array_equal(
        caffe.blobs(b"\x12" + bytes([len(layer)]) + layer)["a"][0], [1, -2, 2]
    )


def test_a_file_is_read_as_its_bytes(tmp_path):
    layers = {"conv": arrays((2, 3, 3, 3), (2,))}
    path = tmp_path / "tiny.caffemodel"
    path.write_bytes(model(layers))
    np.testing.assert_array_equal(caffe.read(path)["conv"][0], layers["conv"][0])


def test_a_model_cut_short_anywhere_says_so():
    data = model({"conv": arrays((2, 3, 3, 3), (2,)), "fc": arrays((3, 4))})
    silent = 0
    for length in range(len(data)):
        try:
            found = caffe.blobs(data[:length])
        except ValueError as error:
            assert "\n" not in str(error)
        else:  # cut between two layers: what is missing shows when it is looked for
            silent += 1
            assert found.keys() == {"conv"}
    assert silent == 1


@pytest.mark.parametrize(
    "data, why",
    [
        (b"", "no layer"),
        (b"<!DOCTYPE html><html>not found</html>", "no protobuf message: wire type 4"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "."),
        (b"\xff" * 40, "does not end"),
        (bytes(40), "."),
        (NETS[True](name="empty").SerializeToString(), "no layer with weights in it"),
        (b"\xa2\x06\x02\x38\x05", "a number where bytes should be"),
        (b"\xa2\x06\x05\x3a\x03\x0a\x01x", "bytes where a number should be"),
        (b"\xa2\x06\x07\x3a\x05\x3a\x03\x0a\x01\x07", r"shape \(7,\) has 0 numbers"),
    ],
)
def test_foreign_bytes_say_what_is_wrong(data, why):
    with pytest.raises(ValueError, match=why):
        caffe.blobs(data)


def test_random_bytes_raise_nothing_else():
    for size in (1, 7, 100, 1000) * 50:
        try:
            caffe.blobs(RNG.bytes(size))
        except ValueError:
            pass
