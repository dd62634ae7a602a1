"""A run's folder made by hand from phantoms: real shards and masks, a real network, untrained."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boneage_cli import mapping
from boneage_cli.cases import ListedCases
from boneage_cli.config import Phantoms, Prepare, RunConfig, Split
from boneage_cli.markers import mark_done
from boneage_cli.models import find_shipped_segmentation
from boneage_cli.pipeline import Run
from boneage_cli.progress import Progress
from boneage_cli.sources import Data, list_cases
from boneage_cli.workspace import Workspace
from boneage_imaging.codec import encode_png
from boneage_imaging.phantom import draw_case
from boneage_regression.calibration import calibrate
from boneage_regression.folds import in_test
from boneage_regression.training import RegressionRecipe, export
from boneage_sparkrun.engine import LocalEngine
from boneage_sparkrun.place import Place

SIZE = (128, 104)
INPUT = (32, 32)
COUNT = 24


def _test_id(start: str) -> str:
    return next(name for name in (f"{start}{n}" for n in itertools.count()) if in_test(name))


EVIL = _test_id('<b onclick="x">&amp;')
"""An id that a page must not believe."""
BLANK = _test_id("blank")
"""A picture without a hand."""
NAMELESS = _test_id("sex-unknown")
UNLABELLED = _test_id("age-unknown")


def _write_data(folder: Path) -> Data:
    """Radiographs, labels, outlines, and masks that miss the outlines by a pixel or two."""
    ids = [f"case-{index:02d}" for index in range(COUNT)] + [EVIL, NAMELESS, UNLABELLED, BLANK]
    for name in ("images", "outlines", "masks"):
        (folder / name).mkdir(parents=True)
    labels = [("id", "boneage", "male")]
    for index, case_id in enumerate(ids):
        drawn = draw_case(5, index, size=SIZE)
        mask = np.roll(drawn.mask, (index % 3, index % 2), (0, 1))
        blank = case_id == BLANK
        image = np.full(SIZE, 7, np.uint8) if blank else drawn.image
        (folder / "images" / f"{case_id}.png").write_bytes(encode_png(image))
        (folder / "masks" / f"{case_id}.png").write_bytes(encode_png(np.zeros(SIZE, bool) if blank else mask))
        if index % 2 or in_test(case_id):
            (folder / "outlines" / f"{case_id}.png").write_bytes(encode_png(drawn.mask))
        age = "" if case_id == UNLABELLED else round(drawn.age_months, 1)
        labels.append((case_id, age, "" if case_id == NAMELESS else drawn.male))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(labels)
    (folder / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    (folder / "masks" / "broken.png").write_bytes(encode_png(np.ones(SIZE, bool)))
    return Data(folder / "images", folder / "labels.csv", folder / "outlines", folder / "masks")


def _write_model(run: Run) -> None:
    """Two untrained networks as one model, with what they could have said out of fold."""
    folder = Path(run.workspace.stage("train-regression"))
    cases = [
        case
        for case in run.workspace.records(("ingest", "split"), ("part", "fold", "age_months", "kind"))
        if case["part"] == "train" and case["age_months"] is not None
    ]
    errors = {case["case_id"]: 4.0 + case["fold"] + 10 * (index % 2) for index, case in enumerate(cases)}
    folder.mkdir(parents=True)
    with (folder / "out-of-fold.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "fold", "age_months", "age_months_without_sex"))
        for case in cases:
            age = case["age_months"] + errors[case["case_id"]]
            writer.writerow((case["case_id"], case["fold"], age, age + 3))
    epochs = [
        {"epoch": e, "loss": 1 / e, "val_loss": 1.5 / e, "val_mad": 40 / e, "seconds": 1} for e in (1, 2)
    ]
    (folder / "history.json").write_text(json.dumps([{"fold": f, "history": epochs} for f in (0, 1)]))
    truth = np.array([case["age_months"] for case in cases])
    offs = np.array([errors[case["case_id"]] for case in cases])
    recipe = RegressionRecipe(size=INPUT, dense_width=4).fitted(truth)
    export(
        [recipe.build_model()],
        recipe,
        folder / "model",
        preprocessing={},
        calibration=calibrate(truth, truth + offs, truth + offs + 3),
        summary={},
    )


def _mark(run: Run, name: str, summary: dict[str, object]) -> None:
    mark_done(run.workspace.stage(name), "by hand", summary | {"seconds": 1.5})


@pytest.fixture(scope="session")
def prepared_run(tmp_path_factory) -> Run:
    """A run up to the trained models; not to be written into."""
    folder = tmp_path_factory.mktemp("by-hand")
    data = _write_data(folder / "data")
    listed = list_cases(data)
    run = Run(
        Workspace(Place(folder / "run")),
        RunConfig(
            shard_size=16,
            phantoms=Phantoms(count=COUNT),
            split=Split(folds=2),
            prepare=Prepare(height=INPUT[0], width=INPUT[1]),
        ),
        LocalEngine(workers=1),
        ListedCases(listed, 16),
        {"data": f"{data.images} <script>"},
        Progress(quiet=True),
        masks_given=True,
    )
    for name in ("ingest", "split", "segment", "prepare"):
        _mark(run, name, getattr(mapping, name)(into(run, name)))
    _write_model(run)
    _mark(run, "train-regression", {"cases": COUNT})
    Place(find_shipped_segmentation()).copy_folder(run.workspace.segmentation_model)
    _mark(run, "train-segmentation", {"trained": False})
    return run


@pytest.fixture
def new_run(prepared_run, tmp_path) -> Run:
    """A copy of that run, to be written into."""
    return copy_run(prepared_run, tmp_path)


def copy_run(run: Run, folder: Path) -> Run:
    shutil.copytree(run.workspace.folder, folder / "run")
    return replace(run, workspace=Workspace(Place(folder / "run")))


def into(run: Run, name: str) -> Run:
    """The run as a stage is given it, to write into the stage's place."""
    folder = Path(run.workspace.stage(name))
    folder.mkdir(parents=True, exist_ok=True)
    return replace(run, output=Place(folder), scratch=run.workspace.folder / "scratch")
