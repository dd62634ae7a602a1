"""What can go wrong, one class per kind; each says what was received and what would do."""

__all__ = ["CheckpointError", "EngineError", "ShardError", "SparkrunError", "StorageError", "TrainingError"]


class SparkrunError(ValueError):
    """Anything this package refuses or fails at."""


class StorageError(SparkrunError):
    """A file or folder could not be read, written or named.

    Attributes:
        uri: The place in question.
        kind: Where it is known: `missing`, `there already`, `no permission`, `quota`, `safe mode`, `no DataNode`,
            `unreachable`, `locked`.
    """

    def __init__(self, message: str, uri: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.uri = uri
        self.kind = kind

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:  # so that a worker can hand it over
        return type(self), (str(self), self.uri, self.kind)


class ShardError(SparkrunError):
    """A shard could not be read or written as one.

    Attributes:
        uri: The shard.
    """

    def __init__(self, message: str, uri: str = "") -> None:
        super().__init__(message)
        self.uri = uri


class EngineError(SparkrunError):
    """A task could not be run to its end.

    Attributes:
        details: The worker's traceback as text, where there is one.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(f"{message}\n{details}" if details else message)
        self.details = details


class TrainingError(SparkrunError):
    """Training cannot start or cannot go on.

    Attributes:
        epoch: The epoch, counted from 1, where it is known.
        step: The step in the epoch, counted from 1, where it is known.
    """

    def __init__(self, message: str, epoch: int | None = None, step: int | None = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step


class CheckpointError(SparkrunError):
    """A checkpoint is damaged or belongs to another recipe.

    Attributes:
        uri: The checkpoint.
    """

    def __init__(self, message: str, uri: str = "") -> None:
        super().__init__(message)
        self.uri = uri
