"""Sound files of every format that is read, small, to be damaged by `fuzz.py`: drawn hands and test patterns."""

import io
import json
import struct
import zlib

import cv2
import numpy as np

from boneage_imaging.phantom import draw_case

SIZE = (80, 64)
_ANIMATION = b"\0\0\0\1\0\0\0\0"


def pictures() -> dict[str, bytes]:
    """Files by name; the suffix tells the format."""
    gray = draw_case(7, 0, size=SIZE).image
    larger = draw_case(7, 1, size=(160, 128)).image
    deep = larger.astype(np.uint16) * 257
    colour = np.dstack([gray, gray // 2, 255 - gray])
    clear = np.dstack([colour, np.full_like(gray, 200)])
    return {
        **_pngs(gray, larger, deep, colour, clear),
        **_jpegs(gray, larger, colour),
        **_tiffs(gray, deep, colour),
        "gray.bmp": _opencv(".bmp", gray),
        "colour.bmp": _opencv(".bmp", colour),
        **_dicoms(gray, deep),
    }


def _opencv(suffix: str, array: np.ndarray, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, array, list(options))[1])


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _pngs(
    gray: np.ndarray, larger: np.ndarray, deep: np.ndarray, colour: np.ndarray, clear: np.ndarray
) -> dict[str, bytes]:
    plain = _opencv(".png", gray)
    head, rest = plain[:33], plain[33:]
    palette = chunk(b"PLTE", bytes(range(256)) * 3) + chunk(b"tRNS", bytes(255 for _ in range(200)))
    rows = b"".join(b"\0" + row.tobytes() for row in gray)
    indexed = head[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", gray.shape[1], gray.shape[0], 8, 3, 0, 0, 0))
    bits = b"".join(b"\0" + np.packbits(row > 60).tobytes() for row in gray)
    two = head[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", gray.shape[1], gray.shape[0], 1, 0, 0, 0, 0))
    end = chunk(b"IEND", b"")
    notes = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(4_000_000)))
    profile = chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(1_000_000)))
    turned = chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0")
    return {
        "gray.png": plain,
        "larger.png": _opencv(".png", larger),
        "deep.png": _opencv(".png", deep),
        "colour.png": _opencv(".png", colour),
        "clear.png": _opencv(".png", clear),
        "indexed.png": indexed + palette + chunk(b"IDAT", zlib.compress(rows)) + end,
        "one-bit.png": two + chunk(b"IDAT", zlib.compress(bits)) + end,
        "notes.png": head + notes + profile + turned + rest,
        "animated.png": head + chunk(b"acTL", _ANIMATION) + rest,
    }


def _jpegs(gray: np.ndarray, larger: np.ndarray, colour: np.ndarray) -> dict[str, bytes]:
    plain = _opencv(".jpg", larger)
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    turned = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return {
        "gray.jpg": _opencv(".jpg", gray),
        "larger.jpg": plain,
        "colour.jpg": _opencv(".jpg", colour),
        "progressive.jpg": _opencv(".jpg", colour, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "restarts.jpg": _opencv(".jpg", colour, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        "turned.jpg": plain[:2] + turned + plain[2:],
    }


def tiff(array: np.ndarray, tags: dict[int, tuple[int, ...]], data: bytes | None = None) -> bytes:
    """A little-endian TIFF by the book; `tags` override what follows from the array."""
    data = array.astype(array.dtype.newbyteorder("<")).tobytes() if data is None else data
    samples = array.shape[2] if array.ndim == 3 else 1
    all_tags: dict[int, tuple[int, ...]] = {
        256: (array.shape[1],),
        257: (array.shape[0],),
        258: (array.dtype.itemsize * 8,) * samples,
        259: (1,),
        262: (2 if samples == 3 else 1,),
        273: (8,),
        277: (samples,),
        278: (array.shape[0],),
        279: (len(data),),
        **tags,
    }
    data += b"\0" * (len(data) % 2)
    place, extra = 8 + len(data) + 2 + 12 * len(all_tags) + 4, b""
    entries = b""
    for tag, values in sorted(all_tags.items()):
        code = "I" if max(values) > 65535 or tag in (273, 279, 324, 325) else "H"
        packed = struct.pack(f"<{len(values)}{code}", *values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", place + len(extra)), extra + packed
        entries += struct.pack("<HHI", tag, 4 if code == "I" else 3, len(values)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(all_tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + extra


def _tiffs(gray: np.ndarray, deep: np.ndarray, colour: np.ndarray) -> dict[str, bytes]:
    inks = np.dstack([gray, gray, gray, 255 - gray])
    ramp = tuple(range(0, 65536, 257)) * 3
    packed = np.packbits(gray > 60, axis=1).tobytes()
    deflated = zlib.compress(gray.tobytes())
    tile = np.zeros((80, 64), np.uint8)
    tile[: gray.shape[0], : gray.shape[1]] = gray
    tiled = {322: (64,), 323: (80,), 324: (8,), 325: (tile.size,), 273: (8,), 279: (tile.size,)}
    compressions = {"lzw": 5, "deflate": 8, "jpeg": 7, "packbits": 32773}
    return {
        **{
            f"{name}.tif": _opencv(".tif", gray, cv2.IMWRITE_TIFF_COMPRESSION, code)
            for name, code in compressions.items()
        },
        "gray.tif": tiff(gray, {}),
        "deep.tif": tiff(deep, {}),
        "colour.tif": tiff(colour, {}),
        "inks.tif": tiff(inks, {262: (5,)}),
        "indexed.tif": tiff(gray, {262: (3,), 320: ramp}),
        "one-bit.tif": tiff(gray, {258: (1,)}, packed),
        "by-hand.tiff": tiff(gray, {259: (8,), 279: (len(deflated),)}, deflated),
        "tiled.tiff": tiff(gray, tiled, tile.tobytes()),
    }


def _dicoms(gray: np.ndarray, deep: np.ndarray) -> dict[str, bytes]:
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        JPEG2000Lossless,
        RLELossless,
    )

    window = {"WindowCenter": 128, "WindowWidth": 256}
    return {
        "explicit.dcm": _dicom(gray, ExplicitVRLittleEndian, **window),
        "implicit.dcm": _dicom(deep, ImplicitVRLittleEndian),
        "deflated.dcm": _dicom(gray, DeflatedExplicitVRLittleEndian),
        "runs.dcm": _dicom(gray, RLELossless, PhotometricInterpretation="MONOCHROME1"),
        "wavelets.dcm": _dicom(gray, JPEG2000Lossless, **window),
    }


def _dicom(pixels: np.ndarray, transfer_syntax: str, **attributes: object) -> bytes:
    import pydicom

    uncompressed = pydicom.uid.ExplicitVRLittleEndian
    compressed = pydicom.uid.UID(transfer_syntax).is_encapsulated
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uncompressed if compressed else transfer_syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PixelRepresentation = 1, 0
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelData = pixels.tobytes()
    for name, value in attributes.items():
        setattr(data, name, value)
    if compressed:
        data.compress(transfer_syntax)
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def tables(ids: list[str]) -> dict[str, str]:
    """Tables of labels for these cases, in the headers and separators that are read."""
    facts = [(case_id, 12 + 7 * index % 200, index % 2 == 0) for index, case_id in enumerate(ids)]
    rsna = [f"{i},{male},{age}" for i, age, male in facts]
    test = [f"{i};{'M' if male else 'F'};{age},5" for i, age, male in facts]
    return {
        "plain": "\n".join(["id,boneage,male", *(f"{i},{age},{male}" for i, age, male in facts)]) + "\n",
        "rsna": "\n".join(["Image ID,male,Bone Age (months)", *rsna]) + "\n",
        "test": "\r\n".join(["Case ID;Sex;Ground truth bone age (months)", *test]) + "\r\n",
        "tabs": "\n".join(["id\tboneage\tsex", *(f'"{i}"\t{age}\t' for i, age, _ in facts)]) + "\n",
    }


def outlines() -> dict[str, bytes]:
    """Outlines by the suffix that tells their kind."""
    ring = [[10.0, 8.0], [50, 8], [52.5, 70], [12, 71]]
    hole = [[20, 20], [30, 20], [30, 30]]
    facts = {
        "description": "",
        "tags": [],
        "size": {"height": SIZE[0], "width": SIZE[1]},
        "objects": [
            {
                "classTitle": "hand",
                "geometryType": "polygon",
                "points": {"exterior": ring, "interior": [hole]},
            }
        ],
    }
    drawn = draw_case(7, 0, size=SIZE).mask
    labels = np.where(drawn, 24, 35).astype(np.uint8)
    colours = np.where(drawn[..., None], (60, 20, 220), (128, 128, 128)).astype(np.uint8)
    return {
        ".json": json.dumps(facts).encode(),
        ".png": _opencv(".png", drawn.astype(np.uint8) * 255),
        "_watershed_mask.png": _opencv(".png", labels),
        "_color_mask.png": _opencv(".png", colours),
    }
