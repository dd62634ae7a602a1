"""What Spark's errors mean: the cause that lies deepest, on which worker, and what would do."""

from __future__ import annotations

import re

__all__ = ["MORE_MEMORY", "told"]

MORE_MEMORY = "more memory an executor, or fewer cores of each, may help"
_OFTEN_MEMORY = f"too little memory is a common cause: {MORE_MEMORY}"
_PACK = "an environment packed for the workers would do"
# What to look for in the whole text, and what it means; the first that fits.
_MEANINGS = (
    (
        r"ExecutorLostFailure \(executor \S+ [^)]*\) Reason: (?P<what>[^\n]+)",
        f"an executor was lost: {{what}}; {_OFTEN_MEMORY}",
    ),
    (r"Python worker exited unexpectedly", f"a worker's Python was ended from outside; {_OFTEN_MEMORY}"),
    (r"OutOfMemoryError: (?P<what>[^\n]+)", f"an executor is out of memory: {{what}}; {MORE_MEMORY}"),
    (
        r"(?P<what>failed to map segment|Cannot allocate memory)",
        f"a worker is out of memory: {{what}}; {MORE_MEMORY}",
    ),
    (r'Cannot run program "(?P<what>[^"]+)"', f"there is no {{what}} on the worker; {_PACK}"),
    (
        r"PYTHON_VERSION_MISMATCH\] .*version: (?P<there>\d+\.\d+) than that in driver: (?P<here>\d+\.\d+)",
        f"the worker has Python {{there}}, the driver {{here}}; {_PACK}",
    ),
    (r"^(?P<what>ModuleNotFoundError: .*)$", f"{{what}}; {_PACK}"),
)
_PLACE = re.compile(r"\(TID \d+\) \((\S+) executor [^)]+\)")


def told(error: Exception) -> str:
    """Says in a line why Spark failed, without the stack."""
    text = str(getattr(error, "java_exception", None) or error)
    place = _PLACE.search(text)
    return f"{place[1]}: {_cause(text)}" if place else _cause(text)


def _cause(text: str) -> str:
    for pattern, meaning in _MEANINGS:
        found = re.search(pattern, text, re.MULTILINE)
        if found:
            return meaning.format(**found.groupdict())
    from_python = re.findall(r"^\s*(\w+(?:Error|Exception|Exit|Interrupt): \S.*)$", text, re.MULTILINE)
    if from_python:
        return str(from_python[-1])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by:")]
    first = (
        (causes[-1].removeprefix("Caused by:") if causes else lines[0]) if lines else "no reason was given"
    )
    first = re.sub(r"^(\w+\.)+(\w+(Exception|Error)): ", "", first.strip())
    return f"{first} {lines[1]}" if first.endswith(":") and len(lines) > 1 else first
