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

__all__ = ["SEX_NOT_GIVEN", "Prediction", "Regressor", "default_model", "open_session", "run_graph"]

SEX_NOT_GIVEN = "sex not given"
_SEX_INPUT = {"M": 1.0, "F": -1.0, None: 0.0}


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
        metadata: model.json's content: ``preprocessing`` says how a radiograph becomes the input.
        size: (height, width) of the input.
    """

    def __init__(self, metadata: dict[str, Any], session: Any) -> None:
        self.metadata = metadata
        self.size: tuple[int, int] = (int(metadata["input_size"][0]), int(metadata["input_size"][1]))
        self._calibration = Calibration.from_json(metadata["calibration"])
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

    def predict(self, image: NDArray[np.uint8], sex: str | None) -> Prediction:
        """Tell the age of one prepared hand.

        A model trained on mirrored images too tells the mean over the image and its mirror image.

        Args:
            image: uint8, of the model's input size, prepared as ``metadata["preprocessing"]`` says.
            sex: ``"F"``, ``"M"``, or None where it is not known. It is never guessed: the network was trained
                to answer without it, the interval is wider and the status says so.

        Raises:
            RegressionError: An image of another size or type, or another sex.
        """
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != self.size:
            received = (image.dtype, image.shape) if isinstance(image, np.ndarray) else type(image).__name__
            raise RegressionError(f"image must be uint8 of shape {self.size}. Received: {received}")
        if sex not in _SEX_INPUT:
            raise RegressionError(f"sex must be 'F', 'M' or None. Received: {sex!r}")
        views = [image, image[:, ::-1]] if self.metadata["mirror_averaging"] else [image]
        sexes = np.full((len(views), 1), _SEX_INPUT[sex], np.float32)
        images = np.stack(views)[..., None].astype(np.float32)
        told = float(np.mean(run_graph(self._session, images, sexes)))
        age_months = min(max(told, 0.0), MAX_AGE_MONTHS)
        lower, upper = self._calibration.interval(age_months, sex_known=sex is not None)
        if sex is None:
            return Prediction(age_months, lower, upper, "warning", SEX_NOT_GIVEN)
        return Prediction(age_months, lower, upper, "ok", "")


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
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_graph(session: Any, images: NDArray[np.float32], sexes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ages in months, shape (n,), of images (n, height, width, 1) in 0..255 and sexes (n, 1)."""
    (ages,) = session.run(None, {"image": images, "sex": sexes})
    return np.asarray(ages, np.float64).reshape(-1)
