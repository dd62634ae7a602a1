"""Files that people give: read whole, or told of in plain words, and never waited for."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_cli.errors import DataError
from boneage_cli.files import file_fault, plain, read_bounded, shown


@pytest.fixture
def places(tmp_path: Path) -> dict[Path, str]:
    """What is no file, and what is said of it."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "to-pipe").symlink_to("pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    server.close()
    return {
        tmp_path / "folder": "it is a folder, not a file",
        tmp_path / "pipe": "it is a pipe, not a file",
        tmp_path / "to-pipe": "it is a pipe, not a file",
        tmp_path / "dangling": "it is not there, or a link that leads nowhere",
        tmp_path / "circle": "it is a link that leads in a circle",
        tmp_path / ("n" * 300): "its name is too long",
        tmp_path / "n\0l": "its name has a NUL in it",
        Path("/dev/zero"): "it is a device, not a file",
    }


def test_what_is_no_file_is_told_of_and_never_waited_for(places: dict[Path, str], tmp_path: Path) -> None:
    for path, said in places.items():
        assert file_fault(path) == said
        with pytest.raises(DataError, match=said.replace("(", r"\(")):
            read_bounded(path)
    assert "socket" in file_fault(tmp_path / "socket")
    with pytest.raises(DataError):
        read_bounded(tmp_path / "socket")


def test_a_file_is_read_whole_up_to_the_bound(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"12345")
    link.symlink_to(path)
    for place in (path, link, str(path)):
        assert read_bounded(place, 5) == b"12345"
        assert file_fault(Path(place)) == ""
    with pytest.raises(DataError, match="it has 5 bytes; at most 4 are read"):
        read_bounded(path, 4)
    assert read_bounded(path.as_uri()) == b"12345"


def test_a_vast_file_is_never_read(tmp_path: Path) -> None:
    with (tmp_path / "vast").open("wb") as file:
        file.truncate(1 << 40)  # takes no place on the disk
    with pytest.raises(DataError, match="1099511627776 bytes; at most 1073741824 are read"):
        read_bounded(tmp_path / "vast")


@given(st.text())
def test_what_is_told_can_be_printed(text: str) -> None:
    for told in (plain(text), shown(text)):
        assert told.isprintable()
        told.encode()
    assert plain(text) == text or not text.isprintable()
