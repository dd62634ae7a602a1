"""Turns a skeleton and a skin into a radiograph: places them, adds up their shadows, exposes the film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging.scene import Scene
from boneage_imaging.skeleton import Bone

__all__ = ["Layout", "expose", "lay_out", "place_marker", "shade"]

Points = NDArray[np.float64]
Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Pictures are drawn so large that a knuckle lies at least so many pixels from the wrist, then made smaller.
FEWEST_PIXELS = 100.0
FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel
FOREARM_SHOWN = 0.35
USUAL_DENSITY = 0.42


@dataclass(frozen=True)
class Layout:
    """Where the hand lies in the picture.

    Attributes:
        size: (height, width) of the picture.
        zoom: how many times larger the drawing is than the picture.
        matrix: 2 x 2, hand units to pixels of the picture.
        origin: (y, x) of the wrist in pixels of the picture.
        unit: pixels of the picture per hand unit.
        field: (height, width) bool in the drawing: what the collimator lets through.
        body: (height, width) bool in the drawing: the hand and forearm within the field.
    """

    size: tuple[int, int]
    zoom: int
    matrix: Points
    origin: Points
    unit: float
    field: NDArray[np.bool_]
    body: NDArray[np.bool_]

    def to_pixel(self, point: Points) -> tuple[float, float]:
        """A hand point as (y, x) in pixels of the picture."""
        y, x = self.matrix @ point + self.origin
        return float(y), float(x)

    def mask(self) -> NDArray[np.bool_]:
        """The body at the picture's size: one piece without holes."""
        if self.zoom == 1:
            return self.body
        share = _shrink(self.body.astype(np.uint8) * 255, self.size)
        return _one_piece((share >= 128).astype(np.uint8))


def lay_out(scene: Scene, size: tuple[int, int], skin: tuple[list[Points], Points, Points]) -> Layout:
    """Place the hand: as large as asked or as large as fits, somewhere within the margins."""
    # A right hand is drawn as the left hand in the mirror, then flipped.
    side = 1.0 if scene.left else -1.0
    angle = np.deg2rad(side * scene.rotation_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    outlines, centres, radii = skin
    held = np.append(centres, [[FOREARM_SHOWN, 0.0]], axis=0) @ turn.T
    reach = np.append(radii, radii[-1])[:, None]
    least, most = (held - reach).min(axis=0), (held + reach).max(axis=0)
    border = (scene.margin + 0.01) * np.array(size)
    room = np.array(size) - 2 * border
    unit = min(scene.scale * size[0], float((room / (most - least)).min()))
    slack = room - unit * (most - least)
    shift = np.array([scene.shift_y, scene.shift_x if scene.left else 1.0 - scene.shift_x])
    origin = border + shift * slack - unit * least - 0.5
    zoom = max(1, int(np.ceil(FEWEST_PIXELS / unit)))
    canvas = (size[0] * zoom, size[1] * zoom)
    placed = Layout(size, zoom, unit * turn, origin, unit, *_blank(canvas))
    field = _field(scene, canvas, side)
    return Layout(
        size, zoom, unit * turn, origin, unit, field, _body(placed, outlines, centres, radii, field)
    )


def _blank(canvas: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return np.ones(canvas, bool), np.zeros(canvas, bool)


def _corners(layout: Layout, outlines: list[Points]) -> list[NDArray[np.int32]]:
    """Hand points as OpenCV wants them: (x, y) of the drawing in fractions of a pixel."""
    pixels = (np.concatenate(outlines) @ layout.matrix.T + layout.origin + 0.5) * layout.zoom - 0.5
    fractions = np.clip(np.rint(pixels[:, ::-1] * 2**FRACTION_BITS), -(2**24), 2**24).astype(np.int32)
    ends = np.cumsum([len(outline) for outline in outlines]).tolist()
    return [fractions[end - len(outline) : end] for outline, end in zip(outlines, ends, strict=True)]


def _field(scene: Scene, canvas: tuple[int, int], side: float) -> NDArray[np.bool_]:
    if scene.collimator == "none":
        return np.ones(canvas, bool)
    size = np.array(canvas)
    half, middle = (0.5 - scene.margin) * size, 0.5 * (size - 1)
    angle = np.deg2rad(side * scene.tilt_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * half @ turn.T + middle
    drawn = np.zeros(canvas, np.uint8)
    cv2.fillPoly(drawn, [np.rint(corners[:, ::-1]).astype(np.int32)], 1)
    return drawn > 0


def _body(
    layout: Layout, outlines: list[Points], centres: Points, radii: Points, field: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    drawn = np.zeros(field.shape, np.uint8)
    for corners in _corners(layout, outlines):
        cv2.fillPoly(drawn, [corners], 255, cv2.LINE_AA, FRACTION_BITS)
    scale = layout.unit * layout.zoom * 2**FRACTION_BITS
    for (x, y), radius in zip(_corners(layout, [centres])[0].tolist(), radii, strict=True):
        cv2.circle(drawn, (x, y), round(radius * scale), 255, -1, cv2.LINE_AA, FRACTION_BITS)
    # Skin has no corners: webs and wrist are rounded.
    smooth = cv2.GaussianBlur(
        drawn, (0, 0), 0.022 * layout.unit * layout.zoom, borderType=cv2.BORDER_REPLICATE
    )
    return _one_piece(((smooth >= 120) & field).astype(np.uint8))


def _one_piece(mask: Gray) -> NDArray[np.bool_]:
    """The largest region, its holes filled."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    return filled > 0


def shade(layout: Layout, bones: list[Bone], contrast: float) -> Floats:
    """Add up the shadows of soft tissue and bones.

    Returns:
        (height, width) float32 of the drawing: how much is in the rays' way, about 0..1.
    """
    pixels = layout.unit * layout.zoom
    layers = np.zeros((2, *layout.body.shape), np.uint8)
    lines = iter(_corners(layout, [line for bone in bones for line in (bone.outline, *bone.cortex)]))
    thick, thin = max(1, round(0.016 * pixels)), max(1, round(0.009 * pixels))
    for bone in bones:
        outline, cortex = next(lines), [next(lines) for _ in bone.cortex]
        drawn, level = layers[bone.layer], round(255 * bone.density)
        rim = round(255 * (bone.density + bone.rim))
        if level:
            cv2.fillPoly(drawn, [outline], level, cv2.LINE_AA, FRACTION_BITS)
        if cortex:
            middles = [line[1:-1] for line in cortex]
            cv2.polylines(drawn, cortex, False, rim, thick, cv2.LINE_AA, FRACTION_BITS)
            cv2.polylines(drawn, middles, False, round(1.15 * rim), thick, cv2.LINE_AA, FRACTION_BITS)
        cv2.polylines(drawn, [outline], True, rim, thin, cv2.LINE_AA, FRACTION_BITS)
    shadows = cv2.add(layers[0], layers[1]) * (layout.body * np.float32(contrast / 255))
    return np.asarray(_flesh(layout, pixels) + shadows)


def _flesh(layout: Layout, pixels: float) -> Floats:
    """How thick the soft tissue is: it rises quickly at the skin, slowly further in. By a table, too."""
    depth = cv2.distanceTransform(layout.body.astype(np.uint8), cv2.DIST_L2, 3)
    distances = np.arange(1024) * (1.0 / 512)
    thickness = 0.19 * (1.0 - np.exp(-distances / 0.03)) + 0.16 * (1.0 - np.exp(-distances / 0.25))
    steps = np.minimum(depth * np.float32(512 / pixels), 1023).astype(np.int16)
    return np.take(thickness.astype(np.float32), steps)


def expose(density: Floats, layout: Layout, scene: Scene, rng: np.random.Generator) -> Gray:
    """Expose the film: (height, width) uint8 at the picture's size.

    As with automatic exposure, the hand's mean density is always the same before gain and gamma: a mature
    hand holds more bone, and must not be told by its brightness.
    """
    blur = 0.01 * scene.softness * layout.unit * layout.zoom
    soft = cv2.GaussianBlur(density, (0, 0), blur) if blur > 0.2 else density
    uneven = _light(scene, layout.size, rng)
    lit = np.asarray(_shrink(soft, layout.size) * np.maximum(1.0 + uneven, 0.25), np.float32)
    mean = cv2.mean(lit, _shrink(layout.body.astype(np.uint8) * 255, layout.size))[0] or 1.0
    gray = _develop(np.asarray(lit * np.float32(USUAL_DENSITY / mean)), scene)
    gray += np.float32(0.3 * scene.background) * uneven
    gray += np.float32(scene.noise) * rng.standard_normal(layout.size, dtype=np.float32)
    if scene.collimator != "none":
        field = _shrink(layout.field.astype(np.float32), layout.size)
        gray = np.asarray(field * gray + (1.0 - field) * (2.0 if scene.collimator == "dark" else 245.0))
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _light(scene: Scene, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """How much brighter than usual each place is lit, as a share."""
    slope = np.linspace(-scene.slope, scene.slope, size[0], dtype=np.float32)[:, None]
    coarse = np.float32(scene.unevenness) * rng.standard_normal((8, 7), dtype=np.float32)
    return np.asarray(slope + cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))


def _develop(density: Floats, scene: Scene) -> Floats:
    """Densities to gray levels, by a table: powers differ from machine to machine."""
    white = scene.gain * (255.0 - scene.background)
    table = scene.background + white * (np.arange(4096) / 1000) ** scene.gamma
    return np.take(table.astype(np.float32), np.minimum(density * np.float32(1000), 4095).astype(np.int16))


def _shrink(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if image.shape == size:
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def place_marker(image: Gray, mask: NDArray[np.bool_], letter: str, scene: Scene) -> Gray:
    """Lay a lead letter, and a tag under it, where the hand is not; nothing where there is no room."""
    plate = _plate(letter, scene.tag, image.shape[0])
    height, width = plate.shape
    pad = round((scene.margin + 0.02) * image.shape[0])
    bottom, right = image.shape[0] - height - pad, image.shape[1] - width - pad
    sides = (right, pad) if letter == "R" else (pad, right)
    for top in (bottom - pad, image.shape[0] // 2, pad):
        for left in sides:
            if not (pad <= top <= bottom and pad <= left <= right):
                continue
            spot = slice(top, top + height), slice(left, left + width)
            if not mask[spot].any():
                marked = image.copy()
                marked[spot] = np.maximum(marked[spot], plate)
                return marked
    return image


def _plate(letter: str, tag: str, height: int) -> Gray:
    size = height / 512
    shape = (round((74 if tag else 50) * size), round((52 if tag else 44) * size))
    plate = np.full(shape, 34, np.uint8)
    for text, base, scale, thick in ((letter, 40, 1.3, 5), (tag, 65, 0.58, 2)):
        line = max(1, round(thick * size))
        (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale * size, line)
        where = ((shape[1] - wide) // 2, round(base * size))
        cv2.putText(plate, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale * size, 250, line, cv2.LINE_AA)
    return plate
