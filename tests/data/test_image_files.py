import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from lib.base.errors import UserError
from lib.data import folders, images

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (5, 7), dtype=np.uint8)


def saved(array: np.ndarray | Image.Image, form: str = "png", **options) -> bytes:
    image = Image.fromarray(array) if isinstance(array, np.ndarray) else array
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png16(array: np.ndarray) -> bytes:
    """A PNG of uint16 [H, W] or [H, W, 3], after the specification (Pillow writes no such RGB)."""
    height, width = array.shape[:2]
    colour = 2 if array.ndim == 3 else 0
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("form", ["png", "bmp", "tiff"])
@pytest.mark.parametrize("pixels", [RGB, GREY])
def test_lossless_files_give_the_pixels_that_went_in(form, pixels):
    decoded = images.decode(saved(pixels, form))
    np.testing.assert_array_equal(decoded, pixels, strict=True)
    decoded.setflags(write=False)


def test_jpeg_is_what_its_decoder_says_to_within_its_own_loss():
    smooth = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    for pixels in (smooth, np.repeat(smooth[..., None], 3, axis=2)):
        decoded = images.decode(saved(pixels, "jpeg", quality=95))
        assert decoded.shape == pixels.shape and decoded.dtype == np.uint8
        assert np.abs(decoded.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("mode, pixels", [("RGBA", RGB), ("LA", GREY)])
def test_alpha_is_dropped_whatever_it_hides(mode, pixels):
    layered = np.dstack([pixels, RNG.integers(0, 256, pixels.shape[:2], dtype=np.uint8)])
    image = Image.fromarray(layered)
    assert image.mode == mode
    np.testing.assert_array_equal(images.decode(saved(image)), pixels, strict=True)


def test_a_palette_is_looked_up():
    indices = RNG.integers(0, 3, (5, 7), dtype=np.uint8)
    image = Image.frombytes("P", (7, 5), indices.tobytes())
    palette = np.array([[10, 20, 30], [0, 255, 0], [9, 8, 7]], np.uint8)
    image.putpalette(palette.tobytes())
    data = saved(image, transparency=1)
    np.testing.assert_array_equal(images.decode(data), palette[indices], strict=True)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_of_16_bits_the_upper_8_are_taken(shape):
    deep = RNG.integers(0, 1 << 16, shape, dtype=np.uint16)
    expected = (deep // 256).astype(np.uint8)
    np.testing.assert_array_equal(images.decode(png16(deep)), expected, strict=True)


def test_two_colours_are_black_and_white():
    mask = GREY > 127
    np.testing.assert_array_equal(images.decode(saved(mask)), mask * np.uint8(255), strict=True)


def test_real_valued_pixels_are_refused():
    with pytest.raises(ValueError, match="mode F"):
        images.decode(saved(np.zeros((2, 2), np.float32), "tiff"))


def test_png_and_jpeg_are_stored_as_they_are_others_as_png():
    for form in ("png", "jpeg"):
        data = saved(RGB, form)
        assert images.stored(data) == data
    stored = images.stored(saved(RGB, "bmp"))
    assert stored.startswith(b"\x89PNG")
    np.testing.assert_array_equal(images.decode(stored), RGB, strict=True)


@pytest.mark.parametrize("form", ["png", "jpeg", "bmp"])
def test_a_file_cut_short_is_not_stored(form):
    data = saved(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), form)
    with pytest.raises((OSError, SyntaxError, ValueError)):
        images.stored(data[: len(data) // 2])


def test_a_folder_of_images_by_name(tmp_path):
    for file in ("t2.png", "t10.BMP", "baby_GT.png", "bird_hr.jpg", "a.b.tif"):
        (tmp_path / file).write_bytes(b"")
    for other in ("Thumbs.db", ".hidden.png", "readme.txt"):
        (tmp_path / other).write_bytes(b"")
    assert list(images.images_in(tmp_path)) == ["a.b", "baby", "bird", "t10", "t2"]


def test_a_zip_of_images_by_name(tmp_path):
    path = tmp_path / "Set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("Set/", "Set/b.png", "Set/a.png", "__MACOSX/Set/a.png", "Set/list.txt"):
            archive.writestr(name, name)
    found = images.images_in(path)
    assert {name: file.read_bytes() for name, file in found.items()} == {
        "a": b"Set/a.png",
        "b": b"Set/b.png",
    }
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match=f"cannot read {path}"):
        images.images_in(path)


def test_two_files_of_one_name_are_refused(tmp_path):
    for file in ("baby.bmp", "baby_GT.png"):
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(UserError, match="baby.bmp and baby_GT.png are both called baby"):
        images.images_in(tmp_path)


def test_places_by_any_of_their_names(tmp_path):
    given = ["set5", "x/SET5", "x/y/Set5", "x/y/z/Set5", "BSDS500/data/images/train", "Set5x"]
    for folder in given:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "x" / "Set5.ZIP").write_bytes(b"")

    def found(*names, at=tmp_path):
        return {str(path.relative_to(tmp_path)) for path in folders.places_called(names, at)}

    assert found("Set5") == {"set5", "x/SET5", "x/Set5.ZIP"}
    assert found("Set5", at=tmp_path / "x") == {"x/SET5", "x/Set5.ZIP", "x/y/Set5"}
    assert found("Set5", at=tmp_path / "set5") == {"set5"}
    assert found("BSD200", "BSDS500/data/images/train") == {"BSDS500/data/images/train"}
    assert found("BSD200") == set()
