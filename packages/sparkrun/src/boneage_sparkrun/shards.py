"""Records in Parquet files: the same records give the same bytes.

A record is a dict of bytes, str, int, float, bool and None with a `case_id`. A field that a record lacks is
read back as None.

Before Parquet's footer stand 32 bytes that Parquet's readers pass over: the SHA-256 of all others, so that no
changed byte goes unnoticed. (Parquet's own checksums leave out the footer, with its names, types and offsets.)
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .errors import ShardError
from .storage import Storage, Uri, join, open_storage

__all__ = ["Record", "clean_record", "count_records", "read_shard", "shard_name", "shard_uris", "write_shard"]

Record = dict[str, Any]
_KINDS = (bool, int, float, str, bytes)
_NAME = re.compile(r"shard-(\d{5,})-of-(\d{5,})\.parquet")


def shard_name(index: int, count: int) -> str:
    """Names one shard of a set.

    Args:
        index: From 0.
        count: Shards in the set.

    >>> shard_name(3, 16)
    'shard-00003-of-00016.parquet'
    """
    if not 0 <= index < count:
        raise ShardError(f"a shard's index must lie in 0 <= index < count; received {index} of {count}")
    return f"shard-{index:05d}-of-{count:05d}.parquet"


def shard_uris(folder: Uri, storage: Storage | None = None) -> list[str]:
    """Finds the shards of a folder, in order.

    Args:
        folder: The folder.
        storage: Where it is; None: told by the URI.

    Returns:
        Their URIs; empty where there are none.

    Raises:
        ShardError: The set is incomplete or there are two of different counts.
    """
    names = [name for name in (storage or open_storage(folder)).list(folder) if _NAME.fullmatch(name)]
    if names:
        count = max(int(_NAME.fullmatch(name)[2]) for name in names)  # type: ignore[index]
        wanted = [shard_name(index, count) for index in range(count)]
        if names != wanted:
            lacking = sorted(set(wanted) - set(names)) or sorted(set(names) - set(wanted))
            raise ShardError(
                f"{os.fspath(folder)} holds no complete set of {count} shards: look at {lacking[0]}",
                os.fspath(folder),
            )
    return [join(folder, name) for name in names]


def clean_record(record: Record) -> Record:
    """Checks a record's values; numpy's scalars become Python's.

    Args:
        record: The record.

    Returns:
        A new one that a shard can hold.

    Raises:
        ShardError: A value of another kind, an integer beyond 64 bits, or no `case_id`.
    """
    if not isinstance(record, dict):
        raise ShardError(f"a record must be a dict; received {type(record).__name__}")
    case_id = record.get("case_id")
    if not isinstance(case_id, str) or not case_id:
        raise ShardError(f"a record needs a case_id, a str that is not empty; received {case_id!r}")
    return {_field(name): _value(name, value, case_id) for name, value in record.items()}


def _field(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ShardError(f"a field's name must be a str that is not empty; received {name!r}")
    return name


def _value(name: str, value: Any, case_id: str) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or type(value) in (bool, float, bytes):
        return value
    try:
        if type(value) is str:
            value.encode()
            return value
        if type(value) is int and -(2**63) <= value < 2**63:
            return value
    except UnicodeEncodeError as error:
        raise ShardError(f"field {name!r} of {case_id}: a str that is no Unicode: {error}") from error
    received = f"{value} (beyond 64 bits)" if type(value) is int else type(value).__name__
    raise ShardError(
        f"field {name!r} of {case_id}: received {received}; a record holds bytes, str, int, float, bool, None"
    )


def write_shard(uri: Uri, records: Iterable[Record], storage: Storage | None = None) -> None:
    """Writes records, whole or not at all. The same records give the same bytes, whatever their keys' order.

    Args:
        uri: The file.
        records: Of bytes, str, int, float, bool and None, each with its own `case_id`. Integers and floats
            in one field become floats where that loses nothing.
        storage: Where the file is; None: told by the URI.

    Raises:
        ShardError: The records do not fit into one table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [clean_record(record) for record in records]
    _check_ids(uri, rows)
    names = ["case_id", *sorted({name for row in rows for name in row} - {"case_id"})]
    columns = [_column(uri, name, [row.get(name) for row in rows]) for name in names]
    sink = pa.BufferOutputStream()
    # All that could differ from one writing to the next is fixed; statistics would repeat whole images.
    pq.write_table(
        pa.Table.from_arrays(columns, names=names),
        sink,
        row_group_size=max(len(rows), 1),
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )
    (storage or open_storage(uri)).write(uri, _sealed(sink.getvalue().to_pybytes()))


def read_shard(
    uri: Uri, storage: Storage | None = None, *, fields: Sequence[str] | None = None
) -> list[Record]:
    """Reads the records of a shard.

    Args:
        uri: The file.
        storage: Where the file is; None: told by the URI.
        fields: Only these and `case_id`, as far as they are there; None: all.

    Returns:
        The records in the order they were written, each with every field of the shard.

    Raises:
        ShardError: It is no whole shard.
        StorageError: It cannot be read at all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = (storage or open_storage(uri)).read(uri)
    try:
        _check_seal(data)
        file = pq.ParquetFile(pa.BufferReader(data))
        names = [name for name in file.schema_arrow.names if fields is None or name in ("case_id", *fields)]
        records: list[Record] = file.read(columns=names).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ShardError(f"{os.fspath(uri)} is damaged or no shard: {error}", os.fspath(uri)) from error
    return records


def count_records(uri: Uri, storage: Storage | None = None) -> int:
    """Tells how many records a shard holds, all of which can be read; see `read_shard`."""
    return len(read_shard(uri, storage))


def _sealed(data: bytes) -> bytes:
    end = _footer_start(data)
    return b"".join((data[:end], hashlib.sha256(data).digest(), data[end:]))


def _check_seal(data: bytes) -> None:
    end = _footer_start(data)
    start, view = end - hashlib.sha256().digest_size, memoryview(data)
    if start < 0:
        raise ValueError("it is cut short")
    digest = hashlib.sha256(view[:start])
    digest.update(view[end:])
    if digest.digest() != view[start:end]:
        raise ValueError("its checksum does not fit, or it was not written as a shard")


def _footer_start(data: bytes) -> int:
    """Where Parquet's footer begins: its length stands before the last four bytes."""
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


def _check_ids(uri: Uri, rows: Sequence[Record]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row["case_id"] in seen:
            raise ShardError(
                f"{os.fspath(uri)}: case_id {row['case_id']!r} twice in one shard", os.fspath(uri)
            )
        seen.add(row["case_id"])


def _column(uri: Uri, name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values, kinds = [_as_float(uri, name, value) for value in values], {float}
    if len(kinds) > 1:
        received = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ShardError(
            f"{os.fspath(uri)}: field {name!r} holds {received}; one kind is wanted", os.fspath(uri)
        )
    types = dict(zip(_KINDS, (pa.bool_(), pa.int64(), pa.float64(), pa.string(), pa.binary()), strict=True))
    kind = str if name == "case_id" else next(iter(kinds), None)
    return pa.array(values, types[kind] if kind else pa.null(), from_pandas=False)


def _as_float(uri: Uri, name: str, value: Any) -> float | None:
    if value is None or float(value) == value or value != value:
        return None if value is None else float(value)
    raise ShardError(
        f"{os.fspath(uri)}: field {name!r} holds floats and {value}, which no float can hold", os.fspath(uri)
    )
