"""Who hands out a cluster's machines: dialled before Spark is started, which would try for minutes."""

from __future__ import annotations

import os
import re
import socket

from .errors import EngineError
from .site_files import read_site_files

__all__ = ["dial_master"]

_CONNECT_SECONDS = 5.0
_YARN_PORT = 8032
_SITES = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")


def dial_master(master: str) -> str | None:
    """Reaches the master of a standalone cluster, or YARN's ResourceManager; of several, the first that answers.

    Args:
        master: spark://host:port, spark://host:port,host:port or yarn; others have nobody to dial.

    Returns:
        The address of this machine that the cluster can reach; None: it was not found out.

    Raises:
        EngineError: None answers, or nothing tells where YARN is.
    """
    if master == "yarn":
        addresses = _resource_managers()
        return _dial(
            addresses, f"no YARN ResourceManager answers at {' or '.join(addresses)}, by yarn-site.xml"
        )
    found = re.fullmatch(r"spark://(.+:\d+)", master)
    return _dial(found[1].split(","), f"no Spark master answers at {master}") if found else None


def _dial(addresses: list[str], failure: str) -> str | None:
    reasons = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS) as connection:
                return str(connection.getsockname()[0])
        except (OSError, ValueError) as error:
            reasons.append(getattr(error, "strerror", None) or str(error))
    if reasons:
        raise EngineError(f"{failure}: {', '.join(dict.fromkeys(reasons))}")
    return None


def _resource_managers() -> list[str]:
    if not any(os.environ.get(name) for name in _SITES):
        raise EngineError(
            f"received yarn, and nothing tells where it is; set {' or '.join(_SITES)} to the folder of yarn-site.xml"
        )
    settings: dict[str, str] = {}
    for variable in _SITES:
        settings |= read_site_files(variable, "yarn-site.xml")
    key = "yarn.resourcemanager"
    ids = [
        f".{name.strip()}" for name in settings.get(f"{key}.ha.rm-ids", "").split(",") if name.strip()
    ] or [""]
    found = [
        settings.get(f"{key}.address{name}")
        or f"{settings.get(f'{key}.hostname{name}') or settings.get(f'{key}.hostname', '')}:{_YARN_PORT}"
        for name in ids
    ]
    # Where the file leaves it to Hadoop's defaults, or to variables, Spark has to find out by itself.
    return [address for address in found if not address.startswith(":") and "$" not in address]
