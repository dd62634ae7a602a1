import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "regression" / "README.md"


def test_the_first_example_runs(tmp_path):
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "MAD" in done.stdout
