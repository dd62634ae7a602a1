"""From a prepared hand to an age with its interval: ONNX Runtime and a model folder, no TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boneage_regression.calibration import MAX_AGE_MONTHS, Calibration
from boneage_regression.errors import CalibrationError, ModelError, RegressionError
from boneage_regression.model_folder import GRAPH, check_file, read_metadata
from boneage_regression.recalibration import Recalibration

__all__ = [
    "NEAR_MATURITY",
    "SEX_NOT_GIVEN",
    "TOO_YOUNG",
    "Prediction",
    "Regressor",
    "default_model",
    "open_session",
    "run_graph",
]

SEX_NOT_GIVEN = "sex not given"
# Of 12,295 radiographs of the RSNA challenge 88 are of children under 24 months.
_TESTED_FROM_MONTHS = 24.0
_MATURE_FROM_MONTHS = 204.0
TOO_YOUNG = "told under 24 months, where few children were seen"
NEAR_MATURITY = "told 17 years or more, where hands are nearly mature and ages can hardly be told apart"
_SEX_INPUT = {"M": 1.0, "F": -1.0, None: 0.0}
_BATCH = 8  # images that go through the graph together


@dataclass(frozen=True)
class Prediction:
    """What is said of one hand.

    Attributes:
        age_months: Bone age, months, within 0..228.
        lower: Lower end of the interval, months.
        upper: Upper end of the interval, months.
        status: ``"ok"`` or ``"warning"``.
        reason: Why it is not ``"ok"``; empty where it is.
    """

    age_months: float
    lower: float
    upper: float
    status: str
    reason: str


class Regressor:
    """A model folder, ready to tell ages.

    Attributes:
        metadata: model.json's content: ``preprocessing`` says how a radiograph becomes the input; where there is
            a ``recalibration``, ages are corrected by it and have its intervals.
        size: (height, width) of the input.
    """

    def __init__(self, metadata: dict[str, Any], session: Any) -> None:
        self.metadata = metadata
        self.size: tuple[int, int] = (int(metadata["input_size"][0]), int(metadata["input_size"][1]))
        fitted = metadata.get("recalibration")
        self._recalibration = None if fitted is None else Recalibration.from_json(fitted)
        self._calibration = (
            self._recalibration.calibration
            if self._recalibration
            else Calibration.from_json(metadata["calibration"])
        )
        self._session = session

    @classmethod
    def load(cls, folder: str | Path, threads: int = 0) -> Regressor:
        """Load a model folder.

        Args:
            folder: Written by `training.export`.
            threads: Threads of ONNX Runtime; 0 lets it choose.

        Raises:
            ModelError: No model folder, files that do not match their digests, or a graph that will not load.
        """
        folder = Path(folder)
        metadata = read_metadata(folder)
        graph = check_file(folder, metadata, GRAPH)
        try:
            return cls(metadata, open_session(graph, threads))
        except (KeyError, CalibrationError) as error:
            raise ModelError(folder, f"model.json lacks something: {error}") from error
        except (IndexError, OverflowError, TypeError) as error:
            raise ModelError(
                folder, "model.json has something that is no input_size or calibration"
            ) from error
        except Exception as error:  # ONNX Runtime raises its own untyped errors
            raise ModelError(folder, f"{GRAPH} cannot be loaded: {error}") from error

    def uncorrected(self) -> Regressor:
        """The same model without a recalibration, as it came out of its training."""
        metadata = {name: value for name, value in self.metadata.items() if name != "recalibration"}
        return Regressor(metadata, self._session)

    def ages(self, images: NDArray[np.uint8], sex: str | None) -> NDArray[np.float64]:
        """The ages of prepared hands as `predict` tells them, months, but not cut to 0..228.

        Args:
            images: uint8 (n, height, width), each as `predict` takes it; they go through the graph a few at a time.
            sex: ``"F"``, ``"M"`` or None, of all of them.

        Returns:
            Shape (n,).

        Raises:
            RegressionError: Images of another size or type, or another sex.
        """
        if not _fits(images, (*np.shape(images)[:1], *self.size)):
            raise RegressionError(
                f"images must be uint8, each of shape {self.size}. Received: {_received(images)}"
            )
        if sex not in _SEX_INPUT:
            raise RegressionError(f"sex must be 'F', 'M' or None. Received: {sex!r}")
        starts = range(0, len(images), _BATCH)
        told = [age for start in starts for age in self._run(images[start : start + _BATCH], sex)]
        return np.array(
            [self._recalibration.correct(age, sex) for age in told] if self._recalibration else told
        )

    def _run(self, images: NDArray[np.uint8], sex: str | None) -> NDArray[np.float64]:
        """One run of the graph: the mean over each image and, for a model that was trained so, its mirror image."""
        views = [images, images[:, :, ::-1]] if self.metadata["mirror_averaging"] else [images]
        together = np.concatenate(views)[..., None].astype(np.float32)
        sexes = np.full((len(together), 1), _SEX_INPUT[sex], np.float32)
        return run_graph(self._session, together, sexes).reshape(len(views), -1).mean(axis=0)

    def predict(self, image: NDArray[np.uint8], sex: str | None) -> Prediction:
        """Tell the age of one prepared hand.

        A model trained on mirrored images too tells the mean over the image and its mirror image.

        Args:
            image: uint8, of the model's input size, prepared as ``metadata["preprocessing"]`` says.
            sex: ``"F"``, ``"M"``, or None where it is not known. It is never filled in or told: the network was
                trained to answer without it, the interval is wider and the status says so.

        Raises:
            RegressionError: An image of another size or type, or another sex.
        """
        if not _fits(image, self.size):
            raise RegressionError(f"image must be uint8 of shape {self.size}. Received: {_received(image)}")
        told = float(self.ages(image[None], sex)[0])
        age_months = min(max(told, 0.0), MAX_AGE_MONTHS)
        lower, upper = self._calibration.interval(age_months, sex_known=sex is not None)
        reason = "; ".join(_doubts(age_months, sex))
        return Prediction(age_months, lower, upper, "warning" if reason else "ok", reason)


def _doubts(age_months: float, sex: str | None) -> list[str]:
    """What speaks against relying on an age as on any other."""
    said = {
        SEX_NOT_GIVEN: sex is None,
        TOO_YOUNG: age_months < _TESTED_FROM_MONTHS,
        NEAR_MATURITY: age_months >= _MATURE_FROM_MONTHS,
    }
    return [reason for reason, holds in said.items() if holds]


def _fits(images: Any, shape: tuple[int, ...]) -> bool:
    return isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape == shape


def _received(images: Any) -> object:
    return (images.dtype, images.shape) if isinstance(images, np.ndarray) else type(images).__name__


def default_model() -> Path:
    """The folder of the model that comes with this package.

    Raises:
        ModelError: This copy of the package carries none.
    """
    folder = Path(__file__).parent / "weights"
    if not (folder / "model.json").is_file():
        raise ModelError(folder, "this package carries no model")
    return folder


def open_session(path: Path, threads: int = 0) -> Any:
    """Open a graph on the CPU.

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


def run_graph(session: Any, images: NDArray[np.float32], sexes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ages in months, shape (n,), of images (n, height, width, 1) in 0..255 and sexes (n, 1)."""
    (ages,) = session.run(None, {"image": images, "sex": sexes})
    return np.asarray(ages, np.float64).reshape(-1)
