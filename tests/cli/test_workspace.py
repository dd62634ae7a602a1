"""A run's folder: nobody's own files are taken for a run's, and what is half done is gone on with."""

import pytest

from boneage_cli.errors import CallError
from boneage_cli.workspace import Workspace
from boneage_sparkrun.place import Place

KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def workspace(tmp_path):
    return Workspace(Place(tmp_path / "run"))


def test_a_folder_with_someones_files_is_refused_and_left_as_it_is(tmp_path):
    for name in ("ingest/mine.txt", "unfinished/thesis.txt", ".movie.part", "config.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    with (
        pytest.raises(CallError, match="is no run's folder"),
        Workspace(Place(tmp_path)).locked(),
    ):
        raise AssertionError("not to be reached")
    for name in ("ingest/mine.txt", "unfinished/thesis.txt", ".movie.part", "config.toml"):
        assert (tmp_path / name).read_text() == name


def test_a_new_an_empty_and_a_runs_own_folder_will_do(workspace, tmp_path):
    for _ in range(2):
        with workspace.locked():
            (tmp_path / "run" / "config.toml").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_text("")
    with Workspace(Place(tmp_path / "empty")).locked():
        pass
    assert (tmp_path / "empty" / ".DS_Store").exists()


def test_one_run_at_a_time(workspace):
    with workspace.locked(), pytest.raises(CallError, match="another run works"), workspace.locked():
        raise AssertionError("not to be reached")


def test_what_was_begun_for_the_same_key_is_gone_on_with_and_nothing_else(workspace):
    begun = workspace.begin("ingest", KEY, anew=False)
    (begun.output / "shard").write_bytes(b"half")
    assert workspace.begin("ingest", KEY, anew=False).output.names() == ["shard"]
    assert workspace.begin("ingest", KEY, anew=True).output.names() == []
    (workspace.begin("ingest", KEY, anew=True).output / "shard").write_bytes(b"half")
    assert workspace.begin("ingest", KEY, anew=True).output.names() == ["shard"]
    assert workspace.begin("ingest", OTHER, anew=False).output.names() == []
    assert workspace.begin("ingest", KEY, anew=False).output.names() == []


def test_a_stage_that_is_redone_leaves_alone_what_later_ones_began(workspace):
    """A touched file has `ingest` done anew; the training that was cut off goes on if nothing else changed."""
    (workspace.begin("train-segmentation", KEY, anew=False).scratch / "checkpoint").write_bytes(b"hours")
    workspace.begin("ingest", OTHER, anew=False).finish()
    assert workspace.begin("train-segmentation", KEY, anew=False).scratch.names() == ["checkpoint"]


def test_a_finished_stage_takes_the_place_of_an_older_one_whole(workspace, tmp_path):
    for content in (b"old", b"new"):
        begun = workspace.begin("split", KEY, anew=False)
        (begun.output / content.decode()).write_bytes(content)
        (begun.scratch / "checkpoint").write_bytes(content)
        (tmp_path / "run" / "unfinished" / begun.folder.name / "output" / ".x.part").write_bytes(b"half")
        begun.clean()
        begun.finish()
    assert workspace.stage("split").names() == ["new"]
    assert list((tmp_path / "run" / "split").iterdir()) == [tmp_path / "run" / "split" / "new"]
    assert workspace.folder.names() == ["split", "unfinished"]
