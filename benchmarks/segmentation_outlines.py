"""Trains the U-Net on the real outlines' training part and scores it on their test part.

`python benchmarks/segmentation_outlines.py DATA [--phantoms 0] [--out MODEL]`, DATA being a folder with
thumbs100.npz and polygons/. Epoch and threshold are chosen on an inner part of the training part; with
`--rehearse` the test part is not touched, and the inner part is the score: for choosing settings.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from segmentation_cases import draw_phantoms, is_in, print_head, print_row, read_outlined, score, train

from boneage_segmentation import SegmentationRecipe, export

DEFAULT = SegmentationRecipe()
LICENCE = (
    "CC BY-NC 4.0: non-commercial use. Trained on radiographs of the RSNA Pediatric Bone Age Challenge 2017; "
    "cite Halabi SS et al., The RSNA Pediatric Bone Age Machine Learning Challenge, Radiology "
    "2019;290(2):498-503."
)
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", type=Path)
parser.add_argument("--phantoms", type=int, default=0)
parser.add_argument("--architecture", default=DEFAULT.architecture)
parser.add_argument("--size", type=int, default=DEFAULT.size[0])
parser.add_argument("--base", type=int, default=DEFAULT.base)
parser.add_argument("--epochs", type=int, default=DEFAULT.epochs)
parser.add_argument("--seed", type=int, default=DEFAULT.seed)
parser.add_argument("--rehearse", action="store_true")
parser.add_argument("--out", type=Path)
given = parser.parse_args()

recipe = replace(
    DEFAULT,
    architecture=given.architecture,
    size=(given.size, given.size),
    base=given.base,
    epochs=given.epochs,
    seed=given.seed,
)
rows = read_outlined(given.data)
test = [row for row in rows if is_in("", row["case_id"])]
rest = [row for row in rows if not is_in("", row["case_id"])]
inner = [row for row in rest if is_in("inner", row["case_id"])]
outer = [row for row in rest if not is_in("inner", row["case_id"])]
result, threshold = train(recipe, outer + draw_phantoms(given.phantoms, seed=1000), inner)
print(
    f"{len(outer)} outlines and {given.phantoms} phantoms, epoch {result.best_epoch} of {recipe.epochs}, ",
    end="",
)
print(f"threshold {threshold:.2f}, {result.seconds:.0f} s")
print_head()
print_row("inner part, which chose", score(result.model, recipe, inner, threshold))
figures = {}
if not given.rehearse:
    scores = score(result.model, recipe, test, threshold)
    print_row("test part", scores)
    figures = {"test": len(test), "test_jaccard": round(float(scores.mean()), 4)}
if given.out:
    summary = {
        "train": len(outer),
        "phantoms": given.phantoms,
        "inner": len(inner),
        "best_epoch": result.best_epoch,
        "train_seconds": round(result.seconds, 1),
    }
    export(result.model, recipe, given.out, threshold=threshold, summary=summary | figures, licence=LICENCE)
