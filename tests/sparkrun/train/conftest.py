import pytest


@pytest.fixture(scope="session")
def strategy():
    """Two replicas on the processor split in two, which must be said before TensorFlow starts.

    There is one for all tests: the sums of two strategies in one process get into each other's way.
    """
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
