from importlib import util

import pytest


@pytest.mark.parametrize("name", ["keras", "pyspark", "tensorflow"])
def test_no_heavy_library_comes_along(name):
    assert util.find_spec(name) is None
