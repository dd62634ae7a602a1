"""How large a run is. A preset changes nothing but sizes: what is computed stays the same."""

from typing import Any

__all__ = ["PRESETS"]

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "segmentation": {"size": [96, 96], "base": 8, "depth": 3, "epochs": 30},
        "prepare": {"height": 96, "width": 96},
        "regression": {"epochs": 40},
    },
    "standard": {
        "segmentation": {"size": [160, 160], "base": 16, "depth": 4, "epochs": 240},
        "prepare": {"height": 128, "width": 128},
        "regression": {"epochs": 40},
    },
}
