"""The segmentation's recipe in the one training loop: it learns, and what it exports finds hands."""

from dataclasses import replace

import numpy as np
import pytest

from boneage_imaging.phantom import draw_case
from boneage_segmentation import (
    SegmentationRecipe,
    Segmenter,
    choose_threshold,
    export,
    initial_weights,
    jaccard,
    predict_probabilities,
)
from boneage_sparkrun import ListFeed, fit

RECIPE = SegmentationRecipe(size=(64, 64), base=8, depth=3, epochs=14)


def draw_rows(seed, count):
    phantoms = [draw_case(seed, index, size=(160, 128)) for index in range(count)]
    return [{"case_id": f"{seed}-{i}", "image": p.image, "outline": p.mask} for i, p in enumerate(phantoms)]


@pytest.fixture(scope="module")
def rows():
    return draw_rows(1, 32)


@pytest.fixture(scope="module")
def fitted(rows):
    return fit(RECIPE, ListFeed(rows, RECIPE.batch_size, RECIPE.seed), validation=draw_rows(2, 6), threads=1)


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "model"
    threshold = choose_threshold(*predict_probabilities(fitted.model, RECIPE, draw_rows(2, 6)))
    export(fitted.model, RECIPE, folder, threshold=threshold, summary={"epochs": len(fitted.history)})
    return folder


def test_it_gets_better(fitted):
    assert fitted.history[-1]["val_jaccard"] > fitted.history[0]["val_jaccard"] + 0.1
    assert fitted.history[fitted.best_epoch - 1]["val_jaccard"] == max(
        entry["val_jaccard"] for entry in fitted.history
    )


def test_the_exported_model_finds_hands_it_has_not_seen(folder):
    segmenter = Segmenter.load(folder, threads=1)
    unseen = draw_rows(3, 16)
    scores = [jaccard(segmenter.mask(row["image"]), row["outline"]) for row in unseen]
    assert np.mean(scores) >= 0.7


def test_training_goes_on_from_the_exported_weights(folder, fitted, rows):
    recipe = replace(RECIPE, epochs=1, learning_rate=1e-4, averaging=0.0)
    feed = ListFeed(rows[:8], recipe.batch_size, recipe.seed)
    again = fit(recipe, feed, validation=draw_rows(2, 6), initial=initial_weights(folder, recipe), threads=1)
    best = max(entry["val_jaccard"] for entry in fitted.history)
    assert again.history[0]["val_jaccard"] > best - 0.1
