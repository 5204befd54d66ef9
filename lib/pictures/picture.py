"""A person's image files, read and written with all they hold: depth, transparency, colour profile."""

import contextlib
import io
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from lib.base.errors import UserError
from lib.base.files import disk_errors, write_atomically
from lib.base.memory import free_memory
from lib.pictures import png, tiff
from lib.pictures.tiff import Refused

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
"""What is written, by the name's ending; read is whatever Pillow reads."""

_JPEG_SIDE = _JPEG_DENSITY = 65500
_BYTES_A_PIXEL = 30
"""What reading takes at most, of 16 bits and four channels."""

_ORIENTATION = 0x0112
# The camera, the artist, the rights, the date; XMP, IPTC, EXIF, GPS.
_TOLD = {271, 272, 306, 315, 700, 33432, 33723, 34665, 34853}

# Pillow keeps one byte a channel of colour at 16 bits. Read with the other byte order it is the other
# byte: {how Pillow reads the upper bytes: how the lower are read}.
_OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_LOWER = {f"{c};16{o}": f"{c};16{_OTHER[o]}" for c in ("RGB", "RGBA") for o in _OTHER}


class Resolution(NamedTuple):
    """Pixels an inch, across and down; or, if not `inch`, a pixel's shape alone: y / x wide as high."""

    x: float
    y: float
    inch: bool = True


class Picture(NamedTuple):
    """Pixels, and what else the file said.

    Attributes:
      pixels: uint8 or uint16 `[H, W, C]`, upright; C of 1 to 4: grey, grey and alpha, RGB, RGBA.
      profile: the ICC colour profile.
      notes: what of the file is not here, in words.
      resolution: as the file has it. A larger or smaller picture made of this one keeps it.
      marks: what a PNG says of its colours beside a profile: (chunk, content).
    """

    pixels: np.ndarray
    profile: bytes | None = None
    notes: tuple[str, ...] = ()
    resolution: Resolution | None = None
    marks: tuple[tuple[bytes, bytes], ...] = ()


def read_picture(path: Path, megapixels: float | None = None) -> Picture:
    """The first image in a file, turned as its EXIF says.

    Args:
      megapixels: the most that are read (default: as many as Pillow trusts).

    Raises:
      UserError: there is no such file, it is no sound image, it would have to be guessed what its pixels
        mean, or it is too large: for `megapixels` or for the memory.
    """
    most = Image.MAX_IMAGE_PIXELS if megapixels is None else int(megapixels * 1e6)
    try:
        with warnings.catch_warnings(), _limit(most):
            warnings.simplefilter("ignore")  # an error says enough
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decoded(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file", 2) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError(
            f"{path} has more than {most:,} pixels, the most that are read (--max-megapixels)", 2
        ) from None
    except Image.UnidentifiedImageError:
        raise UserError(
            f"{path} is not an image, or of a kind that Pillow cannot read", 2
        ) from None
    except Refused as error:
        raise UserError(f"{path} cannot be read: {error}", 2) from None
    except Exception as error:  # Pillow's decoders raise whatever they like
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(f"{path} is not a sound image: {why}", 2) from error


@contextlib.contextmanager
def _limit(most: int) -> Iterator[None]:
    """Pillow's limit, for a while."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _decoded(data: bytes) -> Picture:
    if data.startswith(png.SIGNATURE):
        found = png.look(data)
        with Image.open(io.BytesIO(found.lean)) as image:
            picture = _picture(image, found.lean, chunks=found.chunks)
        marks = tuple((kind, found.chunks[kind]) for kind in png.MARKS if kind in found.chunks)
        notes = (*picture.notes, *found.notes)
        return picture._replace(profile=found.profile, notes=notes, marks=marks)
    if data.startswith(tiff.MAGIC):
        return _tiff(data)
    with Image.open(io.BytesIO(data)) as image:  # by path Pillow maps some TIFFs wrongly
        return _picture(image, data)


def _tiff(data: bytes) -> Picture:
    tags = tiff.read_tags(data)
    width, height = int(tags[tiff.WIDTH]), int(tags[tiff.HEIGHT])
    Image._decompression_bomb_check((width, height))
    _check_memory(width, height)
    deep, frames = tiff.read_deep(data, tags), 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            frames = getattr(image, "n_frames", 1)
            picture = _picture(image, data, tags=tags) if deep is None else None
    except Image.UnidentifiedImageError:
        if deep is None:
            raise Refused(f"it is {tiff.kind_of(tags)}") from None
    if deep is not None:
        pixels, notes = deep
        turned = _turned(pixels, tags.get(tiff.ORIENTATION, 1))
        notes += [f"the first of {frames} frames"] if frames > 1 else []
        notes += ["its camera data and texts are left out"] if _TOLD & set(tags) else []
        picture = Picture(turned, tags.get(tiff.PROFILE), tuple(notes))
    inch = int(tags.get(tiff.UNIT, 2))
    scale = 2.54 if inch == 3 else 1.0
    sides = [_number(tags.get(tag)) * scale for tag in (tiff.X, tiff.Y)]
    resolution = _resolution(*sides, inch != 1, tags.get(tiff.ORIENTATION, 1))
    notes = (*picture.notes, *tiff.notes_of(tags))
    return picture._replace(resolution=resolution, notes=notes)


def _picture(image: Image.Image, data: bytes, *, chunks=None, tags=None) -> Picture:
    """What Pillow sees of `data`, the PNG with those `chunks` or the TIFF with those `tags`."""
    _check_memory(*image.size)
    notes = []
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a phone's JPEG
    if frames > 1:
        notes.append(f"the first of {frames} frames")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("CMYK", "LAB", "HSV"):
        notes.append(f"its {image.mode} profile is left out, since the colours become RGB")
        profile = None
    if tags and tags.get(tiff.PLANAR) == 2 and tiff.bits_of(tags) > 8:
        raise Refused("its colours are stored apart, in more than 8 bits")
    args = [() if t.args is None else t.args for t in image.tile]
    raw = {a if isinstance(a, str) else next(iter(a), "") for a in args}
    raw = raw.pop() if len(raw) == 1 and image.format in ("PNG", "TIFF") else ""
    key = png.key_of(chunks) if chunks else None
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        if image.format not in ("PNG", "TIFF", "PPM", "JPEG2000"):
            raise Refused("its pixels are whole numbers, whose black and white is not told")
        pixels = _upright(image).astype(np.uint16)
        pixels = tiff.widened(pixels, tags) if tags else pixels
    elif raw == "LA;16B":
        levels = _raw(data, "RGBA").astype(np.uint16)  # upper, lower, upper, lower
        pixels = levels[..., 0::2] << 8 | levels[..., 1::2]
    elif raw in _LOWER:
        pixels = _raw(data, raw).astype(np.uint16) << 8 | _raw(data, _LOWER[raw])
    elif image.mode == "F":
        raise Refused("its pixels are real numbers, whose black and white is not told")
    else:
        if ";16" in raw or (image.format == "PPM" and any(a[1:] and a[1] > 255 for a in args)):
            notes.append("read as 8 bits")
        grey = image.mode in ("1", "L", "LA", "La")
        alpha = "A" if image.has_transparency_data and key is None else ""
        # Pillow goes to LA from L only.
        plain = image.convert("L") if image.mode == "1" else image
        pixels = _upright(plain.convert(("L" if grey else "RGB") + alpha))
    if key is not None:
        pixels = _with_key(pixels, key)
    exif = image.getexif()  # which reads a PNG whole
    told = {"xmp"} if image.format == "JPEG2000" else {"xmp", "comment"}  # there a program's name
    if _TOLD & set(exif) or told & set(image.info) or png.has_text(chunks or {}):
        notes.append("its camera data and texts are left out")
    resolution = _resolution(*_density(image), exif.get(_ORIENTATION, 1))
    return Picture(pixels, profile, tuple(notes), resolution)


def _check_memory(width: int, height: int) -> None:
    needed, free = width * height * _BYTES_A_PIXEL, free_memory()
    if free is not None and needed > free:
        raise Refused(
            f"{width} x {height} pixels need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free"
        )


def _upright(image: Image.Image) -> np.ndarray:
    """`[H, W, C]`."""
    pixels = np.array(ImageOps.exif_transpose(image))
    return pixels.reshape(*pixels.shape[:2], -1)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright, of pixels as they are stored: what `exif_transpose` does."""
    if orientation in (5, 6, 7, 8):
        pixels, orientation = pixels.swapaxes(0, 1), {5: 1, 6: 2, 7: 3, 8: 4}[orientation]
    down, across = (-1 if orientation in turned else 1 for turned in ((3, 4), (2, 3)))
    return np.ascontiguousarray(pixels[::down, ::across])


def _raw(data: bytes, mode: str) -> np.ndarray:
    """uint8 `[H, W, C]`: the file's bytes as Pillow's raw mode `mode` sees them."""
    with Image.open(io.BytesIO(data)) as image:
        args = [mode if isinstance(t.args, str) else (mode, *t.args[1:]) for t in image.tile]
        image.tile = [t._replace(args=a) for t, a in zip(image.tile, args, strict=True)]
        return _upright(image)


def _with_key(pixels: np.ndarray, key: np.ndarray) -> np.ndarray:
    """With an alpha channel: one colour is transparent."""
    shown = np.any(pixels != key, axis=2, keepdims=True)
    alpha = np.where(shown, np.iinfo(pixels.dtype).max, 0).astype(pixels.dtype)
    return np.concatenate([pixels, alpha], axis=2)


def _density(image: Image.Image) -> tuple[float, float, bool]:
    info = image.info
    if "dpi" in info:
        return *map(_number, info["dpi"]), True
    shape = info.get("aspect") or (info.get("jfif_unit") == 0 and info.get("jfif_density"))
    return (*map(_number, shape), False) if shape else (0.0, 0.0, False)


def _number(value: Any) -> float:
    """0 if it is none; a TIFF's is a pair."""
    try:
        return float(value[0] / value[1] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        return 0.0


def _resolution(x: float, y: float, inch: bool, orientation: int) -> Resolution | None:
    if not (0 < x < 1e6 and 0 < y < 1e6) or (not inch and math.isclose(x, y)):
        return None
    return Resolution(y, x, inch) if orientation in (5, 6, 7, 8) else Resolution(x, y, inch)


def colors_of(pixels: np.ndarray) -> np.ndarray:
    """float32 `[H, W, 3]` in 0..255 of `[H, W, 1 to 4]`, 8 or 16 bits; what is transparent is white."""
    levels = pixels.astype(np.float32) * np.float32(255 / np.iinfo(pixels.dtype).max)
    color = levels[..., :1] if pixels.shape[2] < 3 else levels[..., :3]
    if pixels.shape[2] in (2, 4):
        opaque = levels[..., -1:] / 255
        color = color * opaque + 255 * (1 - opaque)
    return np.broadcast_to(color, (*color.shape[:2], 3))


def storable(picture: Picture, path: Path, scale: int = 1) -> Picture:
    """`picture` as the format of `path` can hold it `scale` times as large; notes say what it cannot.

    Raises:
      UserError: it cannot, or there is no writing there.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: a name must end in {', '.join(FORMATS)}", 2)
    with disk_errors(f"cannot write {path}", code=2):
        if path.is_dir():
            raise UserError(f"{path} is a folder", 2)
        probe = path.with_name(f".{path.name}.part")
        probe.touch()
        probe.unlink()
    notes = list(picture.notes)
    if picture.pixels.shape[2] > 2 and (picture.profile or b"")[16:20] == b"GRAY":
        notes.append("without the profile, which is of greys")
        picture = picture._replace(profile=None)
    if picture.marks and kind != "PNG":
        names = ", ".join(name.decode() for name, _ in picture.marks)
        notes.append(f"without {names}, for which {kind} has no place")
        picture = picture._replace(marks=())
    picture = picture._replace(notes=tuple(notes))
    return _storable_jpeg(picture, path, scale) if kind == "JPEG" else picture


def _storable_jpeg(picture: Picture, path: Path, scale: int) -> Picture:
    pixels, notes, resolution = picture.pixels, list(picture.notes), picture.resolution
    peak = np.iinfo(pixels.dtype).max
    if max(pixels.shape[:2]) * scale > _JPEG_SIDE:
        raise UserError(f"{path}: JPEG has at most {_JPEG_SIDE} pixels a side; write a .png", 2)
    if pixels.shape[2] in (2, 4):
        if (pixels[..., -1] != peak).any():
            raise UserError(f"{path}: JPEG has no transparency; write a .png", 2)
        pixels = pixels[..., :-1]
    if pixels.dtype != np.uint8:
        pixels = (pixels / np.float32(257) + np.float32(0.5)).astype(np.uint8)
        notes.append("8 bits, as JPEG has no more")
    if resolution and not (resolution.inch and 1 <= min(resolution[:2])):
        resolution = None
    if resolution and max(resolution[:2]) > _JPEG_DENSITY:
        resolution = None
    if picture.resolution and not resolution:
        notes.append("without the resolution, which JPEG cannot hold")
    return Picture(pixels, picture.profile, tuple(notes), resolution)


def write_picture(path: Path, picture: Picture) -> None:
    """Writes a picture that is `storable` there, atomically, in the format of the name's ending.

    Raises:
      UserError: the disk refuses.
    """
    kind = FORMATS[path.suffix.lower()]
    encode = {"PNG": _encoded_png, "TIFF": _encoded_tiff, "JPEG": _encoded_jpeg}[kind]
    content = encode(picture)
    with disk_errors(f"cannot write {path}"):
        write_atomically(path, content)


def _encoded_tiff(picture: Picture) -> bytes:
    return tiff.encode(picture.pixels, picture.profile, picture.resolution)


def _encoded_png(picture: Picture) -> bytes:
    chunks = [png.profile_chunk(picture.profile)] if picture.profile else []
    chunks += picture.marks
    if picture.resolution:
        chunks.append(png.resolution_chunk(*picture.resolution))
    if picture.pixels.dtype == np.uint16:
        plain = png.encode_16(picture.pixels)
    else:
        plain = _encoded_by_pillow(picture, "PNG", compress_type=png.RUNS)
    return png.with_chunks(plain, chunks) if chunks else plain


def _encoded_jpeg(picture: Picture) -> bytes:
    about = {"quality": 95, "icc_profile": picture.profile}
    if picture.resolution:
        about["dpi"] = tuple(round(side) for side in picture.resolution[:2])
    return _encoded_by_pillow(picture, "JPEG", **about)


def _encoded_by_pillow(picture: Picture, kind: str, **about: Any) -> bytes:
    file, pixels = io.BytesIO(), picture.pixels
    image = Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0])
    image.save(file, kind, **about)
    return file.getvalue()
