"""DICOM to gray picture, as a viewer would show it; needs the extra `dicom` (pydicom)."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Image
from boneage_imaging.errors import DecodeError
from boneage_imaging.header import check_pixels, jpeg_frame

__all__ = ["decode_dicom"]

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, red first
_COLOUR_BYTES = 12  # a pixel, while YBR becomes RGB
_LARGEST_PIXEL, _LARGEST_REST = 6, 1 << 24  # bytes of one pixel, and of all that is not pixels
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_READABLE = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def decode_dicom(data: bytes, *, max_pixels: int) -> Image:
    """Read a DICOM radiograph: rescale, VOI LUT or window, MONOCHROME1 inverted, full range of 8 or 16 bits.

    DICOM PS3.3 C.7.6.3 (pixels), C.11.1 (modality), C.11.2 (VOI). Without a VOI LUT or window the values from
    the least to the greatest are shown; padding (PixelPaddingValue) does not count and becomes black.

    Args:
        data: the whole file, with its 128 byte preamble.
        max_pixels: refuse what has more, before decoding.

    Returns:
        2-D; uint8 where at most 8 bits are stored, otherwise uint16.

    Raises:
        DecodeError: with a plain reason; among them that pydicom is missing.

    Example:
        >>> decode_dicom(bytes(128) + b"DICM", max_pixels=1)
        Traceback (most recent call last):
        boneage_imaging.errors.DecodeError: the DICOM file holds no picture
    """
    try:
        import pydicom
    except ImportError as error:
        raise DecodeError("this is a DICOM file; to read it, install boneage-imaging[dicom]") from error
    try:
        _check_inflated(data, _LARGEST_PIXEL * max_pixels + _LARGEST_REST)
        dataset = pydicom.dcmread(io.BytesIO(data))
        _check(dataset, max_pixels)
        return _render(dataset)
    except (DecodeError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # a damaged file fails in pydicom or in one of its decoders, each in its own way
        raise DecodeError(f"the DICOM file cannot be read: {_fault(error)}") from error


def _fault(error: Exception) -> str:
    """What is wrong with a file, for a person: pydicom's own sentence, but not Python's on what is missing."""
    if isinstance(error, AttributeError | IndexError | KeyError | TypeError | struct.error):
        return "it is damaged, or says too little of its pixels"
    reason = str(error).split("\n")[0]
    return "".join(sign if sign.isprintable() else "?" for sign in reason)


def _check_inflated(data: bytes, most: int) -> None:
    """Raise DecodeError if a file that is compressed as a whole is larger than anything that is read."""
    # PS3.10 7.1: the group's length stands first, as (0002,0000) UL 4.
    start = 144 + struct.unpack_from("<I", data.ljust(144, b"\0"), 140)[0]
    if _DEFLATED in data[:start]:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        rest, size = data[start:], 0
        while rest and not stream.eof:
            size += len(stream.decompress(rest, 1 << 24))
            rest = stream.unconsumed_tail
            if size > most:
                raise DecodeError(f"the DICOM file holds more than {most} bytes when it is inflated")


def _check(dataset: Any, max_pixels: int) -> None:
    if "PixelData" not in dataset or not dataset.get("Rows") or not dataset.get("Columns"):
        raise DecodeError("the DICOM file holds no picture")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DecodeError(f"the DICOM file has {frames} frames; a single one is wanted")
    interpretation = dataset.get("PhotometricInterpretation")
    if interpretation not in _READABLE:
        raise DecodeError(f"the DICOM file is {interpretation!r}; gray, RGB and YBR can be read")
    bits = int(dataset.BitsAllocated)
    if bits not in (8, 16):
        raise DecodeError(f"the DICOM file has {bits} bits a pixel; 8 and 16 can be read")
    size = (int(dataset.Rows), int(dataset.Columns))
    gray = interpretation.startswith("MONOCHROME")
    if int(dataset.SamplesPerPixel) != (1 if gray else 3):
        raise DecodeError(
            f"the DICOM file is {interpretation} with {dataset.SamplesPerPixel} samples a pixel"
        )
    check_pixels(size, max_pixels, bits // 8 if gray else bits // 8 * _COLOUR_BYTES)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_frame(dataset, size)


def _check_frame(dataset: Any, size: tuple[int, int]) -> None:
    """Raise DecodeError if a compressed frame has another size than the file says: its decoder obeys the frame."""
    from pydicom.encaps import get_frame

    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    wavelets = frame.find(b"\xff\x4f\xff\x51", 0, 1024)  # some put JP2's boxes before the codestream
    if frame.startswith(b"\xff\xd8"):  # JPEG and JPEG-LS, whose frame header is 0xF7
        found, components = _jpeg_size(frame)
    elif wavelets >= 0:  # JPEG 2000, ITU-T T.800 A.5.1
        right, bottom, left, top = struct.unpack_from(">4I", frame, wavelets + 8)
        found = (bottom - top, right - left)
        components = struct.unpack_from(">H", frame, wavelets + 40)[0]
    elif dataset.file_meta.TransferSyntaxUID.name == "RLE Lossless":
        return  # it has no size of its own
    else:
        raise DecodeError("the DICOM file is damaged, or compressed in a way that is not read")
    if found != size or components != int(dataset.SamplesPerPixel):
        raise DecodeError(f"the DICOM file is damaged: it says {size} and holds {found} x {components}")


def _jpeg_size(frame: bytes) -> tuple[tuple[int, int], int]:
    position = frame.find(b"\xff\xf7")
    if 0 < position < frame.find(b"\xff\xda"):
        height, width, components = struct.unpack_from(">HHB", frame, position + 5)
        return (height, width), components
    facts = jpeg_frame(frame)
    return facts.size, facts.components


def _render(dataset: Any) -> Image:
    from pydicom.pixels import pixel_array

    stored = pixel_array(dataset)
    bits = int(dataset.BitsStored)
    depth = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    shown = np.empty(stored.shape[:2], depth)
    if stored.ndim == 3:  # pydicom has made RGB of it
        for row, target in zip(stored, shown, strict=True):
            target[:] = _to_depth(row[..., :3] @ _LUMA / (2**bits - 1), depth)
        return shown
    # Of at most 65536 values, each is worked out once: floating point pictures would take gigabytes.
    least = int(np.iinfo(stored.dtype).min)
    table = _table(dataset, stored, least, depth)
    for row, target in zip(stored, shown, strict=True):
        target[:] = table[row.astype(np.intp) - least]
    return shown


def _table(dataset: Any, stored: npt.NDArray[Any], least: int, depth: np.dtype[Any]) -> Image:
    """What is shown for each value that a pixel can have, from the least on."""
    from pydicom.pixels import apply_modality_lut, apply_voi

    levels = np.arange(least, int(np.iinfo(stored.dtype).max) + 1).astype(stored.dtype)
    padding = _padding(dataset, levels)
    values = np.asarray(apply_modality_lut(levels, dataset))
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        share = apply_voi(values, dataset) / (2.0**bits - 1)
    elif dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        share = _window(dataset, values.astype(np.float64))
    else:
        there = np.zeros(levels.size, bool)
        for row in stored:
            there[row.astype(np.intp) - least] = True
        share = _between_extremes(values.astype(np.float64), there, ~padding)
    shown = _to_depth(share, depth)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = np.bitwise_not(shown)
    shown[padding] = 0
    return shown


def _padding(dataset: Any, levels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which values mean that there is no picture: from PixelPaddingValue to PixelPaddingRangeLimit."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(levels.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted((int(value), int(value if limit is None else limit)))
    return np.asarray((levels >= ends[0]) & (levels <= ends[1]))


def _window(dataset: Any, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The first window of the file, as shares of white: PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    centre, width = (float(np.ravel(dataset[name].value)[0]) for name in ("WindowCenter", "WindowWidth"))
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if not width > 0:
        raise DecodeError(f"the DICOM file has a window of width {width:g}; it must be above 0")
    if function == "SIGMOID":
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0))))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    return (values - (centre - 0.5)) / max(width - 1.0, 1e-6) + 0.5


def _between_extremes(
    values: npt.NDArray[np.float64], there: npt.NDArray[np.bool_], counts: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Shares of the way from the least to the greatest value that is in the picture and counts."""
    inside = values[there & counts] if (there & counts).any() else values[there]
    low, high = inside.min(), inside.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _to_depth(share: npt.NDArray[Any], depth: np.dtype[Any]) -> Image:
    """Shares of white to the full range of a depth."""
    return np.asarray(np.rint(np.clip(share, 0.0, 1.0) * np.iinfo(depth).max), depth)
