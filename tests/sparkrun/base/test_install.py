from importlib import util

import pytest


@pytest.mark.parametrize("name", ["keras", "pyspark", "tensorflow"])
def test_no_heavy_library_comes_along(name):
    assert util.find_spec(name) is None


def test_of_this_workspace_only_what_is_needed_comes_along(installed):
    ours = {name for name in installed if name.startswith("boneage-")}
    assert ours == {"boneage-sparkrun"}
