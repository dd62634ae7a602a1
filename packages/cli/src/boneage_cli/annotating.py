"""The annotate command: outlines drawn from markers, kept with how they were drawn, and sheets to review them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boneage_cli.batch import Batch, list_images, make_folder, map_files
from boneage_cli.errors import CallError
from boneage_cli.files import read_bounded
from boneage_cli.folders import FolderResult, folder_result

if TYPE_CHECKING:
    from boneage_segmentation.drawings import Method

__all__ = ["annotate_folder"]

_OF_A_SHEET = 6


def annotate_folder(
    images: Path,
    out: Path,
    *,
    markers: Path | None,
    method: Method,
    sheets: Path | None,
    workers: int,
    quiet: bool,
) -> FolderResult:
    """Draws the outlines of a folder's radiographs from drawings or markers.

    A drawing that is there is followed, whatever the markers are: corrections are written into it by hand, and the
    same command draws the same again. A radiograph that has neither is left alone, and counted.

    Args:
        images: The folder; its own folders are not looked into.
        out: Holds `drawings/ID.json` (how each is drawn; those that are begun are added) and gets
            `outlines/ID.json` (polygons, which every command that takes outlines reads).
        markers: A COCO file of keypoints, or a folder of outlines, masks or PixelAnnotationTool's markers by id.
        method: How the skin line is found in drawings that are begun.
        sheets: Gets sheets of six hands with their outlines; OUT/sheets by default. They show the radiographs.
        workers: Processes; 0: one per core.
        quiet: Whether to show no progress.

    Raises:
        CallError: If a path is not there, or there is neither a drawing nor a marker.
        DataError: If there is no picture.
    """
    batch = Batch("annotate", out, (), {"method": method}, workers, quiet)
    files = list_images(images)
    beginnings = _beginnings(files, out / "drawings", markers)
    if not beginnings:
        raise CallError(
            f"{out / 'drawings'} holds no drawing for any of the {len(files)} radiographs, and there are no markers; "
            "--markers with a COCO file, or a folder of outlines or markers, would do"
        )
    for folder in ("drawings", "outlines"):
        make_folder(out / folder)
    chosen = [path for path in files if path in beginnings]
    records, failed = map_files(batch, chosen, beginnings)
    done = {record["case_id"] for record in records}
    for path in chosen:
        if path.stem not in done:
            (out / "outlines" / f"{path.stem}.json").unlink(missing_ok=True)
    drawn = [path for path in chosen if path.stem in done]
    written = _write_sheets(drawn, out / "outlines", sheets or out / "sheets")
    begun = sum(record["begun"] for record in records)
    lines = [
        f"{begun} begun from markers, {len(records) - begun} as their drawings say; "
        f"{len(files) - len(chosen)} have neither",
        *([f"{len(written)} sheets to review, {written[0]} first"] if written else []),
    ]
    more = {"begun": begun, "without": len(files) - len(chosen), "sheets": [str(path) for path in written]}
    return folder_result(batch, len(chosen), records, failed, more, lines)


def _beginnings(files: Sequence[Path], drawings: Path, markers: Path | None) -> dict[Path, dict[str, Any]]:
    """Where each radiograph's drawing comes from; those that have nothing are left out."""
    from boneage_segmentation.annotation import find_outlines

    is_keypoints = markers is not None and markers.is_file()
    if markers is not None and not markers.exists():
        raise CallError(f"received --markers {markers}, which is not there")
    known = find_outlines(markers) if markers is not None and not is_keypoints else {}
    hands = _hands(markers) if markers is not None and is_keypoints else set()
    found = {}
    for path in files:
        drawing = drawings / f"{path.stem}.json"
        marker = markers if path.stem in hands else known.get(path.stem)
        if drawing.is_file() or marker is not None:
            found[path] = {
                "drawing_uri": str(drawing.absolute()) if drawing.is_file() else None,
                "marker_uri": str(marker.absolute()) if marker else None,
                "is_keypoints": is_keypoints,
            }
    return found


def _hands(keypoints: Path) -> set[str]:
    from boneage_segmentation.marking import list_keypoints

    return list_keypoints(read_bounded(keypoints), keypoints.name)


def _write_sheets(files: Sequence[Path], outlines: Path, sheets: Path) -> list[Path]:
    from boneage_imaging.codec import decode
    from boneage_segmentation.polygons import read_polygons
    from boneage_segmentation.sheets import draw_sheet

    make_folder(sheets)
    written = []
    for start in range(0, len(files), _OF_A_SHEET):
        hands = []
        for path in files[start : start + _OF_A_SHEET]:
            image = decode(read_bounded(path))
            outline = (outlines / f"{path.stem}.json").read_bytes()
            hands.append(
                (path.stem, image, read_polygons(outline, path.stem, (image.shape[0], image.shape[1])))
            )
        sheet = sheets / f"{start // _OF_A_SHEET:03d}.png"
        sheet.write_bytes(draw_sheet(hands))
        written.append(sheet)
    return written
