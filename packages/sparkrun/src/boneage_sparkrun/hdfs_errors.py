"""What HDFS, or the way to it, answered, as a StorageError that says what would do."""

from __future__ import annotations

import dataclasses
from typing import Any

from .errors import StorageError

__all__ = ["Failure", "ShortFileError", "understand"]

_KINDS = {
    "AccessControlException": "no permission",
    "SecurityException": "no permission",
    "AuthorizationException": "no permission",
    "InvalidToken": "no permission",
    "FileNotFoundException": "missing",
    "ParentNotDirectoryException": "missing",
    "FileAlreadyExistsException": "there already",
    "AlreadyBeingCreatedException": "there already",
    "NSQuotaExceededException": "quota",
    "DSQuotaExceededException": "quota",
    "QuotaExceededException": "quota",
    "QuotaByStorageTypeExceededException": "quota",
    "SafeModeException": "safe mode",
    "StandbyException": "unreachable",
    "RetriableException": "unreachable",
    "BlockMissingException": "no DataNode",
    "NotReplicatedYetException": "no DataNode",
}
_REMEDIES = {
    "no permission": "set HADOOP_USER_NAME, or have the owner of the folder let you in",
    "quota": "remove something there, or have the quota raised",
    "safe mode": "the NameNode is in safe mode and takes no changes; wait, or: hdfs dfsadmin -safemode leave",
    "no DataNode": "no DataNode takes or gives the data; look at: hdfs dfsadmin -report",
}
_NO_DATANODE = ("Failed to find datanode", "could only be written to", "No active and not excluded nodes")
# What passes by itself: a NameNode that starts or hands over, a DataNode that died.
_PASSING = ("safe mode", "unreachable", "no DataNode", "data")


class ShortFileError(Exception):
    """A file is not as long as what was sent or is to be read."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """What went wrong.

    Attributes:
        error: To be raised.
        passing: Whether it may be worth another try.
    """

    error: StorageError
    passing: bool


def understand(verb: str, uri: str, addresses: list[str], error: Exception, *, moves_data: bool) -> Failure:
    """Says what an error of the client means.

    Args:
        verb: What was tried: `read`.
        uri: The place in question.
        addresses: Of the NameNodes.
        error: HdfsError, one of requests' (OSErrors), ShortFileError, or a ValueError: the answer was no JSON.
        moves_data: DataNodes take part, whose failures pass.
    """
    from hdfs.util import HdfsError

    places = " and ".join(addresses)
    if isinstance(error, OSError) and not isinstance(error, ValueError):
        url = getattr(getattr(error, "request", None), "url", None) or places
        where = url.partition("/webhdfs")[0]
        if where not in addresses and where != places:
            reason = f"the DataNode at {where} does not answer ({type(error).__name__}); {_REMEDIES['no DataNode']}"
            return _failure(verb, uri, reason, "no DataNode", True)
        remedy = f"are {places} the NameNodes' web addresses? WEBHDFS_ADDRESS or HADOOP_CONF_DIR tell them"
        reason = f"{where} does not answer ({type(error).__name__}); {remedy}"
        return _failure(verb, uri, reason, "unreachable", True)
    if isinstance(error, ShortFileError):
        return _failure(verb, uri, f"{error}; {_REMEDIES['no DataNode']}", "no DataNode", True)
    if not isinstance(error, HdfsError) or not isinstance(error.message, str):
        reason = (
            f"what answers at {places} is no WebHDFS; WEBHDFS_ADDRESS or HADOOP_CONF_DIR tell where it is"
        )
        return _failure(verb, uri, reason, "unreachable", False)
    return _answered(verb, uri, error, moves_data)


def _answered(verb: str, uri: str, error: Any, moves_data: bool) -> Failure:
    name, message = error.exception or "", error.message.split("\n")[0].strip(" .")
    kind = _KINDS.get(name, "")
    if "Authentication failure" in message:
        kind = "no permission"
    elif any(sign in message for sign in _NO_DATANODE):
        kind = "no DataNode"
    elif "must both be directories" in message:
        kind = "there already"
    elif "safe mode" in message:
        kind = "safe mode"
    passing = kind in _PASSING or (moves_data and not kind and "InvalidPath" not in name)
    remedy = _REMEDIES.get(kind)
    return _failure(verb, uri, f"{message}; {remedy}" if remedy else message, kind, passing)


def _failure(verb: str, uri: str, reason: str, kind: str, passing: bool) -> Failure:
    return Failure(StorageError(f"cannot {verb} {uri}: {reason}", uri, kind), passing)
