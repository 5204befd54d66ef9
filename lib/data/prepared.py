"""TFDS's files: a prepared dataset, written and read without TensorFlow.

Imported late, by the functions that need it, because it costs TFDS's import (half a second). What TFDS
itself would use to write them, its shuffler, needs TensorFlow beyond 1 GB: here each example is written
in its final place at once.
"""

import hashlib
import io
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from PIL import Image
from tensorflow_datasets.core import example_serializer, hashing, naming

from lib.base.errors import UserError
from lib.data import images, readers
from lib.data.catalogue import Entry, ImageFiles, Labelled, Scenes, Text
from lib.data.dataset import Arrays, LazyExamples, LazyImages

F = tfds.features
_AT_ONCE = 1000  # examples that are read in one call


def _features(entry: Entry, example: Mapping) -> dict:
    if isinstance(entry, Labelled):
        shape = (*entry.image_shape, 1)[:3]
        return {"image": F.Image(shape=shape), "label": F.ClassLabel(num_classes=10)}
    if isinstance(entry, Text):
        return {language: F.Text() for language in entry.languages}
    label = F.ClassLabel(names=entry.labels) if isinstance(entry, Scenes) and entry.labels else None
    box = {"bbox": F.BBoxFeature(), "label": label, "is_difficult": np.bool_}
    fields = {
        "image": F.Image(),
        "name": F.Text(),
        "mask": F.Image(shape=(None, None, 1)),
        "objects": F.Sequence(box) if label else None,
        "captions": F.Sequence(F.Text()),
    }
    return {field: fields[field] for field in example}


def _examples(entry: Entry, split: str, source, digests: dict[str, str]) -> Iterator[dict]:
    """The examples in the order in which they are kept; fills in `digests` of images by name."""
    if isinstance(entry, Labelled):
        # As TFDS shuffles them: by the hash of their place in the publisher's files.
        key = hashing.Hasher(split).hash_key
        for index in sorted(range(len(source["label"])), key=key):
            yield {
                "image": images.png(source["image"][index]),
                "label": int(source["label"][index]),
            }
    elif isinstance(entry, Text):
        for lines in zip(*source.values(), strict=True):
            yield dict(zip(source, lines, strict=True))
    elif isinstance(entry, ImageFiles):
        for name, file in source.items():
            data = _sound(entry, file, images.stored)
            digests[name] = hashlib.sha256(data).hexdigest()
            yield {"image": data, "name": name}
    else:
        for scene in source:
            scene = scene | {"image": _sound(entry, scene["image"], images.stored)}
            if "mask" in scene:
                scene["mask"] = _sound(
                    entry, scene["mask"], lambda data: images.png(readers.label_image(data))
                )
            if "objects" in scene:
                scene["objects"] = [o | {"bbox": F.BBox(*o["bbox"])} for o in scene["objects"]]
            yield scene


def _sound(entry: Entry, file: images.File, read) -> bytes:
    try:
        return read(file.read_bytes())
    except Exception as error:  # Pillow's decoders raise whatever they like
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{entry.name}: {file} is not a sound image: {why}") from error


def prepare(entry: Entry, splits: Mapping, root: Path) -> None:
    """Writes `splits`, as `places.gather` returns them, as a TFDS dataset below `root`: all or nothing.

    Nobody else may be at it.

    Raises:
      UserError: an image file is damaged, or there are more or fewer examples than there should be.
      OSError: `root` cannot be written to.
    """
    target = entry.location(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob("incomplete.*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="incomplete.") as folder:
        written = Path(folder, entry.version)
        written.mkdir()
        try:
            _write(entry, splits, written)
        except (RuntimeError, ValueError) as error:
            # So array_record's C++ reports a full disk: "...write() failed: No space left on device;".
            if failed := re.search(r"\w+\(\) failed: ([^;]*)", str(error)):
                raise OSError(failed[1]) from error
            raise
        shutil.rmtree(target, ignore_errors=True)  # without a description it was not prepared
        written.rename(target)


def _write(entry: Entry, splits: Mapping, folder: Path) -> None:
    info, serializer, lengths, digests = None, None, [], {}
    for split, source in splits.items():
        template = naming.ShardedFileTemplate(
            data_dir=folder, dataset_name=entry.name, split=split, filetype_suffix="array_record"
        )
        path = template.sharded_filepath(shard_index=0, num_shards=1)
        writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
        count, size, digests[split] = 0, 0, {}
        try:
            for example in _examples(entry, split, source, digests[split]):
                if info is None:
                    info = _info(entry, example, folder)
                    layout = info.features.get_serialized_info()
                    serializer = example_serializer.ExampleSerializer(layout)
                data = serializer.serialize_example(info.features.encode_example(example))
                writer.write(data)
                count, size = count + 1, size + len(data)
        finally:
            writer.close()
        if count != entry.sizes[split]:
            raise UserError(f"{entry.name}: {split} has {count} examples, not {entry.sizes[split]}")
        lengths.append(
            tfds.core.SplitInfo(
                name=split, shard_lengths=[count], num_bytes=size, filename_template=template
            )
        )
    info.set_splits(tfds.core.splits.SplitDict(lengths))
    if isinstance(entry, ImageFiles):
        for split in splits:  # {image name: SHA-256 of the encoded image}, in order
            info.metadata[split] = digests[split]
    info.write_to_directory(folder)


def _info(entry: Entry, example: Mapping, folder: Path) -> tfds.core.DatasetInfo:
    identity = tfds.core.DatasetIdentity(
        name=entry.name,
        version=tfds.core.Version(entry.version),
        data_dir=str(folder),
        module_name="",
        config_name=entry.config,
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        description=entry.about or entry.name,
        features=F.FeaturesDict(_features(entry, example)),
        disable_shuffling=not isinstance(entry, Labelled),
        metadata=tfds.core.MetadataDict(),
    )
    info.set_file_format("array_record")
    return info


def read(entry: Entry, split: str, root: Path) -> Arrays:
    """A prepared split, in TFDS's order.

    Slow (about 10 000 digits a second): `lib.data.store` keeps the result.

    Returns:
      {"image": uint8 [N, H, W], "label": int32 [N]}; of image files, image name -> uint8
      [H, W, 3] or [H, W], decoded only when asked for if the entry is not to be kept; of text,
      language -> lines; of scenes, `LazyExamples`.

    Raises:
      ValueError, OSError, ...: it is damaged. What is decoded when asked for raises UserError.
    """
    builder = tfds.builder_from_directory(entry.location(root))
    fields = builder.info.features
    skip = {
        name: tfds.decode.SkipDecoding() for name in fields if isinstance(fields[name], F.Image)
    }
    source = builder.as_data_source(split, decoders=skip or None)
    if isinstance(entry, ImageFiles):
        return _images(entry, source, builder.info.metadata[split], root)
    if isinstance(entry, Scenes):
        return _scenes(entry, source, skip, root)
    if isinstance(entry, Text):
        rows = list(_blocks(source))
        return {name: tuple(row[name].decode() for row in rows) for name in entry.languages}
    pixels = np.empty((len(source), *entry.image_shape), np.uint8)
    labels = np.empty(len(source), np.int32)
    for index, example in enumerate(_blocks(source)):
        pixels[index] = np.asarray(Image.open(io.BytesIO(example["image"])))
        labels[index] = example["label"]
    return {"image": pixels, "label": labels}


def _blocks(source) -> Iterator[dict]:
    for start in range(0, len(source), _AT_ONCE):
        yield from source.__getitems__(list(range(start, min(start + _AT_ONCE, len(source)))))


def _plain(value):
    """What TFDS reads as bytes and lists of arrays, as text and arrays."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [item.decode() for item in value]
    return np.asarray(value) if isinstance(value, list) else value


def _scenes(entry: Scenes, source, encoded: Iterable[str], root: Path) -> LazyExamples:
    readers_of = {n: readers.label_image if n == "mask" else images.decode for n in encoded}

    def stored(index: int) -> dict:
        try:
            return source[index]
        except Exception as error:  # the reader is C++ and raises whatever it likes
            raise entry.damaged(root, f"example {index}: {error}") from error

    def decode(example: dict) -> dict:
        try:
            return {n: readers_of.get(n, _plain)(value) for n, value in example.items()}
        except Exception as error:  # Pillow's decoders raise whatever they like
            raise entry.damaged(root, error) from error

    return LazyExamples(range(len(source)), stored, decode)


def _images(entry: ImageFiles, source, digests: Mapping[str, str], root: Path) -> Arrays:
    indices = {name: index for index, name in enumerate(digests)}

    def decode(name: str) -> np.ndarray:
        try:
            data = source[indices[name]]["image"]
            if hashlib.sha256(data).hexdigest() != digests[name]:
                raise ValueError("it is not what was prepared")
            return images.decode(data)
        except Exception as error:  # the readers are C++ and raise whatever they like
            raise entry.damaged(root, f"image {name}: {error}") from error

    if len(source) != len(digests):
        raise ValueError(f"{len(source)} images, {len(digests)} names")
    lazy = LazyImages(digests, decode)
    return dict(lazy) if entry.kept else lazy
