"""How far the bones of a drawn hand have come at a given age: what has appeared, how wide, what has fused.

Everything is told in *boys' months*: the age of the average boy whose hand looks like this one. The months
of appearance and fusion are rounded averages of the usual tables (Greulich and Pyle 1959; Gilsanz and
Ratib 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "CARPALS",
    "GROWING_BONES",
    "Carpal",
    "GrowingBone",
    "Growth",
    "carpal_growth",
    "maturity",
    "plate_growth",
]


@dataclass(frozen=True)
class Carpal:
    """A bone of the wrist: when it appears and when it has its full size, in boys' months."""

    name: str
    appears: float
    full: float


@dataclass(frozen=True)
class GrowingBone:
    """A long bone: when its epiphysis appears and when its growth plate has fused, in boys' months."""

    name: str
    appears: float
    fuses: float


@dataclass(frozen=True)
class Growth:
    """The state of one growth plate.

    Attributes:
        epiphysis: size of the epiphysis, 0 (cartilage only) to 1 (as wide as the shaft's end).
        gap: width of the plate, 1 (an infant's) to 0 (fused).
        scar: how clearly the fused plate still shows as a line, 0 to 1.
    """

    epiphysis: float
    gap: float
    scar: float

    @property
    def is_open(self) -> bool:
        """Whether there is an epiphysis with a plate that has not fused."""
        return self.epiphysis > 0 and self.gap > 0


# In the order in which they appear.
CARPALS = (
    Carpal("capitate", 3, 130),
    Carpal("hamate", 4, 135),
    Carpal("triquetrum", 29, 150),
    Carpal("lunate", 43, 150),
    Carpal("scaphoid", 65, 158),
    Carpal("trapezium", 68, 160),
    Carpal("trapezoid", 71, 160),
    Carpal("pisiform", 126, 170),
)

GROWING_BONES = {
    bone.name: bone
    for bone in (
        GrowingBone("thumb_metacarpal", 30, 196),
        GrowingBone("thumb_proximal", 30, 198),
        GrowingBone("thumb_distal", 18, 187),
        GrowingBone("forefinger_metacarpal", 20, 201),
        GrowingBone("forefinger_proximal", 18, 198),
        GrowingBone("forefinger_middle", 27, 200),
        GrowingBone("forefinger_distal", 30, 189),
        GrowingBone("middle_finger_metacarpal", 21, 202),
        GrowingBone("middle_finger_proximal", 17, 198),
        GrowingBone("middle_finger_middle", 25, 200),
        GrowingBone("middle_finger_distal", 28, 188),
        GrowingBone("ring_finger_metacarpal", 24, 202),
        GrowingBone("ring_finger_proximal", 18, 198),
        GrowingBone("ring_finger_middle", 26, 200),
        GrowingBone("ring_finger_distal", 29, 188),
        GrowingBone("pinky_finger_metacarpal", 28, 203),
        GrowingBone("pinky_finger_proximal", 22, 199),
        GrowingBone("pinky_finger_middle", 36, 200),
        GrowingBone("pinky_finger_distal", 38, 189),
        GrowingBone("radius", 14, 222),
        GrowingBone("ulna", 76, 218),
    )
}

SCAR_FADES_IN = 36.0


def maturity(age_months: float, male: bool) -> float:
    """The age of the average boy whose hand is as far as this child's.

    Girls are ahead from the start, by 10 months at two years and by two years from the age of ten.

    Args:
        age_months: bone age in months.
        male: True for a boy.

    Returns:
        Boys' months.

    Examples:
        >>> maturity(100, male=True)
        100.0
        >>> round(maturity(120, male=False))
        144
    """
    lead = 0.0 if male else 26.0 * (1.0 - float(np.exp(-age_months / 45.0)))
    return float(age_months) + lead


def carpal_growth(bone: Carpal, boys_months: float) -> float:
    """The size of a carpal bone: 0 before it appears, then 0.25 and more, 1 when full grown.

    Args:
        bone: one of `CARPALS`.
        boys_months: maturity of the hand.

    Returns:
        Share of the adult diameter.

    Examples:
        >>> carpal_growth(CARPALS[0], 2.0), carpal_growth(CARPALS[0], 200.0)
        (0.0, 1.0)
    """
    if boys_months < bone.appears:
        return 0.0
    share = min(1.0, (boys_months - bone.appears) / (bone.full - bone.appears))
    return 0.25 + 0.75 * share**0.75


def plate_growth(bone: GrowingBone, boys_months: float) -> Growth:
    """The state of a bone's growth plate.

    Args:
        bone: one of `GROWING_BONES`.
        boys_months: maturity of the hand.

    Returns:
        Its epiphysis, plate and scar.

    Examples:
        >>> radius = GROWING_BONES["radius"]
        >>> [plate_growth(radius, months).is_open for months in (6, 60, 180, 230)]
        [False, True, True, False]
    """
    capped = bone.fuses - 40.0
    share = _between(boys_months, bone.appears, capped)
    epiphysis = 0.0 if boys_months < bone.appears else 0.28 + 0.72 * share**0.7
    gap = 1.0 - 0.62 * _between(boys_months, 0.0, capped) - 0.38 * _between(boys_months, capped, bone.fuses)
    if boys_months < bone.fuses:
        return Growth(epiphysis, gap, scar=0.0)
    return Growth(epiphysis, 0.0, 1.0 - _between(boys_months, bone.fuses, bone.fuses + SCAR_FADES_IN))


def _between(value: float, start: float, end: float) -> float:
    """How far a value has come from start to end, 0..1."""
    return min(1.0, max(0.0, (value - start) / (end - start)))
