"""The settings of a run: frozen dataclasses, read from one TOML file, overridden on the command line."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from boneage_cli.errors import ConfigError, DataError
from boneage_cli.files import read_bounded
from boneage_cli.preparation import Ingest, Prepare
from boneage_cli.presets import PRESETS
from boneage_regression.training import RegressionRecipe
from boneage_segmentation.training import SegmentationRecipe

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Acceptance",
    "Ingest",
    "Phantoms",
    "Prepare",
    "RunConfig",
    "Split",
    "load_config",
    "replaced",
    "to_dict",
    "to_toml",
]

T = TypeVar("T")
_MAX_BYTES = 1 << 20
_LARGEST = 1 << 63


@dataclass(frozen=True)
class Phantoms:
    """The phantoms that are drawn when no data are given."""

    count: int = 240
    seed: int = 0
    height: int = 320
    width: int = 256


@dataclass(frozen=True)
class Split:
    """The project's one split: one case in five is test, by the hash of its id."""

    folds: int = 5
    inner_share: float = 0.1


@dataclass(frozen=True)
class Acceptance:
    """What a run on phantoms must reach on its held-out part, or it ends with exit code 1.

    Attributes:
        jaccard: Least mean Jaccard index of the held-out masks.
        mad_share: Largest MAD, as a share of the median guess's.
    """

    jaccard: float = 0.90
    mad_share: float = 0.6


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes. How many workers run it does not belong here.

    Attributes:
        seed: Decides all that is drawn by chance.
        licence: Terms of the weights that the run trains, for their model folders.
        shard_size: Cases in one file of a stage.
    """

    seed: int = 0
    licence: str = ""
    shard_size: int = 32
    phantoms: Phantoms = field(default_factory=Phantoms)
    ingest: Ingest = field(default_factory=Ingest)
    split: Split = field(default_factory=Split)
    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    prepare: Prepare = field(default_factory=Prepare)
    regression: RegressionRecipe = field(default_factory=RegressionRecipe)
    acceptance: Acceptance = field(default_factory=Acceptance)


def load_config(
    path: Path | None = None, *, preset: str = "quick", changes: Mapping[str, Any] | None = None
) -> RunConfig:
    """Reads the settings: the preset first, then the file, then the command line's changes.

    Args:
        path: A TOML file with any of the settings, or None.
        preset: `quick` or `standard`: the size of the run and nothing else.
        changes: Nested settings that override both.

    Raises:
        ConfigError: If the preset is unknown, the file is unreadable or not TOML, or a setting is unknown
            or of the wrong type.
    """
    if preset not in PRESETS:
        raise ConfigError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    config = replaced(RunConfig(), PRESETS[preset], where=f"preset {preset}")
    if path is not None:
        config = replaced(config, _read_toml(path), where=str(path))
    return replaced(config, changes or {}, where="command line")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bounded(path, _MAX_BYTES).decode())
    except DataError as error:
        raise ConfigError(f"the configuration {path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the configuration {path} is not written in UTF-8: see byte {error.start}"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"the configuration {path} is not TOML of ours: it is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        raise ConfigError(f"the configuration {path} is not TOML: {error}") from error


def replaced(config: T, changes: Mapping[str, Any], *, where: str) -> T:
    """Returns the dataclass with the given (nested) settings changed.

    Raises:
        ConfigError: If a name is unknown or a value has the wrong type; the message names both.
    """
    hints = get_type_hints(type(config))
    values = {}
    for name, value in changes.items():
        if name not in hints:
            raise ConfigError(f"{where}: there is no setting {name!r}; there are {', '.join(sorted(hints))}")
        old = getattr(config, name)
        place = f"{where}: {name}"
        if dataclasses.is_dataclass(old) and isinstance(value, dict):
            values[name] = replaced(old, value, where=place)
        else:
            values[name] = _converted(value, old, str(hints[name]), place)
    try:
        return dataclasses.replace(config, **values)  # type: ignore[type-var]
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _converted(value: Any, old: Any, hint: str, place: str) -> Any:
    if value is None and "None" in hint:
        return None
    if isinstance(old, bool):
        good = isinstance(value, bool)
    elif isinstance(old, int):
        good = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST
    elif isinstance(old, float):
        good = isinstance(value, int | float) and not isinstance(value, bool)
        good = good and abs(value) < _LARGEST
        value = float(value) if good else value
    elif isinstance(old, tuple):
        good = isinstance(value, list | tuple) and all(isinstance(v, type(o)) for v, o in zip(value, old))  # noqa: B905
        value = tuple(value) if good else value
    elif old is None:
        good = isinstance(value, str | int | float) and "None" in hint
    else:
        good = isinstance(value, type(old))
    if not good:
        raise ConfigError(f"{place}: received {value!r}, where a {type(old).__name__} like {old!r} would do")
    return value


def to_dict(config: Any) -> dict[str, Any]:
    """The settings as nested dicts of plain values, with lists for tuples."""
    return {
        f.name: to_dict(value)
        if dataclasses.is_dataclass(value)
        else (list(value) if isinstance(value, tuple) else value)
        for f in dataclasses.fields(config)
        for value in [getattr(config, f.name)]
    }


def to_toml(config: Any) -> str:
    """The settings as TOML; `load_config` reads them back to the same settings.

    A setting that is None is left out.
    """
    return "\n".join(_toml_lines(to_dict(config), prefix="")) + "\n"


def _toml_lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) and v is not None}
    lines = [f"{key} = {_toml_value(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{prefix}{key}]", *_toml_lines(value, f"{prefix}{key}.")]
    return lines


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    return repr(value)
