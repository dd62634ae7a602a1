"""The `boneage` command. Every command is a few lines over the library; what is heavy is imported inside."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from boneage_cli.errors import CallError

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["app", "main"]

NOT_A_DEVICE = "Not a medical device."

app = typer.Typer(
    name="boneage",
    help=f"Tells a child's bone age from a hand radiograph, and trains itself for that. {NOT_A_DEVICE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich would double the start
)

Images = Annotated[Path, typer.Argument(metavar="IN", help="Folder of radiographs.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")]
Workers = Annotated[int, typer.Option(help="Processes to work with; 0: one per core.", min=0)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
ModelFolder = Annotated[
    Path | None, typer.Option("--model", help="Model folder; the shipped one by default.")
]
Architecture = Literal["report", "boneage"]
EngineKind = Annotated[Literal["local", "spark"], typer.Option(help="Where it runs.")]
Master = Annotated[str | None, typer.Option(help="Spark master: spark://host:7077 or yarn.")]
TotalCores = Annotated[int | None, typer.Option(help="Cores of the cluster to use.", min=1)]
CoresPerWorker = Annotated[int | None, typer.Option(help="Cores of each worker.", min=1)]
Environment = Annotated[
    str | None, typer.Option(help="Archive of pack-env, for workers that have no environment.")
]
SparkConf = Annotated[list[str] | None, typer.Option(help="KEY=VALUE, may be repeated.")]
AllowFewer = Annotated[
    bool, typer.Option("--allow-fewer-workers", help="Go on where the cluster has fewer cores than that.")
]
SparkLog = Annotated[Path | None, typer.Option(help="File for what Spark tells.")]


@app.command("run")
def run(
    what: Annotated[str, typer.Argument(help="'all': every stage.")] = "all",
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder of radiographs, or what 'upload' has packed, hdfs://... too; without it phantoms are drawn."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Table id,boneage,male; DATA/labels.csv by default.")
    ] = None,
    outlines: Annotated[
        Path | None, typer.Option(help="Folder of outlines: masks by id or polygons.")
    ] = None,
    out: Annotated[str, typer.Option(help="Folder of the run, here or hdfs://...")] = "runs/latest",
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    preset: Annotated[
        Literal["quick", "standard"], typer.Option(help="The run's size, nothing else.")
    ] = "quick",
    seed: Annotated[int | None, typer.Option(help="Decides all that is drawn by chance.", min=0)] = None,
    from_stage: Annotated[
        str | None, typer.Option("--from", help="Do this stage and all after it anew.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", help="Do this stage alone anew.")] = None,
    workers: Workers = 0,
    engine: EngineKind = "local",
    master: Master = None,
    total_cores: TotalCores = None,
    cores_per_worker: CoresPerWorker = None,
    environment: Environment = None,
    spark_conf: SparkConf = None,
    allow_fewer_workers: AllowFewer = False,
    spark_log: SparkLog = None,
    as_json: Json = False,
) -> None:
    """Runs every stage, from ingest to report, or a part of them."""
    if what != "all":
        raise CallError(
            f"received 'run {what}'; 'run all' would do, or 'run --from STAGE', 'run --only STAGE'"
        )
    from boneage_cli.engines import make_engine
    from boneage_cli.runs import run_pipeline

    result = run_pipeline(
        data=data,
        labels=labels,
        outlines=outlines,
        out=out,
        config_path=config,
        preset=preset,
        seed=seed,
        first=from_stage,
        only=only,
        engine=make_engine(
            engine,
            workers=workers,
            master=master,
            total_cores=total_cores,
            cores_per_worker=cores_per_worker,
            environment=environment,
            spark_conf=spark_conf,
            allow_fewer=allow_fewer_workers,
            log=spark_log,
        ),
        quiet=as_json,
    )
    _show(result.summary, result.lines, as_json)
    if result.shortfalls:
        raise typer.Exit(1)


@app.command()
def preprocess(
    images: Images,
    out: Out,
    mode: Annotated[Literal["resize", "contrast"], typer.Option(help="resize: letterbox; contrast: CLAHE.")],
    size: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Height and width, pixels.")] = (
        256,
        256,
    ),
    fill: Annotated[str, typer.Option(help="Padding: white, black or a gray value.")] = "black",
    clip_limit: Annotated[float, typer.Option(help="CLAHE's clip limit.")] = 2.0,
    tiles: Annotated[int, typer.Option(help="CLAHE's tiles along each side.", min=1)] = 8,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Resizes a folder of radiographs, or equalises their contrast."""
    from boneage_cli.folders import contrast_folder, resize_folder

    if mode == "resize":
        result = resize_folder(images, out, size=size, fill=fill, workers=workers, quiet=as_json)
    else:
        result = contrast_folder(
            images, out, clip_limit=clip_limit, tiles=tiles, workers=workers, quiet=as_json
        )
    _finish_folder(result, as_json)


@app.command()
def segment(
    images: Images, out: Out, model: ModelFolder = None, workers: Workers = 0, as_json: Json = False
) -> None:
    """Finds the hand: OUT/masks/ID.png at the input's own size, and OUT/masked/ID.png."""
    from boneage_cli.folders import segment_folder

    _finish_folder(segment_folder(images, out, model=model, workers=workers, quiet=as_json), as_json)


@app.command()
def align(
    images: Images,
    out: Out,
    masks: Annotated[Path | None, typer.Option(help="Folder of masks by id.")] = None,
    model: ModelFolder = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Turns each hand upright: OUT/ID.png."""
    if (masks is None) == (model is None):
        raise CallError("received both or neither of --masks and --model; one of them would do")
    from boneage_cli.folders import align_folder

    _finish_folder(
        align_folder(images, out, masks=masks, model=model, workers=workers, quiet=as_json), as_json
    )


@app.command()
def annotate(
    images: Images,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder of drawings, followed if there, and of outlines.")
    ],
    markers: Annotated[
        Path | None,
        typer.Option(help="COCO file of keypoints, or folder of outlines, masks or markers by id."),
    ] = None,
    method: Annotated[
        Literal["grabcut", "watershed", "outline"],
        typer.Option(help="How the skin line is found in what is begun."),
    ] = "grabcut",
    sheets: Annotated[
        Path | None, typer.Option(help="Folder for sheets to review; OUT/sheets by default.")
    ] = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Draws outlines from markers: OUT/outlines/ID.json, sheets to review, and OUT/drawings/ID.json to correct."""
    from boneage_cli.annotating import annotate_folder

    result = annotate_folder(
        images, out, markers=markers, method=method, sheets=sheets, workers=workers, quiet=as_json
    )
    _finish_folder(result, as_json)


@app.command("train-segmentation")
def train_segmentation(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of radiographs.")],
    outlines: Annotated[
        Path, typer.Argument(metavar="OUTLINES", help="Folder of outlines: masks or polygons.")
    ],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    architecture: Annotated[Architecture, typer.Option(help="Network.")] = "boneage",
    init: Annotated[Path | None, typer.Option(help="Model folder to start from.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    preset: Annotated[Literal["quick", "standard"], typer.Option(help="The training's size.")] = "standard",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Trains the network that finds the hand."""
    from boneage_cli.runs import train_segmentation_model

    summary = train_segmentation_model(
        images,
        outlines,
        out,
        architecture=architecture,
        init=init,
        config_path=config,
        preset=preset,
        workers=workers,
        quiet=as_json,
    )
    lines = [f"model written to {out}"]
    if "overlays" in summary:
        lines.append(f"best, median and worst of those that chose the epoch: {summary['overlays']}")
    _show(summary, lines, as_json)


@app.command("train-regression")
def train_regression(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of radiographs.")],
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Table id,boneage,male.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks by id; found by the model if not given.")
    ] = None,
    segmentation: Annotated[
        Path | None,
        typer.Option(help="Model that finds the hand, in predicting too; the shipped one by default."),
    ] = None,
    architecture: Annotated[
        Architecture | None, typer.Option(help="Network; that of the settings by default.")
    ] = None,
    init: Annotated[Path | None, typer.Option(help="Model folder to start from.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    preset: Annotated[Literal["quick", "standard"], typer.Option(help="The training's size.")] = "standard",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Trains the network that tells the age: one net a fold; the model is their average."""
    from boneage_cli.runs import train_regression_model

    summary = train_regression_model(
        images,
        labels,
        out,
        masks=masks,
        segmentation=segmentation,
        architecture=architecture,
        init=init,
        config_path=config,
        preset=preset,
        workers=workers,
        quiet=as_json,
    )
    low, high = summary["mad_interval_months"]
    lines = [
        f"model written to {out}",
        f"mean absolute difference on the cases that a network had not seen: {summary['mad_months']:.1f} months "
        f"(95 % interval {low:.1f} to {high:.1f}), {summary['mad_without_sex_months']:.1f} without the sex",
        f"what was said of each of them: {summary['out_of_fold']}",
    ]
    _show(summary, lines, as_json)


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Radiographs, or folders of them.")],
    model: Annotated[
        Path | None, typer.Option(help="Run or model folder; the shipped model by default.")
    ] = None,
    sex: Annotated[
        Literal["F", "M"] | None, typer.Option(help="Sex of the child, where all files share it.")
    ] = None,
    cases: Annotated[Path | None, typer.Option(help="Table id,male.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the answers as CSV to this file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with pictures to this file, FILE.html.")
    ] = None,
    saliency: Annotated[
        Path | None,
        typer.Option(help="Write pictures of what each answer rests on to this folder, ID.png."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tells the bone age of each radiograph, in months, with its interval."""
    if sex and cases:
        raise CallError("received both --sex and --cases; one of them would do")
    from boneage_cli.predictor import predict_files, show_answers

    answers = predict_files(files, model=model, sex=sex, cases=cases, report=report, saliency=saliency)
    show_answers(answers, out=out, as_json=as_json)
    if report is not None:
        typer.echo(f"page: {report}", err=True)
    if saliency is not None:
        typer.echo(f"what the answers rest on: {saliency}", err=True)
    if not any(answer.answered for answer in answers):
        raise typer.Exit(1)


@app.command()
def calibrate(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of radiographs.")],
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Table id,boneage,male.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    model: Annotated[
        Path | None, typer.Option(help="Run or model folder; the shipped model by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fits a model to a clinic's own cases: a correction, used only where it helps, and new intervals."""
    from boneage_cli.calibrating import calibrate_model

    _show(*calibrate_model(images, labels, out, model=model, quiet=as_json), as_json)


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS", help="Table id,age_months.")],
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Table id,boneage,male.")],
    as_json: Json = False,
) -> None:
    """Compares predicted ages with labels: MAD, RMSE, bias, with bootstrap intervals."""
    from boneage_cli.evaluation import evaluate_tables

    _show(*evaluate_tables(predictions, labels), as_json)


@app.command("evaluate-masks")
def evaluate_masks(
    predicted: Annotated[Path, typer.Argument(metavar="PREDICTED", help="Folder of masks by id.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="Folder of masks by id, or outlines.")],
    as_json: Json = False,
) -> None:
    """Compares masks with the truth: Jaccard index per image, mean and median."""
    from boneage_cli.evaluation import evaluate_mask_folders

    _show(*evaluate_mask_folders(predicted, truth), as_json)


@app.command()
def phantom(
    out: Out,
    count: Annotated[int, typer.Option(help="How many.", min=1)] = 12,
    seed: Annotated[int, typer.Option(help="Same seed, same phantoms.", min=0)] = 0,
    size: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Height and width, pixels.")] = (
        512,
        400,
    ),
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Draws hand phantoms: OUT/images, OUT/outlines, OUT/labels.csv, OUT/keypoints.json."""
    from boneage_cli.folders import phantom_folder

    _finish_folder(
        phantom_folder(out, count=count, seed=seed, size=size, workers=workers, quiet=as_json), as_json
    )


@app.command()
def check(
    data: Annotated[Path | None, typer.Argument(metavar="[DATA]", help="Data folder.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Table id,boneage,male.")] = None,
    outlines: Annotated[Path | None, typer.Option(help="Folder of outlines.")] = None,
    out: Annotated[
        list[str] | None, typer.Option(help="Folder that the cluster must write and read; may be repeated.")
    ] = None,
    engine: EngineKind = "local",
    master: Master = None,
    total_cores: TotalCores = None,
    cores_per_worker: CoresPerWorker = None,
    environment: Environment = None,
    spark_conf: SparkConf = None,
    spark_log: SparkLog = None,
    as_json: Json = False,
) -> None:
    """Looks before hours are spent: through a data set, or with --engine spark at a cluster.

    In a data set: what is unreadable, missing, doubled, unlabelled. Of a cluster: slots, memory, versions on the
    workers, whether their environment is complete, and whether they write and read.
    """
    if (data is None) == (engine == "local"):
        raise CallError("received both or neither of DATA and --engine spark; one of them would do")
    from boneage_cli.engines import make_engine

    chosen = make_engine(
        engine,
        master=master,
        total_cores=total_cores,
        cores_per_worker=cores_per_worker,
        environment=environment,
        spark_conf=spark_conf,
        log=spark_log,
    )
    if data is None:
        from boneage_cli.clusters import look_at_cluster

        _finish_check(*look_at_cluster(chosen, out or []), as_json)
    else:
        from boneage_cli.checking import check_data

        found = check_data(data, labels=labels, outlines=outlines)
        _finish_check(found.summary, found.lines, found.wrong, as_json)


def _finish_check(summary: dict[str, Any], lines: list[str], wrong: bool, as_json: bool) -> None:
    _show(summary, lines, as_json)
    if wrong:
        raise typer.Exit(1)


@app.command("pack-env")
def pack_env(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Archive to write, *.tar.gz.")],
    training: Annotated[bool, typer.Option(help="With what training needs, TensorFlow above all.")] = False,
    as_json: Json = False,
) -> None:
    """Packs this Python and boneage into one archive, for Spark workers that have neither."""
    from boneage_cli.clusters import pack

    _show(*pack(out, training=training), as_json)


@app.command()
def upload(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Data folder.")],
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="Folder to write: hdfs://HOST:PORT/... or a path.")
    ],
    labels: Annotated[Path | None, typer.Option(help="Table id,boneage,male.")] = None,
    outlines: Annotated[Path | None, typer.Option(help="Folder of outlines.")] = None,
    form: Annotated[
        Literal["parquet", "csv"],
        typer.Option(
            "--format", help="parquet: files as they are; csv: a row of pixels for each radiograph."
        ),
    ] = "parquet",
    size: Annotated[
        tuple[int, int], typer.Option(metavar="H W", help="Height and width in CSV, pixels.", min=1)
    ] = (256, 256),
    shard_size: Annotated[int, typer.Option(help="Cases of a shard.", min=1)] = 64,
    threads: Annotated[int, typer.Option(help="Shards to write at a time.", min=1)] = 8,
    as_json: Json = False,
) -> None:
    """Packs radiographs, labels and outlines into shards, on HDFS or in a folder."""
    from boneage_cli.uploading import upload_data

    result = upload_data(
        data,
        out,
        labels=labels,
        outlines=outlines,
        form=form,
        size=size,
        shard_size=shard_size,
        threads=threads,
    )
    _finish_folder(result, as_json)


@app.command()
def info(as_json: Json = False) -> None:
    """Tells versions, shipped models, stages, and what is installed."""
    from boneage_cli.info import describe

    _show(*describe(), as_json)


def _finish_folder(result: Any, as_json: bool) -> None:
    _show(result.summary, result.lines, as_json)
    if not result.done:
        raise typer.Exit(1)


def _show(summary: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Prints a result: JSON for machines, lines for people."""
    import json

    for line in [json.dumps(summary, indent=1)] if as_json else lines:
        typer.echo(line)


_INTERRUPTED = 130  # what typer makes of Ctrl-C
_GOES_ON = "interrupted; the same command goes on from what is done"


def main() -> None:
    """Runs the command; turns errors into exit codes: 0 done, 1 failed, 2 called wrongly."""
    # The libraries' own logs and warnings, in workers too; ours say what matters.
    for name, value in (
        ("TF_CPP_MIN_LOG_LEVEL", "3"),
        ("OPENCV_LOG_LEVEL", "OFF"),
        ("PYTHONWARNINGS", "ignore"),
    ):
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name in any script can be told of anywhere
    interrupted = _note_interruption()
    try:
        app(standalone_mode=True)
    except CallError as error:
        _fail(error, 2)
    except BrokenPipeError:
        _fail("interrupted", 1)
    except SystemExit as ended:
        if ended.code != _INTERRUPTED:
            raise
        _fail(_GOES_ON, 1)
    except Exception as error:
        if os.environ.get("BONEAGE_DEBUG"):
            raise
        _fail(_GOES_ON if interrupted.is_set() else error, 1)


def _note_interruption() -> threading.Event:
    """Set once Ctrl-C was pressed: a library that was just starting makes another error of it."""
    noted = threading.Event()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:

        def interrupt(number: int, frame: FrameType | None) -> None:
            noted.set()
            signal.default_int_handler(number, frame)

        signal.signal(signal.SIGINT, interrupt)
    return noted


def _fail(error: object, code: int) -> None:
    from boneage_cli.files import plain

    for line in f"boneage: {_told(error)}".split("\n"):
        typer.echo(plain(line), err=True)
    sys.exit(code)


def _told(error: object) -> str:
    if isinstance(error, MemoryError) or str(error).startswith("MemoryError"):
        return "out of memory; fewer --workers or smaller sizes may help"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    # What a worker raised comes with its traceback, which is for BONEAGE_DEBUG.
    text = str(error).split("\nTraceback")[0] or type(error).__name__
    return f"{text}; make room, and the same command goes on" if os.strerror(errno.ENOSPC) in text else text
