"""What the segmentation's benchmarks share: outlined thumbnails, phantoms, training, scores."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from boneage_imaging import binarize, fill_holes, hand_component
from boneage_imaging.geometry import resize
from boneage_imaging.phantom import draw_case
from boneage_segmentation import (
    SegmentationRecipe,
    choose_threshold,
    jaccard,
    predict_probabilities,
    read_outline,
)
from boneage_sparkrun import FitResult, ListFeed, fit

LONG_SIDE = 256
Row = dict[str, Any]


def is_in(part: str, case_id: str) -> bool:
    """One case in five, by the hash of its id: the test part ("") or the inner part ("inner")."""
    return int(hashlib.sha256(f"{part}{case_id}".encode()).hexdigest(), 16) % 5 == 0


def read_outlined(data: Path) -> list[Row]:
    """The outlined thumbnails of `thumbs100.npz` and `polygons/`, unsquashed, with their outlines."""
    with np.load(data / "thumbs100.npz") as archive:
        images, places = archive["image"], {str(number): i for i, number in enumerate(archive["id"])}
    rows = []
    for path in sorted((data / "polygons").glob("*.json")):
        content = path.read_bytes()
        own = json.loads(content)["size"]
        scale = LONG_SIDE / max(own.values())
        size = (round(own["height"] * scale), round(own["width"] * scale))
        rows.append(
            {
                "case_id": path.stem,
                "image": resize(images[places[path.stem]], size),
                "outline": read_outline(content, path.name, size),
            }
        )
    return rows


def draw_phantoms(count: int, seed: int) -> list[Row]:
    """Phantoms as rows; about as many pixels as the outlined thumbnails have."""
    drawn = [draw_case(seed, index, size=(LONG_SIDE, 208)) for index in range(count)]
    return [
        {"case_id": f"phantom-{seed}-{index}", "image": phantom.image, "outline": phantom.mask}
        for index, phantom in enumerate(drawn)
    ]


def train(recipe: SegmentationRecipe, rows: list[Row], inner: list[Row]) -> tuple[FitResult, float]:
    """Trains, and chooses the threshold on the inner rows, as the pipeline does."""

    def tell(event: dict[str, Any]) -> None:
        if event["kind"] == "epoch":
            figures = " ".join(f"{name} {value:.4f}" for name, value in event["metrics"].items())
            print(
                f"epoch {event['epoch']} of {event['epochs']}: loss {event['loss']:.4f} {figures}", flush=True
            )

    result = fit(
        recipe, ListFeed(rows, recipe.batch_size, recipe.seed), validation=inner, progress=tell, threads=1
    )
    return result, choose_threshold(*predict_probabilities(result.model, recipe, inner))


def score(model: Any, recipe: SegmentationRecipe, rows: list[Row], threshold: float) -> np.ndarray:
    """Jaccard index of each row's cleaned mask, at the row's own size."""
    probabilities, masks = predict_probabilities(model, recipe, rows)
    found = [fill_holes(hand_component(binarize(probability, threshold))) for probability in probabilities]
    return np.array([jaccard(mask, truth) for mask, truth in zip(found, masks, strict=True)])


def print_row(name: str, scores: np.ndarray) -> None:
    """One line of the table: cases, mean, median, least."""
    print(f"{name:32s} {len(scores):5d} {scores.mean():8.4f} {np.median(scores):8.4f} {scores.min():8.4f}")


def print_head() -> None:
    """The table's head."""
    print(f"{'Jaccard index':32s} {'cases':>5s} {'mean':>8s} {'median':>8s} {'least':>8s}")
