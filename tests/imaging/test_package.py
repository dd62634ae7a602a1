"""The package as a whole: what it offers, that it is light, and that its errors travel."""

import doctest
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import boneage_imaging
from boneage_imaging import errors


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_every_public_name_is_there():
    assert sorted(boneage_imaging.__all__) == dir(boneage_imaging)
    for name in boneage_imaging.__all__:
        assert getattr(boneage_imaging, name) is not None


def test_submodules_keep_their_names():
    assert boneage_imaging.phantom.Phantom is boneage_imaging.Phantom
    assert boneage_imaging.phantom.draw is boneage_imaging.draw_phantom
    assert boneage_imaging.codec.decode is boneage_imaging.decode


def test_the_readmes_example_runs():
    readme = Path(__file__).parents[2] / "packages" / "imaging" / "README.md"
    result = doctest.testfile(str(readme), module_relative=False)
    assert result.attempted > 5
    assert result.failed == 0


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        boneage_imaging.nothing_of_the_kind  # noqa: B018


def test_importing_the_package_loads_neither_opencv_nor_numpy():
    heavy = run("import sys, boneage_imaging; print({'cv2', 'numpy', 'pydicom'} & set(sys.modules))")
    assert heavy.strip() == "set()"


def test_opencv_alone_is_enough_for_all_but_dicom():
    code = "import sys\nfrom boneage_imaging import *\nprint({'pydicom', 'tensorflow'} & set(sys.modules))"
    assert run(code).strip() == "set()"


@pytest.mark.parametrize(
    "error",
    [
        errors.DecodeError("the file is empty"),
        errors.AlignmentError("the mask is empty"),
        errors.ArrayError("a mask", "a list"),
        errors.ParameterError("scale", "above 0", -1),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_are_value_errors_and_survive_the_way_between_processes(error):
    assert isinstance(error, ValueError)
    assert isinstance(error, errors.ImagingError)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_errors_say_what_came_and_what_would_do():
    assert str(errors.ArrayError("a mask", "a list")) == "wanted a mask; received a list"
    assert str(errors.ParameterError("scale", "above 0", -1)) == "scale must be above 0; received -1"
