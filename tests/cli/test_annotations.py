"""The repository's own outlines: whole, of the one split, each with its drawing, and no radiograph among them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from boneage_regression import in_test
from boneage_segmentation import find_outlines, jaccard, read_drawing, read_outline

ANNOTATIONS = Path(__file__).parents[2] / "annotations"
PASSES = (ANNOTATIONS, ANNOTATIONS / "second")


def facts(folder: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_bytes()) for path in (folder / "outlines").iterdir()}


@pytest.mark.parametrize("folder", PASSES, ids=["first", "second"])
def test_every_outline_has_its_drawing_and_stands_in_the_part_of_the_one_split(folder: Path) -> None:
    outlines = facts(folder)
    assert (
        {path.stem for path in (folder / "drawings").iterdir()}
        == set(outlines)
        == set(find_outlines(folder / "outlines"))
    )
    for case_id, outline in outlines.items():
        path = folder / "drawings" / f"{case_id}.json"
        drawing = read_drawing(path.read_bytes(), path.name)
        assert drawing.size == (outline["size"]["height"], outline["size"]["width"])
        assert max(drawing.size) <= 640
        assert outline["part"] == drawing.facts["part"] == ("test" if in_test(case_id) else "training")
        assert outline["drawn"]
        assert outline["reviewed"]


def test_there_are_enough_of_them_and_the_readme_counts_them_right() -> None:
    outlines = facts(ANNOTATIONS)
    test = [outline for outline in outlines.values() if outline["part"] == "test"]
    assert len(outlines) >= 140
    assert len(test) >= 40
    assert sum(outline["kinds"] != ["plain"] for outline in outlines.values()) * 2 >= len(outlines)
    readme = (ANNOTATIONS / "README.md").read_text(encoding="utf-8")
    assert (
        f"| **radiographs** | **{len(outlines)}** | **{len(test)}** | **{len(outlines) - len(test)}** |"
        in readme
    )
    for kind, count in Counter(kind for outline in outlines.values() for kind in outline["kinds"]).items():
        line = next(line for line in readme.splitlines() if line.startswith(f"| {kind}"))
        of_test = sum(kind in outline["kinds"] for outline in test)
        assert line.endswith(f"| {count} | {of_test} | {count - of_test} |")


def test_the_two_passes_agree() -> None:
    second = facts(ANNOTATIONS / "second")
    assert len(second) == 20
    assert sum(outline["part"] == "test" for outline in second.values()) == 10
    for case_id in second:
        first, again = (
            read_outline((folder / "outlines" / f"{case_id}.json").read_bytes(), f"{case_id}.json")
            for folder in PASSES
        )
        assert jaccard(first, again) > 0.95


def test_an_outline_is_one_hand_and_no_radiograph_lies_beside_it() -> None:
    for path in (ANNOTATIONS / "outlines").iterdir():
        mask = read_outline(path.read_bytes(), path.name)
        assert 0.03 < mask.mean() < 0.75, path.name
    assert {path.suffix for path in ANNOTATIONS.rglob("*") if path.is_file()} == {".json", ".md"}
