"""The bones and the skin of a drawn hand: a left hand seen from its back, fingers up, thumb to the right.

Points are (y, x) in *hand units*: the wrist is at (0, 0), the knuckle of the middle finger at (-1, 0).
Neither the joints nor the skin depend on age, so that the hand's size and outline tell nothing about it; the
bones inside do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boneage_imaging.anatomy import (
    CARPAL_CENTRES,
    CARPAL_OUTLINES,
    DIRECTIONS_DEG,
    DISC,
    END_HALF_WIDTHS,
    FINGER_SHARES,
    FINGERS,
    FOREARM_WIDTHS,
    HEAD,
    KNUCKLES,
    LENGTHS,
    METACARPAL_BASES,
    SHAFT_DISTANCES,
    SHAFT_PLACES,
    SHAFT_WIDTHS,
    SKIN_RADII,
    UPPER_LAYER,
    WEDGE,
)
from boneage_imaging.maturity import CARPALS, GROWING_BONES, Growth, carpal_growth, plate_growth

__all__ = ["Bone", "Individual", "Posture", "bones", "joints", "skin"]

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Posture:
    """How the hand is held: finger spread (1 = as people hold it), wrist bend and thumb angle in degrees."""

    spread: float = 1.0
    bend_deg: float = 0.0
    thumb_deg: float = 0.0
    plumpness: float = 1.0


@dataclass(frozen=True)
class Individual:
    """What makes one hand differ from the textbook's; all zeros is the textbook's.

    Attributes:
        turns_deg: extra direction of each finger's three bones, (5, 3).
        lengths: relative change of each finger's length, (5,).
        stoutness: relative change of the bones' width.
        tempo: months by which carpals, fingers and forearm are ahead, (3,).
        carpals: shift of each carpal bone, (8, 2).
        densities: relative change of the density of fingers, metacarpals, carpals and forearm, (4,).
    """

    turns_deg: Points
    lengths: Points
    stoutness: float
    tempo: Points
    carpals: Points
    densities: Points

    @classmethod
    def sample(cls, rng: np.random.Generator, variation: float = 1.0) -> Individual:
        """Draw a hand; `variation` 0 gives the textbook's, 1 ordinary differences."""
        turns = rng.normal(0.0, 2.0, (5, 1)) + rng.normal(0.0, 1.5, (5, 3))
        lengths, stoutness = rng.normal(0.0, 0.025, 5), float(rng.normal(0.0, 0.05))
        tempo, carpals = np.clip(rng.normal(0.0, 2.5, 3), -5, 5), rng.normal(0.0, 0.006, (8, 2))
        densities = np.clip(rng.normal(0.0, 0.12, 4), -0.3, 0.3)
        return cls(
            turns_deg=variation * turns,
            lengths=variation * lengths,
            stoutness=variation * stoutness,
            tempo=variation * tempo,
            carpals=variation * carpals,
            densities=variation * densities,
        )


@dataclass(frozen=True)
class Bone:
    """One shadow to draw.

    Attributes:
        name: the bone's name, and which part of it.
        outline: closed outline, (n, 2).
        density: how dense it is inside, 0..1.
        rim: how much denser its edge is.
        cortex: lines of thick compact bone along a shaft, each (n, 2).
        layer: shadows of different layers add up; within a layer the later one covers.
    """

    name: str
    outline: Points
    density: float
    rim: float
    cortex: tuple[Points, ...] = ()
    layer: int = 0


def direction(angle_deg: float | Points) -> Points:
    """The unit vector (y, x) that points up, turned towards the thumb by an angle."""
    angle = np.deg2rad(angle_deg)
    return np.stack([-np.cos(angle), np.sin(angle)], axis=-1)


def joints(posture: Posture, individual: Individual) -> dict[str, Points]:
    """The 21 hand keypoints by their COCO names, in hand units."""
    angles = DIRECTIONS_DEG + individual.turns_deg
    angles[1:] += (posture.spread - 1.0) * (DIRECTIONS_DEG[1:, :1] + 4.0)
    angles[0] += posture.thumb_deg
    steps = direction(angles) * (LENGTHS * (1.0 + individual.lengths[:, None]))[..., None]
    chains = np.concatenate([KNUCKLES[:, None], KNUCKLES[:, None] + np.cumsum(steps, axis=1)], axis=1)
    found = {"wrist": np.zeros(2)}
    for finger, chain in zip(FINGERS, chains, strict=True):
        found.update({f"{finger}{place + 1}": point for place, point in enumerate(chain)})
    return found


def bones(
    joint: dict[str, Points], posture: Posture, individual: Individual, boys_months: float
) -> list[Bone]:
    """All bones that show at a maturity, in the order in which they are drawn."""
    carpal_months, finger_months, forearm_months = boys_months + individual.tempo
    fingers, metacarpals, carpals, forearm = 1.0 + individual.densities
    found = _forearm(posture, individual, forearm_months, 0.34 * forearm)
    for finger in FINGERS:
        for row, start, end in _rows(finger, joint):
            growth = plate_growth(GROWING_BONES[f"{finger}_{row}"], finger_months)
            half_width = END_HALF_WIDTHS[row] * FINGER_SHARES[finger] * (1.0 + individual.stoutness)
            density = 0.26 * metacarpals if row == "metacarpal" else 0.22 * fingers
            found += _finger_bone(f"{finger}_{row}", row, start, end, half_width, growth, density)
    found += _carpals(individual, carpal_months, 0.26 * carpals)
    return found + _sesamoid(joint, finger_months)


def _rows(finger: str, joint: dict[str, Points]) -> list[tuple[str, Points, Points]]:
    """A finger's bones: row, growing end, other end."""
    chain = [joint[f"{finger}{place}"] for place in (1, 2, 3, 4)]
    if finger == "thumb":
        return list(zip(("metacarpal", "proximal", "distal"), chain[:-1], chain[1:], strict=True))
    metacarpal = ("metacarpal", chain[0], np.array(METACARPAL_BASES[finger]))
    return [metacarpal, *zip(("proximal", "middle", "distal"), chain[:-1], chain[1:], strict=True)]


def _finger_bone(
    name: str, row: str, start: Points, end: Points, half_width: float, growth: Growth, density: float
) -> list[Bone]:
    has_head = row == "metacarpal" and not name.startswith("thumb")
    thickness = half_width * (1.15 if has_head else 0.68)
    space = 0.012 + 0.014 * growth.gap
    far_space = 0.0 if row == "distal" else 0.01 + 0.018 * growth.gap
    length = float(np.hypot(*(end - start)))
    axis = (end - start) / length
    places = SHAFT_PLACES * (length - far_space - _plate(space, thickness, growth, 0.05))
    outline = (places, half_width * SHAFT_WIDTHS[row])
    return _long_bone(
        name, start, axis, outline, HEAD if has_head else DISC, (space, thickness, 0.05), growth, density
    )


def _forearm(posture: Posture, individual: Individual, months: float, density: float) -> list[Bone]:
    down = -direction(-posture.bend_deg)
    across = np.array([-down[1], down[0]])
    found: list[Bone] = []
    for name, centre, half_width, thickness, shape in (
        ("radius", (0.0, 0.105), 0.155, 0.095, WEDGE),
        ("ulna", (0.035, -0.155), 0.078, 0.06, DISC),
    ):
        growth = plate_growth(GROWING_BONES[name], months)
        start = centre[0] * down + centre[1] * across
        widths = half_width * (1.0 + individual.stoutness) * FOREARM_WIDTHS[name]
        outline, measures = (SHAFT_DISTANCES, widths), (0.0, thickness, 0.075)
        found += _long_bone(name, start, down, outline, shape, measures, growth, density)
    return found


def _plate(space: float, thickness: float, growth: Growth, widest: float) -> float:
    """How far from the joint the shaft begins."""
    return space + thickness + widest * growth.gap


def _long_bone(
    name: str,
    start: Points,
    axis: Points,
    outline: tuple[Points, Points],
    shape: Points,
    measures: tuple[float, float, float],
    growth: Growth,
    density: float,
) -> list[Bone]:
    """A shaft and its epiphysis, or both as one bone with the scar between them."""
    across = np.array([-axis[1], axis[0]])

    def place(along: Points, sideways: Points) -> Points:
        return start + along[:, None] * axis + sideways[:, None] * across

    space, thickness, widest = measures
    begin = _plate(space, thickness, growth, widest)
    along, widths = outline
    rows, sides = np.concatenate([along, along[::-1]]) + begin, np.concatenate([widths, -widths[::-1]])
    shaft = place(rows, sides)
    thick = slice(2, -2)
    cortex = tuple(place(along[thick] + begin, side * widths[thick]) for side in (0.86, -0.86))
    if growth.epiphysis == 0:
        return [Bone(f"{name}_shaft", shaft, density, 0.3 * density, cortex)]
    half_width, depth = widths[1] * growth.epiphysis, thickness * (0.35 + 0.65 * growth.epiphysis)
    top = space + 0.6 * (thickness - depth)
    cap = place(top + shape[:, 0] * depth, shape[:, 1] * half_width)
    if growth.is_open:
        return [
            Bone(f"{name}_shaft", shaft, density, 0.3 * density, cortex),
            Bone(f"{name}_epiphysis", _rounded(cap), density, 0.3 * density),
        ]
    joint_side = np.roll(cap, 1, axis=0)[: len(cap) - 2]
    whole = Bone(f"{name}_shaft", np.concatenate([joint_side, shaft]), density, 0.3 * density, cortex)
    edge = place(np.full(2, begin), np.array([-0.9, 0.9]) * widths[1])
    return [whole, Bone(f"{name}_scar", edge, 0.0, 0.35 * growth.scar * density, layer=1)]


def _carpals(individual: Individual, months: float, density: float) -> list[Bone]:
    found = []
    for bone, shift in zip(CARPALS, individual.carpals, strict=True):
        size = carpal_growth(bone, months)
        if size > 0:
            adult = np.array(CARPAL_OUTLINES[bone.name])
            radii = np.hypot(adult[:, :1], adult[:, 1:])
            round_one = adult / radii * radii.mean()
            outline = size * (size * adult + (1.0 - size) * round_one)
            points = _rounded(np.array(CARPAL_CENTRES[bone.name]) + shift + outline)
            found.append(Bone(bone.name, points, density, 0.4 * density, layer=int(bone.name in UPPER_LAYER)))
    return found


def _sesamoid(joint: dict[str, Points], months: float) -> list[Bone]:
    """The small bone beside the thumb's knuckle, a landmark of puberty."""
    size = float(np.interp(months, [150.0, 151.0, 190.0], [0.0, 0.4, 1.0]))
    if size == 0:
        return []
    around = direction(np.arange(0.0, 360.0, 45.0))
    return [Bone("sesamoid", joint["thumb2"] + (0.02, -0.075) + 0.028 * size * around, 0.22, 0.1, layer=1)]


def _rounded(points: Points) -> Points:
    """Cut a closed outline's corners (Chaikin)."""
    following = np.roll(points, -1, axis=0)
    return np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1).reshape(
        -1, 2
    )


def skin(joint: dict[str, Points], posture: Posture) -> tuple[list[Points], Points, Points]:
    """The soft tissue: outlines to fill, and discs (centres and radii) to fill as well."""
    chains = np.array([[joint[f"{finger}{place}"] for place in (1, 2, 3, 4)] for finger in FINGERS])
    chains[:, 3] -= 0.16 * (chains[:, 3] - chains[:, 2])
    radii = SKIN_RADII * posture.plumpness
    steps = np.diff(chains, axis=1)
    across = np.stack([-steps[..., 1], steps[..., 0]], axis=-1) / np.hypot(steps[..., :1], steps[..., 1:])
    near, far = across * radii[:, :3, None], across * radii[:, 1:, None]
    limbs = np.stack(
        [chains[:, :3] + near, chains[:, 1:] + far, chains[:, 1:] - far, chains[:, :3] - near], axis=2
    )
    down = -direction(-posture.bend_deg)
    outlines = [*limbs.reshape(-1, 4, 2), _palm(chains, posture.plumpness), _sleeve(down, posture.plumpness)]
    centres = np.concatenate([chains.reshape(-1, 2), np.zeros((1, 2))])
    return outlines, centres, np.append(radii.ravel(), 0.27 * posture.plumpness)


def _palm(chains: Points, plumpness: float) -> Points:
    knuckles, next_joints = chains[1:, 0], chains[1:, 1]
    webs = 0.5 * (knuckles[:-1] + knuckles[1:]) + 0.36 * (
        0.5 * (next_joints[:-1] + next_joints[1:]) - knuckles[:-1]
    )
    thumb, heel = chains[0], 0.27 * plumpness
    return np.array(
        [
            (0.0, -heel),
            (-0.2, -0.31 * plumpness),
            (-0.5, -0.4 * plumpness),
            knuckles[3] + (0.02, -0.11 * plumpness),
            *webs[::-1],
            knuckles[0] + (-0.02, 0.12 * plumpness),
            0.5 * knuckles[0] + 0.5 * thumb[1] + (0.03, -0.04),
            thumb[1],
            thumb[0] + (0.08, 0.06),
            (0.0, heel),
        ]
    )


def _sleeve(down: Points, plumpness: float) -> Points:
    along = np.array([-0.1, 0.1, 0.35, 1.0, 1.8, 6.0])
    widths = np.array([0.27, 0.275, 0.285, 0.35, 0.4, 0.42]) * plumpness
    across = np.array([-down[1], down[0]])
    rows, sides = np.concatenate([along, along[::-1]]), np.concatenate([widths, -widths[::-1]])
    return rows[:, None] * down + sides[:, None] * across
