"""DICOM to gray picture, as a viewer would show it; needs the extra `dicom` (pydicom)."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Image
from boneage_imaging.errors import DecodeError
from boneage_imaging.header import check_pixels

__all__ = ["decode_dicom"]

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, red first
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
    if "PixelData" not in dataset or not dataset.get("Rows") or not dataset.get("Columns"):
        raise DecodeError("the DICOM file holds no picture")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DecodeError(f"the DICOM file has {frames} frames; a single one is wanted")
    interpretation = dataset.get("PhotometricInterpretation")
    if interpretation not in _READABLE:
        raise DecodeError(f"the DICOM file is {interpretation}; gray, RGB and YBR can be read")
    check_pixels((int(dataset.Rows), int(dataset.Columns)), max_pixels)


def _render(dataset: Any) -> Image:
    from pydicom.pixels import apply_modality_lut, apply_voi, pixel_array

    stored = pixel_array(dataset)
    depth = np.dtype(np.uint8 if int(dataset.BitsStored) <= 8 else np.uint16)
    if stored.ndim == 3:  # pydicom has made RGB of it
        return _to_depth(stored[..., :3] @ _LUMA / (2 ** int(dataset.BitsStored) - 1), depth)
    padding = _padding(dataset, stored)
    values = np.asarray(apply_modality_lut(stored, dataset))
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        share = apply_voi(values, dataset) / (2.0**bits - 1)
    elif dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        share = _window(dataset, values.astype(np.float64))
    else:
        share = _between_extremes(values.astype(np.float64), ~padding)
    shown = _to_depth(share, depth)
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
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Shares of the way from the least to the greatest value that counts."""
    inside = values[counts] if counts.any() else values
    low, high = inside.min(), inside.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _to_depth(share: npt.NDArray[Any], depth: np.dtype[Any]) -> Image:
    """Shares of white to the full range of a depth."""
    return np.asarray(np.rint(np.clip(share, 0.0, 1.0) * np.iinfo(depth).max), depth)
