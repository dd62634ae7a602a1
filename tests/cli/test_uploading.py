"""A data set packed into shards, and radiographs as rows of CSV."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from boneage_cli.config import Ingest
from boneage_cli.csv_rows import Row, read_rows, write_rows
from boneage_cli.errors import CallError, DataError, RunError
from boneage_cli.folders import phantom_folder
from boneage_cli.sources import list_cases, locate
from boneage_cli.stages import apply_ingest
from boneage_cli.uploading import upload_data
from boneage_imaging.codec import decode
from boneage_imaging.geometry import letterbox
from boneage_sparkrun import read_shard, shard_uris

IDS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20)
IMAGES = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
AGES = st.none() | st.floats(0, 300)
ROWS = st.lists(st.builds(Row, IDS, st.sampled_from([True, False, None]), AGES, IMAGES), max_size=4)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / "data"
    phantom_folder(folder, count=5, seed=0, size=(80, 64), workers=1, quiet=True)
    return folder


@given(ROWS)
def test_rows_come_back_whole(rows):
    read, faults = read_rows(write_rows(rows))
    assert not faults
    assert [(row.case_id, row.male, row.age_months) for row in read] == [
        (row.case_id, row.male, row.age_months) for row in rows
    ]
    for one, other in zip(read, rows, strict=True):
        assert one.image.dtype == np.uint8
        np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a,True,1,2,2,1,2,3",
        "a,True,1,1,1,256",
        "a,True,1,1,1,99999999999999999999",
        "a,True,1,0,0",
        "a,x,1,1,1,1",
        "a,True,?,1,1,1",
        "a,True,-1,1,1,1",
        "a,True,1,1,1,x",
        "a",
    ],
)
def test_what_is_no_row_is_told_with_its_line_and_the_others_are_read(line):
    good = [Row(name, None, None, np.zeros((1, 1), np.uint8)) for name in ("one", "two")]
    first, second = (write_rows([row]) for row in good)
    rows, ((number, fault),) = read_rows(first + line.encode() + b"\n" + second)
    assert [row.case_id for row in rows] == ["one", "two"]
    assert number == 2
    assert fault.startswith("line 2 is no radiograph: ")


def test_what_is_no_text_is_refused():
    with pytest.raises(DataError, match="no CSV file of radiographs"):
        read_rows(b"\xff\xfe\x00")


def test_images_of_another_kind_are_refused():
    with pytest.raises(DataError, match="uint16"):
        write_rows([Row("a", None, None, np.zeros((2, 2), np.uint16))])


def test_a_data_set_is_packed_with_labels_and_outlines(phantoms, tmp_path):
    (phantoms / "images" / "broken.gif").write_bytes(b"GIF89a")
    result = upload_data(phantoms, str(tmp_path / "packed"), shard_size=2)
    (phantoms / "images" / "broken.gif").unlink()
    assert (result.done, result.summary["shards"]) == (5, 3)
    records = [record for uri in shard_uris(tmp_path / "packed") for record in read_shard(uri)]
    assert len(records) == 5
    for record in records:
        assert record["image_file"] == (phantoms / "images" / f"{record['case_id']}.png").read_bytes()
        assert record["outline_file"] == (phantoms / "outlines" / record["outline_name"]).read_bytes()
        assert record["age_months"] is not None
        assert record["male"] is not None
    (told,) = [record for uri in shard_uris(tmp_path / "packed" / "failures") for record in read_shard(uri)]
    assert told["case_id"].startswith("broken")
    assert "GIF" in told["reason"]
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]


def test_what_was_packed_is_taken_in_as_the_files_are(phantoms, tmp_path):
    upload_data(phantoms, str(tmp_path / "packed"))
    (uri,) = shard_uris(tmp_path / "packed")
    settings = Ingest(long_side=48)
    files = {case["case_id"]: case for case in list_cases(locate(phantoms))}
    for record in read_shard(uri):
        taken = apply_ingest(record, settings)
        assert taken == apply_ingest(files[record["case_id"]], settings)
        assert taken["outline"] is not None


def test_radiographs_become_rows_of_pixels_and_bad_ones_are_told(phantoms, tmp_path):
    bad = phantoms / "images" / "bad.png"
    bad.write_bytes(b"no picture")
    result = upload_data(phantoms, str(tmp_path / "rows"), form="csv", size=(32, 32), shard_size=4)
    bad.unlink()
    assert result.done == 5
    assert [name for name, _ in result.failed] == ["bad"]
    files = sorted((tmp_path / "rows").glob("rows-*.csv"))
    assert [file.name for file in files] == ["rows-00000-of-00002.csv", "rows-00001-of-00002.csv"]
    rows = [row for file in files for row in read_rows(file.read_bytes())[0]]
    assert len(rows) == 5
    for row in rows:
        image = decode((phantoms / "images" / f"{row.case_id}.png").read_bytes())
        np.testing.assert_array_equal(row.image, letterbox(image, (32, 32))[0])


def test_nothing_is_left_of_what_cannot_be_packed_and_nothing_is_replaced(phantoms, tmp_path):
    with pytest.raises(CallError, match="there already"):
        upload_data(phantoms, str(tmp_path))
    images = tmp_path / "data"
    images.mkdir()
    (images / "bad.png").write_bytes(b"no picture")
    with pytest.raises(RunError, match="no case could be packed"):
        upload_data(images, str(tmp_path / "out"), form="csv")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
