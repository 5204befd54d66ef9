"""Image files of any usual kind: their pixels, and where in a folder or a zip they are."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lib.base.errors import UserError

# Both have `name` and `read_bytes()`.
File = Path | zipfile.Path

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


def stored(data: bytes) -> bytes:
    """What TFDS keeps of an image file: PNG and JPEG as they are, of others the pixels as PNG.

    Raises:
      As `decode`: all of the file has been read, so that damage shows.
    """
    pixels = decode(data)
    if data.startswith(_AS_THEY_ARE):
        return data
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def image_name(file: File) -> str:
    """The name without its ending, and without _GT or _HR, as some copies call the truth."""
    return re.sub(r"_(GT|HR)$", "", file.name.rpartition(".")[0], flags=re.IGNORECASE)


def images_in(place: Path) -> dict[str, File]:
    """The image files directly in a folder, or anywhere in a zip, by image name, sorted by it.

    Raises:
      UserError: `place` cannot be read, or two of its files have the same image name.
    """
    try:
        files = list(place.iterdir() if place.is_dir() else _members(place))
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {place}: {error}") from error
    found: dict[str, File] = {}
    for file in sorted(files, key=str):
        if file.name.startswith(".") or file.name[file.name.rfind(".") :].lower() not in _SUFFIXES:
            continue
        if (name := image_name(file)) in found:
            raise UserError(f"{place}: {found[name].name} and {file.name} are both called {name}")
        found[name] = file
    return dict(sorted(found.items()))


def _members(path: Path) -> Iterator[zipfile.Path]:
    archive = zipfile.Path(path)
    # macOS adds a shadow of each file.
    names = (n for n in archive.root.namelist() if not n.startswith("__MACOSX/"))
    return (archive / name for name in names if not name.endswith("/"))


def places_called(names: Iterable[str], folder: Path) -> Iterator[Path]:
    """Folders and zips called one of `names`, in any case: `folder`, and up to two levels below."""
    places = list(_within(folder, 2))
    for name in names:
        first, *rest = name.lower().split("/")
        for place in places:
            inside = place.joinpath(*rest)
            if place.name.lower() == first and inside.is_dir():
                yield inside
            elif place.name.lower() == f"{name}.zip".lower() and place.is_file():
                yield place


def _within(folder: Path, levels: int) -> Iterator[Path]:
    yield folder
    if levels and folder.is_dir():
        try:
            inside = sorted(folder.iterdir())
        except OSError:  # a folder that we may not list is none of ours
            return
        for place in inside:
            yield from _within(place, levels - 1)
