"""The real servers, started once for all tests that ask for them."""

from ...servers.fixtures import hdfs, hdfs_folder, processes, spark, whole_hdfs, yarn

__all__ = ["hdfs", "hdfs_folder", "processes", "spark", "whole_hdfs", "yarn"]
