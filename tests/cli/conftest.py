from pathlib import Path

import pytest

from .picture_folders import COUNT, draw


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "phantoms"
    assert draw(out, COUNT, workers=2).done == COUNT
    return out
