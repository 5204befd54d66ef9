"""The TFDS side: builders that need no TensorFlow, preparing, and reading what is prepared.

Imported late, by the functions that need it, because it costs TFDS's import (half a second).
"""

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.image_classification import mnist as official

from lib.data.catalogue import Entry
from lib.data.dataset import Arrays


class _FromArrays:
    """Generates examples from arrays in hand, where the official code would need TensorFlow."""

    splits: Mapping[str, Arrays] = {}

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager  # lib.data.places has fetched and verified everything
        return {split: self._generate_examples(**self.splits[split]) for split in self.splits}

    def _generate_examples(self, image: np.ndarray, label: np.ndarray) -> Iterator:
        # The key decides where TFDS shuffles an example to: the official builders use the index.
        for index in range(len(label)):
            yield index, {"image": png(image[index]), "label": int(label[index])}


class MNIST(_FromArrays, official.MNIST, skip_registration=True):
    """Prepares what the official "mnist" prepares, under the same name and version."""

    name = "mnist"


class FashionMNIST(_FromArrays, official.FashionMNIST, skip_registration=True):
    """Prepares what the official "fashion_mnist" prepares, under the same name and version."""

    name = "fashion_mnist"


class Digits(_FromArrays, tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The 8x8 handwritten digits that scikit-learn carries; TFDS has no official builder."""

    name = "digits"
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="1 797 handwritten digits of 8x8 pixels, 0..16 scaled to 0..255.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            citation="Alpaydin, E. and Kaynak, C. (1998). Optical Recognition of Handwritten "
            "Digits. UCI Machine Learning Repository. doi:10.24432/C50P49",
        )


_BUILDERS = {builder.name: builder for builder in (MNIST, FashionMNIST, Digits)}
_OFFICIAL = {"mnist": official.MNIST, "fashion_mnist": official.FashionMNIST}


class Published(NamedTuple):
    """A file as its publisher serves it: address, bytes, SHA-256 (of the compressed file)."""

    url: str
    size: int
    checksum: str


def published(entry: Entry) -> dict[str, Published]:
    """Where TFDS's official builder downloads each of `entry.files`, and what it must be."""
    builder = _OFFICIAL[entry.name]
    urls = {name: f"{builder.URL}{name}.gz" for name in entry.files}
    infos = {name: builder.url_infos[url] for name, url in urls.items()}
    return {
        name: Published(urls[name], int(info.size), info.checksum) for name, info in infos.items()
    }


def prepare(entry: Entry, splits: Mapping[str, Arrays], root: Path) -> None:
    """Writes `splits` as a TFDS dataset below `root`: all of it or, if interrupted, none.

    Args:
      entry: which dataset.
      splits: for each split {"image": uint8 [N, H, W], "label": uint8 [N]}.
      root: TFDS's data directory.

    Raises:
      OSError: `root` cannot be written to.
    """
    tfds.disable_progress_bar()
    builder = _BUILDERS[entry.name](data_dir=root, file_format="array_record")
    builder.splits = splits
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(download_config=config)
    except RuntimeError as error:
        # So array_record's C++ reports a full disk: "...write() failed: No space left on device;".
        if failed := re.search(r"\w+\(\) failed: ([^;]*)", str(error)):
            raise OSError(failed[1]) from error
        raise


def read(entry: Entry, split: str, root: Path) -> dict[str, np.ndarray]:
    """Decodes a prepared split: {"image": uint8 [N, H, W], "label": int32 [N]}, TFDS's order.

    Slow (about 10 000 examples a second): `lib.data.store` keeps the result.
    """
    builder = _BUILDERS[entry.name](data_dir=root, file_format="array_record")
    source = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
    images = np.empty((len(source), *entry.image_shape), np.uint8)
    labels = np.empty(len(source), np.int32)
    for start in range(0, len(source), 1000):
        block = range(start, min(start + 1000, len(source)))
        for index, example in zip(block, source.__getitems__(list(block)), strict=True):
            images[index] = np.asarray(Image.open(io.BytesIO(example["image"])))
            labels[index] = example["label"]
    return {"image": images, "label": labels}


def png(image: np.ndarray) -> bytes:
    """A uint8 [H, W] greyscale image as PNG; several times Pillow's speed at a digit's size."""
    height, width = image.shape
    rows = np.zeros((height, 1 + width), np.uint8)  # each begins with its filter: 0, none
    rows[:, 1:] = image
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
