"""What a picture file says of itself, read before a single pixel is: format, size, completeness, orientation.

Whatever a decoder would read otherwise than the file means it, or would need much memory for, is refused here.

Sources: PNG (W3C, third edition), ITU-T T.81 (JPEG), TIFF 6.0, Exif 2.3, Microsoft's BITMAPINFOHEADER.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from boneage_imaging.errors import DecodeError

__all__ = ["Header", "JpegFrame", "check_pixels", "jpeg_frame", "read_header", "without_extras"]

_BYTES = 4  # so many a pixel at the greatest size; deeper or coloured pictures have to be smaller
_MAX_SCANS = 100  # of a JPEG; each goes over the whole picture
_MAX_DIRECTORIES, _MAX_ENTRIES = 64, 4096  # of a TIFF


@dataclass(frozen=True)
class Header:
    """The facts of a picture file.

    Attributes:
        kind: "PNG", "JPEG", "TIFF" or "BMP".
        size: (height, width) as stored, before any orientation is applied.
        bytes_per_pixel: what decoding needs, at least.
        orientation: Exif's 1 to 8; 1 is upright.
        white_is_zero: a TIFF whose value 0 is white.
        laid_on_black: its transparency needs no more laying on black: a TIFF's that comes multiplied already.
    """

    kind: str
    size: tuple[int, int]
    bytes_per_pixel: int = 1
    orientation: int = 1
    white_is_zero: bool = False
    laid_on_black: bool = False


def read_header(data: bytes) -> Header:
    """Read the header of a PNG, JPEG, TIFF or BMP file and see that the file is whole.

    Args:
        data: the whole file.

    Returns:
        Its Header.

    Raises:
        DecodeError: not one of the four, cut off, damaged, animated, of several pages, or of an unread depth.

    Example:
        >>> read_header(b"GIF89a...")
        Traceback (most recent call last):
        boneage_imaging.errors.DecodeError: this is a GIF; PNG, JPEG, TIFF, BMP and DICOM can be read
    """
    if not data:
        raise DecodeError("the file is empty")
    for magic, reader in _READERS:
        if data.startswith(magic):
            try:
                header = reader(data)
            except (struct.error, IndexError) as error:
                raise DecodeError("the file is cut off or damaged") from error
            if min(header.size) < 1:
                raise DecodeError(f"the {header.kind} says that it has no pixels: {header.size}")
            return header
    other = next((name for magic, name in _OTHERS if magic in data[:16]), "")
    found = f"this is a {other}" if other else "this is no picture file"
    raise DecodeError(f"{found}; PNG, JPEG, TIFF, BMP and DICOM can be read")


def check_pixels(size: tuple[int, int], max_pixels: int, bytes_per_pixel: int = 1) -> None:
    """Raise DecodeError if a picture has more than `max_pixels` pixels, or needs more than 4 bytes for each.

    Args:
        size: (height, width).
        max_pixels: the most pixels.
        bytes_per_pixel: what decoding needs; where it is above 4, fewer pixels are allowed.

    Example:
        >>> check_pixels((10, 10), 99)
        Traceback (most recent call last):
        boneage_imaging.errors.DecodeError: the picture is 10 x 10 pixels (height, width); at most 99 are read
    """
    most = max_pixels * _BYTES // max(bytes_per_pixel, _BYTES)
    if size[0] * size[1] > most:
        of_its_kind = " of its kind" if most < max_pixels else ""
        raise DecodeError(
            f"the picture is {size[0]} x {size[1]} pixels (height, width); at most {most}{of_its_kind} are read"
        )


def _read_png(data: bytes) -> Header:
    size, depth, colour, orientation, ended = (0, 0), 8, 0, 1, False
    for kind, body in _png_chunks(data):
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            size = (height, width)
        elif kind == b"acTL":
            raise DecodeError("the PNG is animated; a single picture is wanted")
        elif kind == b"eXIf":
            orientation = _exif_orientation(body)
        ended = kind == b"IEND"
    if not ended:
        raise DecodeError("the PNG is cut off")
    return Header("PNG", size, (1 if colour == 0 else 4) * (2 if depth == 16 else 1), orientation)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise DecodeError("the PNG is cut off")
        if zlib.crc32(data[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise DecodeError("the PNG is damaged: a checksum does not agree")
        yield kind, data[position + 8 : end - 4]
        if kind == b"IEND":
            return
        position = end


def without_extras(data: bytes) -> bytes:
    """A PNG with its pixels alone: compressed texts and profiles can be made to fill the memory.

    Args:
        data: a whole PNG, as `read_header` found it.

    Returns:
        The file without all chunks that do not decide its pixels.
    """
    parts, position = [data[:8]], 8
    for kind, body in _png_chunks(data):
        end = position + 12 + len(body)
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            parts.append(data[position:end])
        position = end
    return b"".join(parts)


@dataclass(frozen=True)
class JpegFrame:
    """What a JPEG says of itself.

    Attributes:
        size: (height, width); the height may be 0.
        bits: of a sample.
        components: 1 gray, 3 colours, 4 inks.
        progressive: whether it comes in several passes, which a decoder has to keep in memory.
        exif: the block of that name, "" if there is none.
        adobe: whether it says that Adobe's conventions hold.
        start: where the pixels begin.
    """

    size: tuple[int, int]
    bits: int
    components: int
    progressive: bool
    exif: bytes
    adobe: bool
    start: int


def jpeg_frame(data: bytes) -> JpegFrame:
    """Read a JPEG's segments up to its pixels.

    Raises:
        DecodeError: damaged, or without a picture.
        struct.error, IndexError: cut off.
    """
    frame, exif, adobe, position = None, b"", False, 2
    while True:
        if data[position] != 0xFF:
            raise DecodeError("the JPEG is damaged: a marker is missing")
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker == 0xD9:
            raise DecodeError("the JPEG holds no picture")
        length = struct.unpack_from(">H", data, position + 2)[0]
        body = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = body[6:]
        elif marker == 0xEE and body.startswith(b"Adobe"):
            adobe = True
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame headers SOF0 to SOF15
            if frame:
                raise DecodeError("the JPEG is damaged: it tells its size twice")
            frame = (*struct.unpack(">BHHB", body[:6]), marker in (0xC2, 0xC6, 0xCA, 0xCE))
        elif marker == 0xDA:
            break
        position += 2 + length
    if frame is None:
        raise DecodeError("the JPEG is damaged: its picture comes before its size")
    bits, height, width, components, progressive = frame
    return JpegFrame((height, width), bits, components, progressive, exif, adobe, position)


def _read_jpeg(data: bytes) -> Header:
    frame = jpeg_frame(data)
    if frame.bits != 8:
        raise DecodeError(f"the JPEG has {frame.bits} bits; 8 can be read")
    if frame.components not in (1, 3, 4):
        raise DecodeError(f"the JPEG has {frame.components} colours; 1, 3 or 4 can be read")
    if frame.components == 4 and not frame.adobe:
        raise DecodeError(
            "the JPEG has four inks and does not say whether they are inverted; save it as gray"
        )
    if data.find(b"\xff\xd9", frame.start) < 0:
        raise DecodeError("the JPEG is cut off")
    scans = data.count(b"\xff\xda", frame.start)
    if scans > _MAX_SCANS:
        raise DecodeError(f"the JPEG comes in {scans} passes; at most {_MAX_SCANS} are read")
    # Of several passes the coefficients (2 bytes each) are kept beside the picture.
    several = frame.progressive or scans > 1
    bytes_per_pixel = frame.components * (3 if several else 1)
    return Header("JPEG", frame.size, bytes_per_pixel, _exif_orientation(frame.exif))


def _exif_orientation(body: bytes) -> int:
    """Exif's orientation, 1 where the block is damaged or says nothing."""
    try:
        value = _first(next(_tiff_directories(body)), 274, 1)
    except (DecodeError, struct.error, StopIteration):
        return 1
    return value if 1 <= value <= 8 else 1


def _read_tiff(data: bytes) -> Header:
    pages = [tags for tags in _tiff_directories(data) if not _first(tags, 254, 0) & 1]  # bit 0: a thumbnail
    if len(pages) != 1:
        raise DecodeError(f"the TIFF has {len(pages)} pages; a single one is wanted")
    tags = pages[0]
    if 256 not in tags or 257 not in tags:
        raise DecodeError("the TIFF is damaged: it has no size")
    size = (_first(tags, 257, 0), _first(tags, 256, 0))
    bits, sample_format = _all(tags, 258, 1), _all(tags, 339, 1)
    if bits - {1, 8, 16} or len(bits) > 1 or sample_format != {1}:
        raise DecodeError(
            f"the TIFF has {min(bits)}-bit samples of format {min(sample_format)}; unsigned 8 and 16 can be read"
        )
    _check_whole(tags, len(data))
    samples, depth = _first(tags, 277, 1), 2 if 16 in bits else 1
    _check_colours(tags, samples, depth)
    if (322 in tags) != (323 in tags):
        raise DecodeError("the TIFF is damaged: it tells only one side of its tiles")
    tile = (_first(tags, 323, 1), _first(tags, 322, 1))
    if tile[0] * tile[1] > 4 * max(size[0] * size[1], 256 * 256):
        raise DecodeError(f"the TIFF is damaged: its tiles of {tile} pixels are larger than the picture")
    # OpenCV turns a TIFF as its orientation says, so nothing is left to do. Of a transparency it multiplies
    # with what is "unassociated" at 8 bits; what is "associated" was multiplied when the file was written.
    laid = samples == 4 and not (_first(tags, 338, 0) == 2 and depth == 2)
    white_is_zero = _first(tags, 262, 1) == 0
    return Header("TIFF", size, (1 if samples == 1 else 4) * depth, 1, white_is_zero, laid)


def _check_whole(tags: "_Tags", length: int) -> None:
    """Raise DecodeError if strips or tiles lie beyond the end."""
    for places, lengths in ((273, 279), (324, 325)):
        if places in tags and lengths in tags:
            count = min(tags[places].size, tags[lengths].size)
            ends = tags[places][:count].astype(np.int64) + tags[lengths][:count]
            if ends.size and ends.max() > length:
                raise DecodeError("the TIFF is cut off")


# (photometric interpretation, samples): gray either way, RGB, palette, inks, YCbCr. At 16 bits only gray and
# RGB are: OpenCV takes a palette's indices for gray, and turns others into 8 bits.
_TIFF_COLOURS = {(0, 1), (1, 1), (2, 3), (2, 4), (3, 1), (5, 4), (6, 3)}
_DEEP_TIFF_COLOURS = {(0, 1), (1, 1), (2, 3), (2, 4)}
_TIFF_KINDS = {0: "gray", 1: "gray", 2: "RGB", 3: "a palette", 4: "a mask", 5: "CMYK", 6: "YCbCr", 8: "Lab"}


def _check_colours(tags: "_Tags", samples: int, depth: int) -> None:
    """Raise DecodeError where OpenCV would read something else than the file means."""
    meaning = _first(tags, 262, 1)
    if (meaning, samples) not in (_TIFF_COLOURS if depth == 1 else _DEEP_TIFF_COLOURS):
        kind = _TIFF_KINDS.get(meaning, f"kind {meaning}")
        raise DecodeError(f"the TIFF is {kind} with {samples} x {8 * depth} bits a pixel; save it as gray")
    if depth == 2 and samples > 1 and _first(tags, 284, 1) == 2:
        raise DecodeError("the TIFF keeps its colours in planes of 16 bits; save it as gray")


_TIFF_TYPES = {1: "u1", 3: "u2", 4: "u4"}  # BYTE, SHORT, LONG: all that the tags we ask for may be
_Tags = Mapping[int, npt.NDArray[Any]]


def _first(tags: _Tags, tag: int, default: int) -> int:
    return int(tags[tag][0]) if tag in tags else default


def _all(tags: _Tags, tag: int, default: int) -> set[int]:
    """The different values of a tag."""
    return set(map(int, np.unique(tags[tag]))) if tag in tags else {default}


def _tiff_directories(data: bytes) -> Iterator[_Tags]:
    """Each directory of a TIFF (or Exif) block: the unsigned integer tags and their values, at least one."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or struct.unpack_from(order + "H", data, 2)[0] != 42:
        raise DecodeError("the TIFF is damaged, or a BigTIFF, which is not read")
    position, seen = struct.unpack_from(order + "I", data, 4)[0], set[int]()
    while position:
        if position in seen:
            raise DecodeError("the TIFF is damaged: its directories run in a circle")
        seen.add(position)
        count = struct.unpack_from(order + "H", data, position)[0]
        if count > _MAX_ENTRIES or len(seen) > _MAX_DIRECTORIES:
            raise DecodeError(
                f"the TIFF is damaged, or has more than {_MAX_DIRECTORIES} pages or {_MAX_ENTRIES} tags"
            )
        tags = {}
        for entry in range(position + 2, position + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
            if (code := _TIFF_TYPES.get(kind)) and number:
                length = number * int(code[1])
                place = entry + 8 if length <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
                if place + length > len(data):
                    raise DecodeError("the TIFF is cut off or damaged")
                tags[tag] = np.frombuffer(data, order + code, number, place)
        yield tags
        position = struct.unpack_from(order + "I", data, position + 2 + 12 * count)[0]


def _read_bmp(data: bytes) -> Header:
    start, header_length = struct.unpack_from("<II", data, 10)
    if header_length == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if compression in (0, 3) and start + (width * bits + 31) // 32 * 4 * abs(height) > len(data):
        raise DecodeError("the BMP is cut off")
    # A negative height only means that the top row comes first.
    return Header("BMP", (abs(height), width), 1 if bits <= 8 else 4)


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _read_png),
    (b"\xff\xd8", _read_jpeg),
    (b"II*\0", _read_tiff),
    (b"MM\0*", _read_tiff),
    (b"BM", _read_bmp),
)
_OTHERS = (
    (b"GIF8", "GIF"),
    (b"WEBP", "WebP"),
    (b"%PDF", "PDF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"jP  ", "JPEG 2000"),
    (b"ftypavif", "AVIF"),
    (b"ftypheic", "HEIC"),
    (b"<!DOCTYPE", "web page"),
    (b"<html", "web page"),
)
