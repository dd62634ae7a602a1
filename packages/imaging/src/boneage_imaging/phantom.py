"""Hand phantoms: drawn radiographs of a known age, sex, outline and pose.

The bones mature as a child's do (`maturity`, `skeleton`); size, place, pose and exposure (`scene`) are
independent of age, so that only the bones tell it. Made for tests, demonstrations and trials without private
data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boneage_imaging.errors import ParameterError
from boneage_imaging.maturity import CARPALS, GROWING_BONES, maturity, plate_growth
from boneage_imaging.rendering import expose, lay_out, place_marker, shade
from boneage_imaging.scene import Scene, sample_scene
from boneage_imaging.skeleton import Individual, Posture, bones, joints, skin

__all__ = ["Phantom", "draw", "draw_case"]

OLDEST_MONTHS = 228.0


@dataclass(frozen=True)
class Phantom:
    """A drawn radiograph and all that is known about it.

    Attributes:
        image: (height, width) uint8.
        mask: (height, width) bool, everything of hand, wrist and forearm in view, to the skin.
        keypoints: the 21 COCO hand keypoints, name to (y, x) in pixels of the image.
        age_months: bone age.
        male: True for a boy.
        seed: what the picture was drawn from; `draw` with the same age, sex, seed and size draws it again.
        scene: pose, exposure and the rest.
        carpals: names of the wrist bones that have appeared, in the order of their appearance.
        open_plates: names of the bones with an epiphysis that has not fused.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    keypoints: dict[str, tuple[float, float]]
    age_months: float
    male: bool
    seed: int
    scene: Scene
    carpals: tuple[str, ...]
    open_plates: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """All but the pictures, flat: for a table or a JSON file."""
        return {
            "age_months": self.age_months,
            "male": self.male,
            "seed": self.seed,
            "carpals": len(self.carpals),
            "open_plates": len(self.open_plates),
            **asdict(self.scene),
        }


def draw(
    *,
    age_months: float,
    male: bool,
    seed: int,
    size: tuple[int, int] = (512, 400),
    difficulty: float = 1.0,
    **overrides: Any,
) -> Phantom:
    """Draw the hand radiograph of a child.

    The seed decides who the child is and how the picture was taken: one seed at several ages is one child
    growing up before one camera. The same arguments draw the same picture.

    Args:
        age_months: bone age, 0..228 months.
        male: True for a boy. Girls' bones are up to two years ahead.
        seed: any integer from 0.
        size: (height, width) of the picture in pixels, each at least 32.
        difficulty: 0 (a plain, upright, textbook picture) to 1 (what a hospital's archive holds).
        **overrides: values for any of the fields of `Scene`, e.g. `rotation_deg=90.0`, `left=False`.

    Returns:
        The phantom.

    Raises:
        ParameterError: for an age, size or setting that cannot be drawn.

    Examples:
        >>> phantom = draw(age_months=120, male=True, seed=7, size=(256, 200))
        >>> phantom.image.shape, phantom.image.dtype, phantom.mask.dtype
        ((256, 200), dtype('uint8'), dtype('bool'))
        >>> phantom.carpals[:3], len(phantom.carpals)
        (('capitate', 'hamate', 'triquetrum'), 7)
    """
    _check(age_months, seed, size)
    scene_seed, child_seed, noise_seed = np.random.SeedSequence(seed).spawn(3)
    scene = sample_scene(np.random.default_rng(scene_seed), difficulty, **overrides)
    individual = Individual.sample(np.random.default_rng(child_seed), scene.variation)
    posture = Posture(scene.spread, scene.bend_deg, scene.thumb_deg, scene.plumpness)
    boys_months = maturity(age_months, male)
    joint = joints(posture, individual)

    layout = lay_out(scene, size, skin(joint, posture))
    shown = bones(joint, posture, individual, boys_months)
    image = expose(shade(layout, shown, scene.contrast), layout, scene, np.random.default_rng(noise_seed))
    mask = layout.mask()
    keypoints = {name: layout.to_pixel(point) for name, point in joint.items()}
    if not scene.left:
        image, mask = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
        keypoints = {name: (y, size[1] - 1 - x) for name, (y, x) in keypoints.items()}
    if scene.marker:
        image = place_marker(image, mask, "L" if scene.left else "R", scene)
    if scene.inverted:
        image = 255 - image

    names = {bone.name for bone in shown}
    months = boys_months + individual.tempo[1], boys_months + individual.tempo[2]
    return Phantom(
        image,
        mask,
        keypoints,
        float(age_months),
        bool(male),
        int(seed),
        scene,
        tuple(bone.name for bone in CARPALS if bone.name in names),
        tuple(
            name
            for name, bone in GROWING_BONES.items()
            if plate_growth(bone, months[name in ("radius", "ulna")]).is_open
        ),
    )


def draw_case(
    seed: int,
    index: int,
    *,
    ages: tuple[float, float] = (12.0, 216.0),
    size: tuple[int, int] = (512, 400),
    difficulty: float = 1.0,
    age_months: float | None = None,
    male: bool | None = None,
    **overrides: Any,
) -> Phantom:
    """Draw case `index` of the collection `seed`: age, sex, pose and exposure are drawn by lot.

    Args:
        seed: names the collection.
        index: names the case, from 0; cases do not depend on each other.
        ages: least and greatest age in months, drawn uniformly.
        size: (height, width) in pixels.
        difficulty: see `draw`.
        age_months: takes the place of the drawn age.
        male: takes the place of the drawn sex.
        **overrides: see `draw`.

    Returns:
        The phantom.

    Raises:
        ParameterError: for an age, size or setting that cannot be drawn.

    Examples:
        >>> cases = [draw_case(1, index, size=(128, 100)) for index in range(3)]
        >>> all(12 <= case.age_months <= 216 for case in cases)
        True
    """
    if seed < 0 or index < 0:
        raise ParameterError("seed and index", "0 or more", (seed, index))
    rng = np.random.default_rng((seed, index))
    drawn_age, drawn_male = round(float(rng.uniform(*ages)), 1), bool(rng.random() < 0.5)
    return draw(
        age_months=drawn_age if age_months is None else age_months,
        male=drawn_male if male is None else male,
        seed=int(rng.integers(2**53)),
        size=size,
        difficulty=difficulty,
        **overrides,
    )


def _check(age_months: float, seed: int, size: tuple[int, int]) -> None:
    if not 0.0 <= age_months <= OLDEST_MONTHS:
        raise ParameterError("age_months", f"a number in 0..{OLDEST_MONTHS:.0f}", age_months)
    if seed < 0:
        raise ParameterError("seed", "0 or more", seed)
    if len(size) != 2 or min(size) < 32 or max(size) > 8192:
        raise ParameterError("size", "(height, width), each 32..8192 pixels", size)
