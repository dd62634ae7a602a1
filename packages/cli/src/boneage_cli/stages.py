"""What the map stages do to one case: named functions, so that any worker can import them.

Each stage is a pair: `setup_NAME(config)`, called once per worker, and `apply_NAME(case, resource)`, which
returns only the fields that it adds. What `predict` does to one radiograph is made of the same functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_cli.errors import DataError
from boneage_cli.files import read_bounded
from boneage_cli.preparation import Ingest, Prepare
from boneage_imaging.codec import decode, decode_mask, encode_png
from boneage_imaging.contrast import clahe, invert, window
from boneage_imaging.errors import AlignmentError
from boneage_imaging.geometry import fit_within, letterbox, resize, warp
from boneage_imaging.masks import apply_mask
from boneage_imaging.polarity import is_inverted
from boneage_imaging.quality import Verdict, assess
from boneage_sparkrun.place import Place

if TYPE_CHECKING:
    from boneage_segmentation.inference import Segmenter

__all__ = [
    "Prepared",
    "apply_ingest",
    "apply_prepare",
    "apply_segment",
    "coarsen",
    "find_hand",
    "ingest_image",
    "prepare_image",
    "setup_ingest",
    "setup_prepare",
    "setup_segment",
]

Case = dict[str, Any]
_BLACK = 0


def ingest_image(data: bytes, settings: Ingest) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes a radiograph and shrinks it to the long side of the settings.

    Returns:
        The gray image, 8 or 16 bit, and its size (height, width) in the file.
    """
    image = decode(data)
    size = (int(image.shape[0]), int(image.shape[1]))
    return (fit_within(image, settings.long_side) if settings.long_side else image), size


def setup_ingest(config: dict[str, Any]) -> Ingest:
    """The settings of `ingest` from a plain dict."""
    return Ingest(**config)


def apply_ingest(case: Case, settings: Ingest) -> Case:
    """Takes one case in: reads or draws the radiograph, brings it to size, and its outline with it."""
    if case["fault"]:
        raise DataError(case["fault"])
    label = {"kind": case["kind"], "age_months": case["age_months"], "male": case["male"]}
    if case["kind"] == "phantom":
        return label | _draw(case)
    if case["kind"] == "thumbnail":
        image, size = _unsquash(case, settings.thumbnail_long_side)
    else:
        image, size = ingest_image(_file(case, "image"), settings)
    return label | _taken_in(image, size, _outline(case, _shape(image)), _given_mask(case, _shape(image)))


def _taken_in(
    image: np.ndarray, size: tuple[int, int], outline: np.ndarray | None, given_mask: np.ndarray | None = None
) -> Case:
    return {
        "image": encode_png(image),
        "height": image.shape[0],
        "width": image.shape[1],
        "source_height": size[0],
        "source_width": size[1],
        "bits": image.dtype.itemsize * 8,
        "outline": None if outline is None else encode_png(outline),
        "given_mask": None if given_mask is None else encode_png(given_mask),
    }


def _outline(case: Case, size: tuple[int, int]) -> np.ndarray | None:
    name = case.get("outline_name") or case.get("outline_uri")
    if not name:
        return None
    from boneage_segmentation.annotation import read_outline

    return read_outline(_file(case, "outline"), name, size)


def _file(case: Case, name: str) -> bytes:
    """The bytes of a case's file: brought along by `upload`, or where its URI leads."""
    brought = case.get(f"{name}_file")
    return brought if brought is not None else read_bounded(case["uri" if name == "image" else f"{name}_uri"])


def _given_mask(case: Case, size: tuple[int, int]) -> np.ndarray | None:
    if not case.get("mask_uri"):
        return None
    mask = decode_mask(read_bounded(case["mask_uri"]))
    return mask if mask.shape == size else resize(mask, size)


def _draw(case: Case) -> Case:
    from boneage_imaging.phantom import draw_case

    size = (case["true_height"], case["true_width"])
    drawn = draw_case(case["phantom_seed"], case["phantom_index"], size=size)
    return _taken_in(drawn.image, size, drawn.mask) | {"age_months": drawn.age_months, "male": drawn.male}


def _unsquash(case: Case, long_side: int) -> tuple[np.ndarray, tuple[int, int]]:
    thumbnail = decode(case["thumbnail"])
    height, width = case["true_height"] or thumbnail.shape[0], case["true_width"] or thumbnail.shape[1]
    scale = long_side / max(height, width)
    return resize(thumbnail, (round(height * scale), round(width * scale))), (height, width)


def _shape(image: np.ndarray) -> tuple[int, int]:
    return int(image.shape[0]), int(image.shape[1])


def setup_segment(config: dict[str, Any]) -> Segmenter | None:
    """Loads the segmentation network once per worker; None where all masks are given."""
    from boneage_segmentation.inference import Segmenter

    if not config["model"]:
        return None
    with Place(config["model"]).here() as folder:
        return Segmenter.load(folder, threads=1)


def find_hand(image: np.ndarray, segmenter: Segmenter) -> tuple[np.ndarray, Verdict]:
    """The hand's mask, and what speaks against reading it."""
    found = segmenter.find(image)
    return found.mask, assess(image, found.mask, others=found.others, inverted=found.inverted)


def apply_segment(case: Case, segmenter: Segmenter | None) -> Case:
    """Finds the hand, or takes the mask that is given, and says whether it is one."""
    image = decode(case["image"])
    if case["given_mask"] is not None:
        mask = decode_mask(case["given_mask"])
        verdict = assess(image, mask)
    elif segmenter is not None:
        mask, verdict = find_hand(image, segmenter)
    else:
        raise ValueError(f"the case {case['case_id']} has no mask, and there is no model to find one")
    return {
        "mask": encode_png(mask),
        "mask_share": np.count_nonzero(mask) / mask.size,
        "status": verdict.status,
        "reason": "; ".join(verdict.reasons),
    }


@dataclass(frozen=True)
class Prepared:
    """The input of the regression network.

    Attributes:
        image: uint8 (height, width).
        matrix: The 2 x 3 map from the ingested radiograph to `image`.
        status: `ok` or `warning`.
        reason: Why it is not `ok`.
    """

    image: np.ndarray
    matrix: np.ndarray
    status: str = "ok"
    reason: str = ""


def prepare_image(image: np.ndarray, mask: np.ndarray, settings: Prepare) -> Prepared:
    """Contrast, mask, turn, crop and size in one resampling; then less detail, where that is asked for.

    Args:
        image: Gray radiograph (height, width), 8 or 16 bit.
        mask: The hand, bool (height, width).
        settings: What is done and to which size.
    """
    from boneage_imaging.alignment import alignment_matrix

    size = (settings.height, settings.width)
    positive = invert(image) if is_inverted(image, mask) else image
    gray = window(positive, *_gray_range(positive, mask))
    if settings.clahe:
        gray = clahe(gray, clip_limit=settings.clip_limit, tiles=(settings.tiles, settings.tiles))
    if settings.mask:
        gray = apply_mask(gray, mask, fill=_BLACK)
    reason = ""
    try:
        matrix = alignment_matrix(mask, size) if settings.align else None
    except AlignmentError as error:
        matrix, reason = None, f"the hand could not be turned upright: {error}"
    if matrix is None:
        prepared, box = letterbox(gray, size, fill=_BLACK)
        matrix = box.matrix()
    else:
        prepared = warp(gray, matrix, size, fill=_BLACK)
    return Prepared(coarsen(prepared, settings.detail), matrix, "warning" if reason else "ok", reason)


def coarsen(image: np.ndarray, detail: float) -> np.ndarray:
    """The image as a smaller one would show it.

    Args:
        image: uint8 (height, width).
        detail: Share of height and width whose detail is kept, above 0 to 1; 1 changes nothing.
    """
    height, width = image.shape
    small = resize(image, (max(round(height * detail), 1), max(round(width * detail), 1)))
    return resize(small, (height, width))


def _gray_range(image: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """From the darkest to the lightest of the hand, a half percent left off at each end."""
    low, high = np.percentile(image[mask] if mask.any() else image, (0.5, 99.5))
    return float(low), float(max(high, low + 1))


def setup_prepare(config: dict[str, Any]) -> Prepare:
    """The settings of `prepare` from a plain dict."""
    return Prepare(**config)


def apply_prepare(case: Case, settings: Prepare) -> Case:
    """Prepares one case; where no hand was found there is no input."""
    if case["status"] == "refused":
        return {"input": None, "prepare_status": "refused", "prepare_reason": case["reason"]}
    prepared = prepare_image(decode(case["image"]), decode_mask(case["mask"]), settings)
    return {
        "input": encode_png(prepared.image),
        "prepare_status": prepared.status,
        "prepare_reason": prepared.reason,
    }
