"""DICOM files, written here by pydicom, shown as a viewer would show them."""

import io
import struct
import subprocess
import sys

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

from boneage_imaging import codec
from boneage_imaging.errors import DecodeError

from ..strategies import images


def dicom(
    pixels,
    *,
    bits=None,
    transfer_syntax=ExplicitVRLittleEndian,
    encapsulated=None,
    deflated=False,
    **attributes,
):
    """A digital radiograph with these pixels."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    dataset.Rows, dataset.Columns = pixels.shape[-2:] if pixels.ndim == 2 else pixels.shape[:2]
    dataset.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = pixels.tobytes()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    if deflated:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    elif encapsulated:
        dataset.file_meta.TransferSyntaxUID = encapsulated
        dataset["PixelData"].is_undefined_length = True
    elif transfer_syntax != ExplicitVRLittleEndian:
        dataset.compress(transfer_syntax)
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def lut(values, bits, first=0):
    item = pydicom.Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = np.array(values, np.uint16).tobytes()
    return pydicom.Sequence([item])


FULL = {"WindowCenter": 128, "WindowWidth": 256}


@given(images(dtypes=[np.uint8], least=2))
def test_a_full_window_at_eight_bits_changes_nothing(image):
    np.testing.assert_array_equal(codec.decode(dicom(image, **FULL)), image)


@given(images(dtypes=[np.uint16], least=2))
def test_without_a_window_least_to_greatest_is_shown(image):
    shown = codec.decode(dicom(image))
    low, high = int(image.min()), int(image.max())
    expected = (image - low) / (high - low) * 65535 if high > low else np.zeros(image.shape)
    assert shown.dtype == np.uint16
    assert np.abs(shown - expected).max() <= 0.51


@given(images(dtypes=[np.uint16], least=2), st.integers(-500, 70_000), st.integers(2, 70_000))
def test_a_linear_window_is_the_standards_formula(image, centre, width):
    shown = codec.decode(dicom(image, WindowCenter=centre, WindowWidth=width))
    expected = np.clip((image - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 65535
    assert np.abs(shown - expected).max() <= 0.51


@given(images(least=2), st.booleans())
def test_monochrome1_is_the_inversion_of_monochrome2(image, windowed):
    facts = {"WindowCenter": 100, "WindowWidth": 150} if windowed else {}
    straight = codec.decode(dicom(image, **facts))
    swapped = codec.decode(dicom(image, PhotometricInterpretation="MONOCHROME1", **facts))
    np.testing.assert_array_equal(swapped, np.bitwise_not(straight))


def test_twelve_stored_bits_use_the_whole_sixteen():
    image = np.array([[0, 2048, 4095]], np.uint16)
    for facts in ({}, {"WindowCenter": 2048, "WindowWidth": 4096}):
        shown = codec.decode(dicom(image, bits=12, **facts))
        assert shown.dtype == np.uint16
        np.testing.assert_allclose(shown / 65535, image / 4095, atol=1e-4)


def test_a_rescale_comes_before_the_window_whatever_its_sign():
    image = np.array([[0, 50, 100]], np.uint8)
    up = codec.decode(dicom(image, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=0.5, WindowWidth=201))
    np.testing.assert_allclose(up / 255, [[0, 0.5, 1]], atol=0.005)
    down = codec.decode(
        dicom(image, RescaleSlope=-2, RescaleIntercept=100, WindowCenter=0.5, WindowWidth=201)
    )
    np.testing.assert_allclose(down / 255, [[1, 0.5, 0]], atol=0.005)


def test_signed_pixels_are_read():
    image = np.array([[-1000, 0, 1000]], np.int16)
    np.testing.assert_allclose(codec.decode(dicom(image)) / 65535, [[0, 0.5, 1]], atol=1e-4)


def test_the_other_window_functions_and_the_first_of_several_windows():
    image = np.array([[0, 100, 200]], np.uint16)
    window = {"WindowCenter": [100, 7], "WindowWidth": [200, 7]}
    exact = codec.decode(dicom(image, VOILUTFunction="LINEAR_EXACT", **window))
    np.testing.assert_allclose(exact / 65535, [[0, 0.5, 1]], atol=1e-4)
    sigmoid = codec.decode(dicom(image, VOILUTFunction="SIGMOID", **window))
    np.testing.assert_allclose(sigmoid[0] / 65535, 1 / (1 + np.exp([2.0, 0.0, -2.0])), atol=1e-4)


def test_a_voi_lut_wins_over_a_window():
    image = np.array([[0, 1, 2, 3, 9]], np.uint16)
    data = dicom(image, VOILUTSequence=lut([0, 4095, 1024, 2048], 12), **FULL)
    np.testing.assert_allclose(
        codec.decode(data) / 65535, np.array([[0, 4095, 1024, 2048, 2048]]) / 4095, atol=1e-4
    )


def test_padding_is_black_and_does_not_count():
    image = np.array([[60_000, 100, 200, 300]], np.uint16)
    for interpretation, expected in (("MONOCHROME2", [0, 0, 0.5, 1]), ("MONOCHROME1", [0, 1, 0.5, 0])):
        shown = codec.decode(dicom(image, PixelPaddingValue=60_000, PhotometricInterpretation=interpretation))
        np.testing.assert_allclose(shown[0] / 65535, expected, atol=1e-4)


def test_colour_becomes_luma():
    red_green_blue = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    data = dicom(red_green_blue, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert codec.decode(data).tolist() == [[76, 150, 29]]


@pytest.mark.parametrize("transfer_syntax", [RLELossless, JPEG2000Lossless], ids=["RLE", "JPEG 2000"])
def test_compressed_files_are_read(transfer_syntax):
    image = np.random.default_rng(0).integers(0, 256, (32, 40)).astype(np.uint8)
    np.testing.assert_array_equal(codec.decode(dicom(image, transfer_syntax=transfer_syntax, **FULL)), image)


def test_a_row_stays_a_row():
    image = np.zeros((20, 50), np.uint8)
    image[3] = 255
    shown = codec.decode(dicom(image))
    assert shown.shape == (20, 50)
    assert shown[3].all()
    assert shown.sum() == 50 * 255


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"NumberOfFrames": 3}, "3 frames"),
        ({"Rows": 60_000, "Columns": 60_000}, "60000 x 60000"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
        ({"WindowCenter": 5, "WindowWidth": 0}, "width 0"),
        ({"Rows": 40}, "cannot be read"),
        ({"BitsStored": None}, "it is damaged, or says too little of its pixels"),
        ({"BitsAllocated": 32}, "32 bits a pixel"),
        ({"SamplesPerPixel": 3}, "MONOCHROME2 with 3 samples"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(attributes, reason):
    with pytest.raises(DecodeError, match=reason):
        codec.decode(dicom(np.zeros((4, 4), np.uint8), **attributes))


def frame_header(marker, height, width):
    """The beginning of a JPEG (0xC0, 0xC3) or JPEG-LS (0xF7) of this size."""
    frame = struct.pack(">BBHBHHB3B", 0xFF, marker, 11, 8, height, width, 1, 1, 0x11, 0)
    return (
        b"\xff\xd8"
        + frame
        + struct.pack(">BBHB2B3B", 0xFF, 0xDA, 8, 1, 1, 0, 0, 63, 0)
        + bytes(40)
        + b"\xff\xd9"
    )


@pytest.mark.parametrize(
    ("transfer_syntax", "marker"), [(JPEGBaseline8Bit, 0xC0), (JPEGLossless, 0xC3), (JPEGLSLossless, 0xF7)]
)
def test_a_frame_of_another_size_than_the_file_says_is_refused(transfer_syntax, marker):
    # Its decoder would take as much memory as the frame itself wants.
    frame = pydicom.encaps.encapsulate([frame_header(marker, 20, 60_000)])
    data = dicom(np.zeros((20, 30), np.uint8), PixelData=frame, encapsulated=transfer_syntax)
    with pytest.raises(DecodeError, match=r"says \(20, 30\) and holds \(20, 60000\)"):
        codec.decode(data)


def test_a_jpeg_2000_frame_of_another_size_is_refused():
    data = bytearray(dicom(np.zeros((32, 40), np.uint8), transfer_syntax=JPEG2000Lossless))
    struct.pack_into(">I", data, data.index(b"\xff\x4f\xff\x51") + 8, 60_000)
    with pytest.raises(DecodeError, match=r"says \(32, 40\) and holds \(32, 60000\)"):
        codec.decode(bytes(data))


@pytest.mark.filterwarnings("ignore:The value")
def test_a_file_that_grows_beyond_bounds_when_it_is_inflated_is_refused():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    data = dicom(image, **FULL, deflated=True)
    np.testing.assert_array_equal(codec.decode(data), image)
    bomb = dicom(image, **FULL, deflated=True, ImageComments="0" * (1 << 25))
    assert len(bomb) < 100_000
    with pytest.raises(DecodeError, match="when it is inflated"):
        codec.decode(bomb, max_pixels=64)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_file_cut_off_anywhere_is_refused():
    data = dicom(np.arange(64, dtype=np.uint8).reshape(8, 8))
    codec.decode(data)
    for end in range(132, len(data), 7):
        with pytest.raises(DecodeError):
            codec.decode(data[:end])


def test_without_pydicom_the_extra_is_named():
    code = (
        "import sys; sys.modules['pydicom'] = None\n"  # as if it were not installed
        "from boneage_imaging import decode, DecodeError\n"
        "try:\n    decode(bytes(128) + b'DICM')\n"
        "except DecodeError as error:\n    print(error.reason)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "boneage-imaging[dicom]" in finished.stdout
