"""What a picture file says of itself, read before a single pixel is: format, size, completeness, orientation.

Sources: PNG (W3C, third edition), ITU-T T.81 (JPEG), TIFF 6.0, Exif 2.3, Microsoft's BITMAPINFOHEADER.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from boneage_imaging.errors import DecodeError

__all__ = ["Header", "check_pixels", "read_header"]


@dataclass(frozen=True)
class Header:
    """The facts of a picture file.

    Attributes:
        kind: "PNG", "JPEG", "TIFF" or "BMP".
        size: (height, width) as stored, before any orientation is applied.
        orientation: Exif's 1 to 8; 1 is upright.
        white_is_zero: a TIFF whose value 0 is white.
    """

    kind: str
    size: tuple[int, int]
    orientation: int = 1
    white_is_zero: bool = False


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


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Raise DecodeError if a picture of this size has more than `max_pixels` pixels.

    Example:
        >>> check_pixels((10, 10), 99)
        Traceback (most recent call last):
        boneage_imaging.errors.DecodeError: the picture is 10 x 10 pixels (height, width); at most 99 are read
    """
    if size[0] * size[1] > max_pixels:
        raise DecodeError(
            f"the picture is {size[0]} x {size[1]} pixels (height, width); at most {max_pixels} are read"
        )


def _read_png(data: bytes) -> Header:
    size, orientation, ended = (0, 0), 1, False
    for kind, body in _png_chunks(data):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
            size = (height, width)
        elif kind == b"acTL":
            raise DecodeError("the PNG is animated; a single picture is wanted")
        elif kind == b"eXIf":
            orientation = _exif_orientation(body)
        ended = kind == b"IEND"
    if not ended:
        raise DecodeError("the PNG is cut off")
    return Header("PNG", size, orientation)


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


def _read_jpeg(data: bytes) -> Header:
    size, orientation, position = None, 1, 2
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
            orientation = _exif_orientation(body[6:])
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame headers SOF0 to SOF15
            bits, height, width = struct.unpack(">BHH", body[:5])
            if bits != 8:
                raise DecodeError(f"the JPEG has {bits} bits; 8 can be read")
            size = (height, width)
        elif marker == 0xDA:
            break
        position += 2 + length
    if size is None:
        raise DecodeError("the JPEG is damaged: its picture comes before its size")
    if data.find(b"\xff\xd9", position) < 0:
        raise DecodeError("the JPEG is cut off")
    return Header("JPEG", size, orientation)


def _exif_orientation(body: bytes) -> int:
    """Exif's orientation, 1 where the block is damaged or says nothing."""
    try:
        values = next(_tiff_directories(body)).get(274, (1,))
    except (DecodeError, struct.error, StopIteration):
        return 1
    return values[0] if values and 1 <= values[0] <= 8 else 1


def _read_tiff(data: bytes) -> Header:
    pages = [tags for tags in _tiff_directories(data) if not tags.get(254, (0,))[0] & 1]  # bit 0: a thumbnail
    if len(pages) != 1:
        raise DecodeError(f"the TIFF has {len(pages)} pages; a single one is wanted")
    tags = pages[0]
    if 256 not in tags or 257 not in tags:
        raise DecodeError("the TIFF is damaged: it has no size")
    bits, sample_format = tags.get(258, (1,)), tags.get(339, (1,))
    if set(bits) - {1, 8, 16} or set(sample_format) != {1}:
        raise DecodeError(
            f"the TIFF has {bits[0]}-bit samples of format {sample_format[0]}; unsigned 8 and 16 can be read"
        )
    for offsets, lengths in ((273, 279), (324, 325)):  # strips, tiles
        ends = [
            offset + length
            for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False)
        ]
        if ends and max(ends) > len(data):
            raise DecodeError("the TIFF is cut off")
    # OpenCV turns a TIFF as its orientation says, so nothing is left to do.
    return Header("TIFF", (tags[257][0], tags[256][0]), 1, tags.get(262, (1,))[0] == 0)


_TIFF_TYPES = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT, LONG: all that the tags we ask for may be


def _tiff_directories(data: bytes) -> Iterator[dict[int, tuple[int, ...]]]:
    """Each directory of a TIFF (or Exif) block: the unsigned integer tags and their values."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or struct.unpack_from(order + "H", data, 2)[0] != 42:
        raise DecodeError("the TIFF is damaged, or a BigTIFF, which is not read")
    position, seen = struct.unpack_from(order + "I", data, 4)[0], set[int]()
    while position:
        if position in seen:
            raise DecodeError("the TIFF is damaged: its directories run in a circle")
        seen.add(position)
        count = struct.unpack_from(order + "H", data, position)[0]
        tags = {}
        for entry in range(position + 2, position + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
            if (code := _TIFF_TYPES.get(kind)) and number and number <= len(data):
                layout = f"{order}{number}{code}"
                inline = struct.calcsize(layout) <= 4
                place = entry + 8 if inline else struct.unpack_from(order + "I", data, entry + 8)[0]
                tags[tag] = struct.unpack_from(layout, data, place)
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
    return Header("BMP", (abs(height), width))  # a negative height only means that the top row comes first


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
)
