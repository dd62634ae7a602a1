from contextlib import nullcontext
from pathlib import Path

import pytest

from boneage_segmentation import ModelError, Segmenter, default_model, inference

SHIPPED = Path(inference.__file__).parent / "weights" / "model.json"


def test_the_shipped_model_is_found_or_said_to_be_missing():
    with nullcontext() if SHIPPED.is_file() else pytest.raises(ModelError, match="carries no model"):
        assert Segmenter.load(default_model(), threads=1).metadata["kind"] == "segmentation"
