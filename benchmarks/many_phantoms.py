"""Many radiographs in little time: a few drawn phantoms, each under many names."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

DISTINCT = 12


def write_many(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Writes images/ID.png and labels.csv; no outlines, so that no segmentation is trained on them.

    Args:
        folder: A new one.
        count: How many.
        size: (height, width).
    """
    boneage = Path(sys.executable).with_name("boneage")
    call = (boneage, "phantom", folder / "drawn", "--count", DISTINCT, "--size", *size)
    subprocess.run([*map(str, call)], check=True, stdout=subprocess.DEVNULL)
    with (folder / "drawn" / "labels.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    (folder / "images").mkdir()
    labels = []
    for index in range(count):
        number, *rest = rows[index % len(rows)]
        shutil.copy(folder / "drawn" / "images" / f"{number}.png", folder / "images" / f"copy{index:05d}.png")
        labels.append([f"copy{index:05d}", *rest])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *labels])
    shutil.rmtree(folder / "drawn")
