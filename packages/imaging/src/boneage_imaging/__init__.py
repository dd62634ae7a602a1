"""Image operations for hand radiographs: arrays in, arrays out.

Every public name can be imported from here; it is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boneage_imaging import augmentation as augmentation
    from boneage_imaging import codec as codec
    from boneage_imaging import contrast as contrast
    from boneage_imaging import errors as errors
    from boneage_imaging import geometry as geometry
    from boneage_imaging import masks as masks
    from boneage_imaging import phantom as phantom
    from boneage_imaging import quality as quality
    from boneage_imaging.alignment import Pose, align, alignment_matrix, is_upright, orientation
    from boneage_imaging.arrays import Array, Image, Mask, Matrix, Size
    from boneage_imaging.augmentation import Augmentation, Transform
    from boneage_imaging.codec import (
        MAX_PIXELS,
        decode,
        decode_colours,
        decode_mask,
        encode_colours,
        encode_jpeg,
        encode_png,
    )
    from boneage_imaging.contrast import clahe, invert, range_in_use, stretch, to_uint8, to_uint16, window
    from boneage_imaging.errors import AlignmentError, ArrayError, DecodeError, ImagingError, ParameterError
    from boneage_imaging.geometry import (
        Letterbox,
        apply_points,
        compose,
        fit_within,
        flip,
        invert_matrix,
        letterbox,
        resize,
        rotate,
        rotation_matrix,
        similarity_matrix,
        unletterbox,
        warp,
    )
    from boneage_imaging.masks import (
        apply_mask,
        binarize,
        contours,
        fill_holes,
        hand_component,
        hand_components,
        smooth,
    )
    from boneage_imaging.phantom import Phantom
    from boneage_imaging.phantom import draw as draw_phantom
    from boneage_imaging.phantom import draw_case as draw_phantom_case
    from boneage_imaging.polarity import is_inverted
    from boneage_imaging.quality import Verdict, assess

__all__ = [
    "MAX_PIXELS",
    "AlignmentError",
    "Array",
    "ArrayError",
    "Augmentation",
    "DecodeError",
    "Image",
    "ImagingError",
    "Letterbox",
    "Mask",
    "Matrix",
    "ParameterError",
    "Phantom",
    "Pose",
    "Size",
    "Transform",
    "Verdict",
    "align",
    "alignment_matrix",
    "apply_mask",
    "apply_points",
    "assess",
    "augmentation",
    "binarize",
    "clahe",
    "codec",
    "compose",
    "contours",
    "contrast",
    "decode",
    "decode_colours",
    "decode_mask",
    "draw_phantom",
    "draw_phantom_case",
    "encode_colours",
    "encode_jpeg",
    "encode_png",
    "errors",
    "fill_holes",
    "fit_within",
    "flip",
    "geometry",
    "hand_component",
    "hand_components",
    "invert",
    "invert_matrix",
    "is_inverted",
    "is_upright",
    "letterbox",
    "masks",
    "orientation",
    "phantom",
    "quality",
    "range_in_use",
    "resize",
    "rotate",
    "rotation_matrix",
    "similarity_matrix",
    "smooth",
    "stretch",
    "to_uint8",
    "to_uint16",
    "unletterbox",
    "warp",
    "window",
]

# Which module each name comes from; a pair where it has another name there.
_MODULES: dict[str, tuple[str, ...]] = {
    "alignment": ("Pose", "align", "alignment_matrix", "is_upright", "orientation"),
    "arrays": ("Array", "Image", "Mask", "Matrix", "Size"),
    "augmentation": ("Augmentation", "Transform"),
    "codec": (
        "MAX_PIXELS",
        "decode",
        "decode_colours",
        "decode_mask",
        "encode_colours",
        "encode_jpeg",
        "encode_png",
    ),
    "contrast": ("clahe", "invert", "range_in_use", "stretch", "to_uint8", "to_uint16", "window"),
    "errors": ("AlignmentError", "ArrayError", "DecodeError", "ImagingError", "ParameterError"),
    "geometry": (
        "Letterbox",
        "apply_points",
        "compose",
        "fit_within",
        "flip",
        "invert_matrix",
        "letterbox",
        "resize",
        "rotate",
        "rotation_matrix",
        "similarity_matrix",
        "unletterbox",
        "warp",
    ),
    "masks": (
        "apply_mask",
        "binarize",
        "contours",
        "fill_holes",
        "hand_component",
        "hand_components",
        "smooth",
    ),
    "phantom": ("Phantom",),
    "polarity": ("is_inverted",),
    "quality": ("Verdict", "assess"),
}
_RENAMED = {"draw_phantom": ("phantom", "draw"), "draw_phantom_case": ("phantom", "draw_case")}
_HOMES = {name: (module, name) for module, names in _MODULES.items() for name in names} | _RENAMED


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, attribute = _HOMES[name]
        value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
