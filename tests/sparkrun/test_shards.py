import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_sparkrun import ShardError, StorageError, read_shard, shard_name, shard_uris, write_shard

KINDS = {
    "bytes": st.binary(max_size=20),
    "str": st.text(max_size=10),
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(),
    "bool": st.booleans(),
    "nothing": st.none(),
}


@st.composite
def records(draw):
    """Records of some fields, each of one kind, each missing or None here and there."""
    names = draw(
        st.lists(st.text(min_size=1, max_size=8).filter(lambda n: n != "case_id"), unique=True, max_size=5)
    )
    kinds = {name: KINDS[draw(st.sampled_from(sorted(KINDS)))] for name in names}
    ids = draw(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=6))
    rows = []
    for case_id in ids:
        chosen = draw(st.sets(st.sampled_from(names))) if names else set()
        rows.append({"case_id": case_id, **{name: draw(st.none() | kinds[name]) for name in sorted(chosen)}})
    return rows


def same(one, other):
    """Equal and of the same kind: NaN equals NaN, 0.0 is not -0.0, 1 is not 1.0 nor True."""
    return repr(one) == repr(other)


@given(records())
def test_records_come_back_as_they_were(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round_trip.parquet"
    write_shard(path, rows)
    fields = {name for row in rows for name in row}
    read = read_shard(path)
    assert len(read) == len(rows)
    for row, back in zip(rows, read, strict=True):
        assert set(back) == fields
        assert all(same(back[name], row.get(name)) for name in fields)


@given(records(), st.randoms())
def test_the_same_records_give_the_same_bytes(tmp_path_factory, rows, random):
    one, two = (tmp_path_factory.getbasetemp() / f"same_{name}.parquet" for name in "ab")
    write_shard(one, rows)
    write_shard(two, [dict(random.sample(list(row.items()), len(row))) for row in rows])
    assert one.read_bytes() == two.read_bytes()
    write_shard(two, read_shard(one))
    assert one.read_bytes() == two.read_bytes()


def test_an_empty_shard_is_a_shard(tmp_path):
    write_shard(tmp_path / "empty.parquet", [])
    assert read_shard(tmp_path / "empty.parquet") == []


def test_numpy_scalars_become_plain_and_integers_join_floats(tmp_path):
    path = tmp_path / "numpy.parquet"
    rows = [
        {"case_id": np.str_("a"), "i": np.int16(3), "f": np.float32(0.5), "b": np.bool_(True), "m": 1},
        {"case_id": "b", "m": 0.5},
    ]
    write_shard(path, rows)
    read = read_shard(path)
    assert read[0] == {"case_id": "a", "i": 3, "f": 0.5, "b": True, "m": 1.0}
    assert [type(value) for value in read[0].values()] == [str, bool, float, int, float]


def test_only_the_fields_asked_for_are_read(tmp_path):
    write_shard(tmp_path / "s.parquet", [{"case_id": "a", "x": 1, "y": 2}])
    assert read_shard(tmp_path / "s.parquet", fields=["y", "absent"]) == [{"case_id": "a", "y": 2}]


def test_every_truncated_file_is_refused_by_name(tmp_path):
    path = tmp_path / "cut.parquet"
    write_shard(path, [{"case_id": str(i), "image": bytes(50), "x": i / 3} for i in range(5)])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ShardError, match=r"cut\.parquet") as caught:
            read_shard(path)
        assert caught.value.uri == str(path)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_any_changed_byte_is_noticed(tmp_path, count):
    path = tmp_path / "flipped.parquet"
    rows = [
        {
            "case_id": f"c{i}",
            "n": i,
            "x": i / 3,
            "last": i > 3,
            "text": "ab" * i,
            "none": None,
            "b": b"\0" * i,
        }
        for i in range(count)
    ]
    write_shard(path, rows)
    whole = path.read_bytes()
    for place, byte in enumerate(whole):
        path.write_bytes(whole[:place] + bytes([byte ^ (1 << place % 8)]) + whole[place + 1 :])
        with pytest.raises(ShardError, match=r"flipped\.parquet"):
            read_shard(path)


def test_others_read_a_shard_as_parquet(tmp_path):
    import pyarrow.parquet as pq

    rows = [{"case_id": f"c{i}", "b": b"\0" * i, "x": i / 3} for i in range(5)]
    write_shard(tmp_path / "s.parquet", rows)
    assert pq.read_table(tmp_path / "s.parquet", page_checksum_verification=True).to_pylist() == rows


def test_a_missing_file_and_a_foreign_one_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(StorageError):
        read_shard(tmp_path / "missing.parquet")
    pq.write_table(pa.table({"case_id": ["a"]}), tmp_path / "foreign.parquet")
    with pytest.raises(ShardError, match="not written as a shard"):
        read_shard(tmp_path / "foreign.parquet")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"x": 1}], "case_id"),
        ([{"case_id": ""}], "case_id"),
        ([{"case_id": 7}], "case_id"),
        ([{"case_id": "a"}, {"case_id": "a"}], "twice"),
        ([{"case_id": "a", "x": 1}, {"case_id": "b", "x": "one"}], "int and str"),
        ([{"case_id": "a", "x": 1}, {"case_id": "b", "x": True}], "bool and int"),
        ([{"case_id": "a", "x": 2**60 + 1}, {"case_id": "b", "x": 0.5}], "no float can hold"),
        ([{"case_id": "a", "x": 2**63}], "64 bits"),
        ([{"case_id": "a", "x": [1]}], "list"),
        ([{"case_id": "a", "x": np.zeros(2)}], "ndarray"),
        ([{"case_id": "a", "x": "\ud800"}], "Unicode"),
        ([{"case_id": "a", 5: 1}], "name"),
        (["a"], "dict"),
    ],
)
def test_what_fits_no_table_is_refused_and_leaves_no_file(tmp_path, rows, reason):
    with pytest.raises(ShardError, match=reason):
        write_shard(tmp_path / "bad.parquet", rows)
    assert list(tmp_path.iterdir()) == []


def test_the_shards_of_a_folder_come_in_order_and_complete(tmp_path):
    assert shard_uris(tmp_path) == []
    for index in (2, 0, 1):
        write_shard(tmp_path / shard_name(index, 3), [{"case_id": str(index)}])
    (tmp_path / "failures").mkdir()
    (tmp_path / "notes.txt").write_text("other files are nothing to us")
    uris = shard_uris(tmp_path)
    assert [row["case_id"] for row in itertools.chain.from_iterable(map(read_shard, uris))] == ["0", "1", "2"]
    (tmp_path / shard_name(1, 3)).unlink()
    with pytest.raises(ShardError, match="shard-00001-of-00003"):
        shard_uris(tmp_path)


def test_two_sets_in_one_folder_are_refused(tmp_path):
    for index, count in ((0, 1), (0, 2), (1, 2)):
        write_shard(tmp_path / shard_name(index, count), [])
    with pytest.raises(ShardError, match="shard-00000-of-00001"):
        shard_uris(tmp_path)


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0)])
def test_a_shard_outside_its_set_is_refused(index, count):
    with pytest.raises(ShardError, match="index"):
        shard_name(index, count)
