"""Functions by name: what runs in another process is named, never sent."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .errors import EngineError

__all__ = ["find_function"]


def find_function(name: str) -> Callable[..., Any]:
    """Imports a function.

    Args:
        name: "module:function".

    Returns:
        The function.

    Raises:
        EngineError: There is none of that name, or its module cannot be imported.

    >>> find_function("math:sqrt")(9.0)
    3.0
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute) or module_name == "__main__":
        raise EngineError(
            f"received {name!r}; a function is named 'module:function', in a module that can be imported"
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise EngineError(f"cannot import {name!r}: {type(error).__name__}: {error}") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise EngineError(f"module {module_name!r} has no function {attribute!r}")
    return function
