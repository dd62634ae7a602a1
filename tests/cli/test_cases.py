"""What a run takes in: listed files, packed shards, rows of a CSV file; the same cases each way."""

import json

import numpy as np
import pytest

from boneage_cli.cases import ListedCases, find_packed
from boneage_cli.config import Ingest
from boneage_cli.csv_rows import Row, write_rows
from boneage_cli.errors import CallError, DataError
from boneage_cli.folders import phantom_folder
from boneage_cli.sources import list_cases, locate
from boneage_cli.stages import apply_ingest
from boneage_cli.uploading import upload_data
from boneage_imaging.codec import decode
from boneage_imaging.geometry import letterbox
from boneage_sparkrun.engine import LocalEngine
from boneage_sparkrun.place import Place
from boneage_sparkrun.shards import read_shard

SETTINGS = Ingest(long_side=48)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / "data"
    phantom_folder(folder, count=5, seed=0, size=(80, 64), workers=1, quiet=True)
    return folder


def taken_in(cases, folder):
    """What `ingest` makes of them, and why it would set others aside."""
    good, bad = {}, {}
    for (uri,) in cases.sources(Place(folder), LocalEngine(1)):
        for case in read_shard(uri):
            if case["fault"]:
                bad[case["case_id"]] = case["fault"]
            else:
                good[case["case_id"]] = apply_ingest(case, SETTINGS)
    return good, bad


def test_a_packed_data_set_gives_the_cases_of_its_files_and_tells_what_was_set_aside(phantoms, tmp_path):
    gif = phantoms / "images" / "broken.gif"
    gif.write_bytes(b"GIF89a")
    listed = ListedCases(list_cases(locate(phantoms)), 3)
    upload_data(phantoms, str(tmp_path / "packed"), shard_size=2)
    gif.unlink()
    packed = find_packed(str(tmp_path / "packed"))
    assert taken_in(packed, tmp_path / "one") == taken_in(listed, tmp_path / "two")
    assert len(taken_in(packed, tmp_path / "one")[1]) == 1


def test_rows_give_their_images_and_labels(phantoms, tmp_path):
    upload_data(phantoms, str(tmp_path / "rows"), form="csv", size=(40, 48), shard_size=2)
    good, bad = taken_in(find_packed(str(tmp_path / "rows")), tmp_path / "sources")
    assert not bad
    cases = {case["case_id"]: case for case in list_cases(locate(phantoms))}
    assert set(good) == set(cases)
    for case_id, taken in good.items():
        image = letterbox(decode((phantoms / "images" / f"{case_id}.png").read_bytes()), (40, 48))[0]
        np.testing.assert_array_equal(decode(taken["image"]), image)
        assert [taken[name] for name in ("age_months", "male")] == [
            cases[case_id][name] for name in ("age_months", "male")
        ]


def test_bad_lines_and_bad_files_of_rows_are_set_aside(tmp_path):
    pixel = np.zeros((1, 1), np.uint8)
    names = ("good", "../../x", "good")
    lines = write_rows([Row(name, True, 3.0, pixel) for name in names]) + b"nonsense\n"
    (tmp_path / "rows-00000-of-00002.csv").write_bytes(lines)
    (tmp_path / "rows-00001-of-00002.csv").write_bytes(b"\xff\xfe\x00")
    good, bad = taken_in(find_packed(str(tmp_path)), tmp_path / "sources")
    assert list(good) == ["good"]
    assert sorted(fault.split(":")[0] for fault in bad.values()) == [
        "'../../x' cannot be a case's id",
        "good stands in the file already",
        "it is no CSV file of radiographs",
        "line 4 is no radiograph",
    ]


def test_a_folder_of_files_is_no_packed_data_set(phantoms, tmp_path):
    assert find_packed(str(phantoms)) is None
    assert find_packed(str(tmp_path / "not there")) is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(CallError, match="boneage upload"):
        find_packed(f"file://{tmp_path}/empty")


def test_an_incomplete_set_is_refused(phantoms, tmp_path):
    for form, pattern in (("parquet", "shard-00001-*"), ("csv", "rows-00001-*")):
        upload_data(phantoms, str(tmp_path / form), form=form, shard_size=2)
        next((tmp_path / form).glob(pattern)).unlink()
        with pytest.raises((DataError, ValueError), match=r"of-00003|CSV files"):
            find_packed(str(tmp_path / form))


def test_the_stamp_is_another_when_anything_is(phantoms, tmp_path):
    upload_data(phantoms, str(tmp_path / "packed"), shard_size=2)
    stamps = [find_packed(str(tmp_path / "packed")).stamp()]
    upload_data(phantoms, str(tmp_path / "again"), shard_size=2)
    shard = next((tmp_path / "again").glob("shard-00001-*"))
    shard.replace(next((tmp_path / "packed").glob("shard-00000-*")))
    stamps.append(find_packed(str(tmp_path / "packed")).stamp())
    cases = list_cases(locate(phantoms))
    stamps.append(ListedCases(cases, 2).stamp())
    (phantoms / "images" / f"{cases[0]['case_id']}.png").touch()
    stamps.append(ListedCases(cases, 2).stamp())
    assert len({json.dumps(stamp) for stamp in stamps}) == 4
