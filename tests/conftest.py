"""How hypothesis runs, and which tests belong to which installation.

hypothesis: the same examples everywhere; `--hypothesis-profile=search` looks for new ones.

A package's tests run with its base install, but for those in folders named after the extra that they need. What holds
of the base install only lies in a folder `base`. `--extras dicom,train` says what is installed, `--extras=` that
nothing but the base is; without it, all extras are taken to be there.
"""

from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    # One contract is tried on several storages, each by a class of its own.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("ci")

EXTRAS = {"dicom", "spark", "train"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--extras", default=",".join(EXTRAS), help="the extras that are installed, with commas between"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    installed = set(filter(None, config.getoption("--extras").split(",")))
    absent = EXTRAS - installed | ({"base"} if installed else set())
    return True if collection_path.is_dir() and collection_path.name in absent else None


@pytest.fixture(scope="session")
def installed() -> set[str]:
    """The names of the distributions that are installed here."""
    return {distribution.name.lower() for distribution in metadata.distributions()}
