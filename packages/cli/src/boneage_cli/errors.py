"""The errors of the command line; each ends in an exit code, none in a traceback."""

__all__ = ["CallError", "ConfigError", "DataError", "RunError"]


class CallError(ValueError):
    """The command was called wrongly: exit code 2."""


class ConfigError(CallError):
    """A setting is unknown or has a value that cannot be: exit code 2."""


class DataError(ValueError):
    """The data given cannot be worked on (none there, a table without its columns): exit code 1."""


class RunError(RuntimeError):
    """The work failed: exit code 1."""
