"""The chunks of a PNG file: what Pillow doesn't tell, doesn't take or doesn't write."""

import struct
import zlib
from typing import NamedTuple

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MARKS = (b"cICP", b"gAMA", b"cHRM", b"sRGB")
"""What a file says of its colours beside a profile."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_MOST_TEXT, _MOST_TEXTS, _MOST_PROFILE = 2**20, 2**24, 2**26
"""Bytes: of one text (Pillow's limit), of all, of a profile. A compressed one may be a bomb."""
RUNS = zlib.Z_RLE
"""How photographs are packed: only runs repeat in them, and looking for more takes five times as long."""


class Look(NamedTuple):
    """What was found in a file.

    Attributes:
      chunks: {kind: content} of those that are not pixels, the first of each kind.
      profile: the ICC profile; None if there is none, or `notes` says why not.
      lean: the file without the profile and without texts too large for Pillow.
    """

    chunks: dict[bytes, bytes]
    profile: bytes | None
    notes: list[str]
    lean: bytes


def look(data: bytes) -> Look:
    """Looks through a PNG file; where that is damaged the rest of it goes into `lean` as it is."""
    view, at, left = memoryview(data), len(SIGNATURE), _MOST_TEXTS
    chunks, kept = {}, [view[:at]]
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start, end = at, at + 12 + length
        if end > len(data):
            break
        at = end
        if kind not in (b"IDAT", b"fdAT"):
            chunks.setdefault(kind, bytes(view[start + 8 : end - 4]))
        if kind == b"iCCP":
            continue
        if kind in _TEXTS:
            size = _text_size(kind, bytes(view[start + 8 : end - 4])) if left > 0 else 0
            left -= size
            if size > _MOST_TEXT or left <= 0:
                continue
        kept.append(view[start:end])
    profile, notes = _profile(chunks.get(b"iCCP"))
    return Look(chunks, profile, notes, b"".join([*kept, view[at:]]))


def has_text(chunks: dict[bytes, bytes]) -> bool:
    """Whether there are texts or camera data among a file's chunks."""
    return any(kind in chunks for kind in (*_TEXTS, b"eXIf"))


def _text_size(kind: bytes, content: bytes) -> int:
    """Bytes of a text; of a large one only that it is larger than the most."""
    rest = content.partition(b"\0")[2]  # the keyword
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] == b"\0"):
        return len(rest)
    packed = rest[1:] if kind == b"zTXt" else rest[2:].split(b"\0", 2)[-1]
    try:
        return len(_inflated(packed, _MOST_TEXT))
    except zlib.error:
        return 0  # Pillow takes it for empty


def _inflated(packed: bytes, most: int) -> bytes:
    """The first `most` + 1 bytes."""
    return zlib.decompressobj().decompress(packed, most + 1)


def _profile(content: bytes | None) -> tuple[bytes | None, list[str]]:
    if content is None:
        return None, []
    try:
        profile = _inflated(content.partition(b"\0")[2][1:], _MOST_PROFILE)
    except zlib.error:
        return None, ["its damaged colour profile is left out"]
    if len(profile) > _MOST_PROFILE:
        return None, [f"its colour profile of more than {_MOST_PROFILE:,} bytes is left out"]
    return profile or None, []


def key_of(chunks: dict[bytes, bytes]) -> np.ndarray | None:
    """The one grey or RGB colour that is transparent, scaled as Pillow scales the pixels; or None."""
    bits, color = chunks[b"IHDR"][8:10]
    content = chunks.get(b"tRNS")
    if content is None or color not in (0, 2):
        return None
    key = np.frombuffer(content[: 2 if color == 0 else 6], ">u2").astype(np.uint16)
    peak = 2**bits - 1  # of a low depth only the lower bits count
    return (key & peak) * (255 // peak) if bits < 8 else key & peak


def with_chunks(data: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG file with more chunks, right after its header."""
    header = len(SIGNATURE) + 25
    return b"".join([data[:header], *(_chunk(*each) for each in chunks), data[header:]])


def profile_chunk(profile: bytes) -> tuple[bytes, bytes]:
    """The chunk with an ICC profile."""
    return b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)


def resolution_chunk(x: float, y: float, inch: bool) -> tuple[bytes, bytes]:
    """The chunk with the resolution, in pixels an inch, or with the pixels' shape alone."""
    metre = 0.0254 if inch else 1
    return b"pHYs", struct.pack(">IIB", round(x / metre), round(y / metre), inch)


def encode_16(pixels: np.ndarray) -> bytes:
    """A file of uint16 `[H, W, C]`: Pillow writes no colour of 16 bits."""
    height, width, channels = pixels.shape
    color = (0, 4, 2, 6)[channels - 1]
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    parts = [SIGNATURE, _chunk(b"IHDR", header)]
    # Filter 2: each row's bytes less those of the row above.
    packed, up = zlib.compressobj(strategy=RUNS), 2
    above = np.zeros(2 * width * channels, np.uint8)
    for row in pixels:
        line = np.ascontiguousarray(row.astype(">u2")).view(np.uint8).reshape(-1)
        if data := packed.compress(bytes([up]) + (line - above).tobytes()):
            parts.append(_chunk(b"IDAT", data))
        above = line
    return b"".join([*parts, _chunk(b"IDAT", packed.flush()), _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)
