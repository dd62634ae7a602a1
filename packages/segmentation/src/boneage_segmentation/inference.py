"""From a radiograph to the hand's mask: ONNX Runtime and a model folder, no TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import (
    Image,
    Mask,
    binarize,
    hand_components,
    is_inverted,
    range_in_use,
    smooth,
    unletterbox,
)
from boneage_imaging.arrays import as_bytes
from boneage_imaging.geometry import fit_within

from .closer import Closer, look_closer
from .errors import ModelError, SegmentationError
from .model_folder import GRAPH, METADATA, check_file, read_metadata
from .preprocessing import Preprocessing

__all__ = ["Found", "Segmenter", "default_model", "open_session", "run_graph", "sure_share"]

_SURE = 0.9
_BEYOND_DOUBT = 0.93
_FLAT_SIDE = 256
_LEAST_DETAIL = (
    0.45  # of 255 gray levels; hands have 1.1 and more, blurred or dimmed ones 0.6, blank pictures 0.3
)
_MOST_UNSURE = 0.1  # of the hand; a network that is less sure, as of a poor radiograph, is believed as it is


@dataclass(frozen=True)
class Found:
    """What was found in a radiograph.

    Attributes:
        mask: The hand, 2-D bool of the image's size: one region without holes, or all False where there is none.
        others: How many further regions can be a hand, and were left out.
        inverted: Whether the hand is darker than its surroundings; None where that was not looked at: `is_inverted`
            tells.
    """

    mask: Mask
    others: int = 0
    inverted: bool | None = None


class Segmenter:
    """A model folder, ready to find hands. It needs no TensorFlow.

    Attributes:
        metadata: model.json's content.
        threshold: From which probability on a pixel is hand.
        least_sure: Of what share of a hand the network must be sure; see `choose_least_sure`.
        preprocessing: What is done to a radiograph first.
    """

    def __init__(self, metadata: dict[str, Any], session: Any) -> None:
        self.metadata = metadata
        self.threshold = float(metadata["threshold"])
        self.least_sure = float(metadata["least_sure"])
        self.preprocessing = Preprocessing.from_json(metadata["preprocessing"])
        self._session = session

    @classmethod
    def load(cls, folder: str | Path, threads: int = 0) -> Segmenter:
        """Loads a model folder.

        Args:
            folder: Written by `export`.
            threads: Threads of ONNX Runtime; 0 lets it choose.

        Raises:
            ModelError: No model folder, files that do not match their digests, or a graph that will not load.
        """
        folder = Path(folder)
        metadata = read_metadata(folder)
        graph = check_file(folder, metadata, GRAPH)
        try:
            return cls(metadata, open_session(graph, threads))
        except (KeyError, SegmentationError) as error:
            raise ModelError(folder, f"{METADATA} lacks something: {error}") from error
        except (OverflowError, TypeError) as error:
            raise ModelError(
                folder, f"{METADATA} has something that is no threshold or preprocessing"
            ) from error
        except Exception as error:  # ONNX Runtime raises its own untyped errors
            raise ModelError(folder, f"{GRAPH} cannot be loaded: {error}") from error

    def probability(self, image: Image) -> NDArray[np.float32]:
        """Tells for each pixel how probably it shows the hand, at one look.

        Args:
            image: 2-D uint8 or uint16, any size and polarity.

        Returns:
            float32 of the image's size, 0 to 1, smooth: brought back from the network's size.
        """
        values, box = self.preprocessing.apply(image)
        return unletterbox(self._ask(values), box)

    def mask(self, image: Image) -> Mask:
        """Finds the hand: everything of hand, wrist and forearm in view.

        Args:
            image: 2-D uint8 or uint16, any size and polarity.

        Returns:
            2-D bool of the image's size: one region without holes, or all False where there is no hand.
        """
        return self.find(image).mask

    def find(self, image: Image) -> Found:
        """Finds the hand, and tells whether there may be more than one; the largest and most central counts.

        A hand that is turned, small in the picture or darker than its ground is looked at once more, upright,
        large and light. What the network is hardly sure of, or shows nothing inside, is no hand.

        Args:
            image: 2-D uint8 or uint16, any size and polarity.

        Returns:
            The mask, all False where there is no hand, and the number of further regions.
        """
        nothing = Found(np.zeros(image.shape, bool))
        if image.size and image.min() == image.max():
            return nothing  # a blank picture has no contrast to be stretched
        values, box = self.preprocessing.apply(image)
        probability = unletterbox(self._believe(values), box)
        regions = self._regions(probability)
        if not regions:
            return nothing
        hand = regions[0]
        inverted = is_inverted(image, hand)
        closer = look_closer(image, hand, self.preprocessing.size, inverted=inverted)
        if closer:
            hand, probability = self._look_again(closer, hand, probability)
        share = sure_share(probability, hand)
        if share < self.least_sure or (share < _BEYOND_DOUBT and _is_flat(image, hand)):
            return nothing
        others = sum(not (region & hand).any() for region in regions[1:])
        return Found(self._smooth(hand), others, None if closer else inverted)

    def _look_again(
        self, closer: Closer, first: Mask, probability: NDArray[np.float32]
    ) -> tuple[Mask, NDArray[np.float32]]:
        """The hand and the probability at the second look; those of the first if it shows something else."""
        again = closer.back(
            self._believe(self.preprocessing.normalize(closer.framed, closer.inner)), first.shape
        )
        found = self._regions(again)
        is_same = bool(found) and 2 * np.count_nonzero(found[0] & first) >= np.count_nonzero(first)
        return (found[0], again) if is_same else (first, probability)

    def _ask(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return run_graph(self._session, values[None, ..., None])[0, ..., 0]

    def _believe(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answer without what is merely likely: that belongs to a frame or to a cuff."""
        return _keep_near_sure(self._ask(values), self.threshold)

    def _regions(self, probability: NDArray[np.float32]) -> list[Mask]:
        return hand_components(binarize(probability, self.threshold), filled=True)

    def _smooth(self, mask: Mask) -> Mask:
        enlarged = max(mask.shape) / max(self.preprocessing.size)
        return smooth(mask, max(0.0, enlarged - 1) / 2)


def sure_share(probability: NDArray[np.floating], mask: Mask) -> float:
    """Tells of what share of a mask the network is sure.

    Args:
        probability: 2-D, 0 to 1.
        mask: 2-D bool of the same size.

    Returns:
        0 to 1; 0 for an empty mask.
    """
    area = int(np.count_nonzero(mask))
    return int(np.count_nonzero((probability >= _SURE) & mask)) / area if area else 0.0


def _is_flat(image: Image, mask: Mask) -> bool:
    """Whether nothing is to be seen inside the mask, no bone nor even skin, but noise and a slope of gray."""
    small, inside = fit_within(image, _FLAT_SIDE), fit_within(mask, _FLAT_SIDE)
    black, white = range_in_use(image)
    gray = small.astype(np.float32) * np.float32(255 / (white - black))
    detail = cv2.GaussianBlur(gray, (0, 0), 0.8) - cv2.GaussianBlur(gray, (0, 0), 3)
    inner = cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=1) != 0
    return bool(detail[inner if inner.any() else inside].std() < _LEAST_DETAIL)


def _keep_near_sure(probability: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Sets to 0 what is no neighbour of a pixel of which the network is sure, if that is little."""
    sure = as_bytes(probability >= max(_SURE, threshold))
    near = cv2.dilate(sure, np.ones((3, 3), np.uint8))
    likely = as_bytes(probability >= threshold)
    unsure = cv2.countNonZero(cv2.bitwise_and(likely, 1 - near))
    is_little = unsure <= _MOST_UNSURE * cv2.countNonZero(likely)
    return np.asarray(cv2.copyTo(probability, near), np.float32) if is_little else probability


def default_model() -> Path:
    """Finds the model that comes with this package.

    Raises:
        ModelError: This copy of the package carries none.
    """
    folder = Path(__file__).parent / "weights"
    if not (folder / METADATA).is_file():
        raise ModelError(folder, "this copy of the package carries no model; give the folder of one")
    return folder


def open_session(path: Path, threads: int = 0) -> Any:
    """Opens a graph on the CPU.

    Args:
        path: An ONNX file.
        threads: 0 lets ONNX Runtime choose.
    """
    # From 1.29 on ONNX Runtime reports to its maker what it runs, unless told not to before it is loaded.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # A thread that has nothing to do sleeps: waiting busily, it would take a core from whatever else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_graph(session: Any, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gives probabilities of the shape of the images, (batch, height, width, 1)."""
    (probabilities,) = session.run(None, {session.get_inputs()[0].name: images})
    return np.asarray(probabilities, np.float32)
