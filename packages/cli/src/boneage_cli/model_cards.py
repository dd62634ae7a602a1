"""What a person should know of a model before believing it: its card in short, from its own folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

__all__ = ["model_card"]

NOT_STATED = "not stated"
_CARD = "CARD.md"


def model_card(folder: Path) -> dict[str, Any]:
    """The card of a model in short.

    Args:
        folder: A model folder, of either kind.

    Returns:
        kind (`segmentation` or `regression`), facts (name to plain text), licence, digest, and remarks: the
        items of its `CARD.md`, where it has one.
    """
    metadata = json.loads((folder / "model.json").read_bytes())
    kind = str(metadata.get("format", "")).partition("/")[0].removeprefix("boneage-")
    facts = _segmentation(metadata) if kind == "segmentation" else _regression(metadata)
    return {
        "kind": kind,
        "facts": {name: str(value) for name, value in facts.items() if value not in (None, "")},
        "licence": metadata.get("licence") or NOT_STATED,
        "digest": metadata["digest"],
        "remarks": _items(folder / _CARD),
    }


def _segmentation(metadata: dict[str, Any]) -> dict[str, Any]:
    summary = metadata.get("summary") or {}
    return {
        "does": "finds the hand in a radiograph",
        "network": f"U-Net, architecture {metadata.get('architecture')}",
        "parameters": f"{metadata['parameters']:,}" if metadata.get("parameters") else None,
        "input": _pixels(metadata),
        "outlines trained on": summary.get("train"),
        "outlines to choose by": summary.get("inner"),
        "threshold": metadata.get("threshold"),
        "trained with": _trained_with(metadata),
    }


def _regression(metadata: dict[str, Any]) -> dict[str, Any]:
    fitted, summary = metadata.get("recalibration") or {}, metadata.get("summary") or {}
    calibration = (fitted or metadata).get("calibration") or {}
    level = calibration.get("level")
    return {
        "does": "tells the bone age of a prepared hand, with or without the sex",
        "network": f"convolutional, architecture {metadata.get('architecture')}",
        "networks": _networks(metadata),
        "input": _pixels(metadata),
        "cases trained on": summary.get("cases"),
        "folds": summary.get("folds"),
        "interval": f"made to hold {100 * level:.0f} %, from {calibration.get('cases')} errors on cases not trained on"
        if level
        else None,
        "calibrated": _calibrated(fitted) if fitted else None,
        "reference standard": metadata.get("reference_standard"),
        "trained with": _trained_with(metadata),
    }


def _networks(metadata: dict[str, Any]) -> str:
    count = metadata.get("networks")
    told = "1" if count == 1 else f"{count}, averaged"
    return f"{told}, each over the hand and its mirror image" if metadata.get("mirror_averaging") else told


def _calibrated(fitted: dict[str, Any]) -> str:
    used = {kind: fitted[kind]["used"] for kind in ("with_sex", "without_sex")}
    return (
        f"on {fitted['without_sex']['cases']} cases of a clinic; correction with the sex: {used['with_sex']}, "
        f"without: {used['without_sex']}"
    )


def _pixels(metadata: dict[str, Any]) -> str:
    height, width = metadata["input_size"]
    return f"{height} x {width} pixels"


def _trained_with(metadata: dict[str, Any]) -> str:
    versions = metadata.get("versions") or {}
    return ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))


def _items(card: Path) -> list[str]:
    """The items of the list in a card, without their marks."""
    try:
        text = card.read_text(encoding="utf-8")
    except OSError:
        return []
    items = re.findall(r"^- (.*(?:\n  .*)*)", text, flags=re.MULTILINE)
    return [re.sub(r"\*\*|`", "", " ".join(item.split())) for item in items]
