"""DICOM to gray picture, as a viewer would show it; needs the extra `dicom` (pydicom)."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Image
from boneage_imaging.errors import DecodeError

__all__ = ["decode_dicom"]


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
        dataset = pydicom.dcmread(io.BytesIO(data))
        _check(dataset, max_pixels)
        return _render(dataset)
    except DecodeError:
        raise
    except (
        Exception
    ) as error:  # a damaged file fails in pydicom or in one of its decoders, each in its own way
        raise DecodeError(f"the DICOM file cannot be read: {error}") from error


def _check(dataset: Any, max_pixels: int) -> None:
    from boneage_imaging.codec import check_pixels

    if "PixelData" not in dataset or not dataset.get("Rows") or not dataset.get("Columns"):
        raise DecodeError("the DICOM file holds no picture")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DecodeError(f"the DICOM file has {frames} frames; a single one is wanted")
    check_pixels((int(dataset.Rows), int(dataset.Columns)), max_pixels)


def _render(dataset: Any) -> Image:
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    stored = dataset.pixel_array
    depth = np.dtype(np.uint8 if int(dataset.BitsStored) <= 8 else np.uint16)
    if stored.ndim == 3:  # pydicom has made RGB of it
        luma = stored[..., :3] @ np.array([0.299, 0.587, 0.114])
        return _scale(luma, 0, 2 ** int(dataset.BitsStored) - 1, depth)
    padding = _padding(dataset, stored)
    values = np.asarray(apply_voi_lut(apply_modality_lut(stored, dataset), dataset), np.float64)
    low, high = _range(dataset, values, ~padding)
    shown = _scale(values, low, high, depth)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = np.bitwise_not(shown)
    shown[padding] = 0
    return shown


def _padding(dataset: Any, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where there is no picture: between PixelPaddingValue and PixelPaddingRangeLimit."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted((int(value), int(value if limit is None else limit)))
    return np.asarray((stored >= ends[0]) & (stored <= ends[1]))


def _range(dataset: Any, values: npt.NDArray[Any], counts: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The values that become black and white."""
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return 0.0, float(2**bits - 1)
    if dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        return _window_range(dataset)
    inside = values[counts] if counts.any() else values
    return float(inside.min()), float(inside.max())


def _window_range(dataset: Any) -> tuple[float, float]:
    """The range into which pydicom's window maps: all that the stored bits can say, rescaled."""
    signed = int(dataset.PixelRepresentation) == 1
    bits = int(dataset.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if dataset.get("ModalityLUTSequence"):
        low, high = 0, 2 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    if not dataset.get("ModalityLUTSequence"):
        return low * slope + intercept, high * slope + intercept
    return float(low), float(high)


def _scale(values: npt.NDArray[Any], low: float, high: float, depth: np.dtype[Any]) -> Image:
    """From low..high to the full range of a depth."""
    white = np.iinfo(depth).max
    share = (np.asarray(values, np.float64) - low) / (high - low) if high > low else np.zeros(values.shape)
    return np.asarray(np.rint(np.clip(share, 0.0, 1.0) * white), depth)
