"""A person's image files, read and written with all they hold: depth, transparency, colour profile."""

import io
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image, ImageOps

from lib.base.errors import UserError
from lib.base.files import disk_errors, write_atomically

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
"""What is written, by the name's ending; read is whatever Pillow reads."""

_JPEG_SIDE = 65500
_BITS, _PLANAR = 258, 284
"""Tags of TIFF."""

# Pillow keeps one byte a channel of colour at 16 bits. Read with the other byte order it is the other
# byte: {how Pillow reads the upper bytes: how the lower are read}.
_OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_LOWER = {f"{c};16{o}": f"{c};16{_OTHER[o]}" for c in ("RGB", "RGBA") for o in _OTHER}


class Picture(NamedTuple):
    """Pixels, and what else the file said.

    Attributes:
      pixels: uint8 or uint16 `[H, W, C]`, upright; C of 1 to 4: grey, grey and alpha, RGB, RGBA.
      profile: the ICC colour profile.
      notes: what of the file is not here, in words.
    """

    pixels: np.ndarray
    profile: bytes | None = None
    notes: tuple[str, ...] = ()


def read_picture(path: Path) -> Picture:
    """The first image in a file, turned as its EXIF says.

    Raises:
      UserError: there is no such file, it is no sound image, or it is larger than Pillow trusts.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an error says enough
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            data = path.read_bytes()
            with Image.open(io.BytesIO(data)) as image:  # by path Pillow maps some TIFFs wrongly
                return _picture(image, data)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file", 2) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        most = Image.MAX_IMAGE_PIXELS
        raise UserError(
            f"{path} has more than {most:,} pixels, the most that are read", 2
        ) from None
    except Image.UnidentifiedImageError:
        raise UserError(
            f"{path} is not an image, or of a kind that Pillow cannot read", 2
        ) from None
    except Exception as error:  # Pillow's decoders raise whatever they like
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(f"{path} is not a sound image: {why}", 2) from error


def _picture(image: Image.Image, data: bytes) -> Picture:
    notes = []
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a phone's JPEG
    if frames > 1:
        notes.append(f"the first of {frames} frames")
    profile = image.info.get("icc_profile")
    if image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        profile = None  # of those colours, not of RGB
    if image.mode == "F":
        raise ValueError("its pixels are real numbers")
    if image.format == "TIFF" and image.tag_v2.get(_PLANAR) == 2:
        if max(image.tag_v2.get(_BITS, (8,))) > 8:
            raise ValueError("its colours are stored apart, in more than 8 bits")
    raw = {t.args if isinstance(t.args, str) else t.args[0] for t in image.tile if t.args}
    raw = raw.pop() if len(raw) == 1 and image.format in ("PNG", "TIFF") else ""
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        pixels = _upright(image)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ValueError("its pixels have more than 16 bits")
        pixels = _with_key(pixels.astype(np.uint16), image)
    elif raw == "LA;16B":
        levels = _raw(data, "RGBA").astype(np.uint16)  # upper, lower, upper, lower
        pixels = levels[..., 0::2] << 8 | levels[..., 1::2]
    elif raw in _LOWER:
        pixels = _raw(data, raw).astype(np.uint16) << 8 | _raw(data, _LOWER[raw])
        pixels = _with_key(pixels, image)
    else:
        if ";16" in raw:
            notes.append("read as 8 bits")
        grey = image.mode in ("1", "L", "LA", "La")
        alpha = "A" if image.has_transparency_data else ""
        # Pillow goes to LA from L only.
        image = image.convert("L") if image.mode == "1" else image
        pixels = _upright(image.convert(("L" if grey else "RGB") + alpha))
    return Picture(pixels, profile, tuple(notes))


def _upright(image: Image.Image) -> np.ndarray:
    """`[H, W, C]`."""
    pixels = np.array(ImageOps.exif_transpose(image))
    return pixels.reshape(*pixels.shape[:2], -1)


def _raw(data: bytes, mode: str) -> np.ndarray:
    """uint8 `[H, W, C]`: the file's bytes as Pillow's raw mode `mode` sees them."""
    with Image.open(io.BytesIO(data)) as image:
        args = [mode if isinstance(t.args, str) else (mode, *t.args[1:]) for t in image.tile]
        image.tile = [t._replace(args=a) for t, a in zip(image.tile, args, strict=True)]
        return _upright(image)


def _with_key(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """With an alpha channel if one colour is said to be transparent, as a PNG may."""
    key = image.info.get("transparency")
    if key is None:
        return pixels
    shown = np.any(pixels != np.asarray(key).reshape(1, 1, -1), axis=2, keepdims=True)
    alpha = np.where(shown, np.iinfo(pixels.dtype).max, 0).astype(pixels.dtype)
    return np.concatenate([pixels, alpha], axis=2)


def storable(picture: Picture, path: Path, scale: int = 1) -> Picture:
    """`picture` as the format of `path` can hold it `scale` times as large.

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
    if kind != "JPEG":
        return picture
    pixels, notes = picture.pixels, picture.notes
    peak = np.iinfo(pixels.dtype).max
    if max(pixels.shape[:2]) * scale > _JPEG_SIDE:
        raise UserError(f"{path}: JPEG has at most {_JPEG_SIDE} pixels a side; write a .png", 2)
    if pixels.shape[2] in (2, 4):
        if (pixels[..., -1] != peak).any():
            raise UserError(f"{path}: JPEG has no transparency; write a .png", 2)
        pixels = pixels[..., :-1]
    if pixels.dtype != np.uint8:
        pixels = (pixels / np.float32(257) + np.float32(0.5)).astype(np.uint8)
        notes = (*notes, "8 bits, as JPEG has no more")
    return Picture(pixels, picture.profile, notes)


def write_picture(path: Path, picture: Picture) -> None:
    """Writes a picture that is `storable` there, atomically, in the format of the name's ending.

    Raises:
      UserError: the disk refuses.
    """
    file = io.BytesIO()
    kind, pixels, profile = FORMATS[path.suffix.lower()], picture.pixels, picture.profile
    channels = pixels.shape[2]
    if kind == "TIFF":
        tifffile.imwrite(
            file,
            pixels if channels > 1 else pixels[..., 0],
            photometric="rgb" if channels > 2 else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=("unassalpha",) if channels in (2, 4) else None,
            compression="zlib",
            iccprofile=profile,
            metadata=None,
        )
    elif pixels.dtype == np.uint16:
        _write_png16(file, pixels, profile)
    else:
        image = Image.fromarray(pixels if channels > 1 else pixels[..., 0])
        image.save(file, kind, icc_profile=profile, **({"quality": 95} if kind == "JPEG" else {}))
    with disk_errors(f"cannot write {path}"):
        write_atomically(path, file.getvalue())


def _write_png16(file: io.BytesIO, pixels: np.ndarray, profile: bytes | None) -> None:
    # Pillow writes no colour of 16 bits.
    def chunk(kind: bytes, data: bytes) -> None:
        crc = zlib.crc32(kind + data)
        file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc))

    height, width, channels = pixels.shape
    color = (0, 4, 2, 6)[channels - 1]
    file.write(b"\x89PNG\r\n\x1a\n")
    chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0))
    if profile:
        chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    packed, up = zlib.compressobj(), 2  # filter 2: each row's bytes less those of the row above
    above = np.zeros(2 * width * channels, np.uint8)
    for row in pixels:
        line = np.ascontiguousarray(row.astype(">u2")).view(np.uint8).reshape(-1)
        if data := packed.compress(bytes([up]) + (line - above).tobytes()):
            chunk(b"IDAT", data)
        above = line
    chunk(b"IDAT", packed.flush())
    chunk(b"IEND", b"")
