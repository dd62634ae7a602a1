"""How well two passes of the annotation agree: what a network can reach at most on these outlines.

`python benchmarks/annotation_agreement.py [--first annotations/outlines] [--second annotations/second/outlines]`
needs no radiograph.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from boneage_regression import in_test
from boneage_segmentation import jaccard, read_outline

ANNOTATIONS = Path(__file__).parent.parent / "annotations"
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--first", type=Path, default=ANNOTATIONS / "outlines")
parser.add_argument("--second", type=Path, default=ANNOTATIONS / "second" / "outlines")
given = parser.parse_args()


def read(path: Path) -> np.ndarray:
    return read_outline(path.read_bytes(), path.name)


def tell(name: str, scores: list[float]) -> None:
    values = np.array(scores)
    figures = (values.mean(), np.median(values), values.min(), values.max())
    print(f"| {name} | {len(values)} | {' | '.join(f'{figure:.4f}' for figure in figures)} |")


found = []
for path in sorted(given.second.glob("*.json"), key=lambda path: int(path.stem)):
    first = given.first / path.name
    kinds = json.loads(first.read_bytes())["kinds"]
    found.append((path.stem, in_test(path.stem), kinds, jaccard(read(first), read(path))))

print("| id | part | kinds | Jaccard of second and first pass |\n|---|---|---|---|")
for case_id, test, kinds, score in found:
    print(f"| {case_id} | {'test' if test else 'training'} | {', '.join(kinds)} | {score:.4f} |")
print("\n| part | count | mean | median | least | greatest |\n|---|---|---|---|---|---|")
tell("all", [score for *_, score in found])
tell("test", [score for _, test, _, score in found if test])
tell("training", [score for _, test, _, score in found if not test])
