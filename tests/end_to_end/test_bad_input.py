"""A folder of all that goes wrong with files: named and set aside by every command, and the rest is done."""

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from boneage_imaging.phantom import draw_case

from .conftest import SMALL, boneage

LONG = "n" * 196
GOOD = (
    *("deep", "colour", "clear", "indexed", "inks", "turned", "with space", "Röntgen-手", "-dash"),
    *("one-pixel", "thin", "png-named", "[red]brackets", LONG, "progressive", "one-bit"),
)
BAD = {
    "truncated.png": "cut off",
    "empty.jpg": "the file is empty",
    "text.png": "this is no picture file",
    "page.png": "this is a web page",
    "huge.png": "60000 x 60000 pixels",
    "vast.jpg": "65500 x 65500 pixels",
    "animated.png": "the PNG is animated",
    "pages.tif": "2 pages",
    "film.gif": "a GIF is not read",
    "film.webp": "a WEBP is not read",
    "film-named.png": "this is a GIF",
    "twin.png": "2 files are named 'twin'",
    "twin.bmp": "2 files are named 'twin'",
    r"'new\nline.png'": "cannot be a case's id",
    r"'latin-\udce9.png'": "not written in UTF-8",
    "m" * 230 + ".png": "cannot be a case's id; a plain, shorter one would do",
    "folder.png": "it is a folder, not a file",
    "pipe.png": "it is a pipe, not a file",
    "circle.png": "it is a link that leads in a circle",
    "dangling.png": "it is not there, or a link that leads nowhere",
}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(size, depth: int, colour: int, rows, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + pixels + chunk(b"IEND", b"")


def encoded(suffix: str, array: np.ndarray, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, array, list(options))[1])


def write_good(folder: Path, hand: np.ndarray) -> None:
    colour = np.dstack([hand] * 3)
    plain, jpeg = encoded(".png", hand), encoded(".jpg", hand)
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    indexed = np.indices((70, 90)).sum(axis=0) % 256
    palette = chunk(b"PLTE", bytes(value for level in range(256) for value in (level, level, level)))
    contents = {
        "deep.tif": encoded(".tif", hand.astype(np.uint16) * 257),
        "colour.png": encoded(".png", colour),
        "clear.png": encoded(".png", np.dstack([colour, np.full_like(hand, 200)])),
        "indexed.png": png((70, 90), 8, 3, indexed.astype(np.uint8), palette),
        "inks.tif": inks(hand),
        "turned.jpg": jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:],
        "with space.png": plain,
        "Röntgen-手.png": plain,
        "-dash.png": plain,
        "one-pixel.png": encoded(".png", hand[:1, :1]),
        "thin.png": encoded(".png", np.tile(hand[:1], (1, 60))),
        "png-named.jpg": plain,
        "[red]brackets.png": plain,
        f"{LONG}.png": plain,
        "progressive.jpeg": encoded(".jpg", colour, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "one-bit.png": png((70, 80), 1, 0, np.packbits(indexed[:, :80] > 90, axis=1)),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)


def inks(gray: np.ndarray) -> bytes:
    """A CMYK TIFF in one strip: no coloured ink, black where the picture is dark."""
    data = np.dstack([gray * 0, gray * 0, gray * 0, 255 - gray]).tobytes()
    height, width = gray.shape
    tags = [(256, width), (257, height), (258, 0), (259, 1), (262, 5), (273, 8), (277, 4), (278, height)]
    start = 8 + len(data)
    directory = struct.pack("<H", len(tags) + 1)
    for tag, value in tags:
        more = start + 2 + 12 * (len(tags) + 1) + 4  # the four depths, behind the directory
        kind, count, value = (3, 4, more) if tag == 258 else (4, 1, value)
        directory += struct.pack("<HHII", tag, kind, count, value)
    directory += struct.pack("<HHII", 279, 4, 1, len(data)) + bytes(4) + struct.pack("<4H", 8, 8, 8, 8)
    return b"II*\0" + struct.pack("<I", start) + data + directory


def write_bad(folder: Path, hand: np.ndarray) -> None:
    plain, jpeg = encoded(".png", hand), bytearray(encoded(".jpg", hand))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    contents = {
        "truncated.png": plain[:-50],
        "empty.jpg": b"",
        "text.png": b"id,boneage,male\n",
        "page.png": b"<!DOCTYPE html><title>404</title>",
        "huge.png": png((60_000, 60_000), 8, 0, [bytes(60_000)] * 10),
        "vast.jpg": bytes(jpeg),
        "animated.png": plain[:33] + chunk(b"acTL", b"\0\0\0\2\0\0\0\0") + plain[33:],
        "pages.tif": bytes(cv2.imencodemulti(".tif", [hand, hand])[1]),
        "film.gif": b"GIF89a" + bytes(30),
        "film.webp": b"RIFF\x20\0\0\0WEBPVP8X" + bytes(30),
        "film-named.png": b"GIF89a" + bytes(30),
        "twin.png": plain,
        "twin.bmp": encoded(".bmp", hand),
        "new\nline.png": plain,
        "m" * 230 + ".png": plain,
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / os.fsdecode(b"latin-\xe9.png")).write_bytes(plain)
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "dangling.png").symlink_to("nothing.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with `data/images` and `data/outlines`, of good files and bad."""
    place = tmp_path_factory.mktemp("bad")
    for name in ("images", "outlines"):
        (place / "data" / name).mkdir(parents=True)
    drawn = draw_case(3, 2, size=(160, 128))
    write_good(place / "data" / "images", drawn.image)
    write_bad(place / "data" / "images", drawn.image)
    for name in ("with space", "Röntgen-手", "-dash", "turned"):
        mask = np.rot90(drawn.mask, -1) if name == "turned" else drawn.mask
        (place / "data" / "outlines" / f"{name}.png").write_bytes(encoded(".png", mask * np.uint8(255)))
    return place


def tree(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def check_reasons(found: dict[str, str], expected: dict[str, str]) -> None:
    assert sorted(found) == sorted(expected)
    for name, reason in expected.items():
        assert reason in found[name], name


@pytest.mark.parametrize("command", ["resize", "contrast", "segment", "align"])
def test_a_folder_command_does_the_good_and_names_the_bad(command, place, tmp_path):
    images, out = place / "data" / "images", tmp_path / "out"
    before = tree(place)
    arguments = {
        "resize": ("preprocess", images, out, "--mode", "resize", "--size", 64, 64),
        "contrast": ("preprocess", images, out, "--mode", "contrast"),
        "segment": ("segment", images, out),
        "align": ("align", images, out, "--masks", place / "data" / "outlines"),
    }[command]
    done = boneage(*arguments, "--workers", 2 if command == "resize" else 1, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    reasons = {entry["name"]: entry["reason"] for entry in found["failed"]}
    assert (found["files"], found["done"] + len(reasons)) == (len(GOOD) + len(BAD),) * 2
    if command == "align":
        with_mask = sorted(path.stem for path in (place / "data" / "outlines").iterdir())
        assert sorted(path.stem for path in out.iterdir()) == with_mask
        reasons = {name: reason for name, reason in reasons.items() if "there is no mask" not in reason}
    else:
        folders = (out / "masks", out / "masked") if command == "segment" else (out,)
        for folder in folders:
            assert sorted(path.stem for path in folder.iterdir()) == sorted(GOOD)
    check_reasons(reasons, BAD)
    assert tree(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_predict_answers_or_refuses_each(place, tmp_path):
    out = tmp_path / "ages.csv"
    done = boneage("predict", place / "data" / "images", "--sex", "F", "--out", out, "--json")
    assert done.code == 0, done.err
    answers = {answer["id"]: answer for answer in json.loads(done.out)["answers"]}
    assert len(answers) == len(GOOD) + len(BAD) == len(out.read_text(encoding="utf-8").splitlines()) - 1
    check_reasons({name: answers.get(name, answers.get(Path(name).stem))["reason"] for name in BAD}, BAD)
    for name in ("with space", "Röntgen-手", "-dash", "png-named", "colour", "deep"):
        assert answers[name]["age_months"] is not None, answers[name]
    assert "too small" in answers["one-pixel"]["reason"]


def test_a_table_of_answers_shows_names_as_they_are_and_counts(place):
    images = place / "data" / "images"
    done = boneage("predict", images / "[red]brackets.png", images / "empty.jpg", "--sex", "F")
    assert done.code == 0, done.err
    assert "1 of 2 answered" in " ".join(done.out.split())
    assert "[red" in done.out


def test_check_names_every_bad_file_and_counts(place):
    done = boneage("check", place / "data", "--json")
    assert done.code == 1, done.err
    found = json.loads(done.out)["images"]
    assert (found["files"], found["readable"]) == (
        len(GOOD) + len(BAD),
        found["files"] - len(found["unreadable"]),
    )
    told = "\n".join(json.loads(done.out)["wrong"])
    for name, reason in BAD.items():
        if name.startswith("film."):
            reason = "GIF" if name.endswith("gif") else "WebP"
        assert name in told or "twin" in name
        assert reason in told, name


def test_a_run_sets_the_bad_aside_and_goes_on(place, tmp_path):
    settings = tmp_path / "small.toml"
    settings.write_text(SMALL + "[ingest]\nmax_failures = 0.9\n")
    arguments = ("run", "--data", place / "data", "--only", "ingest", "--out", tmp_path / "run")
    done = boneage(*arguments, "--config", settings)
    assert done.code == 0, done.err
    assert f"ingest: {len(BAD)} of {len(GOOD) + len(BAD)} cases set aside" in done.err
    assert "pipe.png: it is a pipe, not a file" in done.err
    strict = boneage(*arguments, "--json")
    assert strict.code == 1
    assert "more than ingest.max_failures" in strict.err
    assert "empty: the file is empty" in strict.err


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        ("boneage,male\n1,True\n", 1, "where id,boneage,male would do"),
        ("id,boneage,male\n../../x,12,True\n-dash,-4,True\n", 3, "'-4' for the age"),
        ("id;boneage;male\n-dash;12;\n-dash;13;\n", 3, "stands in line 2 already"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_its_line(place, tmp_path, table, line, said):
    (tmp_path / "labels.csv").write_text(table)
    labels = ("--labels", tmp_path / "labels.csv")
    done = boneage("run", "--data", place / "data", *labels, "--out", tmp_path / "run")
    assert done.code == 1
    told = " ".join(done.err.split())
    assert f"{tmp_path / 'labels.csv'}, line {line}:" in told
    assert said in told
    assert [path.name for path in tmp_path.iterdir() if path.name != "run"] == ["labels.csv"]


def test_names_that_are_not_utf_8_are_told_of_on_any_terminal(place, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd-\xe9"))
    odd.mkdir()
    (odd / "a.png").write_bytes(encoded(".png", np.zeros((9, 9), np.uint8)))
    command = [sys.executable, "-c", "from boneage_cli.main import main; main()"]
    for arguments in (
        ("preprocess", odd, odd / "out", "--mode", "resize"),
        ("predict", place / "data" / "images" / "Röntgen-手.png", odd / "none.png"),
        ("run", "--data", odd, "--out", tmp_path / "run"),
    ):
        done = subprocess.run(
            [*command, *map(str, arguments)],
            capture_output=True,
            timeout=120,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert b"Traceback" not in done.stderr
        assert b"codec" not in done.stderr + done.stdout
        assert done.returncode in (0, 1)
