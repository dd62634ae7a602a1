"""Hadoop's own site files: what `HADOOP_CONF_DIR` or `YARN_CONF_DIR` tell of a cluster."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

from .errors import StorageError

__all__ = ["read_site_files"]


def read_site_files(variable: str, *names: str) -> dict[str, str]:
    """Reads site files; a file that is not there tells nothing.

    Args:
        variable: Names the folder in the environment: HADOOP_CONF_DIR.
        names: The files; a later one's settings go before an earlier one's.

    Raises:
        StorageError: A file cannot be read.
    """
    settings: dict[str, str] = {}
    folder = os.environ.get(variable)
    for path in [Path(folder) / name for name in names] if folder else []:
        try:
            root = ET.parse(path).getroot()  # noqa: S314
        except FileNotFoundError:
            continue
        except (OSError, ET.ParseError) as error:
            raise StorageError(f"cannot read {path}, which {variable} names: {error}", str(path)) from error
        for entry in root.iter("property"):
            settings[(entry.findtext("name") or "").strip()] = (entry.findtext("value") or "").strip()
    return settings
