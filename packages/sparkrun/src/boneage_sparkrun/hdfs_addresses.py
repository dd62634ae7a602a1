"""Where a file system's WebHDFS answers: told by the environment, or by Hadoop's own site files.

`WEBHDFS_ADDRESS` (`http://host:9870`, several NameNodes' with commas between) comes first; then core-site.xml and
hdfs-site.xml in `HADOOP_CONF_DIR`, with nameservices of several NameNodes; then port 9870 of the URI's host.
`HADOOP_USER_NAME` is who asks, `WEBHDFS_TOKEN` a delegation token that is passed on. A Spark driver hands what it knows
on to its workers: `hdfs_environment`.
"""

from __future__ import annotations

import getpass
import json
import os

from .errors import StorageError
from .site_files import read_site_files

__all__ = ["HANDED_ON", "find_addresses", "hdfs_environment", "split_uri"]

_PORT = 9870
_SECURE_PORT = 9871
HANDED_ON = "SPARKRUN_HDFS_SITE"  # what a driver read in its site files, as JSON
_KEPT = ("fs.defaultFS", "dfs.http.policy", "dfs.namenode.", "dfs.ha.namenodes.")


def split_uri(uri: str) -> tuple[str, str]:
    """Parts an HDFS URI, written as Hadoop does it: nothing in it is percent-encoded.

    Args:
        uri: `hdfs://host:port/path`, `hdfs://nameservice/path` or `hdfs:///path`.

    Returns:
        The file system (`host:port`, a nameservice, or nothing: Hadoop's default), and the absolute path.

    Raises:
        StorageError: It is none, or has a name that HDFS or WebHDFS cannot take.
    """
    scheme, sign, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    if scheme != "hdfs" or not sign or "\0" in uri:
        raise StorageError(f"received {uri!r}; hdfs://host:port/path is wanted", uri)
    names = [name for name in path.split("/") if name]
    for name in names:
        # WebHDFS cuts a name at a semicolon and says nothing; HDFS refuses the others.
        if name in (".", "..") or ":" in name or ";" in name or len(name.encode(errors="replace")) > 255:
            raise StorageError(
                f"received {uri}; on HDFS a name must not be '.' or '..', nor contain ':' or ';', nor be longer than "
                "255 bytes",
                uri,
            )
    return authority, f"{slash or '/'}{'/'.join(names)}"


def find_addresses(authority: str, webhdfs: str | None = None) -> list[str]:
    """Finds where WebHDFS answers.

    Args:
        authority: Of the URI: `host:port`, a nameservice, or nothing.
        webhdfs: Addresses given by the caller, with commas between.

    Returns:
        One address per NameNode, in the order to try.

    Raises:
        StorageError: The site files cannot be read, or nothing tells.
    """
    given = webhdfs or os.environ.get("WEBHDFS_ADDRESS")
    if given:
        return [
            address.strip().rstrip("/") for address in given.replace(";", ",").split(",") if address.strip()
        ]
    settings = _site_settings()
    default = settings.get("fs.defaultFS", "").partition("://")[2].rstrip("/")
    authority = authority or default
    if not authority:
        raise StorageError(
            "hdfs:/// names no host, and no fs.defaultFS was found; write hdfs://host:port/..., "
            "or set HADOOP_CONF_DIR or WEBHDFS_ADDRESS"
        )
    found = _configured(authority, default, settings)
    return found or [f"http://{_host(authority)}:{_PORT}"]


def hdfs_environment() -> dict[str, str]:
    """What another process must have in its environment to reach HDFS as this one does, with the same user."""
    site = {name: value for name, value in _site_settings().items() if name.startswith(_KEPT)}
    passed = {name: os.environ[name] for name in ("WEBHDFS_ADDRESS", "WEBHDFS_TOKEN") if name in os.environ}
    user = os.environ.get("HADOOP_USER_NAME") or getpass.getuser()
    return {HANDED_ON: json.dumps(site, sort_keys=True), "HADOOP_USER_NAME": user, **passed}


def _configured(authority: str, default: str, settings: dict[str, str]) -> list[str]:
    secure = settings.get("dfs.http.policy") == "HTTPS_ONLY"
    key = f"dfs.namenode.{'https' if secure else 'http'}-address"
    scheme = "https" if secure else "http"
    service = settings.get(f"dfs.ha.namenodes.{authority}")
    if service:
        names = [f"{key}.{authority}.{name.strip()}" for name in service.split(",")]
        return [f"{scheme}://{settings[name]}" for name in names if name in settings]
    ours = authority in (default, settings.get("dfs.namenode.rpc-address"))
    if not ours or (key not in settings and not secure):
        return []
    host, _, port = settings.get(key, "").rpartition(":")
    host = _host(authority) if host in ("", "0.0.0.0") else host  # noqa: S104
    return [f"{scheme}://{host}:{port or (_SECURE_PORT if secure else _PORT)}"]


def _host(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


def _site_settings() -> dict[str, str]:
    handed_on: dict[str, str] = json.loads(os.environ.get(HANDED_ON, "{}"))
    return read_site_files("HADOOP_CONF_DIR", "core-site.xml", "hdfs-site.xml") | handed_on
