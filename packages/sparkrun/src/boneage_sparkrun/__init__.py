"""Runs record functions and Keras training in this process or on a cluster; reads and writes local folders and HDFS."""
