"""How large a run is. A preset changes nothing but sizes: what is computed stays the same."""

from typing import Any

__all__ = ["PRESETS"]

PRESETS: dict[str, dict[str, Any]] = {"quick": {}, "standard": {}}
