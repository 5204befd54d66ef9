"""Files of tensors as Flax parameters: safetensors, HDF5, Caffe's; nothing is ever unpickled."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lib.base.errors import UserError
from lib.pretrained.networks import File, Layout, Network, Shape

Params = dict[str, dict]


def read(network: Network, file: File, path: Path) -> Params:
    """The parameters of `network` in `path`, which is `file`.

    Returns:
      {layer: {"kernel": `[kh, kw, in, out]`, "bias": `[out]`}}, float32, nested where the layer's name has
      a "/"; for images whose channels are red, green, blue. Layers that the file lacks are not in it.

    Raises:
      UserError: the file is damaged, lacks a layer, or has one of another shape.
    """
    layers = {name: shape for name, shape in network.layers.items() if name not in file.lacks}
    try:
        wanted = [tensor for layer in layers for tensor in file.layout.tensors(layer)]
        tensors = _READERS[file.format](path, wanted)
        if missing := [tensor for tensor in wanted if tensor not in tensors]:
            raise ValueError(f"it lacks {', '.join(missing[:3])}{', ...' if missing[3:] else ''}")
        convs = {name: _conv(name, shape, file.layout, tensors) for name, shape in layers.items()}
    except Exception as error:  # the readers are C++ and C and raise whatever they like
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is not a sound {file.name} ({why})", 2) from error
    first = convs[next(iter(layers))]
    # The files' networks see blue, green, red.
    first["kernel"] = np.ascontiguousarray(first["kernel"][:, :, ::-1])
    return _nested(convs)


def _nested(convs: Mapping[str, dict]) -> Params:
    params: Params = {}
    for layer, conv in convs.items():
        *outer, name = layer.split("/")
        inside = params
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[name] = conv
    return params


def _conv(layer: str, shape: Shape, layout: Layout, tensors: Mapping[str, np.ndarray]) -> dict:
    kernel, bias = (tensors[name] for name in layout.tensors(layer))
    height, width, inputs, outputs = shape
    stored = shape if layout.axes == "HWIO" else (outputs, inputs, height, width)
    # Caffe flattens what a fully connected layer reads, channel by channel.
    flat = (outputs, inputs * height * width) if layout.axes == "OIHW" else stored
    if _long(kernel.shape) not in (_long(stored), _long(flat)):
        raise ValueError(f"the kernel of {layer} has shape {kernel.shape}, not {stored}")
    if _long(bias.shape) != (outputs,):
        raise ValueError(f"the bias of {layer} has shape {bias.shape}, not {(outputs,)}")
    kernel = kernel.reshape(stored)
    if layout.axes == "OIHW":
        kernel = kernel.transpose(2, 3, 1, 0)
    # Copies: the file is not needed any more.
    return {
        "kernel": np.array(kernel, np.float32, order="C"),
        "bias": np.array(bias.reshape(-1), np.float32),
    }


def _long(shape: Iterable[int]) -> tuple[int, ...]:
    """Without axes of length 1, which Caffe's versions add and drop."""
    return tuple(length for length in shape if length != 1)


def _safetensors(path: Path, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        there = set(file.keys())
        return {name: file.get_tensor(name) for name in wanted if name in there}


def _hdf5(path: Path, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        return {name: file[name][()] for name in wanted if name in file}


def _caffemodel(path: Path, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    from lib.pretrained import caffe

    layers = caffe.read(path)
    there = {
        f"{layer}/{i}": blob for layer, blobs in layers.items() for i, blob in enumerate(blobs)
    }
    return {name: there[name] for name in wanted if name in there}


_READERS = {"safetensors": _safetensors, "hdf5": _hdf5, "caffemodel": _caffemodel}
