import subprocess
import sys

import pytest

import boneage_segmentation


def test_every_public_name_is_there():
    for name in boneage_segmentation.__all__:
        assert getattr(boneage_segmentation, name) is not None
    assert set(boneage_segmentation.__all__) <= set(dir(boneage_segmentation))
    with pytest.raises(AttributeError):
        boneage_segmentation.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("boneage_segmentation", ["numpy", "cv2", "tensorflow", "keras", "onnxruntime"]),
        ("boneage_segmentation.training", ["cv2", "tensorflow", "keras", "onnxruntime"]),
        ("boneage_segmentation.inference", ["tensorflow", "keras", "onnxruntime"]),
    ],
)
def test_importing_loads_nothing_heavy(module, heavy):
    script = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
