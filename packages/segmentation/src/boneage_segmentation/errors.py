"""What can be wrong with what the caller gave."""

from __future__ import annotations

__all__ = ["AnnotationError", "ModelError", "SegmentationError"]


class SegmentationError(ValueError):
    """The caller's mistake, or a file's: the message says what was received and what would do."""


class AnnotationError(SegmentationError):
    """An outline cannot be read.

    Attributes:
        name: The file's name.
        reason: What is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"outline {name}: {reason}")
        self.name = name
        self.reason = reason


class ModelError(SegmentationError):
    """A model folder cannot be used.

    Attributes:
        folder: The model folder.
        reason: What is wrong with it.
    """

    def __init__(self, folder: object, reason: str) -> None:
        super().__init__(f"model {folder}: {reason}")
        self.folder = str(folder)
        self.reason = reason
