"""Markers: done is done, and any change is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_cli.markers import digest, is_done, mark_done, read_marker
from boneage_sparkrun.place import Place

KEY = digest({"a": 1})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "shard").write_bytes(b"some bytes")
    (tmp_path / "sub" / "model").write_bytes(b"other bytes")
    mark_done(Place(tmp_path), KEY, {"cases": 2})
    return tmp_path


def test_a_marked_stage_is_done_and_keeps_its_summary(folder):
    assert is_done(Place(folder), KEY)
    assert read_marker(Place(folder))["summary"] == {"cases": 2}


def test_another_key_is_not_done(folder):
    assert not is_done(Place(folder), digest({"a": 2}))


def test_a_hidden_file_of_the_desktop_is_no_damage(folder):
    (folder / ".DS_Store").write_bytes(b"")
    (folder / "sub" / ".directory").write_bytes(b"")
    assert is_done(Place(folder), KEY)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "shard").unlink(),
        lambda folder: (folder / "shard").write_bytes(b"some byteS"),
        lambda folder: (folder / "sub" / "model").write_bytes(b""),
        lambda folder: (folder / "extra").write_bytes(b""),
        lambda folder: (folder / "done.json").write_text('{"key": "cut sh'),
        lambda folder: (folder / "done.json").unlink(),
        lambda folder: (folder / "done.json").write_text("5"),
        lambda folder: (folder / "link").symlink_to(folder / "nowhere"),
    ],
    ids=[
        "deleted",
        "one byte",
        "cut short",
        "added",
        "marker cut short",
        "marker removed",
        "marker no marker",
        "a link that leads nowhere",
    ],
)
def test_damage_is_noticed(folder, damage):
    damage(folder)
    assert not is_done(Place(folder), KEY)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=4))
def test_a_digest_does_not_depend_on_the_order_of_keys(value):
    assert digest(value) == digest(dict(reversed(value.items())))


@given(st.integers(), st.integers())
def test_different_values_have_different_digests(one, other):
    assert (digest({"x": one}) == digest({"x": other})) == (one == other)
