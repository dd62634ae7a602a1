"""How radiographs are taken in and prepared: the settings that a model folder brings along.

They are apart from those of a run, which import what training needs: `predict` starts without that.
"""

from __future__ import annotations

from dataclasses import dataclass

from boneage_cli.errors import ConfigError

__all__ = ["Ingest", "Prepare"]


@dataclass(frozen=True)
class Ingest:
    """How a radiograph is taken in.

    Attributes:
        long_side: Longer radiographs are shrunk to this long side, in pixels; 0 keeps every size.
        thumbnail_long_side: Squashed thumbnails are brought back to their true aspect at this long side.
        max_failures: Share of cases that may be unreadable before the run fails, 0..1.
    """

    long_side: int = 1024
    thumbnail_long_side: int = 256
    max_failures: float = 0.2


@dataclass(frozen=True)
class Prepare:
    """From a radiograph and its mask to the input of the regression network: one resampling.

    Attributes:
        height: Height of the prepared image, pixels.
        width: Width of the prepared image, pixels.
        clahe: Whether contrast is equalised (CLAHE).
        clip_limit: CLAHE's clip limit.
        tiles: CLAHE's tiles along each side.
        mask: Whether everything outside the hand is blackened.
        align: Whether the hand is turned upright and cropped; otherwise the whole picture is letterboxed.
        detail: Share of height and width whose detail is kept, above 0 to 1. A network that learnt from small
            pictures is told more by a sharp one if that shows what they show.
    """

    height: int = 128
    width: int = 128
    clahe: bool = True
    clip_limit: float = 2.0
    tiles: int = 8
    mask: bool = True
    align: bool = True
    detail: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.detail <= 1:
            raise ConfigError(f"received {self.detail!r} for detail; a share above 0 and up to 1 would do")
