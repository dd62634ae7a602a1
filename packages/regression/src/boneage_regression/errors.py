"""The package's errors: few, typed, and all of them the caller's (subclasses of ``ValueError``)."""

__all__ = ["CalibrationError", "FoldError", "MetricError", "ModelError", "RecipeError", "RegressionError"]


class RegressionError(ValueError):
    """Base of everything this package raises on purpose."""


class MetricError(RegressionError):
    """The values given to a metric cannot be scored."""


class FoldError(RegressionError):
    """The table given cannot be divided into folds."""


class CalibrationError(RegressionError):
    """The residuals given cannot be turned into intervals."""


class RecipeError(RegressionError):
    """A recipe, or a row given to it, is not what training needs."""


class ModelError(RegressionError):
    """A model folder is missing, incomplete, damaged or of a kind this version does not know.

    Attributes:
        folder: The folder in question.
        reason: What is wrong with it.
    """

    def __init__(self, folder: object, reason: str) -> None:
        super().__init__(f"model folder {folder}: {reason}")
        self.folder = str(folder)
        self.reason = reason
