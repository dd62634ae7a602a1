"""Puts a trained model into its package, with its card.

    python benchmarks/ship_weights.py segmentation MODEL COMMIT DATA
    python benchmarks/ship_weights.py regression MODEL COMMIT

MODEL: the folder that `boneage train-segmentation` wrote by benchmarks/segmentation.toml, or
benchmarks/finish_regression.py with the shipped segmentation; COMMIT: at which its networks were trained; DATA: a
folder with images/ID.png. The figure in a card is of cases that took no part in training: for the segmentation it is
measured here, on the annotated test part; for the regression it is the one on the training part's radiographs.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from annotated_cases import read_annotated
from provenance import find_commit

from boneage_segmentation import Segmenter, jaccard

ROOT = Path(__file__).parents[1]
CARD = """# {title}

{what}

- **Not a medical device.** For research and education, non-commercial.
- Trained by `{command}`, at commit {trained_at}; {trained}.
- Reached {reached}.
- {weak}
- Terms: {licence}
- Backend: TensorFlow {tensorflow}, Keras {keras}; machine: {machine}.
- Shipped at commit {commit}. Digest: `{digest}`.
"""

MACHINES = {
    "segmentation": "2 cores (Intel Xeon, 2.8 GHz), no GPU",
    "regression": "2 cores (AMD EPYC with AVX-512), no GPU",
}


def ship(model: Path, package: str, *, more: str = "", **said: str) -> None:
    """Copies a model folder, without the weights to train on, and writes its card."""
    commit = find_commit()
    target = ROOT / "packages" / package / "src" / f"boneage_{package}" / "weights"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target, ignore=shutil.ignore_patterns("segmentation", "weights", "*.h5"))
    facts = json.loads((target / "model.json").read_text())
    versions = {name: facts["versions"][name] for name in ("tensorflow", "keras")}
    card = CARD.format(
        machine=MACHINES[package],
        licence=facts["licence"],
        digest=facts["digest"],
        commit=commit,
        **versions,
        **said,
    )
    (target / "CARD.md").write_text(card + more, encoding="utf-8")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target.relative_to(ROOT)}: {size / 1e6:.1f} MB")


def ship_segmentation(model: Path, trained_at: str, data: str) -> None:
    segmenter = Segmenter.load(model)
    rows = read_annotated(Path(data), test=True)
    scores = np.array([jaccard(segmenter.mask(row["image"]), row["outline"]) for row in rows])
    summary = segmenter.metadata["summary"]
    ship(
        model,
        "segmentation",
        title="Where the hand is",
        what="A small U-Net that marks hand, wrist and forearm in a radiograph.",
        command="boneage train-segmentation DATA/images annotations/outlines --config benchmarks/segmentation.toml "
        "--out MODEL",
        trained_at=trained_at,
        trained=f"{summary['train']} outlined radiographs, {summary['inner']} more to choose epoch and threshold",
        reached="on the held-out part (one case in five by the hash of its id), seen neither in training nor in "
        f"choosing: mean Jaccard index {scores.mean():.3f}, median {np.median(scores):.3f}, least {scores.min():.3f}, "
        f"on {len(scores)} radiographs (`python benchmarks/segmentation_stress.py DATA`, "
        "benchmarks/results/segmentation_stress.md); the outlines' own second "
        "drawing reaches 0.985 (benchmarks/results/annotation_agreement.md)",
        weak="Weak: casts, straps and splints beside the skin; a hand that is small in its picture; radiographs of "
        "other makers and bodies than those of the challenge were not seen.",
    )


CLAIM = Path(__file__).with_name("claim.md")


def ship_regression(model: Path, trained_at: str) -> None:
    facts = json.loads((model / "model.json").read_text())
    summary = facts["summary"]
    low, high = summary["mad_interval_months"]
    (height, width), count = facts["input_size"], facts["networks"]
    networks = (
        "One compact residual network" if count == 1 else f"The mean of {count} compact residual networks"
    )
    ship(
        model,
        "regression",
        title="How old the hand is",
        what=f"{networks}, with sex as a second input; it answers without the sex too, less well.",
        command="python benchmarks/pretrain_regression.py DATA FIRST`, `python benchmarks/pretrain_regression.py DATA "
        "SECOND --init FIRST/model --config benchmarks/pretraining_further.toml`, then `python "
        "benchmarks/finish_regression.py DATA MODEL SECOND/model",
        trained_at=trained_at,
        trained=f"{summary['cases']} thumbnails of 100 x 100 pixels; {summary['told']} radiographs with other ids for "
        "the intervals",
        reached=f"MAD {summary['mad_months']:.2f} months (95 % interval {low:.2f} to {high:.2f}) with the sex and "
        f"{summary['mad_without_sex_months']:.2f} without, on those {summary['told']}, none of which it was trained on "
        "(benchmarks/results/regression_figures.md, with the held-out part)",
        weak="Weak: the winner of the RSNA challenge is off by 6.8 months on labels of one reader, and a reader by 5 "
        "to 7. Few children under 24 months were seen. Reference standard: Greulich and Pyle readings of one reader.",
        more="\n"
        + CLAIM.read_text(encoding="utf-8").format(
            cases=summary["told"],
            pretrained=summary["cases"],
            height=height,
            width=width,
            networks=networks,
            parameters=facts["parameters"],
        ),
    )


KINDS = {"segmentation": ship_segmentation, "regression": ship_regression}

if __name__ == "__main__":
    KINDS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
