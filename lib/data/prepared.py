"""TFDS's own form of a dataset, written and read without TensorFlow.

Imported late, by the functions that need it, because it costs TFDS's import (half a second). What TFDS
itself would use to write it, its shuffler, needs TensorFlow beyond 1 GB: here each example is written
in its final place at once.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.core import example_serializer, hashing, naming

from lib.base.errors import UserError
from lib.data import images, store
from lib.data.catalogue import Entry
from lib.data.dataset import LazyExamples

F = tfds.features


def order(split: str, size: int) -> list[int]:
    """The order in which TFDS keeps `size` examples: by the hash of their place in the publisher's files."""
    return sorted(range(size), key=hashing.Hasher(split).hash_key)


# Reading.


def opened(entry: Entry, split: str, root: Path) -> LazyExamples:
    """A split that TFDS has prepared below `root`; an example is read and decoded when asked for.

    Raises:
      UserError: it is damaged, here or when an example is asked for.
    """
    with _damage(entry, root, split):
        builder = tfds.builder_from_directory(entry.location(root))
        fields = builder.info.features
        encoded = [name for name, field in fields.items() if isinstance(field, F.Image)]
        skip = {name: tfds.decode.SkipDecoding() for name in encoded}
        source = builder.as_data_source(split, decoders=skip or None)
        if len(source) != (size := entry.sizes[split]):
            raise ValueError(f"{len(source)} examples, not {size}")

    def stored(index: int) -> dict:
        with _damage(entry, root, f"{split}, example {index}"):
            return source[index]

    def decode(example: dict) -> dict:
        with _damage(entry, root, split):
            decoders = {name: images.decode for name in encoded}
            if "mask" in encoded:
                decoders["mask"] = images.decode_labels
            return {name: decoders.get(name, _plain)(value) for name, value in example.items()}

    names = (builder.info.metadata or {}).get(split, ())
    return LazyExamples(range(size), stored, decode, tuple(names))


@contextlib.contextmanager
def _damage(entry: Entry, root: Path, where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the readers are C++, Pillow's are C: they raise whatever they like
        raise entry.damaged(root, f"{where}: {error}") from error


def _plain(value):
    """What TFDS reads as bytes and lists of arrays, as text and arrays."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [item.decode() for item in value]
    return np.asarray(value) if isinstance(value, list) else value


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
            names = {"dataset_name": entry.name, "split": split, "filetype_suffix": "array_record"}
            template = naming.ShardedFileTemplate(data_dir=folder, **names)
            path = template.sharded_filepath(shard_index=0, num_shards=1)
            writer, lengths = array_record_module.ArrayRecordWriter(str(path), "group_size:1"), []
            try:
                for example in examples:
                    fields = features.encode_example(_encoded(entry, example))
                    writer.write(data := serializer.serialize_example(fields))
                    lengths.append(len(data))
            finally:
                writer.close()
            about = {"shard_lengths": [size], "num_bytes": sum(lengths)}
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
