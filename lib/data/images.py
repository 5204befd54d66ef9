"""Image files of any usual kind: their pixels, and where in a folder or a zip they are."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from lib.base.errors import UserError

# Both have `name` and `read_bytes()`.
File = Path | zipfile.Path
T = TypeVar("T")

_SUFFIXES = {".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff"}
_AS_THEY_ARE = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")  # PNG, JPEG


def decode(data: bytes) -> np.ndarray:
    """The pixels of an image file: uint8 [H, W, 3] RGB or, if it is grey, [H, W].

    Alpha is dropped, a palette looked up, of 16 bits the upper 8 are taken; rotation that EXIF asks
    for is not done.

    Raises:
      ValueError, OSError, SyntaxError, ...: Pillow cannot read it, or it has real-valued pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:  # its message is about our BytesIO
        raise ValueError("of no format that Pillow knows") from None
    with opened as image:
        if image.mode.startswith("I;16"):
            return (np.asarray(image) >> 8).astype(np.uint8)
        if image.mode in ("I", "F"):
            raise ValueError(f"pixels of mode {image.mode}, not of 8 or 16 bits")
        grey = image.mode in ("1", "L", "LA", "La")
        # A copy, because Pillow's own memory is not ours to write-protect.
        return np.array(image.convert("L" if grey else "RGB"))


def png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 [H, W] or [H, W, 3]; fast rather than small."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", compress_level=1)
    return file.getvalue()


def stored(data: bytes) -> bytes:
    """What TFDS keeps of an image file: PNG and JPEG as they are, of others the pixels as PNG.

    Raises:
      As `decode`: all of the file has been read, so that damage shows.
    """
    pixels = decode(data)
    return data if data.startswith(_AS_THEY_ARE) else png(pixels)


def decode_labels(data: bytes) -> np.ndarray:
    """A mask's classes, uint8 [H, W]: of a palette's colours the numbers, not the colours."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        if image.mode not in ("P", "L", "1"):
            raise ValueError(f"a mask of mode {image.mode}, not of one channel")
        return np.array(image, np.uint8)


def stored_labels(data: bytes) -> bytes:
    """The same as TFDS keeps it."""
    return png(decode_labels(data))


def sound(name: str, file: File, read: Callable[[bytes], T]) -> T:
    """What `read` makes of a file of the set `name`; UserError if it is not sound."""
    try:
        return read(file.read_bytes())
    except Exception as error:  # Pillow's decoders raise whatever they like
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{name}: {file} is not a sound image: {why}") from error


def image_name(file: File) -> str:
    """The name without its ending, and without _GT or _HR, as some copies call the truth."""
    return re.sub(r"_(GT|HR)$", "", _stem(file), flags=re.IGNORECASE)


def images_in(place: Path) -> dict[str, File]:
    """The image files directly in a folder, or anywhere in a zip, by image name, sorted by it.

    Where some are called _HR, those called _LR are copies that were made of them, and left out.

    Raises:
      UserError: `place` cannot be read, or two of its files have the same image name.
    """
    try:
        files = [
            f for f in (place.iterdir() if place.is_dir() else _members(place)) if _is_image(f)
        ]
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {place}: {error}") from error
    if any(_stem(file).upper().endswith("_HR") for file in files):
        files = [file for file in files if not _stem(file).upper().endswith("_LR")]
    by_name: dict[str, File] = {}
    for file in sorted(files, key=str):
        if (name := image_name(file)) in by_name:
            raise UserError(f"{place}: {by_name[name].name} and {file.name} are both called {name}")
        by_name[name] = file
    return dict(sorted(by_name.items()))


def _is_image(file: File) -> bool:
    return not file.name.startswith(".") and Path(file.name).suffix.lower() in _SUFFIXES


def _stem(file: File) -> str:
    return file.name.rpartition(".")[0]


def _members(path: Path) -> Iterator[zipfile.Path]:
    archive = zipfile.Path(path)
    # macOS adds a shadow of each file.
    names = (n for n in archive.root.namelist() if not n.startswith("__MACOSX/"))
    return (archive / name for name in names if not name.endswith("/"))
