from importlib import util

# What pytest and hypothesis bring along.
TEST_TOOLS = {"hypothesis", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "sortedcontainers"}


def test_numpy_and_opencv_come_along_and_nothing_else(installed):
    assert installed - TEST_TOOLS == {"boneage-imaging", "numpy", "opencv-python-headless"}


def test_dicom_is_not_to_be_had():
    assert util.find_spec("pydicom") is None
