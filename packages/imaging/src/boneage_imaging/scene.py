"""What a drawn radiograph depends on besides age and sex: posture, place, exposure, what else is in view."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from boneage_imaging.errors import ParameterError

__all__ = ["Scene", "sample_scene"]


@dataclass(frozen=True)
class Scene:
    """All that can be set about a phantom's picture, none of which depends on age or sex.

    Attributes:
        left: True for a left hand.
        rotation_deg: how far the hand is turned counter-clockwise as seen; 0 is fingers up.
        scale: distance from the wrist to the middle finger's knuckle, as a share of the picture's height;
            made smaller where the hand would not fit.
        shift_y: where the hand lies between the topmost (0) and the lowest (1) place at which it fits.
        shift_x: the same from left to right. Values beyond 0..1 cut the hand off.
        spread: finger spread, 1 = as people hold it.
        bend_deg: wrist bend, positive = the forearm comes from the thumb's side.
        thumb_deg: how far the thumb is held out beyond the usual.
        plumpness: width of the soft tissue, 1 = usual.
        variation: how far the hand differs from the textbook's, 0 = not at all.
        background: gray level of the empty background, 0..255.
        gain: how much of the range above the background the hand uses, 0..1.
        gamma: exponent of the film's response.
        contrast: how much more than usual the bones stand out from the soft tissue, 1 = as usual.
        unevenness: standard deviation (a share) of brightness from place to place: scatter, uneven thickness.
        slope: how much brighter the lower edge of the picture is exposed than the upper one (a share).
        noise: standard deviation of the noise in gray levels.
        softness: blur, in hundredths of the distance from wrist to knuckle.
        inverted: True where bone is dark on a bright background.
        marker: True to lay a side marker (L or R) beside the hand.
        tag: letters under the side marker.
        collimator: "none", "dark" or "bright": the frame around the exposed field.
        margin: width of that frame, as a share of the picture; the hand keeps off it with or without a frame.
        tilt_deg: how far the frame is turned.
    """

    left: bool = True
    rotation_deg: float = 0.0
    scale: float = 0.3
    shift_y: float = 0.4
    shift_x: float = 0.5
    spread: float = 1.0
    bend_deg: float = 0.0
    thumb_deg: float = 0.0
    plumpness: float = 1.0
    variation: float = 1.0
    background: float = 12.0
    gain: float = 0.8
    gamma: float = 1.0
    contrast: float = 1.0
    unevenness: float = 0.0
    slope: float = 0.0
    noise: float = 2.0
    softness: float = 0.7
    inverted: bool = False
    marker: bool = True
    tag: str = ""
    collimator: str = "none"
    margin: float = 0.03
    tilt_deg: float = 0.0


LIMITS = {
    "scale": (0.02, 2.0),
    "shift_y": (-3.0, 4.0),
    "shift_x": (-3.0, 4.0),
    "spread": (0.0, 2.0),
    "bend_deg": (-30.0, 30.0),
    "thumb_deg": (-25.0, 30.0),
    "plumpness": (0.7, 1.4),
    "variation": (0.0, 2.0),
    "background": (0.0, 250.0),
    "gain": (0.0, 1.0),
    "gamma": (0.2, 4.0),
    "contrast": (0.3, 3.0),
    "unevenness": (0.0, 0.5),
    "slope": (-0.8, 0.8),
    "noise": (0.0, 100.0),
    "softness": (0.0, 10.0),
    "margin": (0.0, 0.3),
    "tilt_deg": (-10.0, 10.0),
}
COLLIMATORS = ("none", "dark", "bright")


def sample_scene(rng: np.random.Generator, difficulty: float = 1.0, **overrides: Any) -> Scene:
    """Draw a scene; what is overridden changes nothing else.

    Args:
        rng: source of chance.
        difficulty: 0 gives the plain scene of `Scene()`, 1 what a hospital's archive holds.
        **overrides: values for any of the fields of `Scene`.

    Returns:
        The scene.

    Raises:
        ParameterError: for an unknown name or a value out of its limits.

    Examples:
        >>> sample_scene(np.random.default_rng(0), difficulty=0.0) == Scene()
        True
        >>> sample_scene(np.random.default_rng(0), gamma=1.5).gamma
        1.5
    """
    if not 0.0 <= difficulty <= 1.0:
        raise ParameterError("difficulty", "a number in 0..1", difficulty)
    known = [field.name for field in fields(Scene)]
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        raise ParameterError("overrides", f"among {', '.join(known)}", ", ".join(unknown))
    scene = Scene(**{**_sample(rng, difficulty), **overrides})
    _check(scene)
    return scene


def _sample(rng: np.random.Generator, difficulty: float) -> dict[str, Any]:
    plain = Scene()

    def spread(name: str, value: float) -> float:
        usual = float(getattr(plain, name))
        return usual + difficulty * (value - usual)

    def chance(share: float) -> bool:
        return bool(rng.random() < share * difficulty)

    measures = {
        "rotation_deg": float(np.clip(rng.normal(0.0, 11.0), -35.0, 35.0)),
        "scale": rng.uniform(0.23, 0.37),
        "shift_y": rng.uniform(0.05, 0.85),
        "shift_x": rng.uniform(0.1, 0.9),
        "spread": rng.uniform(0.5, 1.3),
        "bend_deg": float(np.clip(rng.normal(0.0, 6.0), -15.0, 15.0)),
        "thumb_deg": float(np.clip(rng.normal(0.0, 8.0), -16.0, 20.0)),
        "plumpness": rng.uniform(0.9, 1.15),
        "background": rng.uniform(2.0, 25.0) if rng.random() < 0.75 else rng.uniform(25.0, 110.0),
        "gain": rng.uniform(0.4, 1.0),
        "gamma": rng.uniform(0.75, 1.3),
        "contrast": float(np.clip(rng.normal(1.0, 0.2), 0.65, 1.5)),
        "unevenness": rng.uniform(0.0, 0.25),
        "slope": float(np.clip(rng.normal(0.0, 0.1), -0.3, 0.3)),
        "noise": rng.uniform(0.8, 4.5),
        "softness": rng.uniform(0.5, 1.1),
        "margin": rng.uniform(0.01, 0.07),
        "tilt_deg": float(np.clip(rng.normal(0.0, 1.5), -4.0, 4.0)),
    }
    sampled: dict[str, Any] = {name: spread(name, float(value)) for name, value in measures.items()}
    sampled["left"] = not chance(0.1)
    sampled["inverted"] = chance(0.04)
    sampled["marker"] = bool(rng.random() < 0.85) or difficulty == 0
    letters = "".join(rng.choice(list("ABCDEFGHJKLMNOPRSTVW"), 3))
    sampled["tag"] = letters[: int(rng.integers(2, 4))] if chance(0.6) else ""
    sampled["collimator"] = str(rng.choice(["dark", "dark", "bright"])) if chance(0.25) else "none"
    return sampled


def _check(scene: Scene) -> None:
    for name, (least, most) in LIMITS.items():
        value = getattr(scene, name)
        if not least <= value <= most:
            raise ParameterError(name, f"a number in {least}..{most}", value)
    if not np.isfinite(scene.rotation_deg):
        raise ParameterError("rotation_deg", "finite", scene.rotation_deg)
    if scene.collimator not in COLLIMATORS:
        raise ParameterError("collimator", f"one of {', '.join(COLLIMATORS)}", scene.collimator)
