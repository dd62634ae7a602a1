"""Bytes to gray picture and back: no paths, so that any storage will do."""

import cv2
import numpy as np

from boneage_imaging.arrays import Image, Mask, as_coverage, check_colours, check_gray
from boneage_imaging.errors import ArrayError, DecodeError, ParameterError
from boneage_imaging.header import Header, check_pixels, read_header, without_extras

__all__ = [
    "MAX_PIXELS",
    "decode",
    "decode_colours",
    "decode_mask",
    "encode_colours",
    "encode_jpeg",
    "encode_png",
]

MAX_PIXELS = 100_000_000
"""The most pixels that are decoded unless the caller says otherwise."""
_STRIP = 1 << 22  # pixels that are worked on at once, where that spares memory


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a radiograph: PNG, JPEG, TIFF, BMP, or DICOM with the extra `dicom`.

    Colour becomes gray by luma (ITU-R BT.601), transparency is laid on black, Exif's orientation is applied,
    16 bits stay 16. The size is read from the header and bounded before anything is decoded.

    Args:
        data: the whole file.
        max_pixels: refuse what has more.

    Returns:
        2-D uint8 or uint16.

    Raises:
        DecodeError: with a plain reason.
        MemoryError: there is too little memory for it.

    Example:
        >>> decode(encode_png(np.array([[0, 1000]], np.uint16))).tolist()
        [[0, 1000]]
    """
    if data[128:132] == b"DICM":
        from boneage_imaging.dicom import decode_dicom

        return decode_dicom(data, max_pixels=max_pixels)
    header = _checked_header(data, max_pixels)
    return _to_gray(_decode_pixels(data, header), transparent=not header.laid_on_black)


def decode_colours(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture whose colours are labels, not a radiograph.

    Args:
        data: a PNG, JPEG, TIFF or BMP file.
        max_pixels: refuse what has more.

    Returns:
        uint8 or uint16, (height, width) if it is gray, else (height, width, 3), red first.

    Raises:
        DecodeError: with a plain reason.

    Example:
        >>> decode_colours(encode_png(np.array([[0, 35]], np.uint8))).tolist()
        [[0, 35]]
    """
    pixels = _decode_pixels(data, _checked_header(data, max_pixels))
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., 2::-1])


def decode_mask(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Read a mask: what is not black (and not fully transparent) is inside.

    Args:
        data: a PNG, JPEG, TIFF or BMP file; JPEG blurs edges, so prefer the others.
        max_pixels: refuse what has more.

    Returns:
        2-D bool.

    Raises:
        DecodeError: with a plain reason.

    Example:
        >>> decode_mask(encode_png(np.array([[True, False]]))).tolist()
        [[True, False]]
    """
    pixels = _decode_pixels(data, _checked_header(data, max_pixels))
    if pixels.ndim == 2:
        return np.asarray(pixels != 0)
    inside = np.asarray((pixels[..., :3] != 0).any(axis=2))
    return inside & (pixels[..., 3] != 0) if pixels.shape[2] == 4 else inside


def encode_png(image: Image | Mask) -> bytes:
    """Write a PNG, without loss.

    Args:
        image: 2-D uint8, uint16, or bool, which is written as 0 and 255.

    Returns:
        The file.

    Example:
        >>> encode_png(np.zeros((2, 2), np.uint8))[1:4]
        b'PNG'
    """
    is_mask = isinstance(image, np.ndarray) and image.dtype == np.bool_
    pixels: Image = as_coverage(image) if is_mask else image
    check_gray(pixels)
    return bytes(cv2.imencode(".png", pixels)[1])


def encode_colours(image: Image) -> bytes:
    """Write a PNG in colour, without loss: of what is laid over a radiograph, not of the radiograph itself.

    Args:
        image: uint8 (height, width, 3), red first.

    Returns:
        The file.

    Raises:
        ArrayError: for anything else.

    Example:
        >>> decode_colours(encode_colours(np.array([[[255, 128, 0]]], np.uint8))).tolist()
        [[[255, 128, 0]]]
    """
    check_colours(image)
    return bytes(cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1])


def encode_jpeg(image: Image, quality: int = 90) -> bytes:
    """Write a JPEG, with loss.

    Args:
        image: 2-D uint8; JPEG has no 16 bits.
        quality: 1 to 100.

    Returns:
        The file.

    Example:
        >>> encode_jpeg(np.zeros((2, 2), np.uint8))[:2].hex()
        'ffd8'
    """
    check_gray(image)
    if image.dtype != np.uint8:
        raise ArrayError("a uint8 image (contrast.to_uint8 makes one)", str(image.dtype))
    if not 1 <= quality <= 100:
        raise ParameterError("quality", "1 to 100", quality)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1])


def _checked_header(data: bytes, max_pixels: int) -> Header:
    header = read_header(data)
    check_pixels(header.size, max_pixels, header.bytes_per_pixel)
    return header


def _decode_pixels(data: bytes, header: Header) -> Image:
    """The pixels as stored, turned upright: (height, width) or (height, width, 3 or 4), blue first."""
    bare = without_extras(data) if header.kind == "PNG" else data
    try:
        pixels = cv2.imdecode(np.frombuffer(bare, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        _check_memory(header)
        raise DecodeError(f"the {header.kind} is damaged")
    if pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise DecodeError(f"the {header.kind} has {pixels.dtype} pixels; unsigned 8 and 16 bits can be read")
    if sorted(pixels.shape[:2]) != sorted(header.size):  # OpenCV may have turned a TIFF
        raise DecodeError(f"the {header.kind} is damaged: it says {header.size} and holds {pixels.shape[:2]}")
    if header.white_is_zero and pixels.dtype == np.uint16:
        pixels = np.bitwise_not(pixels)  # OpenCV itself inverts such a TIFF at 8 bits only
    return _turn_upright(pixels, header.orientation)


def _check_memory(header: Header) -> None:
    """Raise MemoryError if there is none for such a picture: OpenCV does not tell that from damage."""
    try:
        np.empty((*header.size, 2 * header.bytes_per_pixel), np.uint8)
    except MemoryError as error:
        raise MemoryError(
            f"there is too little memory for a picture of {header.size[0]} x {header.size[1]} pixels"
        ) from error


def _turn_upright(pixels: Image, orientation: int) -> Image:
    """Undo Exif's orientation: 2 to 4 mirror or turn, 5 to 8 swap rows and columns first."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _to_gray(pixels: Image, *, transparent: bool) -> Image:
    if pixels.ndim == 2:
        return pixels
    gray = np.empty(pixels.shape[:2], pixels.dtype)
    white = np.iinfo(pixels.dtype).max
    rows = max(1, _STRIP // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        part = pixels[top : top + rows]
        gray[top : top + rows] = cv2.cvtColor(np.ascontiguousarray(part[..., :3]), cv2.COLOR_BGR2GRAY)
        if part.shape[2] == 4 and transparent:
            gray[top : top + rows] = np.rint(gray[top : top + rows] * (part[..., 3] / white))
    return gray
