"""What can go wrong, as types: all are ValueErrors, carry their facts as attributes and survive pickling."""

__all__ = ["AlignmentError", "ArrayError", "DecodeError", "ImagingError", "ParameterError"]


class ImagingError(ValueError):
    """Base of every error that this package raises on purpose."""


class DecodeError(ImagingError):
    """The bytes hold no picture that can be read.

    Args:
        reason: one plain sentence for a person: what was found and, where it helps, what would do.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AlignmentError(ImagingError):
    """The mask has no direction: it is empty, or too round to have one.

    Args:
        reason: one plain sentence for a person.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArrayError(ImagingError):
    """An array has the wrong shape or dtype.

    Args:
        wanted: what would do, for example "a 2-D uint8 or uint16 image".
        received: what came instead, for example "float64 of shape (3, 4, 3)".
    """

    def __init__(self, wanted: str, received: str) -> None:
        super().__init__(wanted, received)
        self.wanted = wanted
        self.received = received

    def __str__(self) -> str:
        return f"wanted {self.wanted}; received {self.received}"


class ParameterError(ImagingError):
    """A parameter lies outside of what it may be.

    Args:
        name: the parameter's name.
        wanted: what would do, for example "a number above 0".
        received: the value that came, as text.
    """

    def __init__(self, name: str, wanted: str, received: object) -> None:
        super().__init__(name, wanted, str(received))
        self.name = name
        self.wanted = wanted
        self.received = str(received)

    def __str__(self) -> str:
        return f"{self.name} must be {self.wanted}; received {self.received}"
