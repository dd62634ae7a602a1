"""`boneage annotate`: begun from markers, corrected in a file, the same again; without TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from boneage_cli.annotating import annotate_folder
from boneage_cli.errors import CallError
from boneage_cli.folders import FolderResult
from boneage_imaging.codec import encode_png
from boneage_segmentation import AnnotationError, draw_annotation, jaccard, read_outline

from .picture_folders import contents, load

COUNT = 3


@pytest.fixture(scope="module")
def data(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms whose skin is as plain as a real hand's, and rough masks of the first two."""
    folder = tmp_path_factory.mktemp("annotating")
    for name in ("images", "rough", "truth"):
        (folder / name).mkdir()
    for path in sorted((phantoms / "images").iterdir())[:COUNT]:
        image, mask = load(path), load(phantoms / "outlines" / path.name) > 0
        plain = np.clip(30 + 90 * cv2.GaussianBlur(mask.astype(float), (0, 0), 1) + 0.3 * image, 0, 255)
        (folder / "images" / path.name).write_bytes(encode_png(plain.astype(np.uint8)))
        (folder / "truth" / path.name).write_bytes(encode_png(mask))
        if path.stem != f"phantom-{COUNT - 1:05d}":
            (folder / "rough" / path.name).write_bytes(encode_png(np.roll(mask, 2, axis=1)))
    return folder


def annotate(data: Path, out: Path, markers: Path | None, *, workers: int = 1) -> FolderResult:
    return annotate_folder(
        data / "images", out, markers=markers, method="grabcut", sheets=None, workers=workers, quiet=True
    )


def outline(out: Path, case_id: str) -> np.ndarray:
    return read_outline((out / "outlines" / f"{case_id}.json").read_bytes(), f"{case_id}.json")


def test_outlines_are_begun_corrected_and_drawn_again(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = annotate(data, out, data / "rough")
    assert (result.done, result.summary["begun"], result.summary["without"]) == (2, 2, 1)
    truth = load(data / "truth" / "phantom-00000.png") > 0
    first = outline(out, "phantom-00000")
    assert jaccard(first, truth) >= 0.95
    assert len(result.summary["sheets"]) == 1
    sheet = cv2.imread(result.summary["sheets"][0])
    assert sheet.shape[1] == 3 * 480

    path = out / "drawings" / "phantom-00000.json"
    drawing = json.loads(path.read_bytes())
    assert drawing["drawn"] == "outline + grabcut"
    drawing |= {"remove": [[[0, 0], [127, 0], [127, 60], [0, 60]]], "reviewed": "2026-01-01"}
    path.write_text(json.dumps(drawing))
    again = annotate(data, out, None)
    assert (again.done, again.summary["begun"], again.summary["without"]) == (2, 0, 1)
    corrected = outline(out, "phantom-00000")
    assert not corrected[:59].any()
    assert jaccard(corrected[62:], first[62:]) >= 0.99
    assert json.loads((out / "outlines" / "phantom-00000.json").read_bytes())["reviewed"] == "2026-01-01"

    before = contents(out)
    annotate(data, out, data / "rough", workers=2)
    assert contents(out) == before


def test_keypoints_are_markers_too(data: Path, phantoms: Path, tmp_path: Path) -> None:
    result = annotate(data, tmp_path, phantoms / "keypoints.json")
    assert result.done == COUNT
    drawn = [outline(tmp_path, path.stem) for path in sorted((data / "images").iterdir())]
    truth = [load(path) > 0 for path in sorted((data / "truth").iterdir())]
    assert np.median([jaccard(*pair) for pair in zip(drawn, truth, strict=True)]) >= 0.9


def test_pixelannotationtool_s_markers_are_taken(data: Path, tmp_path: Path) -> None:
    image, mask = (load(data / kind / "phantom-00000.png") for kind in ("images", "truth"))
    markers, *others = draw_annotation(tmp_path / "markers", "phantom-00000", image, mask > 0)
    for path in others:
        path.unlink()
    annotate(data, tmp_path / "out", markers.parent)
    assert jaccard(outline(tmp_path / "out", "phantom-00000"), mask > 0) >= 0.95


def test_a_drawing_that_cannot_be_followed_is_set_aside_and_its_old_outline_goes(
    data: Path, tmp_path: Path
) -> None:
    annotate(data, tmp_path, data / "rough")
    (tmp_path / "drawings" / "phantom-00001.json").write_text("{}")
    result = annotate(data, tmp_path, None)
    assert result.done == 1
    assert [name for name, _ in result.failed] == ["phantom-00001.png"]
    assert "no drawing" in result.failed[0][1]
    assert not (tmp_path / "outlines" / "phantom-00001.json").exists()


def test_what_cannot_be_marked_is_a_wrong_call(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="holds no drawing"):
        annotate(data, tmp_path, None)
    with pytest.raises(CallError, match="not there"):
        annotate(data, tmp_path, tmp_path / "none")
    (tmp_path / "k.json").write_text("[]")
    with pytest.raises(AnnotationError, match="no keypoints"):
        annotate(data, tmp_path, tmp_path / "k.json")
    assert not (tmp_path / "outlines").exists()


def test_the_command_loads_no_tensorflow(data: Path, tmp_path: Path) -> None:
    script = f"""
import sys
from boneage_cli.main import app
app(["annotate", {str(data / "images")!r}, {str(tmp_path)!r}, "--markers", {str(data / "rough")!r}, "--json",
     "--workers", "1"], standalone_mode=False)
print("heavy:", *({{"tensorflow", "keras", "onnxruntime"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("heavy:")
    assert json.loads(done.stdout.split("heavy:")[0])["done"] == 2
