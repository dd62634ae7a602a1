"""Files to gray pictures: every format by hand, every way to be broken."""

import base64
import struct
import subprocess
import sys
import time
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import codec
from boneage_imaging.errors import ArrayError, DecodeError, ParameterError

from .strategies import images, masks

# A 16 x 8 CMYK JPEG by Adobe's convention: left 20 % black ink, right full colour inks.
CMYK_JPEG = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5N"
    "cXlwZHhcZWdj/8AAFAgACAAQBEMRAE0RAFkRAEsRAP/EABcAAAMBAAAAAAAAAAAAAAAAAAUHCAb/xAAUEAEAAAAAAAAAAAAAAAAAAAAA"
    "/9oADgRDAE0AWQBLAAA/AGAYBgNMn9P6fxp//9k="
)
# What each Exif orientation stores of the upright picture [[1, 2, 3], [4, 5, 6]].
UPRIGHT = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.T,
    6: np.rot90(UPRIGHT, 1),  # shown after a quarter turn clockwise
    7: UPRIGHT[::-1, ::-1].T,
    8: np.rot90(UPRIGHT, -1),
}


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(size, depth, colour, rows, *extra):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + pixels + chunk(b"IEND", b"")


def exif(orientation, order="<"):
    magic = b"II" if order == "<" else b"MM"
    entry = struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    return magic + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)


def tiff(array, *, order="<", photometric=1, pages=1, extra=()):
    """An uncompressed TIFF of an array (height, width) or (height, width, samples), written by the book."""
    dtype = array.dtype.newbyteorder(order)
    samples = array.shape[2] if array.ndim == 3 else 1
    data = array.astype(dtype).tobytes()
    tags = {256: array.shape[1], 257: array.shape[0], 258: array.dtype.itemsize * 8, 259: 1, 262: photometric}
    tags |= {273: 8, 277: samples, 278: array.shape[0], 279: len(data)} | dict(extra)
    directory = struct.pack(order + "H", len(tags))
    for tag, value in sorted(tags.items()):
        long = tag in (256, 257, 273, 278, 279)
        packed = struct.pack(order + "I", value) if long else struct.pack(order + "HH", value, 0)
        directory += struct.pack(order + "HHI", tag, 4 if long else 3, 1) + packed
    data += b"\0" * (len(data) % 2)
    result = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data)) + data
    for page in range(pages):
        following = len(result) + len(directory) + 4 if page + 1 < pages else 0
        result += directory + struct.pack(order + "I", following)
    return result


def opencv(name, array):
    return bytes(cv2.imencode(name, array)[1])


# --- round trips ---


@given(images())
def test_png_is_without_loss_at_both_depths(image):
    back = codec.decode(codec.encode_png(image))
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back, image)


@given(masks())
def test_masks_come_back(mask):
    data = codec.encode_png(mask)
    assert set(np.unique(codec.decode(data))) <= {0, 255}
    np.testing.assert_array_equal(codec.decode_mask(data), mask)


@given(images(dtypes=[np.uint8], least=8))
def test_jpeg_keeps_the_size_and_about_the_brightness(image):
    back = codec.decode(codec.encode_jpeg(image, quality=95))
    assert (back.dtype, back.shape) == (np.uint8, image.shape)
    assert abs(back.astype(float).mean() - image.mean()) <= 3


@given(images(), st.sampled_from("<>"))
def test_tiff_of_both_byte_orders_is_without_loss(image, order):
    np.testing.assert_array_equal(codec.decode(tiff(image, order=order)), image)
    np.testing.assert_array_equal(codec.decode(opencv(".tif", image)), image)


@given(images(dtypes=[np.uint8]))
def test_bmp_is_without_loss(image):
    np.testing.assert_array_equal(codec.decode(opencv(".bmp", image)), image)


# --- kinds of pixels ---


@pytest.mark.parametrize("name", [".png", ".tif"])
@given(images(most=12))
def test_gray_stored_as_colour_is_the_same_gray(name, image):
    data = opencv(name, np.dstack([image] * 3))
    np.testing.assert_array_equal(codec.decode(data), image)


def test_colour_becomes_luma():
    blue_green_red = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    for name in (".png", ".tif", ".bmp"):
        assert codec.decode(opencv(name, blue_green_red)).tolist() == [[29, 150, 76]]
    deep = codec.decode(opencv(".png", blue_green_red.astype(np.uint16) * 257))
    np.testing.assert_allclose(deep / 65535, [[0.114, 0.587, 0.299]], atol=1e-4)


def test_transparency_is_laid_on_black():
    assert codec.decode(
        png((1, 3), 8, 6, [bytes([200, 200, 200, 255, 200, 200, 200, 51, 9, 9, 9, 0])])
    ).tolist() == [[200, 40, 0]]
    gray_and_alpha = struct.pack(">HHHH", 1000, 65535, 20000, 0)
    assert codec.decode(png((1, 2), 16, 4, [gray_and_alpha])).tolist() == [[1000, 0]]


def test_a_palette_is_looked_up():
    palette = chunk(b"PLTE", bytes([10, 10, 10, 200, 200, 200]))
    assert codec.decode(png((1, 3), 8, 3, [bytes([0, 1, 0])], palette)).tolist() == [[10, 200, 10]]
    holes = chunk(b"tRNS", bytes([255, 0]))
    assert codec.decode(png((1, 3), 8, 3, [bytes([0, 1, 0])], palette, holes)).tolist() == [[10, 0, 10]]


def test_few_bits_use_the_whole_range():
    assert codec.decode(png((1, 4), 1, 0, [b"\xa0"])).tolist() == [[255, 0, 255, 0]]
    assert codec.decode(png((1, 4), 2, 0, [b"\x1b"])).tolist() == [[0, 85, 170, 255]]


def test_cmyk_jpeg_is_read():
    gray = codec.decode(CMYK_JPEG)
    assert gray.shape == (8, 16)
    assert abs(int(gray[4, 2]) - 204) <= 3
    assert gray[4, 13] <= 3


@given(images(most=12))
def test_a_tiff_whose_zero_is_white_is_inverted(image):
    np.testing.assert_array_equal(codec.decode(tiff(image, photometric=0)), np.bitwise_not(image))


def test_a_thumbnail_beside_the_picture_is_no_second_page():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    with pytest.raises(DecodeError, match="2 pages"):
        codec.decode(tiff(image, pages=2))
    with pytest.raises(DecodeError, match="0 pages"):
        codec.decode(tiff(image, extra={254: 1}.items()))


def test_cmyk_jpeg_that_does_not_say_how_its_inks_are_meant_is_refused():
    adobe = CMYK_JPEG.index(b"\xff\xee")
    length = struct.unpack_from(">H", CMYK_JPEG, adobe + 2)[0]
    with pytest.raises(DecodeError, match="four inks"):
        codec.decode(CMYK_JPEG[:adobe] + CMYK_JPEG[adobe + 2 + length :])


def colours(dtype, *samples):
    """A picture of 2 x 3 equal pixels."""
    factor = 1 if dtype == np.uint8 else 257
    return np.full((2, 3, len(samples)), samples, dtype) * np.array(factor, dtype)


def test_cmyk_tiff_is_read():
    # Cyan 200, magenta 10, yellow 20, black 30, of 255: red (255-200)*(255-30)/255 and so on.
    red, green, blue = ((255 - ink) * (255 - 30) / 255 for ink in (200, 10, 20))
    gray = codec.decode(tiff(colours(np.uint8, 200, 10, 20, 30), photometric=5))
    assert np.abs(gray - (0.299 * red + 0.587 * green + 0.114 * blue)).max() <= 1.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("kind", "alpha_counts"), [(0, False), (1, False), (2, True)])
def test_a_tiffs_transparency_is_laid_on_black_once(dtype, kind, alpha_counts):
    # 1: multiplied by the writer already; 0: no transparency at all, but something else.
    data = tiff(colours(dtype, 100, 100, 100, 51), photometric=2, extra={338: kind}.items())
    white = np.iinfo(dtype).max / 255
    assert np.abs(codec.decode(data) / white - (20 if alpha_counts else 100)).max() <= 0.5


@pytest.mark.parametrize(
    ("array", "photometric", "extra"),
    [
        (colours(np.uint8, 1, 2), 1, {}),  # gray and something
        (colours(np.uint16, 1, 2), 1, {}),
        (colours(np.uint16, 1, 2, 3, 4), 5, {}),  # 16-bit inks
        (colours(np.uint8, 1, 2, 3), 8, {}),  # Lab
        (colours(np.uint16, 1, 2, 3), 2, {284: 2}),  # planes
        (colours(np.uint16, 1)[..., 0], 3, {}),  # a 16-bit palette
        (colours(np.uint8, 1, 2, 3, 4, 5), 2, {}),
    ],
)
def test_a_tiff_that_opencv_would_misread_is_refused(array, photometric, extra):
    with pytest.raises(DecodeError, match="save it as gray"):
        codec.decode(tiff(array, photometric=photometric, extra=extra.items()))


def test_colours_are_kept_where_they_are_labels():
    red_green = np.array([[[0, 0, 255], [0, 255, 0]]], np.uint8)
    assert codec.decode_colours(opencv(".png", red_green)).tolist() == [[[255, 0, 0], [0, 255, 0]]]
    deep = np.array([[0, 1, 300]], np.uint16)
    np.testing.assert_array_equal(codec.decode_colours(codec.encode_png(deep)), deep)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_colours_come_back(height, width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    np.testing.assert_array_equal(codec.decode_colours(codec.encode_colours(image)), image)


# --- orientation ---


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_exif_orientation_is_undone_in_png(orientation, order):
    stored = np.ascontiguousarray(STORED[orientation])
    block = chunk(b"eXIf", exif(orientation, order))
    data = png(stored.shape, 8, 0, [row.tobytes() for row in stored], block)
    np.testing.assert_array_equal(codec.decode(data), UPRIGHT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone_in_jpeg(orientation):
    stored = np.kron(STORED[orientation] * 40, np.ones((8, 8), np.uint8))
    data = codec.encode_jpeg(stored, quality=100)
    body = b"Exif\0\0" + exif(orientation)
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    upright = codec.decode(data)[4::8, 4::8]
    np.testing.assert_array_equal(np.rint(upright / 40), UPRIGHT)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_orientation_is_undone(orientation, dtype):
    data = tiff(np.ascontiguousarray(STORED[orientation]).astype(dtype), extra={274: orientation}.items())
    np.testing.assert_array_equal(codec.decode(data), UPRIGHT)


@pytest.mark.parametrize(
    "block", [b"", b"II*\0\xff\xff\xff\x00", exif(0), exif(9), exif(6)[:15], b"nonsense"]
)
def test_a_damaged_exif_block_is_passed_over(block):
    data = png((2, 3), 8, 0, [row.tobytes() for row in UPRIGHT], chunk(b"eXIf", block))
    np.testing.assert_array_equal(codec.decode(data), UPRIGHT)


# --- masks ---


def test_any_colour_is_inside_and_full_transparency_is_outside():
    faint = np.zeros((1, 3, 4), np.uint8)
    faint[0, :, 3] = (255, 255, 0)
    faint[0, 1:, 0] = 1  # a blue so faint that its gray is 0
    assert codec.decode(opencv(".png", faint)).tolist() == [[0, 0, 0]]
    assert codec.decode_mask(opencv(".png", faint)).tolist() == [[False, True, False]]
    assert codec.decode_mask(opencv(".png", faint[..., :3])).tolist() == [[False, True, True]]


# --- what is refused ---

SAMPLES = {
    "PNG": codec.encode_png(np.arange(256, dtype=np.uint8).reshape(16, 16)),
    "JPEG": codec.encode_jpeg(np.arange(256, dtype=np.uint8).reshape(16, 16)),
    "TIFF": tiff(np.arange(256, dtype=np.uint16).reshape(16, 16)),
    "TIFF by OpenCV": opencv(".tif", np.arange(256, dtype=np.uint8).reshape(16, 16)),
    "BMP": opencv(".bmp", np.arange(256, dtype=np.uint8).reshape(16, 16)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_off_anywhere_is_refused(name):
    data = SAMPLES[name]
    codec.decode(data)
    for end in range(len(data)):
        with pytest.raises(DecodeError) as caught:
            codec.decode(data[:end])
        assert caught.value.reason


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_damaged_file_is_a_picture_or_a_decode_error(name, data):
    damaged = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = codec.decode(bytes(damaged), max_pixels=10_000)
    except DecodeError:
        return
    assert image.ndim == 2
    assert image.size <= 10_000


@given(
    st.sampled_from(
        [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"II*\0", b"MM\0*", b"BM", bytes(128) + b"DICM"]
    ),
    st.binary(),
)
def test_any_bytes_are_a_picture_or_a_decode_error(magic, rest):
    with pytest.raises(DecodeError):
        codec.decode(magic + rest, max_pixels=10_000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, world", "no picture file; PNG, JPEG"),
        (b"GIF89a" + bytes(20), "a GIF"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP"),
        (b"%PDF-1.7", "a PDF"),
        (b"II+\0\x08\0\0\0", "a BigTIFF"),
        (b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, -5, 5, 1, 8, 0, 0, 0, 0, 0, 0), "no pixels"),
        (png((1, 1), 8, 0, [b"\0"], chunk(b"acTL", bytes(8))), "animated"),
        (SAMPLES["PNG"][:40] + b"\xff" + SAMPLES["PNG"][41:], "checksum"),
        (b"\xff\xd8\xff\xd9", "no picture"),
        (tiff(np.zeros((2, 2), np.float32), extra={339: 3}.items()), "32-bit samples of format 3"),
        (tiff(np.zeros((2, 2), np.int16), extra={339: 2}.items()), "16-bit samples of format 2"),
    ],
)
def test_the_reason_is_plain(data, reason):
    with pytest.raises(DecodeError, match=reason):
        codec.decode(data)


def test_the_size_is_bounded_before_anything_is_decoded():
    bomb = png((60_000, 60_000), 8, 0, [bytes(1000)] * 1000)
    start = time.perf_counter()
    with pytest.raises(DecodeError, match="60000 x 60000"):
        codec.decode(bomb)
    assert time.perf_counter() - start < 1
    assert codec.decode(SAMPLES["PNG"], max_pixels=256).size == 256
    for data in SAMPLES.values():
        with pytest.raises(DecodeError, match="16 x 16"):
            codec.decode(data, max_pixels=255)
        with pytest.raises(DecodeError, match="16 x 16"):
            codec.decode_mask(data, max_pixels=255)


def jpeg_of_size(height, width, marker=0xC2):
    """A whole JPEG of 16 x 16 pixels in colour that says it were larger."""
    data = bytearray(opencv(".jpg", np.zeros((16, 16, 3), np.uint8)))
    at = data.index(b"\xff\xc0")
    data[at + 1] = marker
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def png_with(kind):
    return png((1, 1), 8, 0, [b"\0"], chunk(kind, b"a\0\0" + zlib.compress(bytes(1 << 28), 1)))


def tiff_with(**tags):
    return tiff(
        np.zeros((16, 16), np.uint8), extra={int(tag[1:]): value for tag, value in tags.items()}.items()
    )


BOMBS = {
    "a deep colour PNG": lambda: png((9_999, 9_999), 16, 6, [bytes(80_000)] * 100),
    "a PNG's text": lambda: png_with(b"zTXt"),
    "a PNG's profile": lambda: png_with(b"iCCP"),
    "a JPEG in passes": lambda: jpeg_of_size(9_999, 9_999),
    "a JPEG": lambda: jpeg_of_size(65_500, 65_500, 0xC0),
    "a TIFF's tiles": lambda: tiff_with(t322=30_000, t323=30_000, t324=8, t325=256),
    "a TIFF's half tiles": lambda: tiff_with(t322=30_000, t278=60_000),
    "a TIFF's size": lambda: tiff_with(t256=100_000, t257=100_000),
    "a TIFF's tags": lambda: (
        b"II*\0\x08\0\0\0\xa0\x0f" + struct.pack("<HHII", 258, 1, 40_000, 8) * 4000 + bytes(4)
    ),
    "a BMP": lambda: SAMPLES["BMP"][:18] + struct.pack("<ii", 1 << 20, 1 << 20) + SAMPLES["BMP"][26:],
}


def test_a_jpeg_of_very_many_passes_is_refused():
    with pytest.raises(DecodeError, match="5001 passes"):
        codec.decode(SAMPLES["JPEG"][:-2] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 5000 + b"\xff\xd9")


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_never_takes_gigabytes(name, tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 5_000_000
    code = (
        "import resource, sys; from boneage_imaging import codec, errors\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "codec.decode(codec.encode_png(codec.np.zeros((9, 9), 'u1')))\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 28), now + (1 << 28)))\n"
        "try: print(codec.decode(data).shape)\n"
        "except errors.DecodeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "memory" not in done.stdout


def test_a_lack_of_memory_is_not_called_damage(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png((9_999, 9_999), 8, 0, [bytes(9_999)] * 9_999))
    code = (
        "import resource, sys; from boneage_imaging import codec\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 26), now + (1 << 26)))\n"
        "try: codec.decode(data)\n"
        "except MemoryError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60)
    assert "too little memory for a picture of 9999 x 9999 pixels" in done.stdout, done.stderr


def test_what_cannot_be_written_is_refused():
    for array in (np.zeros((2, 2), np.float32), np.zeros((2, 2, 3), np.uint8)):
        with pytest.raises(ArrayError):
            codec.encode_png(array)
    for array in (np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3), np.float32)):
        with pytest.raises(ArrayError):
            codec.encode_colours(array)
    with pytest.raises(ArrayError, match="uint8"):
        codec.encode_jpeg(np.zeros((2, 2), np.uint16))
    with pytest.raises(ParameterError, match="quality"):
        codec.encode_jpeg(np.zeros((2, 2), np.uint8), quality=0)
