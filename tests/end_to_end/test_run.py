"""The main job, start to end, and that the single commands are the same job."""

import csv
import json
import shutil

import pytest

from boneage_cli.pipeline import stage_names
from boneage_imaging import decode_colours

from .conftest import boneage


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_stage_is_done_and_every_case_is_answered(run_folder):
    for name in stage_names():
        assert (run_folder / name / "done.json").is_file()
    predictions = rows(run_folder / "evaluate" / "predictions.csv")
    assert len(predictions) == 24
    assert {row["part"] for row in predictions} == {"train", "test"}
    for row in predictions:
        if row["age_months"]:
            assert 0 <= float(row["lower"]) <= float(row["age_months"]) <= float(row["upper"]) <= 228
        assert bool(row["out_of_fold_months"]) == (row["part"] == "train" and bool(row["age_months"]))
    page = (run_folder / "report" / "report.html").read_text()
    assert "Not a medical device" in page


def test_each_training_case_was_out_of_fold_once(run_folder):
    ids = [row["id"] for row in rows(run_folder / "train-regression" / "out-of-fold.csv")]
    assert len(ids) == len(set(ids))


def test_the_same_run_again_does_nothing(run_folder, settings):
    before = {
        path: path.stat().st_mtime_ns
        for path in run_folder.rglob("*")
        if path.suffix in (".parquet", ".onnx")
    }
    done = boneage("run", "all", "--config", settings, "--out", run_folder)
    assert done.code == 0
    assert done.err.count("done already") == len(stage_names())
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_changed_setting_redoes_only_what_depends_on_it(run_folder, settings, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    changed = tmp_path / "changed.toml"
    changed.write_text(settings.read_text().replace("[prepare]", "[prepare]\nclip_limit = 3.5"))
    done = boneage("run", "all", "--config", changed, "--out", copy)
    assert done.code == 0, done.err
    again = [name for name in stage_names() if f"{name}: done already" in done.err]
    assert again == ["ingest", "split", "train-segmentation", "segment"]


def test_only_and_from_do_what_they_say(run_folder, settings, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    done = boneage("run", "--only", "prepare", "--config", settings, "--out", copy)
    assert done.code == 0, done.err
    assert [name for name in stage_names() if f"{name}: done in" in done.err] == ["prepare"]
    done = boneage("run", "--from", "evaluate", "--config", settings, "--out", copy)
    assert done.code == 0, done.err
    assert [name for name in stage_names() if f"{name}: done in" in done.err] == ["evaluate", "report"]
    assert boneage("run", "--only", "colour", "--config", settings, "--out", copy).code == 2


def test_the_single_commands_in_order_are_the_run(run_folder, phantoms, settings, tmp_path):
    images = phantoms / "images"
    finder, masks, model = tmp_path / "finder", tmp_path / "masks", tmp_path / "model"
    for arguments in (
        ("train-segmentation", images, phantoms / "outlines", "--out", finder, "--config", settings),
        ("segment", images, masks, "--model", finder),
        (
            "train-regression",
            images,
            phantoms / "labels.csv",
            "--out",
            model,
            "--masks",
            masks / "masks",
            "--segmentation",
            finder,
            "--config",
            settings,
        ),
        (
            "predict",
            images,
            "--model",
            model,
            "--cases",
            phantoms / "labels.csv",
            "--out",
            tmp_path / "ages.csv",
        ),
    ):
        done = boneage(*arguments)
        assert done.code == 0, done.err
    of_folds, same = (
        {row["id"]: float(row["age_months"]) for row in rows(place)}
        for place in (run_folder / "train-regression" / "out-of-fold.csv", tmp_path / "model-out-of-fold.csv")
    )
    assert same == pytest.approx(of_folds, abs=0.01)
    # Three hands side by side; not in the model's folder, which may be given away.
    for sheet in (run_folder / "train-segmentation" / "overlays.png", tmp_path / "finder-overlays.png"):
        assert decode_colours(sheet.read_bytes()).shape == (800, 1440, 3)
    assert not list(finder.rglob("*.png"))
    figures = json.loads((run_folder / "evaluate" / "metrics.json").read_text())
    told = json.loads((model / "model.json").read_text())["summary"]
    # The run's figures are those of its table, which has two decimals.
    assert told["mad_months"] == pytest.approx(figures["out_of_fold"]["mad"], abs=0.01)
    assert told["mad_without_sex_months"] == pytest.approx(
        figures["out_of_fold"]["without_sex"]["mad"], abs=0.01
    )
    low, high = told["mad_interval_months"]
    assert low < told["mad_months"] < high
    of_run = {row["id"]: row["age_months"] for row in rows(run_folder / "evaluate" / "predictions.csv")}
    alone = {row["id"]: row["age_months"] for row in rows(tmp_path / "ages.csv")}
    assert of_run.keys() == alone.keys()
    for case_id, age in of_run.items():
        assert bool(age) == bool(alone[case_id])
        if age:
            assert float(alone[case_id]) == pytest.approx(float(age), abs=0.01)


@pytest.mark.parametrize("mine", ["finder-overlays.png", "finder/thesis.txt"])
def test_a_training_takes_nobodys_own_files_for_a_models(phantoms, settings, tmp_path, mine):
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine")
    call = ("train-segmentation", phantoms / "images", phantoms / "outlines", "--config", settings)
    done = boneage(*call, "--out", tmp_path / "finder")
    assert done.code == 2
    assert "a new name would do" in done.err
    assert (tmp_path / mine).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [mine.split("/")[0]]


def test_a_run_on_files_is_the_run_on_drawn_phantoms(run_folder, phantoms, settings, tmp_path):
    done = boneage(
        "run", "all", "--data", phantoms, "--config", settings, "--out", tmp_path / "run", "--json"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["stages"]["ingest"]["cases"] == 24
    drawn, read = (
        [
            {name: row[name] for name in ("id", "part", "fold", "age_months")}
            for row in rows(folder / "evaluate" / "predictions.csv")
        ]
        for folder in (run_folder, tmp_path / "run")
    )
    assert drawn == read


def test_phantoms_that_are_not_learned_end_in_exit_code_1(run_folder, settings, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    strict = tmp_path / "strict.toml"
    strict.write_text(settings.read_text().replace("jaccard = 0.0", "jaccard = 1.0"))
    done = boneage("run", "all", "--config", strict, "--out", copy)
    assert done.code == 1
    assert "Jaccard" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "all", "--engine", "spark"),
        ("run", "all", "--master", "spark://nowhere:7077"),
        ("run", "all", "--data", "nowhere"),
        ("run", "everything"),
        ("run", "all", "--preset", "huge"),
        ("predict", "x.png", "--model", "nowhere"),
        ("align", "in", "out"),
    ],
)
def test_a_wrong_call_is_exit_code_2_and_one_message(arguments, tmp_path):
    done = boneage(*arguments, *(("--out", tmp_path / "run") if arguments[0] == "run" else ()))
    assert done.code == 2
    assert done.err.strip()
