import re
import runpy
from contextlib import chdir

import pytest

from ..readme import programs


@pytest.mark.usefixtures("strategy")
def test_the_example_of_a_model_learns_its_curve(tmp_path, capsys):
    (tmp_path / "curve.py").write_text(programs()["curve.py"])
    with chdir(tmp_path):
        runpy.run_path("curve.py", run_name="__main__")
    printed = re.search(r"epoch \d+: (0\.\d+) off on average", capsys.readouterr().out)
    assert float(printed[1]) < 0.05
    assert (tmp_path / "run" / "curve.keras").is_file()
