"""What a run has written, and said."""

import hashlib

from boneage_cli.pipeline import stage_names
from boneage_sparkrun.place import Place

# These tell of times, or (ONNX graphs, and what holds their digest) name their nodes anew in each export;
# what the graphs answer stands in predictions.csv and masks.csv.
NEVER_TWICE_THE_SAME = (".log", ".jsonl", "done.json", "report.html", "manifest.json", ".onnx", "model.json")
LOCKS_AND_MARKS = (".lock", ".boneage-run")


def files(folder):
    """Every file of a run, wherever it lies, by name, with its digest, where its bytes are the same each time."""
    place = Place(folder)
    return {
        name: ""
        if name.endswith(NEVER_TWICE_THE_SAME)
        else hashlib.sha256((place / name).read_bytes()).hexdigest()
        for name in place.files()
        if name not in LOCKS_AND_MARKS
    }


def stages_done(text):
    """The stages that a run says it did."""
    return [name for name in stage_names() if f"{name}: done in" in text]
