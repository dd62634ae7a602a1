"""How large a run is. A preset changes nothing but sizes: what is computed stays the same."""

from typing import Any

__all__ = ["PRESETS"]

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "segmentation": {"size": [64, 64], "base": 8, "depth": 3, "epochs": 10},
        "prepare": {"height": 96, "width": 96},
        "regression": {"epochs": 30, "batch_size": 16},
    },
    "standard": {
        "segmentation": {"size": [128, 128], "base": 12, "epochs": 60},
        "prepare": {"height": 128, "width": 128},
        "regression": {"epochs": 60},
    },
}
