"""Does a short training on phantoms converge from every seed? `python benchmarks/segmentation_seeds.py [--threads 2]`.

The standard preset's U-Net at 96 x 96 pixels, 60 epochs on 120 phantoms; 40 others tell. Seeds 0 to 19, none left out;
all must reach 0.93.
"""

import argparse
import sys
from dataclasses import replace

from annotated_cases import print_head
from segmentation_cases import draw_phantoms, score

from boneage_segmentation import SegmentationRecipe
from boneage_sparkrun import ListFeed, fit

SEEDS, TRAIN, UNSEEN, LEAST = 20, 120, 40, 0.93

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=2)
given = parser.parse_args()
recipe = SegmentationRecipe(size=(96, 96), epochs=60, monitor=None)
rows, unseen = draw_phantoms(TRAIN, seed=1000), draw_phantoms(UNSEEN, seed=2000)
print_head("seed", "mean Jaccard on unseen phantoms", "least", "seconds")
short = 0
for seed in range(SEEDS):
    feed = ListFeed(rows, recipe.batch_size, seed)
    result = fit(replace(recipe, seed=seed), feed, threads=given.threads)
    scores = score(result.model, recipe, unseen, 0.5)
    short += scores.mean() < LEAST
    print(f"| {seed} | {scores.mean():.4f} | {scores.min():.4f} | {result.seconds:.0f} |", flush=True)
print(f"\n{short} under {LEAST}")
sys.exit(bool(short))
