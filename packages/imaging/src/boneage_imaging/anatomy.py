"""The measures of an adult's hand: where its joints lie and how its bones and its skin are shaped.

Points are (y, x) in hand units, see `skeleton`.
"""

import numpy as np

__all__ = [
    "CARPAL_CENTRES",
    "CARPAL_OUTLINES",
    "DIRECTIONS_DEG",
    "DISC",
    "END_HALF_WIDTHS",
    "FINGERS",
    "FINGER_SHARES",
    "FOREARM_WIDTHS",
    "HEAD",
    "KNUCKLES",
    "LENGTHS",
    "METACARPAL_BASES",
    "SHAFT_DISTANCES",
    "SHAFT_PLACES",
    "SHAFT_WIDTHS",
    "SKIN_RADII",
    "UPPER_LAYER",
    "WEDGE",
]

FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")

# Knuckles (for the thumb: its root joint), lengths of the bones beyond, and their directions (degrees towards
# the thumb): medians of 526 hands of the RSNA Pediatric Bone Age Challenge.
KNUCKLES = np.array([(-0.289, 0.335), (-1.011, 0.243), (-1.0, 0.0), (-0.902, -0.206), (-0.781, -0.384)])
LENGTHS = np.array(
    [
        (0.434, 0.305, 0.21),
        (0.391, 0.226, 0.163),
        (0.435, 0.273, 0.18),
        (0.408, 0.264, 0.183),
        (0.313, 0.185, 0.163),
    ]
)
DIRECTIONS_DEG = np.array(
    [(31.5, 25.5, 31.7), (5.8, 3.9, 2.0), (-3.4, -5.1, -7.0), (-12.1, -10.6, -8.4), (-29.6, -24.5, -19.8)]
)
METACARPAL_BASES = {
    "forefinger": (-0.375, 0.13),
    "middle_finger": (-0.365, 0.015),
    "ring_finger": (-0.35, -0.09),
    "pinky_finger": (-0.335, -0.175),
}
# Half widths of the bones' ends by row, and each finger's share of them.
END_HALF_WIDTHS = {"metacarpal": 0.075, "proximal": 0.075, "middle": 0.064, "distal": 0.052}
FINGER_SHARES = {
    "thumb": 1.06,
    "forefinger": 1.0,
    "middle_finger": 1.03,
    "ring_finger": 0.96,
    "pinky_finger": 0.84,
}
SKIN_RADII = np.array(
    [
        (0.17, 0.135, 0.105, 0.078),
        (0.135, 0.102, 0.09, 0.072),
        (0.135, 0.104, 0.092, 0.074),
        (0.13, 0.1, 0.088, 0.07),
        (0.12, 0.088, 0.078, 0.062),
    ]
)

# Outline of a long bone's shaft: half width (of the growing end's) along it, from the growing end.
SHAFT_PLACES = np.array([0.0, 0.04, 0.12, 0.28, 0.5, 0.7, 0.85, 0.94, 0.985, 1.0])
SHAFT_WIDTHS = {
    "metacarpal": np.array([0.86, 0.94, 0.86, 0.6, 0.51, 0.58, 0.78, 0.9, 0.82, 0.6]),
    "proximal": np.array([0.94, 1.0, 0.88, 0.65, 0.56, 0.6, 0.72, 0.78, 0.66, 0.36]),
    "middle": np.array([0.94, 1.0, 0.86, 0.62, 0.53, 0.58, 0.73, 0.8, 0.68, 0.36]),
    "distal": np.array([0.94, 1.0, 0.84, 0.52, 0.36, 0.36, 0.52, 0.62, 0.5, 0.24]),
}
SHAFT_DISTANCES = np.array([0.0, 0.04, 0.14, 0.3, 0.5, 0.8, 1.2, 5.0])
FOREARM_WIDTHS = {
    "radius": np.array([1.0, 1.0, 0.9, 0.72, 0.58, 0.5, 0.47, 0.47]),
    "ulna": np.array([0.95, 1.0, 0.9, 0.78, 0.7, 0.68, 0.68, 0.7]),
}
# Epiphyses: (along from the joint to the plate, across) in shares of their thickness and half width.
DISC = np.array(
    [(0.12, -0.7), (0.0, -0.2), (0.0, 0.2), (0.12, 0.7), (0.6, 1.0), (1.0, 0.9), (1.0, -0.9), (0.6, -1.0)]
)
HEAD = np.array(
    [
        (0.3, -0.75),
        (0.05, -0.4),
        (-0.08, 0.0),
        (0.05, 0.4),
        (0.3, 0.75),
        (0.7, 1.0),
        (1.0, 0.85),
        (1.0, -0.85),
        (0.7, -1.0),
    ]
)
WEDGE = np.array(
    [
        (0.35, -0.9),
        (0.2, -0.3),
        (0.05, 0.3),
        (-0.45, 0.85),
        (-0.2, 1.02),
        (0.6, 1.02),
        (1.0, 0.95),
        (1.0, -0.92),
    ]
)

# Carpal bones: centre, and the adult outline around it.
CARPAL_CENTRES = {
    "capitate": (-0.235, 0.01),
    "hamate": (-0.23, -0.13),
    "triquetrum": (-0.12, -0.195),
    "lunate": (-0.075, -0.045),
    "scaphoid": (-0.135, 0.125),
    "trapezium": (-0.265, 0.235),
    "trapezoid": (-0.3, 0.13),
    "pisiform": (-0.125, -0.235),
}
CARPAL_OUTLINES = {
    "capitate": [
        (-0.12, -0.05),
        (-0.125, 0.045),
        (-0.05, 0.06),
        (0.03, 0.05),
        (0.085, 0.05),
        (0.11, 0.01),
        (0.09, -0.04),
        (0.02, -0.045),
        (-0.05, -0.05),
    ],
    "hamate": [
        (-0.1, -0.075),
        (-0.105, 0.045),
        (0.0, 0.06),
        (0.085, 0.055),
        (0.06, 0.0),
        (0.0, -0.06),
        (-0.05, -0.085),
    ],
    "triquetrum": [(-0.06, -0.05), (-0.05, 0.02), (0.0, 0.075), (0.05, 0.06), (0.06, -0.01), (0.02, -0.06)],
    "lunate": [
        (-0.05, -0.06),
        (-0.025, 0.0),
        (-0.05, 0.055),
        (0.01, 0.075),
        (0.055, 0.04),
        (0.06, -0.04),
        (0.01, -0.075),
    ],
    "scaphoid": [
        (-0.09, 0.045),
        (-0.055, 0.085),
        (0.0, 0.075),
        (0.075, 0.035),
        (0.085, -0.045),
        (0.03, -0.07),
        (-0.04, -0.04),
        (-0.085, 0.0),
    ],
    "trapezium": [(-0.075, -0.03), (-0.05, 0.06), (0.01, 0.08), (0.065, 0.03), (0.06, -0.045), (0.0, -0.065)],
    "trapezoid": [
        (-0.07, -0.05),
        (-0.075, 0.035),
        (-0.02, 0.055),
        (0.05, 0.04),
        (0.055, -0.03),
        (0.0, -0.055),
    ],
    "pisiform": [(-0.05, -0.02), (-0.035, 0.03), (0.01, 0.045), (0.05, 0.02), (0.04, -0.03), (0.0, -0.045)],
}
# Bones that lie over others are drawn in a layer of their own, so that the shadows add up.
UPPER_LAYER = ("pisiform", "trapezium", "scaphoid", "triquetrum")
