"""TIFF: what its tags say of the pixels, and the deep pixels, of which Pillow reads some wrongly."""

import io
import logging
from typing import Any

import numpy as np
import tifffile

from lib.base.errors import UserError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
ORIENTATION, SAMPLES, X, Y, PLANAR, UNIT = 274, 277, 282, 283, 284, 296
MOST, EXTRA, FORMAT, PROFILE = 281, 338, 339, 34675
"""Tags."""

_DECODED = (1, 8, 32946, 32773)
"""Compressions that tifffile undoes without a further package: none, deflate, PackBits."""
_FORMATS = {2: "have a sign", 3: "are real numbers", 5: "are complex", 6: "are complex"}


class Refused(ValueError):
    """A sound file whose pixels would have to be guessed."""


def read_tags(data: bytes) -> dict[int, Any]:
    """{tag: value} of the first image.

    Raises:
      Refused: its pixels are no whole numbers from 0 to 2^16 - 1 at most.
    """
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells of each odd tag
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = {tag.code: tag.value for tag in file.pages.first.tags}
    if not {WIDTH, HEIGHT} <= set(tags):
        raise ValueError("it does not say how large it is")
    for kind in np.atleast_1d(tags.get(FORMAT, 1)):
        if int(kind) in _FORMATS:
            raise Refused(f"its pixels {_FORMATS[int(kind)]}, whose black and white no tag tells")
    if bits_of(tags) > 16:
        raise Refused(f"its pixels have {bits_of(tags)} bits; 16 are the most that are read")
    return tags


def bits_of(tags: dict[int, Any]) -> int:
    """Bits of a sample, of the largest."""
    return int(np.max(tags.get(BITS, 1)))


def kind_of(tags: dict[int, Any]) -> str:
    """In words, for a file that cannot be read."""
    names = [
        str(getattr(kind(tags[tag]), "name", tags[tag])).lower()
        for tag, kind in ((PHOTOMETRIC, tifffile.PHOTOMETRIC), (COMPRESSION, tifffile.COMPRESSION))
        if tag in tags and tags[tag] in list(kind)
    ]
    samples = tags.get(SAMPLES, 1)
    return f"a TIFF of {samples} x {bits_of(tags)} bits a pixel ({', '.join(names)})"


def notes_of(tags: dict[int, Any]) -> list[str]:
    """What the tags say that is not followed."""
    most, peak = int(np.max(tags.get(MOST, 0))), 2 ** bits_of(tags) - 1
    if not 0 < most < peak:
        return []
    # "Not to be used to affect the visual appearance" (TIFF 6.0).
    return [f"its MaxSampleValue {most} is left out of account: white is {peak}"]


def read_deep(data: bytes, tags: dict[int, Any]) -> tuple[np.ndarray, list[str]] | None:
    """uint16 `[H, W, 1 to 4]` of a file with 16 bits of grey or RGB, not turned, and notes.

    None if it is of another kind, or tifffile cannot decode it.
    """
    photometric, bits = tags.get(PHOTOMETRIC), np.atleast_1d(tags.get(BITS, 1))
    deep = (bits == 16).all() and photometric in (0, 1, 2)
    if not deep or tags.get(COMPRESSION, 1) not in _DECODED:
        return None
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        if any(sum(part) > len(data) for part in zip(page.dataoffsets, page.databytecounts)):
            raise ValueError("it ends within its pixels")  # tifffile would fill in black
        stored = page.asarray().astype(np.uint16, copy=False)
    samples, colors = tags.get(SAMPLES, 1), 3 if photometric == 2 else 1
    if samples > 1 and tags.get(PLANAR, 1) == 2:
        stored = np.moveaxis(stored, 0, -1)
    stored = stored.reshape(tags[HEIGHT], tags[WIDTH], samples)
    pixels, extra = stored[..., :colors], [int(e) for e in np.atleast_1d(tags.get(EXTRA, ()))]
    if not extra and (colors, samples) == (3, 4):
        extra = [2]  # so do others take what the file doesn't say
    which = next((i for i, kind in enumerate(extra) if kind in (1, 2)), None)
    if photometric == 0:
        pixels = 65535 - pixels
    if which is not None:
        alpha = stored[..., colors + which, None]
        if extra[which] == 1:  # colours are stored multiplied by it
            pixels = np.minimum(pixels / np.maximum(alpha, 1) * 65535 + 0.5, 65535)
        pixels = np.concatenate([pixels.astype(np.uint16), alpha], axis=2)
    left = samples - pixels.shape[2]
    return pixels, [f"left out: further channels, {left}"] if left else []


def widened(pixels: np.ndarray, tags: dict[int, Any]) -> np.ndarray:
    """Grey of 9 to 16 bits as Pillow reads it: to 16 bits, and white where the file says it is."""
    peak = 2 ** bits_of(tags) - 1
    pixels = ((pixels.astype(np.uint32) * 65535 + peak // 2) // peak).astype(np.uint16)
    return 65535 - pixels if tags.get(PHOTOMETRIC) == 0 else pixels


def encode(
    pixels: np.ndarray, profile: bytes | None, resolution: tuple[float, float, bool] | None
) -> bytes:
    """A file of uint8 or uint16 `[H, W, 1 to 4]`."""
    channels, file = pixels.shape[2], io.BytesIO()
    about = {}
    if resolution is not None:
        *about["resolution"], inch = resolution
        about["resolutionunit"] = "INCH" if inch else "NONE"
    try:
        tifffile.imwrite(
            file,
            pixels if channels > 1 else pixels[..., 0],
            photometric="rgb" if channels > 2 else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=("unassalpha",) if channels in (2, 4) else None,
            compression="zlib",
            iccprofile=profile,
            metadata=None,
            bigtiff=pixels.nbytes > 2**31,
            **about,
        )
    except ValueError as error:
        raise UserError(f"tifffile cannot write it: {error}") from error
    return file.getvalue()
