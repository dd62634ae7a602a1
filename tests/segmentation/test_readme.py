import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "segmentation" / "README.md"


def test_the_first_example_runs(tmp_path):
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    agreement = re.fullmatch(r"first first_\w+mask\.png Jaccard (0\.\d+|1\.000), Dice [\d.]+\n", done.stdout)
    assert agreement, done.stdout
    assert float(agreement[1]) > 0.95
