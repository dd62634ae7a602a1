"""Whether memory ran out: libraries say it in many ways."""

from __future__ import annotations

__all__ = ["tells_lack_of_memory"]

# Of Python and its loader; of C++, OpenCV, ONNX Runtime and Arrow; of threads that found no room for their stack.
_SIGNS = (
    "MemoryError",
    "failed to map segment",
    "Cannot allocate memory",
    "bad_alloc",
    "bad allocation",
    "Insufficient memory",
    "Failed to allocate",
    "Failed to launch worker thread",
    "can't start new thread",
)


def tells_lack_of_memory(text: str) -> bool:
    """Tells whether this is what a library says when it gets no memory.

    >>> tells_lack_of_memory("ImportError: libx.so: failed to map segment from shared object")
    True
    """
    return any(sign in text for sign in _SIGNS)
