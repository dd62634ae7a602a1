import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from boneage_regression import inference
from boneage_regression.errors import ModelError
from boneage_regression.inference import Regressor, default_model, open_session
from boneage_regression.model_folder import GRAPH


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, boneage_regression.training, boneage_regression.inference, boneage_regression as b; "
        "b.RegressionRecipe, b.mad; "
        "print(*sorted({'tensorflow', 'keras', 'onnx', 'onnxruntime', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_is_no_model_folder_is_refused(tmp_path):
    for content in ("", "{", "[]", '{"format": "else/1"}'):
        (tmp_path / "model.json").write_text(content)
        with pytest.raises(ModelError):
            Regressor.load(tmp_path)
    with pytest.raises(ModelError):
        Regressor.load(tmp_path / "nowhere")


def test_a_model_comes_with_the_package_or_is_said_to_be_missing():
    shipped = (Path(inference.__file__).parent / "weights" / "model.json").is_file()
    with nullcontext() if shipped else pytest.raises(ModelError, match="carries no model"):
        assert Regressor.load(default_model()).metadata["licence"].startswith("CC BY-NC")


def test_threads_that_wait_leave_the_cores_to_others():
    options = open_session(default_model() / GRAPH).get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
