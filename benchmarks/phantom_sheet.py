"""Draw phantoms by age, girls above boys, on one sheet: `python benchmarks/phantom_sheet.py OUT.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging.phantom import draw

AGES = (24, 48, 72, 96, 120, 144, 168, 192, 216)
PLAIN = {
    "background": 8.0,
    "gain": 0.8,
    "noise": 1.5,
    "marker": False,
    "margin": 0.01,
    "scale": 0.345,
    "shift_y": 0.3,
}


def panel(age_months: float, male: bool, seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    image = draw(age_months=age_months, male=male, seed=seed, size=size, difficulty=0.0, **PLAIN).image
    text = f"{'boy' if male else 'girl'} {age_months:.0f}"
    cv2.putText(image, text, (6, size[0] - 8), 0, size[0] / 900, 255, 1, cv2.LINE_AA)
    return image


def sheet(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.vstack([np.hstack([panel(age, male, seed, size) for age in AGES]) for male in (False, True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 250))
    options = parser.parse_args()
    options.out.write_bytes(cv2.imencode(".png", sheet(options.seed, tuple(options.size)))[1].tobytes())


if __name__ == "__main__":
    main()
