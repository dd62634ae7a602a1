from contextlib import nullcontext
from pathlib import Path

import pytest

from boneage_segmentation import ModelError, Segmenter, default_model, inference
from boneage_segmentation.inference import open_session
from boneage_segmentation.model_folder import GRAPH

SHIPPED = Path(inference.__file__).parent / "weights" / "model.json"


def test_the_shipped_model_is_found_or_said_to_be_missing():
    with nullcontext() if SHIPPED.is_file() else pytest.raises(ModelError, match="carries no model"):
        assert Segmenter.load(default_model(), threads=1).metadata["kind"] == "segmentation"


def test_threads_that_wait_leave_the_cores_to_others():
    options = open_session(default_model() / GRAPH).get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
