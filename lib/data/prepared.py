"""TFDS's own form of a dataset, written and read without TensorFlow.

Imported late, by the functions that need it, because it costs TFDS's import (half a second). What TFDS
itself would use to write it, its shuffler, needs TensorFlow beyond 1 GB: here each example is written
in its final place at once.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from PIL import Image
from tensorflow_datasets.core import example_serializer, hashing, naming

from lib.base.errors import UserError
from lib.data import images, store
from lib.data.catalogue import Entry
from lib.data.dataset import LazyExamples, LazyImages

F = tfds.features
_AT_ONCE = 1000  # examples that are read in one call


def order(split: str, size: int) -> list[int]:
    """The order in which TFDS keeps `size` examples: by the hash of their place in the publisher's files."""
    return sorted(range(size), key=hashing.Hasher(split).hash_key)


# Reading.


def splits(entry: Entry, root: Path) -> dict[str, Mapping]:
    """All of a dataset that TFDS has prepared below `root`, in its order, decoded, by split.

    Slow: about 10 000 digits a second.

    Raises:
      UserError: it is damaged.
    """
    try:
        return {split: _decoded(entry, _opened(entry, split, root)) for split in entry.sizes}
    except Exception as error:  # the readers are C++, Pillow's are C: they raise whatever they like
        raise entry.damaged(root, error) from error


def streamed(entry: Entry, split: str, root: Path) -> LazyExamples | LazyImages:
    """A split that TFDS has prepared below `root`; an example is read and decoded when asked for.

    Raises:
      UserError: it is damaged, here or when an example is asked for.
    """
    try:
        source = _opened(entry, split, root)
        if len(source) != entry.sizes[split]:
            raise ValueError(f"{split} has {len(source)} examples, not {entry.sizes[split]}")
        examples = _lazy(entry, source, root)
        if entry.kind == "photographs":
            return LazyImages(list(source.dataset_info.metadata[split]), examples)
        return examples
    except Exception as error:  # as above
        raise entry.damaged(root, error) from error


def _opened(entry: Entry, split: str, root: Path):
    """TFDS's source of a split, images not decoded."""
    builder = tfds.builder_from_directory(entry.location(root))
    of_images = [name for name, field in builder.info.features.items() if _is_image(field)]
    skip = {name: tfds.decode.SkipDecoding() for name in of_images}
    return builder.as_data_source(split, decoders=skip or None)


def _is_image(feature) -> bool:
    return isinstance(feature, F.Image)


def _decoded(entry: Entry, source) -> Mapping:
    rows = _rows(source)
    if entry.kind == "photographs":
        return {row["name"].decode(): images.decode(row["image"]) for row in rows}
    if entry.kind == "text":
        columns = zip(*([row[k].decode() for k in entry.languages] for row in rows), strict=True)
        return dict(zip(entry.languages, columns, strict=True))
    pixels = np.empty((len(source), *entry.shape), np.uint8)
    labels = np.empty(len(source), np.int32)
    for index, row in enumerate(rows):
        pixels[index] = np.asarray(Image.open(io.BytesIO(row["image"])))
        labels[index] = row["label"]
    return {"image": pixels, "label": labels}


def _rows(source) -> Iterator[dict]:
    for start in range(0, len(source), _AT_ONCE):
        yield from source.__getitems__(list(range(start, min(start + _AT_ONCE, len(source)))))


def _lazy(entry: Entry, source, root: Path) -> LazyExamples:
    fields = source.dataset_info.features

    def plain(name: str, value):
        if name in fields and _is_image(fields[name]):
            return (images.decode_labels if name == "mask" else images.decode)(value)
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, dict):
            return {inner: plain("", v) for inner, v in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], bytes):
            return [item.decode() for item in value]
        return np.asarray(value) if isinstance(value, list) else value

    def stored(index: int) -> dict:
        try:
            return source[index]
        except Exception as error:  # as above
            raise entry.damaged(root, f"example {index}: {error}") from error

    def decode(example: dict) -> dict:
        try:
            return {name: plain(name, value) for name, value in example.items()}
        except Exception as error:  # as above
            raise entry.damaged(root, error) from error

    return LazyExamples(range(len(source)), stored, decode)


# Writing.


def write(entry: Entry, splits: Mapping[str, Sequence[dict]], root: Path) -> None:
    """Writes `splits`, as a reader returns them, as a TFDS dataset below `root`: all or nothing.

    Nobody else may be at it.

    Raises:
      UserError: an image file is damaged, there are more or fewer examples than there should be, or
        `root` cannot be written to.
    """
    with store.whole(entry, root) as folder:
        features = _features(entry, next(iter(splits.values()))[0])
        info = _info(entry, features, folder)
        serializer = example_serializer.ExampleSerializer(features.get_serialized_info())
        written = []
        for split, examples in splits.items():
            if len(examples) != (size := entry.sizes[split]):
                raise UserError(f"{entry.name}: {split} has {len(examples)} examples, not {size}")
            template = naming.ShardedFileTemplate(
                data_dir=folder, dataset_name=entry.name, split=split, filetype_suffix="array_record"
            )
            path = template.sharded_filepath(shard_index=0, num_shards=1)
            writer, bytes_written = array_record_module.ArrayRecordWriter(str(path), "group_size:1"), 0
            try:
                for example in examples:
                    fields = features.encode_example(_encoded(entry, example))
                    data = serializer.serialize_example(fields)
                    writer.write(data)
                    bytes_written += len(data)
            finally:
                writer.close()
            about = {"shard_lengths": [size], "num_bytes": bytes_written}
            written.append(tfds.core.SplitInfo(name=split, filename_template=template, **about))
            if entry.kind == "photographs":
                info.metadata[split] = [example["name"] for example in examples]
        info.set_splits(tfds.core.splits.SplitDict(written))
        info.write_to_directory(folder)


def _features(entry: Entry, example: Mapping) -> F.FeaturesDict:
    """What there may be in an example; of this set, what there is in `example`."""
    label = F.ClassLabel(names=list(entry.labels) or None)
    box = {"bbox": F.BBoxFeature(), "label": label, "is_difficult": np.bool_}
    fields = {
        "name": F.Text(),
        "image": F.Image(),
        "mask": F.Image(shape=(None, None, 1)),
        "objects": F.Sequence(box),
        "captions": F.Sequence(F.Text()),
    }
    return F.FeaturesDict({name: fields[name] for name in example})


def _encoded(entry: Entry, example: dict) -> dict:
    example = example | {"image": images.sound(entry.name, example["image"], images.stored)}
    if "mask" in example:
        example["mask"] = images.sound(entry.name, example["mask"], images.stored_labels)
    if "objects" in example:
        example["objects"] = [o | {"bbox": F.BBox(*o["bbox"])} for o in example["objects"]]
    return example


def _info(entry: Entry, features: F.FeaturesDict, folder: Path) -> tfds.core.DatasetInfo:
    identity = tfds.core.DatasetIdentity(
        name=entry.name,
        version=tfds.core.Version(entry.version),
        data_dir=str(folder),
        module_name="",
        config_name=entry.config,
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        description=entry.about,
        features=features,
        disable_shuffling=True,
        metadata=tfds.core.MetadataDict(),
    )
    info.set_file_format("array_record")
    return info
