"""What is done to a radiograph before the network sees it: the one place, for training and for use."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Letterbox, clahe, letterbox, stretch, to_uint16

from .errors import SegmentationError

__all__ = ["Preprocessing"]


@dataclass(frozen=True)
class Preprocessing:
    """Letterbox, robust stretch, CLAHE, and values around 0. A model folder carries it in model.json.

    The darkest and lightest pixels are cut off before the range is stretched, so that a lead marker or a
    frame does not decide how bright the hand is. Percentiles are taken from the radiograph alone; the
    padding around it gets the value of black.

    Attributes:
        size: (height, width) of the network's input.
        low_percent: The percentile that becomes black.
        high_percent: The percentile that becomes white.
        clip_limit: CLAHE's limit; 0: no CLAHE.
        tiles: CLAHE's tiles, (down, across).
    """

    size: tuple[int, int] = (128, 128)
    low_percent: float = 1.0
    high_percent: float = 99.0
    clip_limit: float = 0.0
    tiles: tuple[int, int] = (4, 4)

    def apply(self, image: Image) -> tuple[NDArray[np.float32], Letterbox]:
        """Makes the network's input.

        Args:
            image: 2-D, uint8 or uint16, any size.

        Returns:
            float32 (height, width), and the letterbox that leads back.
        """
        # In 16 bits, so that what the resampling rounds away does not depend on the file's depth.
        framed, box = letterbox(to_uint16(image), self.size)
        height, width = box.inner_size
        inner = (slice(box.top, box.top + height), slice(box.left, box.left + width))
        return self.normalize(framed, inner), box

    def normalize(self, framed: Image, inner: tuple[slice, slice]) -> NDArray[np.float32]:
        """Brings a framed radiograph's values to the network's.

        Args:
            framed: 2-D, uint8 or uint16, of this size.
            inner: Rows and columns of the radiograph inside the frame.

        Returns:
            float32, the same size: -2 for black, 2 for white.
        """
        part = stretch(
            np.ascontiguousarray(framed[inner]), low_percent=self.low_percent, high_percent=self.high_percent
        )
        if self.clip_limit:
            part = clahe(part, clip_limit=self.clip_limit, tiles=self.tiles)
        result = np.full(framed.shape, -2, np.float32)
        result[inner] = part.astype(np.float32) / 63.75 - 2
        return result

    def to_json(self) -> dict[str, Any]:
        """Describes itself for model.json."""
        return {**asdict(self), "size": list(self.size), "tiles": list(self.tiles)}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Preprocessing:
        """Reads what `to_json` wrote.

        Raises:
            SegmentationError: A fact is missing, unknown or of the wrong kind.
        """
        try:
            down, across = (int(count) for count in facts["tiles"])
            height, width = (int(side) for side in facts["size"])
            return cls(
                (height, width),
                float(facts["low_percent"]),
                float(facts["high_percent"]),
                float(facts["clip_limit"]),
                (down, across),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SegmentationError(
                "preprocessing must have size, low_percent, high_percent, clip_limit and tiles; "
                f"received {facts}"
            ) from error
