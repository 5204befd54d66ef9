"""The TFDS side: builders that need no TensorFlow, preparing, and reading what is prepared.

Imported late, by the functions that need it, because it costs TFDS's import (half a second).
"""

import contextlib
import hashlib
import io
import re
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import shuffle
from tensorflow_datasets.datasets.div2k import div2k_dataset_builder as div2k
from tensorflow_datasets.image_classification import mnist as official

from lib.base.errors import UserError
from lib.data import images, store
from lib.data.catalogue import Entry, ImageFiles, Published
from lib.data.dataset import Arrays, LazyImages

Splits = Mapping[str, Arrays] | Mapping[str, Mapping[str, images.File]]


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


class _InOrder:
    """Examples on their way to TFDS's files, in the order in which they come.

    Takes the place of TFDS's shuffler, which needs TensorFlow for what exceeds 1 GB.
    """

    def __init__(self, dirpath: Path, **options):
        del options
        self._file = tempfile.TemporaryFile(dir=dirpath)
        self._lengths: list[int] = []

    def add(self, key: int, data: bytes) -> None:
        assert key == len(self._lengths)
        self._file.write(data)
        self._lengths.append(len(data))

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        with self._file as file:
            file.seek(0)
            for key, length in enumerate(self._lengths):
                yield key, file.read(length)

    @property
    def size(self) -> int:
        return sum(self._lengths)

    @property
    def num_examples(self) -> int:
        return len(self._lengths)

    @property
    def bucket_lengths(self) -> list[int]:
        return [self.num_examples]


class _FromImageFiles(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Image files in the order of `splits`: {split: {image name: file}}."""

    entry: ImageFiles
    splits: Mapping[str, Mapping[str, images.File]] = {}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.entry.about,
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(), "name": tfds.features.Text()}
            ),
            disable_shuffling=True,
            # {split: {image name: SHA-256 of the encoded image}}, in order.
            metadata=tfds.core.MetadataDict(),
        )

    def download_and_prepare(self, **options) -> None:
        with mock.patch.object(shuffle, "Shuffler", _InOrder):
            super().download_and_prepare(**options)

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager  # lib.data.places has found everything
        return {split: self._generate_examples(split) for split in self.splits}

    def _generate_examples(self, split: str) -> Iterator:
        digests = {}
        for index, (name, file) in enumerate(self.splits[split].items()):
            try:
                data = images.stored(file.read_bytes())
            except Exception as error:  # Pillow's decoders raise whatever they like
                why = getattr(error, "strerror", None) or error
                raise UserError(f"{self.name}: {file} is not a sound image: {why}") from error
            digests[name] = hashlib.sha256(data).hexdigest()
            yield index, {"image": data, "name": name}
        self.info.metadata[split] = digests


def builder_class(entry: Entry) -> type[tfds.core.GeneratorBasedBuilder]:
    """The TFDS builder that prepares and reads `entry`."""
    if not isinstance(entry, ImageFiles):
        return {"mnist": MNIST, "fashion_mnist": FashionMNIST, "digits": Digits}[entry.name]

    class Builder(_FromImageFiles, skip_registration=True):
        name = entry.name
        VERSION = tfds.core.Version(entry.version)
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=entry.config)] if entry.config else []

    Builder.entry = entry
    return Builder


def _builder(entry: Entry, root: Path) -> tfds.core.GeneratorBasedBuilder:
    return builder_class(entry)(data_dir=root, file_format="array_record")


_OFFICIAL = {
    "mnist": official.MNIST,
    "fashion_mnist": official.FashionMNIST,
    "div2k": div2k.Builder,
}


def published(entry: Entry) -> dict[str, Published]:
    """Where TFDS's official builder downloads each of `entry.files`, and what it must be."""
    files = {
        url.rpartition("/")[2].removesuffix(".gz"): Published(url, int(info.size), info.checksum)
        for url, info in _OFFICIAL[entry.name].url_infos.items()
    }
    return {name: files[name] for name in entry.files}


def prepare(entry: Entry, splits: Splits, root: Path) -> None:
    """Writes `splits` as a TFDS dataset below `root`: all of it or, if interrupted, none.

    Args:
      entry: which dataset.
      splits: for each split {"image": uint8 [N, H, W], "label": uint8 [N]}; of image files
        {image name: file}.
      root: TFDS's data directory.

    Raises:
      UserError: an image file is damaged.
      OSError: `root` cannot be written to.
    """
    tfds.disable_progress_bar()
    builder = _builder(entry, root)
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


def read(entry: Entry, split: str, root: Path) -> Arrays:
    """A prepared split, in TFDS's order.

    Slow (about 10 000 digits a second): `lib.data.store` keeps the result.

    Returns:
      {"image": uint8 [N, H, W], "label": int32 [N]}; of image files, image name -> uint8
      [H, W, 3] or [H, W], decoded only when asked for if the entry is not to be kept.
    """
    builder = _builder(entry, root)
    source = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
    if isinstance(entry, ImageFiles):
        return _read_images(entry, source, builder.info.metadata[split], root)
    return _read_labelled(source, entry.image_shape)


def _read_labelled(source, image_shape: tuple[int, int]) -> Arrays:
    pixels = np.empty((len(source), *image_shape), np.uint8)
    labels = np.empty(len(source), np.int32)
    for start in range(0, len(source), 1000):
        block = range(start, min(start + 1000, len(source)))
        for index, example in zip(block, source.__getitems__(list(block)), strict=True):
            pixels[index] = np.asarray(Image.open(io.BytesIO(example["image"])))
            labels[index] = example["label"]
    return {"image": pixels, "label": labels}


def _read_images(entry: ImageFiles, source, digests: Mapping[str, str], root: Path) -> Arrays:
    indices = {name: index for index, name in enumerate(digests)}

    def decode(name: str) -> np.ndarray:
        try:
            data = source[indices[name]]["image"]
            if hashlib.sha256(data).hexdigest() != digests[name]:
                raise ValueError("it is not what was prepared")
            return images.decode(data)
        except Exception as error:  # the readers are C++ and raise whatever they like
            folder = store.location(entry, root)
            raise store.damaged(entry, folder, f"image {name}: {error}") from error

    if len(source) != len(digests):
        raise ValueError(f"{len(source)} images, {len(digests)} names")
    lazy = LazyImages(digests, decode)
    return dict(lazy) if entry.kept else lazy


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
