"""Image files of every kind come back as they went, and what cannot be is one line."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from lib.base.errors import UserError
from lib.pictures import picture as pictures
from lib.pictures import png
from lib.pictures.picture import Picture, Resolution, read_picture, storable, write_picture

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


def test_16_bits_with_each_colour_apart(tmp_path):
    pixels = noise(np.uint16, 3)
    about = {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "a.tif", pixels.transpose(2, 0, 1), **about)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, pixels, strict=True)


def test_16_bits_whose_colours_are_multiplied_by_alpha(tmp_path):
    color = np.uint16([[[60_000, 30_000, 0]], [[0, 60_000, 30_000]], [[60_000, 0, 0]]])
    alpha = np.uint16([[[65_535]], [[32_768]], [[0]]])
    stored = (color * (alpha / 65_535) + 0.5).astype(np.uint16)
    about = {"photometric": "rgb", "extrasamples": ("assocalpha",)}
    tifffile.imwrite(tmp_path / "a.tif", np.concatenate([stored, alpha], axis=2), **about)
    pixels = read_picture(tmp_path / "a.tif").pixels
    np.testing.assert_array_equal(pixels[..., 3:], alpha)
    np.testing.assert_allclose(pixels[:2, :, :3].astype(int), color[:2], atol=1)


@pytest.mark.parametrize(
    "byteorder, compression",
    [("<", None), (">", None), ("<", "zlib"), (">", "zlib"), ("<", "tiff_lzw")],
)
@pytest.mark.parametrize("bits", [1, 8, 16])
def test_a_tiff_says_what_is_white(bits, byteorder, compression, tmp_path):
    path = tmp_path / "a.tif"
    black = np.array([[0, 0, 1, 1]] * 4).astype({1: bool, 8: np.uint8, 16: np.uint16}[bits])
    black = black if bits == 1 else black * {8: np.uint8(255), 16: np.uint16(65535)}[bits]
    if compression == "tiff_lzw":  # which tifffile doesn't write, as Pillow no white zeros
        Image.fromarray(black).save(path, compression=compression)
        data = path.read_bytes()
        entry = struct.pack("<HHIHH", 262, 3, 1, 1, 0)
        assert data.count(entry) == 1
        path.write_bytes(data.replace(entry, struct.pack("<HHIHH", 262, 3, 1, 0, 0)))
    else:
        about = {"photometric": "miniswhite", "byteorder": byteorder, "compression": compression}
        tifffile.imwrite(path, black, **about)
    peak = 65535 if bits == 16 else 255
    assert read_picture(path).pixels[0, :, 0].tolist() == [peak, peak, 0, 0]


def packed(levels, bits, photometric=1, byteorder="<", **more):
    """A TIFF of one row whose samples of any number of bits lie close together."""
    line = "".join(f"{level:0{bits}b}" for level in levels)
    line = int(line.ljust(-(-len(line) // 8) * 8, "0"), 2).to_bytes(-(-len(line) // 8), "big")
    line = line.ljust(-(-len(line) // 4) * 4, b"\0")
    tags = {256: len(levels), 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1}
    tags = sorted((tags | {279: len(line)} | {int(k[1:]): v for k, v in more.items()}).items())
    data = {"<": b"II", ">": b"MM"}[byteorder] + struct.pack(byteorder + "HI", 42, 8 + len(line))
    data += line + struct.pack(byteorder + "H", len(tags))
    for tag, value in tags:
        data += struct.pack(byteorder + "HHIHH", tag, 3, 1, value, 0)
    return data + bytes(4)


def test_a_tiff_of_12_bits_has_the_full_range(tmp_path):
    levels = [0, 4095, 2048, 1]
    (tmp_path / "a.tif").write_bytes(packed(levels, 12))
    expected = [round(level * 65535 / 4095) for level in levels]
    assert read_picture(tmp_path / "a.tif").pixels[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    "bits, photometric, byteorder", [(12, 0, "<"), (12, 1, ">"), (10, 1, "<"), (14, 1, "<")]
)
def test_depths_that_nobody_reads_are_named(bits, photometric, byteorder, tmp_path):
    (tmp_path / "a.tif").write_bytes(packed([1, 2, 3, 4], bits, photometric, byteorder))
    with pytest.raises(UserError, match=f"cannot be read: it is a TIFF of 1 x {bits} bits a pixel"):
        read_picture(tmp_path / "a.tif")


def test_a_tiffs_largest_value_is_not_white(tmp_path):
    (tmp_path / "a.tif").write_bytes(packed([4095, 0], 16, 1, ">", _281=4095))
    picture = read_picture(tmp_path / "a.tif")
    assert picture.pixels[0, :, 0].tolist() == [4095, 0]
    assert picture.notes == ("its MaxSampleValue 4095 is left out of account: white is 65535",)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_deep_tiff_that_is_cut_is_not_sound(channels, compression, tmp_path):
    path, pixels = tmp_path / "a.tif", noise(np.uint16, channels, (16, 16))
    about = {"photometric": "minisblack", "planarconfig": "contig" if channels > 1 else None}
    tifffile.imwrite(
        path, pixels if channels > 1 else pixels[..., 0], compression=compression, **about
    )
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a sound image: it ends within its pixels"):
        read_picture(path)


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


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_one_transparent_grey_of_few_bits(bits, tmp_path):
    peak = 2**bits - 1
    row = {1: 0b01 << 6, 2: 0b1101 << 4, 4: 0xF7}.get(bits)
    levels = {1: [0, 1], 2: [3, 1], 4: [15, 7]}.get(bits, [peak, 7])
    line = bytes([row]) if row is not None else np.array(levels, f">u{bits // 8}").tobytes()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0))]
    # Bits above the depth don't count.
    high = 0 if bits == 16 else 1 << bits
    chunks += [(b"tRNS", struct.pack(">H", levels[0] | high))]
    chunks += [(b"IDAT", zlib.compress(b"\0" + line)), (b"IEND", b"")]
    data = png.SIGNATURE + b"".join(png._chunk(*chunk) for chunk in chunks)
    (tmp_path / "a.png").write_bytes(data)
    pixels = read_picture(tmp_path / "a.png").pixels
    full = np.iinfo(pixels.dtype).max
    assert pixels[0, :, 0].tolist() == [level * full // peak for level in levels]
    assert pixels[0, :, 1].tolist() == [0, full]


def test_one_transparent_colour_of_16_bits(tmp_path):
    pixels = np.uint16([[[1, 2, 3], [1, 2, 300]]])
    write_picture(tmp_path / "a.png", Picture(pixels))
    key = (b"tRNS", struct.pack(">HHH", 1, 2, 3))
    (tmp_path / "a.png").write_bytes(png.with_chunks((tmp_path / "a.png").read_bytes(), [key]))
    read = read_picture(tmp_path / "a.png").pixels
    assert read.tolist() == [[[1, 2, 3, 0], [1, 2, 300, 65535]]]


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bits_of_colour_are_turned_as_one(orientation, tmp_path):
    pixels = noise(np.uint16, 3)
    about = {"photometric": "rgb", "extratags": [(0x0112, 3, 1, orientation, False)]}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **about, resolution=(300, 150))
    picture = read_picture(tmp_path / "a.tif")
    turned = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).swapaxes(0, 1),
        8: np.rot90(pixels),
    }[orientation]
    np.testing.assert_array_equal(picture.pixels, turned, strict=True)
    assert picture.resolution == (Resolution(300, 150) if orientation < 5 else Resolution(150, 300))


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


@pytest.mark.parametrize(
    "dtype, said",
    [
        (np.float32, "are real numbers"),
        (np.float16, "are real numbers"),
        (np.int8, "have a sign"),
        (np.int16, "have a sign"),
        (np.int32, "have a sign"),
        (np.uint32, "have 32 bits"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_that_would_have_to_be_guessed_are_refused(dtype, said, channels, tmp_path):
    pixels = np.ones((2, 2, channels), dtype)[..., : None if channels > 1 else 1].squeeze()
    photometric = "rgb" if channels > 1 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric)
    with pytest.raises(UserError, match=f"a.tif cannot be read: its pixels {said}"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("resolution", [None, (300, 300), (300, 150), (72.5, 72.5)])
@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_resolution_is_kept(dtype, ending, resolution, tmp_path):
    path, resolution = tmp_path / f"a{ending}", resolution and Resolution(*resolution)
    picture = storable(Picture(noise(dtype, 3), None, (), resolution), path)
    write_picture(path, picture)
    found = read_picture(path).resolution
    if resolution is None:
        assert found is None
    else:
        error = 0.01 if ending == ".jpg" else 2e-4  # whole numbers, of an inch or a metre
        np.testing.assert_allclose(found, resolution, rtol=error)
        seen = [float(side) for side in Image.open(path).info["dpi"]]
        np.testing.assert_allclose(seen, resolution[:2], rtol=error)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp"])
def test_the_resolution_of_others_is_read(ending, tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / f"a.{ending}", dpi=(300, 300))
    resolution = read_picture(tmp_path / f"a.{ending}").resolution
    np.testing.assert_allclose(resolution, (300, 300, True), rtol=1e-3)


def test_the_shape_of_pixels(tmp_path):
    wide = Picture(noise(np.uint8, 3), None, (), Resolution(1, 2, inch=False))
    for ending in (".png", ".tif"):
        path = tmp_path / f"a{ending}"
        write_picture(path, storable(wide, path))
        assert read_picture(path).resolution == wide.resolution
    said = ("without the resolution, which JPEG cannot hold",)
    assert storable(wide, tmp_path / "a.jpg").notes == said


MARKS = ((b"gAMA", struct.pack(">I", 100_000)), (b"sRGB", b"\0"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gamma_is_kept_or_said_to_be_lost(dtype, tmp_path):
    path = tmp_path / "a.png"
    write_picture(path, Picture(noise(dtype, 3), PROFILE, (), None, MARKS))
    picture = read_picture(path)
    assert picture.marks == MARKS and picture.profile == PROFILE and picture.notes == ()
    assert Image.open(path).info["gamma"] == 1
    assert storable(picture, path) == picture
    for ending, kind in ((".jpg", "JPEG"), (".tif", "TIFF")):
        notes = storable(picture, tmp_path / f"a{ending}").notes
        assert notes[0] == f"without gAMA, sRGB, for which {kind} has no place"


def test_profiles_of_other_colours_are_said_to_be_lost(tmp_path):
    Image.new("CMYK", (2, 2)).save(tmp_path / "a.jpg", icc_profile=PROFILE)
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.profile is None
    assert picture.notes == ("its CMYK profile is left out, since the colours become RGB",)
    grey = Picture(noise(np.uint8, 3), PROFILE[:16] + b"GRAY" + PROFILE[20:])
    made = storable(grey, tmp_path / "a.png")
    assert (made.profile, made.notes) == (None, ("without the profile, which is of greys",))


def test_camera_data_and_texts_are_said_to_be_lost(tmp_path):
    exif, info = Image.Exif(), PngImagePlugin.PngInfo()
    exif[271] = "Camera"
    info.add_text("Title", "words")
    image = Image.new("RGB", (2, 2))
    image.save(tmp_path / "a.jpg", exif=exif)
    image.save(tmp_path / "a.png", pnginfo=info)
    for name in ("a.jpg", "a.png"):
        notes = read_picture(tmp_path / name).notes
        assert notes == ("its camera data and texts are left out",)


def bomb(kind, size):
    """A chunk of little whose content is large."""
    start = {b"tEXt": b"k\0", b"zTXt": b"k\0\0", b"iCCP": b"k\0\0"}.get(kind)
    start = b"XML:com.adobe.xmp\0\1\0\0\0" if start is None else start
    return kind, start + (bytes(size) if kind == b"tEXt" else zlib.compress(b" " * size))


@pytest.mark.parametrize("where", ["before the pixels", "after them"])
@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
def test_large_texts_and_profiles_do_not_keep_a_png_from_being_read(kind, where, tmp_path):
    path, pixels = tmp_path / "a.png", noise(np.uint8, 3)
    write_picture(path, Picture(pixels))
    data, chunks = path.read_bytes(), [bomb(kind, 3 * 2**20)] * (1 if kind == b"iCCP" else 12)
    more = b"".join(png._chunk(*chunk) for chunk in chunks)
    at = 33 if where == "before the pixels" else len(data) - 12
    path.write_bytes(data[:at] + more + data[at:])
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, pixels)
    if kind == b"iCCP":
        assert picture.profile == b" " * (3 * 2**20)
        assert storable(picture, path).notes == ()


def test_a_text_that_says_how_the_picture_is_turned_counts(tmp_path):
    info = PngImagePlugin.PngInfo()
    xmp = '<x xmlns:tiff="t" tiff:Orientation="6"></x>'
    info.add_itxt("XML:com.adobe.xmp", xmp)
    Image.new("RGB", (3, 2)).save(tmp_path / "a.png", pnginfo=info)
    assert read_picture(tmp_path / "a.png").pixels.shape == (3, 2, 3)


def test_a_profile_that_inflates_without_end_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(png, "_MOST_PROFILE", 1000)
    write_picture(tmp_path / "a.png", Picture(noise(np.uint8, 3), bytes(1001)))
    picture = read_picture(tmp_path / "a.png")
    assert picture.profile is None and "more than 1,000 bytes" in picture.notes[0]
    data = (tmp_path / "a.png").read_bytes()
    spoilt = png.with_chunks(data, [(b"iCCP", b"k\0\0no zlib")])
    (tmp_path / "a.png").write_bytes(spoilt)
    assert read_picture(tmp_path / "a.png").notes == ("its damaged colour profile is left out",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_the_limit_and_the_memory(ending, dtype, tmp_path, monkeypatch):
    path = tmp_path / f"a{ending}"
    write_picture(path, Picture(noise(dtype, 2, (30, 40))))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"more than 1,000 pixels, .*\(--max-megapixels\)"):
        read_picture(path)
    assert read_picture(path, megapixels=0.0012).pixels.shape == (30, 40, 2)
    assert Image.MAX_IMAGE_PIXELS == 1000
    monkeypatch.setattr(pictures, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match="40 x 30 pixels need 0.0 GiB, 0.0 GiB are free"):
        read_picture(path, megapixels=1)
