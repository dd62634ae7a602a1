"""The README's first example, run as a reader would."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "cli" / "README.md"


def run(*command: str | Path, cwd: Path) -> str:
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | {"PATH": tools}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_example_runs(tmp_path: Path) -> None:
    example = README.read_text(encoding="utf-8").split("## A first example\n")[1]
    lines = [line.strip() for line in re.match(r"\s*((?:    .*\n)+)", example)[1].splitlines()]
    assert [line.split()[:2] for line in lines] == [["boneage", "phantom"], ["boneage", "predict"]]
    told = [run(*shlex.split(line, comments=True), cwd=tmp_path) for line in lines][1]
    assert "phantom-00002" in told
    code = re.findall(r"```python\n(.*?)```", example, re.DOTALL)[0]
    age, lower, upper, status, *_ = run(sys.executable, "-c", code, cwd=tmp_path).split()
    assert status == "ok"
    assert 0 <= float(lower) <= float(age) <= float(upper) <= 228
