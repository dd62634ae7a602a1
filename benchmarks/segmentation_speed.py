"""The shipped U-Net against Ronneberger's, on one core: `python benchmarks/segmentation_speed.py DATA [--model MODEL]`.

In one run, in turn: seconds an image of the shipped network's graph and of the report's U-Net (base 32, depth 4) at
256 x 256, both by ONNX Runtime with one thread; and radiographs a second of `boneage segment` on DATA/images with one
worker, against decoding plus the bare network. All of it runs on one core.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from annotated_cases import print_head

from boneage_imaging import decode
from boneage_segmentation import SegmentationRecipe, Segmenter, default_model, export
from boneage_segmentation.inference import open_session, run_graph
from boneage_segmentation.model_folder import GRAPH

ROUNDS = 5

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", type=Path)
parser.add_argument("--model", type=Path, default=default_model())
parser.add_argument("--count", type=int, help="radiographs; default: all")
given = parser.parse_args()
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def seconds_each(session: object, size: tuple[int, int], count: int = 10) -> float:
    image = np.random.default_rng(0).random((1, *size, 1), np.float32)
    run_graph(session, image)
    started = time.perf_counter()
    for _ in range(count):
        run_graph(session, image)
    return (time.perf_counter() - started) / count


def bare(paths: list[Path], segmenter: Segmenter, session: object) -> float:
    """Decoding, and the network on what the preprocessing once made."""
    image = segmenter.preprocessing.apply(decode(paths[0].read_bytes()))[0][None, ..., None]
    started = time.perf_counter()
    for path in paths:
        decode(path.read_bytes())
        run_graph(session, image)
    return time.perf_counter() - started


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    recipe = replace(SegmentationRecipe(), architecture="report", size=(256, 256), base=32, depth=4)
    export(recipe.build_model(), recipe, folder / "report", threshold=0.5, summary={})
    segmenter = Segmenter.load(given.model, threads=1)
    shipped = open_session(given.model / GRAPH, 1)
    report = open_session(folder / "report" / GRAPH, 1)
    size = segmenter.preprocessing.size
    times = [(seconds_each(shipped, size), seconds_each(report, (256, 256))) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    paths = sorted((given.data / "images").glob("*.png"))[: given.count]
    (folder / "images").mkdir()
    for path in paths:
        shutil.copy(path, folder / "images")
    call = (Path(sys.executable).with_name("boneage"), "segment", folder / "images", folder / "out")
    rates = []
    for _ in range(3):
        shutil.rmtree(folder / "out", ignore_errors=True)
        allowed = bare(paths, segmenter, shipped)
        started = time.perf_counter()
        more = ("--workers", "1", "--model", given.model)
        subprocess.run([*map(str, (*call, *more))], check=True, capture_output=True)
        rates.append(allowed / (time.perf_counter() - started))
print_head("what", "milliseconds an image", "ratio")
print(f"| shipped, {size[0]} x {size[1]} | {1000 * ours:.1f} | |")
print(
    f"| Ronneberger's shape, base 32, 256 x 256 | {1000 * theirs:.1f} | {theirs / ours:.1f} times (at least 4) |"
)
print(
    f"\n`boneage segment` on {len(paths)} radiographs reaches {statistics.median(rates):.2f} of what decoding and the"
)
print("bare network allow (at least 0.8); its start is among it.")
