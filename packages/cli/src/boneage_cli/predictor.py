"""From one radiograph to one answer; also the Python API of a trained model.

Example:
    answer = Predictor().predict(Path("hand.png").read_bytes(), sex="F")
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_cli.errors import CallError, DataError
from boneage_cli.files import plain, read_bounded, shown
from boneage_cli.labels import read_sexes, write_table
from boneage_cli.models import find_regression, find_shipped_segmentation
from boneage_cli.sources import image_files, name_faults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from boneage_cli.stages import Prepared

__all__ = ["Answer", "Examination", "Predictor", "predict_files", "show_answers"]

COLUMNS = ("id", "age_months", "lower", "upper", "status", "reason")
NOTICE = "Not a medical device."


@dataclass(frozen=True)
class Answer:
    """What is said of one radiograph.

    Attributes:
        id: The file's stem, or its whole name where several of a folder share the stem.
        age_months: Bone age in months; None where there is no answer.
        lower: Lower end of the interval, months.
        upper: Upper end of the interval, months.
        status: `ok`, `warning` (there is an answer, read the reason) or `refused` (there is none).
        reason: Why it is not `ok`.
    """

    id: str
    age_months: float | None
    lower: float | None
    upper: float | None
    status: str
    reason: str

    @property
    def answered(self) -> bool:
        """Whether there is an age."""
        return self.age_months is not None


@dataclass(frozen=True)
class Examination:
    """An answer, and what it rests on as far as the radiograph got.

    Attributes:
        answer: What is said.
        sex: What it was said with: `F`, `M`, or None where it was not given.
        image: The radiograph as it was taken in, gray.
        mask: The hand in it, bool.
        prepared: What the age network saw, uint8.
        months: Which parts of that the answer rests on, see `boneage_regression.saliency_map`; None unless asked for.
    """

    answer: Answer
    sex: str | None = None
    image: np.ndarray | None = None
    mask: np.ndarray | None = None
    prepared: np.ndarray | None = None
    months: np.ndarray | None = None


class Predictor:
    """A model folder, ready to answer.

    Args:
        model: A run's folder or a model folder; None for the shipped model.

    Attributes:
        folder: The model that tells the age.
        segmentation_folder: The model that finds the hand.

    Raises:
        CallError: If there is no model in the folder.
        DataError: If it does not say how radiographs are prepared for it.
        ModelError: If it is damaged.
    """

    def __init__(self, model: Path | None = None) -> None:
        from boneage_cli.preparation import Ingest, Prepare
        from boneage_regression.inference import Regressor
        from boneage_segmentation.inference import Segmenter

        self.folder = find_regression(model)
        self.regressor = Regressor.load(self.folder)
        try:
            preprocessing = self.regressor.metadata["preprocessing"]
            self.ingest = Ingest(**preprocessing["ingest"])
            self.prepare = Prepare(**preprocessing["prepare"])
            segmentation = preprocessing["segmentation"]
        except (KeyError, TypeError) as error:
            raise DataError(
                f"the model in {self.folder} does not say how radiographs are prepared for it"
            ) from error
        self.segmentation_folder = _find_segmentation(self.folder, segmentation)
        self.segmenter = Segmenter.load(self.segmentation_folder)

    def predict(self, data: bytes, *, sex: str | None = None, case_id: str = "") -> Answer:
        """Tells the bone age of one radiograph.

        Args:
            data: The file's bytes.
            sex: `F`, `M`, or None where it is not known; it is never filled in.
            case_id: Stands in the answer.

        Returns:
            The answer; a file that is no radiograph of a hand is refused, with the reason.
        """
        return self.examine(data, sex=sex, case_id=case_id).answer

    def examine(
        self, data: bytes, *, sex: str | None = None, case_id: str = "", saliency: bool = False
    ) -> Examination:
        """As `predict`, with what the answer rests on.

        Args:
            data: The file's bytes.
            sex: `F`, `M`, or None where it is not known.
            case_id: Stands in the answer.
            saliency: Whether to find out on which parts of the hand, too: the age network is asked 75 times more.
        """
        from boneage_cli.stages import find_hand, ingest_image, prepare_image
        from boneage_imaging.errors import ImagingError
        from boneage_regression.saliency import saliency_map

        try:
            image, _ = ingest_image(data, self.ingest)
        except (ImagingError, MemoryError) as error:
            return Examination(_refused(case_id, plain(str(error))), sex)
        mask, verdict = find_hand(image, self.segmenter)
        if verdict.status == "refused":
            return Examination(_refused(case_id, "; ".join(verdict.reasons)), sex, image, mask)
        prepared = prepare_image(image, mask, self.prepare)
        answer = self._answer(case_id, prepared, list(verdict.reasons), sex)
        seen = np.asarray(prepared.image)
        months = saliency_map(self.regressor, seen, sex) if saliency else None
        return Examination(answer, sex, image, mask, seen, months)

    def _answer(self, case_id: str, prepared: Prepared, reasons: list[str], sex: str | None) -> Answer:
        found = self.regressor.predict(np.asarray(prepared.image), sex)
        reasons = [reason for reason in [*reasons, prepared.reason, found.reason] if reason]
        return Answer(
            case_id,
            round(found.age_months, 2),
            round(found.lower, 2),
            round(found.upper, 2),
            "warning" if reasons else "ok",
            "; ".join(reasons),
        )


def _refused(case_id: str, reason: str) -> Answer:
    return Answer(case_id, None, None, None, "refused", reason)


def _find_segmentation(folder: Path, digest: str) -> Path:
    """The segmentation that a regression model was trained with: inside its folder, or the shipped one."""
    if (folder / "segmentation" / "model.json").is_file():
        return folder / "segmentation"
    from boneage_segmentation.model_folder import read_metadata

    shipped = find_shipped_segmentation()
    if read_metadata(shipped)["digest"] != digest:
        raise DataError(f"the model in {folder} was trained with another segmentation than the shipped one")
    return shipped


def predict_files(
    files: list[Path],
    *,
    model: Path | None,
    sex: str | None,
    cases: Path | None,
    report: Path | None = None,
    saliency: Path | None = None,
) -> list[Answer]:
    """Answers for files and for all radiographs in folders. The arguments are the command's.

    Of a folder, what is no file and what shares its stem with another file is refused; with a table of cases
    or a folder for saliency that holds for all files together, since an id then decides the sex or a picture's name.

    Raises:
        CallError: If there is no model, a folder cannot be looked into, the report is no HTML file's name, or the
            folder for saliency holds a radiograph.
        DataError: If the table of cases cannot be read.
    """
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise CallError(f"received {report} for --report, where the name of an .html file would do")
    sexes = (
        {k: None if v is None else "M" if v else "F" for k, v in read_sexes(cases).items()} if cases else {}
    )
    folders = {given: image_files(given) for given in files if given.is_dir()}
    paths = [path for given in files for path in folders.get(given, [given])]
    together = [paths] if cases or saliency else folders.values()
    faults = {path: fault for group in together for path, fault in name_faults(group).items()}
    if saliency is not None:
        from boneage_cli.heatmaps import check_folder

        check_folder(saliency, paths)
    predictor = Predictor(model)
    most_maps = len(paths) if saliency is not None else _most_shown(report)
    examined = (
        Examination(_refused(shown(path.name), faults[path]))
        if path in faults
        else _examine_file(predictor, path, sexes.get(path.stem, sex), saliency=index < most_maps)
        for index, path in enumerate(paths)
    )
    case_ids = [path.stem for path in paths]
    return _write_pictures(examined, predictor, case_ids, report=report, saliency=saliency)


def _most_shown(report: Path | None) -> int:
    if report is None:
        return 0
    from boneage_cli.prediction_page import MOST_SHOWN

    return MOST_SHOWN


def _write_pictures(
    examined: Iterable[Examination],
    predictor: Predictor,
    case_ids: list[str],
    *,
    report: Path | None,
    saliency: Path | None,
) -> list[Answer]:
    """Writes what was asked for; without that, nothing that draws is imported."""
    if saliency is not None:
        from boneage_cli.heatmaps import write_heatmaps

        examined = write_heatmaps(saliency, examined, case_ids)
    if report is None:
        return [examination.answer for examination in examined]
    from boneage_cli.prediction_page import write_page

    return write_page(report, predictor, examined)


def _examine_file(predictor: Predictor, path: Path, sex: str | None, *, saliency: bool) -> Examination:
    try:
        data = read_bounded(path)
    except DataError as error:
        reason = f"the file {shown(str(path))} cannot be read: {error}"
        return Examination(_refused(shown(path.stem), reason), sex)
    return predictor.examine(data, sex=sex, case_id=shown(path.stem), saliency=saliency)


def show_answers(answers: list[Answer], *, out: Path | None, as_json: bool) -> None:
    """Prints the answers, as a table or as JSON, and writes them as CSV if asked."""
    rows = [dataclasses.astuple(answer) for answer in answers]
    if out is not None:
        write_table(out, COLUMNS, rows)
    if as_json:
        answered: dict[str, Any] = {"answers": [dataclasses.asdict(a) for a in answers], "notice": NOTICE}
        print(json.dumps(answered, indent=1))  # noqa: T201
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    told = sum(answer.answered for answer in answers)
    count = f"{told} of {len(answers)} answered." if len(answers) > 1 else ""
    table = Table(*COLUMNS, caption=f"{count} Months, by Greulich and Pyle's atlas. {NOTICE}".strip())
    for row in rows:
        cells = ("" if v is None else f"{v:.1f}" if isinstance(v, float) else v for v in row)
        table.add_row(*(Text(cell) for cell in cells))  # as text: a name with [brackets] is no markup
    Console().print(table)
