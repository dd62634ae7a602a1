"""Puts the two models of a run into the packages, each with its card: `benchmarks/ship_weights.py RUN`.

The figures in the cards are those of the run's own held-out part, read from its metrics.
"""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CARD = """# {title}

{what}

- **Not a medical device.** For research and education, non-commercial.
- Trained by `boneage run all --data RSNA --preset standard --config benchmarks/rsna.toml`; {trained}.
- Reached on the held-out part (one case in five by the hash of its id), seen neither in training nor
  in choosing: {reached}.
- {weak}
- Terms: {licence}
- Backend: TensorFlow {tensorflow}, Keras {keras}; 2 cores, no GPU. Digest: `{digest}`.
"""


def ship(model: Path, package: str, title: str, what: str, trained: str, reached: str, weak: str) -> None:
    target = ROOT / "packages" / package / "src" / f"boneage_{package}" / "weights"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target, ignore=shutil.ignore_patterns("segmentation", "weights", "*.h5"))
    facts = json.loads((target / "model.json").read_text())
    versions = facts["versions"]
    card = CARD.format(
        title=title,
        what=what,
        trained=trained,
        reached=reached,
        weak=weak,
        licence=facts["licence"],
        tensorflow=versions["tensorflow"],
        keras=versions["keras"],
        digest=facts["digest"],
    )
    (target / "CARD.md").write_text(card, encoding="utf-8")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target.relative_to(ROOT)}: {size / 1e6:.1f} MB")


def interval(pair: list[float]) -> str:
    return f"95 % interval {pair[0]:.1f} to {pair[1]:.1f}"


run = Path(sys.argv[1])
metrics = json.loads((run / "evaluate" / "metrics.json").read_text())
finder = json.loads((run / "train-segmentation" / "done.json").read_text())["summary"]
masks, ages = metrics["segmentation"]["test"], metrics["test"]
ship(
    run / "train-segmentation" / "model",
    "segmentation",
    "First weights: where the hand is",
    "A small U-Net that marks hand, wrist and forearm in a radiograph.",
    f"{finder['outlines']} outlines drawn on thumbnails of 100 x 100 pixels, {finder['inner']} of them kept back",
    f"mean Jaccard index {masks['jaccard_mean']:.3f}, least {masks['jaccard_least']:.3f}, "
    f"on {masks['count']} outlines",
    "Weak: few and coarse outlines; edges are off by a pixel or two of 160, and casts, frames, second hands and "
    "washed-out films mislead it.",
)
ship(
    run / "train-regression" / "model",
    "regression",
    "First weights: how old the hand is",
    "The mean of five networks of the 2019 report's shape, with sex as a second input; it answers without the "
    "sex too, less well.",
    f"{metrics['out_of_fold']['count']} radiographs in 5 folds",
    f"MAD {ages['mad']:.1f} months ({interval(ages['mad_interval'])}), RMSE {ages['rmse']:.1f}, on "
    f"{ages['count']} radiographs; the median guess has {metrics['floors']['median_guess']['mad']:.1f}",
    "Weak: the winner of the RSNA challenge is off by 6.8 months on labels of one reader, and a reader by 5 to "
    "7. Few children under 24 months were seen. Reference standard: Greulich and Pyle readings of one reader.",
)
