"""HDFS as a storage, on the real servers."""

import pytest
from hypothesis import strategies as st

from ..storage_contract import StorageContract


@pytest.fixture(scope="session")
def root(hdfs_folder):
    return hdfs_folder


class TestHdfs(StorageContract):
    # What HDFS or WebHDFS cannot take, besides.
    names = st.text(
        st.characters(blacklist_characters="/\\\0:;", blacklist_categories=["Cs"]), min_size=1, max_size=40
    )
