"""Finds the hand in a radiograph: U-Net, training recipe, inference, metrics.

Every public name can be imported from here; it is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .annotation import begin_drawing, draw_annotation, find_outlines, read_outline
    from .drawings import Drawing, Stroke, draw_mask, read_drawing, write_drawing
    from .errors import AnnotationError, ModelError, SegmentationError
    from .exporting import export, initial_weights
    from .inference import Found, Segmenter, default_model
    from .marking import mark_keypoints, mark_outline, mark_strokes, read_keypoints
    from .metrics import dice, jaccard
    from .preprocessing import Preprocessing
    from .training import SegmentationRecipe, choose_least_sure, choose_threshold, predict_probabilities
    from .unet import build_unet
    from .variation import Variation
    from .watershed import grow_markers

__all__ = [
    "AnnotationError",
    "Drawing",
    "Found",
    "ModelError",
    "Preprocessing",
    "SegmentationError",
    "SegmentationRecipe",
    "Segmenter",
    "Stroke",
    "Variation",
    "begin_drawing",
    "build_unet",
    "choose_least_sure",
    "choose_threshold",
    "default_model",
    "dice",
    "draw_annotation",
    "draw_mask",
    "export",
    "find_outlines",
    "grow_markers",
    "initial_weights",
    "jaccard",
    "mark_keypoints",
    "mark_outline",
    "mark_strokes",
    "predict_probabilities",
    "read_drawing",
    "read_keypoints",
    "read_outline",
    "write_drawing",
]

_MODULES: dict[str, tuple[str, ...]] = {
    "annotation": ("begin_drawing", "draw_annotation", "find_outlines", "read_outline"),
    "drawings": ("Drawing", "Stroke", "draw_mask", "read_drawing", "write_drawing"),
    "errors": ("AnnotationError", "ModelError", "SegmentationError"),
    "exporting": ("export", "initial_weights"),
    "inference": ("Found", "Segmenter", "default_model"),
    "marking": ("mark_keypoints", "mark_outline", "mark_strokes", "read_keypoints"),
    "metrics": ("dice", "jaccard"),
    "preprocessing": ("Preprocessing",),
    "training": ("SegmentationRecipe", "choose_least_sure", "choose_threshold", "predict_probabilities"),
    "unet": ("build_unet",),
    "variation": ("Variation",),
    "watershed": ("grow_markers",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
