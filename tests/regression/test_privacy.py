"""Nothing is told to anybody: ONNX Runtime's reports are off, and leave no trace."""

import os
import subprocess
import sys

CODE = "from boneage_regression.inference import Regressor, default_model; Regressor.load(default_model(), threads=1)"


def test_a_loaded_model_reports_nothing(tmp_path):
    # ONNX Runtime is silent by itself where it is told that it is tested.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS")}
    environment |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", CODE], check=True, env=environment)
    assert not list(tmp_path.iterdir())
