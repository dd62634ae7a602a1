"""Trains a U-Net on phantoms alone and scores it on real outlines, whatever it gives.

`python benchmarks/segmentation_phantoms_to_real.py DATA [--phantoms 240] [--epochs 20]`, DATA being a folder
with thumbs100.npz and polygons/. No outline takes part in the training, nor in choosing epoch or threshold.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from segmentation_cases import draw_phantoms, print_head, print_row, read_outlined, score, train

from boneage_segmentation import SegmentationRecipe

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", type=Path)
parser.add_argument("--phantoms", type=int, default=240)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seed", type=int, default=0)
given = parser.parse_args()

recipe = replace(SegmentationRecipe(), epochs=given.epochs, seed=given.seed)
inner, unseen = draw_phantoms(24, seed=1001), draw_phantoms(60, seed=1002)
result, threshold = train(recipe, draw_phantoms(given.phantoms, seed=1000), inner)
print(
    f"{given.phantoms} phantoms, epoch {result.best_epoch} of {recipe.epochs}, threshold {threshold:.2f}, ",
    end="",
)
print(f"{result.seconds:.0f} s")
print_head()
print_row("unseen phantoms", score(result.model, recipe, unseen, threshold))
print_row("real outlines, all", score(result.model, recipe, read_outlined(given.data), threshold))
