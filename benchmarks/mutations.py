"""Damage to files, drawn by a seeded generator: to any bytes, and to a format's own parts.

A damaged checksum would end every PNG at the door; so most are mended again, and what lies behind is reached.
"""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

from fuzz_corpus import chunk

_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 32, 64, 127, 128, 255, 256, 1000, 4096, 32767, 32768, 50_000, 65535)
_LARGE = (*_NUMBERS, 65536, 100_000, 1 << 20, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_WORDS = (
    *('"', '""', "'", ",", ";", "\t", "\n", "\r", "\0", "\ufeff", " ", "-", "-1", "1e999", "1e-999", "nan"),
    *(
        "inf",
        "Infinity",
        "NaN",
        "null",
        "true",
        "[",
        "]",
        "{",
        "}",
        "[" * 3000,
        '{"a":' * 3000,
        "0x10",
        "1_0",
    ),
    *(
        "9" * 400,
        "../../x",
        "/etc/passwd",
        "..",
        "é",
        "骨",
        "\u202e",
        "١٢",
        "=1+1",
        "[/x]",
        "%s",
        "{0}",
        "\x1b[2J",
    ),
    *("id,boneage,male\n", "id", "male", "boneage", "sex", "M", "F", "True", "0", "2.5", "12,5", "-0", "1e2"),
    *("size", "objects", "points", "exterior", "height", '"height": 1000000000', '"points": null', "[[0,0]]"),
)


def mutate(name: str, data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Damages a picture's file, by its own format's parts or by its bytes.

    Args:
        name: Its name; the suffix tells the format.
        data: Its content.
        others: Further files, to take parts from.
        rng: Decides all.
    """
    by_format = {"png": _damage_png, "jpg": _damage_jpeg, "tif": _damage_tiff, "iff": _damage_tiff}
    special = by_format.get(name[-3:])
    if special and rng.random() < 0.7:
        return special(data, rng)
    return damage_bytes(data, others, rng)


def damage_bytes(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Changes bytes, wherever they stand; the beginning and the end are hit more often."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        operation = rng.choice(_OPERATIONS)
        operation(result, rng)
    if rng.random() < 0.05 and others:
        other = rng.choice(others)
        at = _place(result, rng)
        result[at:] = other[min(at, len(other)) :]
    return bytes(result)


def damage_text(text: str, rng: random.Random) -> bytes:
    """Damages a table, a JSON or a TOML file: words put in, lines cut or doubled, another encoding."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(text) + 1)
        until = min(len(text), at + rng.choice((0, 0, 1, 3, 10)))
        text = text[:at] + rng.choice(_WORDS) + text[until:]
    if rng.random() < 0.2:
        lines = text.splitlines(keepends=True)
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines or [""]))
        text = "".join(lines)
    encoding = rng.choice(("utf-8",) * 6 + ("utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32"))
    data = text.encode(encoding, errors="replace")
    return damage_bytes(data, [], rng) if rng.random() < 0.2 else data


def _place(data: bytearray, rng: random.Random) -> int:
    if not data:
        return 0
    near = min(len(data), 200)
    return rng.choice((rng.randrange(len(data)), rng.randrange(near), len(data) - 1 - rng.randrange(near)))


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _set(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] = rng.randrange(256)


def _number(data: bytearray, rng: random.Random) -> None:
    code, numbers = rng.choice((("H", _NUMBERS), ("I", _LARGE)))
    packed = struct.pack(rng.choice("<>") + code, rng.choice(numbers))
    at = _place(data, rng)
    data[at : at + len(packed)] = packed


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _delete(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 16, 200))]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 200)))


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.choice((4, 16, 200))]


def _clear(data: bytearray, rng: random.Random) -> None:
    at, count = _place(data, rng), rng.choice((4, 16, 200))
    data[at : at + count] = bytes((rng.choice((0, 255)),)) * min(count, len(data) - at)


_OPERATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _set, _set, _number, _number, _number),
    *(_cut, _delete, _insert, _repeat, _clear),
)


def _damage_png(data: bytes, rng: random.Random) -> bytes:
    chunks, position = [], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(chunks))
        kind, body = chunks[at]
        what = rng.randrange(6)
        if what == 0:
            chunks.insert(rng.randrange(len(chunks) + 1), chunks[at])
        elif what == 1:
            chunks.insert(rng.randrange(len(chunks)), chunks.pop(at))
        elif what == 2:
            del chunks[at]
        elif what == 3 and kind == b"IDAT":
            chunks[at] = (kind, _damage_compressed(body, rng))
        elif what == 4:
            chunks[at] = (rng.choice((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"iCCP", b"sBIT", b"gAMA")), body)
        else:
            chunks[at] = (kind, damage_bytes(body, [], rng))
        if not chunks:
            break
    return data[:8] + b"".join(chunk(kind, body) for kind, body in chunks)


def _damage_compressed(body: bytes, rng: random.Random) -> bytes:
    try:
        rows = zlib.decompress(body)
    except zlib.error:
        return body
    return zlib.compress(damage_bytes(rows, [], rng))


def _damage_jpeg(data: bytes, rng: random.Random) -> bytes:
    segments, position = [data[:2]], 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        segments.append(data[position:end])
        position = end
    segments.append(data[position:])
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(1, len(segments))
        what = rng.randrange(5)
        if what == 0:
            segments.insert(rng.randrange(1, len(segments) + 1), segments[at])
        elif what == 1:
            segments.insert(rng.randrange(1, len(segments)), segments.pop(at))
        elif what == 2 and len(segments) > 2:
            del segments[at]
        else:
            marker, body = segments[at][:4], bytearray(segments[at][4:])
            rng.choice((_flip, _set, _number, _number))(body, rng)
            segments[at] = marker + bytes(body)
    return b"".join(segments) + (b"\xff\xd9" if rng.random() < 0.5 else b"")


def _damage_tiff(data: bytes, rng: random.Random) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    result = bytearray(data)
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    for _ in range(rng.choice((1, 1, 2))):
        entry = directory + 2 + 12 * rng.randrange(count)
        tag, kind, number, value = struct.unpack_from(order + "HHII", result, entry)
        what = rng.randrange(4)
        if what == 0:
            tag = rng.choice((254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323))
        elif what == 1:
            kind = rng.randrange(14)
        elif what == 2:
            number = rng.choice(_LARGE)
        else:
            value = rng.choice((*_LARGE, 32773, 32946, 34676, 34712, 34925, 50000, 50001))
        struct.pack_into(order + "HHII", result, entry, tag, kind, number, value)
    return bytes(result)
