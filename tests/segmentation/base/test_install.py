from importlib import util

import pytest


@pytest.mark.parametrize("name", ["keras", "onnx", "tensorflow", "tf2onnx"])
def test_no_heavy_library_comes_along(name):
    assert util.find_spec(name) is None
