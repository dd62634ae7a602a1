"""The report's setting on real radiographs: `python benchmarks/segmentation_report_setting.py DATA --folder FOLDER`.

A U-Net of Ronneberger's shape and full depth (4), base 16, input 128 x 128, from 30 outlines with augmentation; 6
others test it. Five draws of these 36 from the annotated training part (the test part is not touched). The last epoch
is taken and the threshold is one half, so that nothing is chosen by anybody. FOLDER keeps checkpoints: the same command
goes on.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from annotated_cases import print_head, read_annotated
from segmentation_cases import score

from boneage_segmentation import SegmentationRecipe
from boneage_sparkrun import Checkpoints, ListFeed, fit

DRAWS, TRAIN, TEST, LEAST = 5, 30, 6, 0.94

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", type=Path)
parser.add_argument("--folder", type=Path, required=True)
parser.add_argument("--epochs", type=int, default=500)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--draws", type=int, nargs="+", default=range(DRAWS))
given = parser.parse_args()
recipe = replace(
    SegmentationRecipe(), architecture="report", size=(128, 128), base=16, depth=4, epochs=given.epochs
)
recipe = replace(recipe, batch_size=4, learning_rate=1e-3, averaging=0.99, clip_limit=4.0, monitor=None)
rows = read_annotated(given.data, test=False)
print_head("draw", "Jaccard of each of the 6", "mean", "seconds")
means = []
for draw in given.draws:
    order = np.random.default_rng(draw).permutation(len(rows))[: TRAIN + TEST]
    train, test = ([rows[index] for index in part] for part in np.split(order, [TRAIN]))
    feed = ListFeed(train, recipe.batch_size, draw)
    checkpoints = Checkpoints(given.folder / f"draw-{draw}", every=10)
    result = fit(replace(recipe, seed=draw), feed, checkpoints=checkpoints, threads=given.threads)
    scores = score(result.model, recipe, test, 0.5)
    means.append(scores.mean())
    each = ", ".join(f"{value:.3f}" for value in scores)
    seconds = sum(entry["seconds"] for entry in result.history)
    print(f"| {draw} | {each} | {scores.mean():.4f} | {seconds:.0f} |", flush=True)
print(
    f"\nMean over the draws: {np.mean(means):.4f} (at least {LEAST}); {TRAIN} outlines to train on, {TEST} to test"
)
