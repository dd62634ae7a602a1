"""The command starts light, and its errors are a sentence and an exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from boneage_cli.info import describe
from boneage_cli.main import app
from boneage_imaging.codec import encode_png
from boneage_imaging.phantom import draw_case

HEAVY = ("tensorflow", "keras", "pyspark", "cv2", "onnxruntime")
NEEDLESS = {
    "boneage_cli.batch",
    "boneage_cli.config",
    "boneage_cli.prediction_page",
    "boneage_regression.training",
    "boneage_segmentation.training",
    "boneage_sparkrun.engine",
    "jinja2",
    "keras",
    "matplotlib",
    "pyarrow",
    "pyspark",
    "tensorflow",
}
HELP = """
import sys
from boneage_cli.main import app
try:
    app(["--help"])
except SystemExit as end:
    assert not end.code, end.code
loaded = sorted({name.split(".")[0] for name in sys.modules})
print("loaded:", *loaded)
"""


# Python cannot tell an extension that Ctrl-C stopped its start: `import` fails with another error.
STOPPED_IMPORT = """
import os, signal
from boneage_cli import main
def app(standalone_mode):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error
signal.signal(signal.SIGINT, signal.default_int_handler)
main.app = app
main.main()
"""


def call(*arguments: str | Path, script: str = "") -> subprocess.CompletedProcess[str]:
    command = ["-c", script] if script else ["-c", "from boneage_cli.main import main; main()", *arguments]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


def test_help_loads_nothing_heavy() -> None:
    done = call(script=HELP)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split("loaded: ")[1].split()
    assert "typer" in loaded
    assert not set(HEAVY) & set(loaded)
    assert "numpy" not in loaded


def test_every_command_has_help_that_loads_nothing_heavy() -> None:
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert {"run", "preprocess", "segment", "align", "predict", "evaluate", "phantom", "check"} <= set(names)
    script = f"""
import sys
from boneage_cli.main import app
for name in {names!r}:
    try:
        app([name, "--help"])
    except SystemExit as end:
        assert not end.code, (name, end.code)
print("heavy:", *({set(HEAVY)!r} & set(sys.modules)))
"""
    done = call(script=script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("heavy:")


def needless_modules(arguments: list[str], needless: set[str]) -> str:
    """Which of these modules a command has loaded."""
    script = f"""
import sys
from boneage_cli.main import app
try:
    app({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
print("needless:", *sorted({needless!r} & set(sys.modules)))
"""
    done = call(script=script)
    assert done.returncode == 0, done.stderr
    assert "needless:" in done.stdout
    return done.stdout.rstrip().rpartition("needless:")[2]


def write_radiograph(path: Path) -> None:
    path.write_bytes(encode_png(draw_case(3, 0, size=(200, 160)).image))


def test_predict_loads_nothing_that_trains_draws_or_spreads_work(tmp_path: Path) -> None:
    radiograph = tmp_path / "hand.png"
    write_radiograph(radiograph)
    assert needless_modules(["predict", str(radiograph), "--sex", "M"], NEEDLESS) == ""


def test_segment_loads_nothing_that_stores_tables_or_draws(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    write_radiograph(source / "hand.png")
    needless = {
        "pyarrow",
        "pandas",
        "rich.progress",
        "boneage_imaging.phantom",
        "boneage_segmentation.drawings",
    }
    assert needless_modules(["segment", str(source), str(target)], needless) == ""
    written = {str(path.relative_to(target)) for path in target.rglob("*")}
    assert written == {"masks", "masked", "masks/hand.png", "masked/hand.png", "segment.csv"}


def test_the_first_words_say_that_it_is_no_medical_device() -> None:
    assert "Not a medical device" in call("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "nonsense"),
        (["preprocess", "{tmp}/none", "{tmp}/out", "--mode", "resize"], 2, "none"),
        (["preprocess", "{tmp}", "{tmp}/out", "--mode", "resize"], 1, "holds no radiograph"),
        (["preprocess", "{tmp}", "{tmp}/out", "--mode", "resize", "--fill", "pink"], 2, "--fill pink"),
        (["preprocess", "{tmp}", "{tmp}/out", "--mode", "blur"], 2, "blur"),
        (["preprocess", "{tmp}", "{tmp}", "--mode", "contrast"], 2, "read from and to write to"),
        (["align", "{tmp}", "{tmp}/out"], 2, "--masks"),
        (["run", "some"], 2, "run all"),
        (["run", "all", "--engine", "spark"], 2, "without --master"),
        (["run", "all", "--master", "spark://x:1"], 2, "without --engine spark"),
        (["run", "all", "--engine", "spark", "--master", "yarn", "--spark-conf", "x"], 2, "KEY=VALUE"),
        (["run", "all", "--allow-fewer-workers"], 2, "--allow-fewer-workers without --engine spark"),
        (["check"], 2, "neither of DATA"),
        (["check", "{tmp}/none"], 2, "none"),
        (["phantom", "{tmp}/out", "--size", "3", "3"], 2, "--size 3 3"),
        (["calibrate", "{tmp}", "{tmp}/none.csv", "--out", "{tmp}/out"], 2, "none.csv"),
        (["calibrate", "{tmp}", "{tmp}/none.csv", "--out", "{tmp}"], 2, "no model folder"),
    ],
)
def test_errors_are_one_sentence_and_an_exit_code(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = call(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_check_that_finds_something_wrong_exits_with_1_and_still_tells_it(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    done = call("check", tmp_path, "--json")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert found["images"]["unreadable"][0]["name"] == "1.png"


def test_info_is_for_machines_too() -> None:
    done = call("info", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["packages"]["boneage-cli"]
    assert facts["stages"][0]["name"] == "ingest"
    assert facts["stages"][-1]["name"] == "report"
    assert set(facts["presets"]) == {"quick", "standard"}
    assert set(facts["models"]) == {"segmentation", "regression"}
    assert facts["notice"] == "Not a medical device."
    summary, lines = describe()
    assert json.loads(json.dumps(summary)) == facts
    assert any(facts["python"] in line for line in lines)
    for name in ("boneage-cli", "train-segmentation", "quick, standard", "Not a medical device."):
        assert any(name in line for line in lines)


def test_an_interruption_is_told_whatever_a_library_made_of_it():
    done = call(script=STOPPED_IMPORT)
    assert (done.returncode, done.stderr) == (
        1,
        "boneage: interrupted; the same command goes on from what is done\n",
    )
