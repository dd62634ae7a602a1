"""How far a training example may be changed. Plain numbers: importing this loads nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .errors import SegmentationError

__all__ = ["Variation"]


@dataclass(frozen=True)
class Variation:
    """How training radiographs are varied, so that the network knows more kinds than it has outlines of.

    Attributes:
        turn: Share of examples turned by any angle; the others by at most `angle_deg`.
        angle_deg: How far an example is turned that still stands about upright.
        scale: Enlarged or shrunk by a factor of at most 1 + this.
        shift: Moved by at most this share of the height and of the width.
        shear: Sheared and stretched by at most this.
        mirror: Whether half of the examples are mirrored.
        gamma: Brightness to a power between 1 / (1 + this) and 1 + this.
        contrast: Brightness times a factor between 1 - this and 1 + this.
        noise: Gaussian noise, its deviation at most this share of white.
        invert: Share with black and white swapped.
        sharpness: Share that is blurred, and share that is sharpened.
        flatten: Share whose range of gray is squeezed into a part of it.
        second: Share with a second hand, cut by a side of the picture, where there is room for it. It is hand, too: the
            clean-up chooses among hands. (Outlines of radiographs that show two have the main one alone.)
        ground: Share with another gray level and slope behind the hand.
        clip: Share with a black ground, as modern detectors' software makes it: what is darker than a level
            near the ground's is cut off.
        frame: Share with a collimator: outside of a turned rectangle all is of one gray, its edge maybe
            bright.
        marker: Share with lead letters, tags with writing, rings: up to three, beside the hand.
        plate: Share with a turned rectangle in which all is lighter or darker: a second exposure, a cast.
        edge: Share with a white or black strip along a side.
        crop: Share cut down to a narrower or lower radiograph.
        empty: Share that shows no hand at all, only what else a radiograph shows.
    """

    turn: float = 0.15
    angle_deg: float = 30.0
    scale: float = 0.25
    shift: float = 0.1
    shear: float = 0.05
    mirror: bool = True
    gamma: float = 0.5
    contrast: float = 0.2
    noise: float = 0.04
    invert: float = 0.1
    sharpness: float = 0.2
    flatten: float = 0.2
    second: float = 0.05
    ground: float = 0.2
    clip: float = 0.2
    frame: float = 0.15
    marker: float = 0.4
    plate: float = 0.05
    edge: float = 0.15
    crop: float = 0.5
    empty: float = 0.01

    def __post_init__(self) -> None:
        unlimited = ("angle_deg", "scale", "gamma", "noise")
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= (float("inf") if field.name in unlimited else 1):
                most = "0 or more" if field.name in unlimited else "between 0 and 1"
                raise SegmentationError(f"variation's {field.name} must be {most}; received {value}")
