"""Image files of every kind come back as they went, and what cannot be is one line."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from lib.base.errors import UserError
from lib.data.pictures import Picture, read_picture, storable, write_picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(dtype, channels, shape=(7, 5)):
    return np.random.default_rng(channels).integers(
        0, np.iinfo(dtype).max, (*shape, channels), dtype, endpoint=True
    )


@pytest.mark.parametrize("profile", [None, PROFILE], ids=["plain", "profile"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_what_is_written_is_read(ending, dtype, channels, profile, tmp_path):
    path = tmp_path / f"a{ending}"
    pixels = noise(dtype, channels)
    write_picture(path, Picture(pixels, profile))
    if (ending, dtype, channels) == (".tif", np.uint16, 2):  # which Pillow cannot read
        assert tifffile.imread(path).tobytes() == pixels.tobytes()
        return
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, pixels, strict=True)
    assert picture.profile == profile and picture.notes == ()


@pytest.mark.parametrize("channels, photometric", [(3, "rgb"), (4, "rgb"), (1, "minisblack")])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"rowsperstrip": 2}])
def test_16_bits_of_any_tiff(channels, photometric, byteorder, how, tmp_path):
    pixels = noise(np.uint16, channels)
    data = pixels if channels > 1 else pixels[..., 0]
    extra = ("unassalpha",) if channels == 4 else None
    about = {"photometric": photometric, "byteorder": byteorder, "extrasamples": extra}
    tifffile.imwrite(tmp_path / "a.tif", data, **about, **how)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, pixels, strict=True)


def test_16_bits_that_pillow_reads_wrongly_are_refused(tmp_path):
    planes = noise(np.uint16, 3).transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    with pytest.raises(UserError, match="its colours are stored apart"):
        read_picture(tmp_path / "a.tif")


def test_16_bits_that_are_lost_are_said_to_be(tmp_path):
    pixels = noise(np.uint16, 4)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="separated")
    assert read_picture(tmp_path / "a.tif").notes == ("read as 8 bits",)


@pytest.mark.parametrize(
    "mode, channels",
    [("1", 1), ("L", 1), ("LA", 2), ("P", 3), ("PA", 4), ("RGB", 3), ("RGBA", 4), ("CMYK", 3)],
)
def test_modes_of_pillow(mode, channels, tmp_path):
    ending = {"CMYK": "tif", "PA": "tif"}.get(mode, "png")
    color = Image.new("RGB", (3, 2), (0, 0, 255) if channels > 2 else (255, 255, 255))
    color = color.convert("RGBA") if "A" in mode else color
    color.convert(mode).save(tmp_path / f"a.{ending}", icc_profile=PROFILE)
    picture = read_picture(tmp_path / f"a.{ending}")
    expected = [[255], [255, 255], [0, 0, 255], [0, 0, 255, 255]][channels - 1]
    np.testing.assert_array_equal(picture.pixels, np.full((2, 3, channels), expected, np.uint8))
    assert picture.profile == (None if mode == "CMYK" else PROFILE)


@pytest.mark.parametrize("mode, key", [("1", 0), ("L", 0), ("P", 0), ("RGB", (0, 0, 0))])
def test_one_transparent_colour(mode, key, tmp_path):
    image = Image.new(mode, (2, 1))
    image.putpixel((1, 0), {"RGB": (1, 1, 1), "1": 1}.get(mode, 1))
    image.save(tmp_path / "a.png", transparency=key)
    assert read_picture(tmp_path / "a.png").pixels[..., -1].tolist() == [[0, 255]]


def test_one_transparent_grey_of_16_bits(tmp_path):
    pixels = np.array([[7, 8]], np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=7)
    assert read_picture(tmp_path / "a.png").pixels.tolist() == [[[7, 0], [8, 65535]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "ending, dtype", [("png", "u1"), ("jpg", "u1"), ("tif", "u2"), ("png", "u2")]
)
def test_exif_turns(orientation, ending, dtype, tmp_path):
    peak = np.iinfo(dtype).max
    stored = np.zeros((16, 32), dtype)
    stored[:8, :16] = peak  # the upper left of what is stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / f"a.{ending}", exif=exif)
    upright = read_picture(tmp_path / f"a.{ending}").pixels
    assert upright.shape == ((16, 32, 1) if orientation < 5 else (32, 16, 1))
    vertical, horizontal = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[
        orientation
    ]
    corner = upright[0 if vertical == "t" else -1, 0 if horizontal == "l" else -1, 0]
    assert corner > 0.9 * peak and upright.mean() < 0.3 * peak


def test_16_bits_of_colour_are_turned_as_one(tmp_path):
    pixels = noise(np.uint16, 3)
    tags = [(0x0112, 3, 1, 6, False)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=tags)
    turned = np.rot90(pixels, -1)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, turned, strict=True)


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (3, 2), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    picture = read_picture(tmp_path / "a.gif")
    assert picture.notes == ("the first of 3 frames",)
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]


def test_jpeg_takes_what_it_can(tmp_path):
    path = tmp_path / "a.jpg"
    opaque = noise(np.uint16, 4)
    opaque[..., 3] = 65535
    made = storable(Picture(opaque, PROFILE), path)
    assert made.notes == ("8 bits, as JPEG has no more",)
    rounded = np.floor(opaque[..., :3] / 65535 * 255 + 0.5)
    np.testing.assert_array_equal(made.pixels, rounded.astype(np.uint8), strict=True)
    write_picture(path, made)
    assert read_picture(path).profile == PROFILE
    with pytest.raises(UserError, match="no transparency"):
        storable(Picture(noise(np.uint8, 2)), path)
    with pytest.raises(UserError, match="at most 65500 pixels a side"):
        storable(Picture(noise(np.uint8, 1)), path, scale=10_000)


def test_pixels_that_are_real_numbers_or_too_deep_are_refused(tmp_path):
    for values in (np.ones((2, 2), np.float32), np.full((2, 2), 2**20, np.int32)):
        Image.fromarray(values).save(tmp_path / "a.tif")
        with pytest.raises(UserError, match="not a sound image: its pixels"):
            read_picture(tmp_path / "a.tif")
