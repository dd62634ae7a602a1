"""A first training of the age network on squashed thumbnails: `python benchmarks/pretrain_regression.py DATA FOLDER`.

    python benchmarks/pretrain_regression.py DATA FOLDER [--config benchmarks/pretraining.toml] [--init MODEL]
    python benchmarks/finish_regression.py DATA OUT FOLDER/model

DATA holds `thumbs100.npz` (id, boneage, male, image, original_hw) and `images/`. No id in `images/` is trained on, so
that every fold of these, and the held-out part, stay unseen. One thumbnail in twenty, by the hash of its id, tells how
far the network is. FOLDER keeps the prepared hands and checkpoints: the same command goes on. `--init`: a model folder
to start from, that has not seen these ids either.
"""

import argparse
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from boneage_cli.config import RunConfig, load_config, to_dict
from boneage_cli.models import find_shipped_segmentation
from boneage_cli.stages import find_hand, prepare_image
from boneage_imaging import resize
from boneage_regression.calibration import calibrate
from boneage_regression.folds import inner_part
from boneage_regression.metrics import mad
from boneage_segmentation.inference import Segmenter

WORKERS, INNER_SHARE = 2, 0.05
_worker: dict[str, Any] = {}


def start_worker(config: RunConfig) -> None:
    cv2.setNumThreads(1)
    _worker["segmenter"] = Segmenter.load(find_shipped_segmentation(), threads=1)
    _worker["config"] = config


def prepare_thumbnail(given: tuple[np.ndarray, tuple[int, int]]) -> np.ndarray | None:
    """The hand in a squashed thumbnail, as the age network takes it; None where there is none."""
    squashed, (height, width) = given
    config: RunConfig = _worker["config"]
    scale = config.ingest.thumbnail_long_side / max(height, width)
    image = resize(squashed, (round(height * scale), round(width * scale)))
    mask, verdict = find_hand(image, _worker["segmenter"])
    return None if verdict.status == "refused" else prepare_image(image, mask, config.prepare).image


def prepare_all(data: Path, config: RunConfig, target: Path) -> None:
    own = {path.stem for path in (data / "images").glob("*.png")}
    archive = np.load(data / "thumbs100.npz")
    arrays = {name: archive[name] for name in ("id", "boneage", "male", "image", "original_hw")}
    # Two thumbnails do not know their size.
    wanted = [
        index
        for index, case_id in enumerate(arrays["id"])
        if str(case_id) not in own and arrays["original_hw"][index].all()
    ]
    given = [(arrays["image"][i], tuple(map(int, arrays["original_hw"][i]))) for i in wanted]
    with multiprocessing.get_context("spawn").Pool(WORKERS, start_worker, (config,)) as pool:
        found = pool.map(prepare_thumbnail, given, chunksize=32)
    kept = [index for index, hand in zip(wanted, found, strict=True) if hand is not None]
    print(f"{len(kept)} hands in {len(wanted)} thumbnails", flush=True)
    new = target.with_suffix(".part.npz")
    np.savez(
        new,
        hand=np.stack([hand for hand in found if hand is not None]),
        **{name: arrays[name][kept] for name in ("id", "boneage", "male")},
    )
    new.rename(target)


def read_rows(target: Path) -> list[dict[str, Any]]:
    with np.load(target) as archive:
        columns = [archive[name] for name in ("id", "hand", "boneage", "male")]
    return [
        {"case_id": str(case_id), "input": hand, "age_months": float(age), "male": bool(male)}
        for case_id, hand, age, male in zip(*columns, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("pretraining.toml"))
    parser.add_argument("--init", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    config = load_config(given.config, preset="standard")
    given.folder.mkdir(parents=True, exist_ok=True)
    hands = given.folder / f"hands-{config.prepare.height}x{config.prepare.width}.npz"
    if not hands.exists():
        prepare_all(given.data, config, hands)
    train(given, config, read_rows(hands))


def train(given: argparse.Namespace, config: RunConfig, rows: list[dict[str, Any]]) -> None:
    from boneage_regression.exporting import initial_weights
    from boneage_regression.model_folder import read_metadata
    from boneage_regression.training import export, predict_ages
    from boneage_sparkrun import Checkpoints, ListFeed, fit

    kept = inner_part([row["case_id"] for row in rows], INNER_SHARE)
    train = [row for row in rows if row["case_id"] not in kept]
    inner = [row for row in rows if row["case_id"] in kept]
    recipe = config.regression.fitted(
        [row["age_months"] for row in train], size=(config.prepare.height, config.prepare.width)
    )

    def tell(event: dict[str, Any]) -> None:
        if event["kind"] == "epoch":
            facts = {name: event.get(name) for name in ("epoch", "loss", "rows_per_second")}
            print(json.dumps(facts | event.get("metrics", {})), flush=True)

    start = {"started_from": read_metadata(given.init)["digest"]} if given.init else {}
    result = fit(
        recipe,
        ListFeed(train, recipe.batch_size, recipe.seed),
        validation=inner,
        checkpoints=Checkpoints(given.folder / "checkpoints"),
        progress=tell,
        initial=initial_weights(given.init, recipe) if given.init else None,
        threads=given.threads,
    )
    model = recipe.finished(result.model)
    truth = [row["age_months"] for row in inner]
    known = predict_ages(model, recipe, inner)
    unknown = predict_ages(model, recipe, [row | {"male": None} for row in inner])
    figures = {"inner_mad_months": mad(known, truth), "inner_mad_without_sex_months": mad(unknown, truth)}
    print(json.dumps(figures), flush=True)
    export(
        [model],
        recipe,
        given.folder / "model",
        preprocessing={"prepare": to_dict(config.prepare), "ingest": to_dict(config.ingest)},
        calibration=calibrate(truth, known, unknown),
        summary={"cases": len(train), "inner": len(inner), **start, **figures},
        licence=config.licence or None,
    )


if __name__ == "__main__":
    main()
