"""Runs record functions and Keras training, here or on a cluster; reads and writes local folders and HDFS."""
